package iam

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/dictum/dictum/internal/iam/policy"
)

// Snapshot is what an account's identities were at one moment. It and all that it returns are never changed
// and must not be: every write makes another. It is safe for concurrent use.
type Snapshot struct {
	AccountID string
	// Alias is the account's, or empty.
	Alias string

	version   int64
	users     map[string]User  // by id, as are groups, roles and policies
	groups    map[string]Group // …
	roles     map[string]Role
	policies  map[string]ManagedPolicy
	keys      map[string]AccessKey
	devices   map[string]MFADevice    // by serial number
	providers map[string]OIDCProvider // by ARN
	uses      map[string]Use          // by the id of a key or a role
	// rights remembers what rightsOf worked out. It goes with the policies that it was worked out from.
	rights *rightsCache
}

// rightsCache holds Policies by the id of a user or a role, of which there are no more than the quotas allow.
type rightsCache struct{ m sync.Map }

// load reads an account from the store.
func load(ctx context.Context, store Store, accountID string) (*Snapshot, error) {
	records, version, err := store.Records(ctx, accountID)
	if err != nil {
		return nil, fmt.Errorf("read account %s: %w", accountID, err)
	}
	s := &Snapshot{
		AccountID: accountID, version: version,
		users: map[string]User{}, groups: map[string]Group{}, roles: map[string]Role{}, policies: map[string]ManagedPolicy{},
		keys: map[string]AccessKey{}, devices: map[string]MFADevice{}, providers: map[string]OIDCProvider{}, uses: map[string]Use{},
		rights: &rightsCache{},
	}
	for _, r := range records {
		if err := s.add(r); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *Snapshot) add(r Record) error {
	switch r.Type {
	case TypeUser:
		return into(s.users, r)
	case TypeGroup:
		return into(s.groups, r)
	case TypeRole:
		return into(s.roles, r)
	case TypePolicy:
		return into(s.policies, r)
	case TypeKey:
		return into(s.keys, r)
	case TypeDevice:
		return into(s.devices, r)
	case TypeProvider:
		return into(s.providers, r)
	case TypeUse:
		return into(s.uses, r)
	case TypeAlias:
		s.Alias = r.ID
		return nil
	default:
		return fmt.Errorf("read account %s: unknown record type %q", s.AccountID, r.Type)
	}
}

func into[T any](m map[string]T, r Record) error {
	v, err := decode[T](r)
	if err != nil {
		return err
	}
	m[r.ID] = v
	return nil
}

// clone copies the snapshot so that it can be changed: a few microseconds for a usual account, and a
// millisecond for one with thousands of users.
func (s *Snapshot) clone() *Snapshot {
	c := *s
	c.users, c.groups, c.roles, c.policies = maps.Clone(s.users), maps.Clone(s.groups), maps.Clone(s.roles), maps.Clone(s.policies)
	c.keys, c.devices, c.providers, c.uses = maps.Clone(s.keys), maps.Clone(s.devices), maps.Clone(s.providers), maps.Clone(s.uses)
	return &c
}

// find returns the one element that is; names are unique in an account.
func find[T any](m map[string]T, is func(T) bool) (T, bool) {
	for _, v := range m {
		if is(v) {
			return v, true
		}
	}
	var none T
	return none, false
}

// sorted returns the elements that are wanted, ordered by a string.
func sorted[T any](m map[string]T, by func(T) string, wanted func(T) bool) []T {
	out := make([]T, 0, len(m))
	for _, v := range m {
		if wanted == nil || wanted(v) {
			out = append(out, v)
		}
	}
	slices.SortFunc(out, func(a, b T) int { return cmp.Compare(by(a), by(b)) })
	return out
}

// User returns the user with exactly this name. Its errors, like those of all that find something by its
// name, are Refusals of kind ErrNoSuchEntity.
func (s *Snapshot) User(name string) (User, error) {
	u, ok := find(s.users, func(u User) bool { return u.Name == name })
	if !ok {
		return u, refuse(ErrNoSuchEntity, "The user with name %s cannot be found.", name)
	}
	return u, nil
}

// UserByID returns the user with this unique id.
func (s *Snapshot) UserByID(id string) (User, error) {
	u, ok := s.users[id]
	if !ok {
		return u, refuse(ErrNoSuchEntity, "The user with id %s cannot be found.", id)
	}
	return u, nil
}

// Users returns the users whose path begins with prefix, ordered by name.
func (s *Snapshot) Users(prefix string) []User {
	return sorted(s.users, func(u User) string { return u.Name }, func(u User) bool { return strings.HasPrefix(u.Path, prefix) })
}

// Group returns the group with this name.
func (s *Snapshot) Group(name string) (Group, error) {
	g, ok := find(s.groups, func(g Group) bool { return g.Name == name })
	if !ok {
		return g, refuse(ErrNoSuchEntity, "The group with name %s cannot be found.", name)
	}
	return g, nil
}

// Groups returns the groups whose path begins with prefix, ordered by name.
func (s *Snapshot) Groups(prefix string) []Group {
	return sorted(s.groups, func(g Group) string { return g.Name }, func(g Group) bool { return strings.HasPrefix(g.Path, prefix) })
}

// GroupsOf returns the groups that a user is in, ordered by name.
func (s *Snapshot) GroupsOf(u User) []Group {
	return sorted(s.groups, func(g Group) string { return g.Name }, func(g Group) bool { return slices.Contains(u.Groups, g.ID) })
}

// Members returns a group's users, ordered by name.
func (s *Snapshot) Members(g Group) []User {
	return sorted(s.users, func(u User) string { return u.Name }, func(u User) bool { return slices.Contains(u.Groups, g.ID) })
}

// Role returns the role with this name.
func (s *Snapshot) Role(name string) (Role, error) {
	r, ok := find(s.roles, func(r Role) bool { return r.Name == name })
	if !ok {
		return r, refuse(ErrNoSuchEntity, "The role with name %s cannot be found.", name)
	}
	return r, nil
}

// RoleByID returns the role with this unique id.
func (s *Snapshot) RoleByID(id string) (Role, error) {
	r, ok := s.roles[id]
	if !ok {
		return r, refuse(ErrNoSuchEntity, "The role with id %s cannot be found.", id)
	}
	return r, nil
}

// Roles returns the roles whose path begins with prefix, ordered by name.
func (s *Snapshot) Roles(prefix string) []Role {
	return sorted(s.roles, func(r Role) string { return r.Name }, func(r Role) bool { return strings.HasPrefix(r.Path, prefix) })
}

// Policy returns the managed policy with this ARN: the account's own, or one of AWS's that Dictum knows.
func (s *Snapshot) Policy(arn string) (ManagedPolicy, error) {
	if p, ok := awsManaged()[arn]; ok {
		return p, nil
	}
	p, ok := find(s.policies, func(p ManagedPolicy) bool { return p.ARN() == arn })
	if !ok {
		return p, refuse(ErrNoSuchEntity, "Policy %s was not found.", arn)
	}
	return p, nil
}

// Policies returns the account's own managed policies, ordered by name.
func (s *Snapshot) Policies() []ManagedPolicy {
	return sorted(s.policies, func(p ManagedPolicy) string { return p.Name }, nil)
}

// AWSPolicies returns AWS's managed policies that Dictum knows, ordered by name.
func AWSPolicies() []ManagedPolicy {
	return sorted(awsManaged(), func(p ManagedPolicy) string { return p.Name }, nil)
}

// Attachments counts how many users, groups and roles have the policy attached, and for how many it is the boundary.
func (s *Snapshot) Attachments(arn string) (attached, boundaries int) {
	count := func(g Grants, boundary string) {
		if slices.Contains(g.Attached, arn) {
			attached++
		}
		if boundary == arn {
			boundaries++
		}
	}
	for _, u := range s.users {
		count(u.Grants, u.Boundary)
	}
	for _, g := range s.groups {
		count(g.Grants, "")
	}
	for _, r := range s.roles {
		count(r.Grants, r.Boundary)
	}
	return attached, boundaries
}

// Keys returns the access keys of a user, or of the root by the account id, the oldest first, without secrets.
func (s *Snapshot) Keys(userID string) []AccessKey {
	return sorted(s.keys, func(k AccessKey) string { return k.Created.Format("20060102150405") + k.ID }, func(k AccessKey) bool { return k.UserID == userID })
}

// Key returns an access key without its secret.
func (s *Snapshot) Key(id string) (AccessKey, error) {
	k, ok := s.keys[id]
	if !ok {
		return k, refuse(ErrNoSuchEntity, "The Access Key with id %s cannot be found.", id)
	}
	return k, nil
}

// LastUse returns when a key or a role was last used, by its id.
func (s *Snapshot) LastUse(id string) (Use, bool) {
	u, ok := s.uses[id]
	return u, ok
}

// Device returns the second factor with this serial number.
func (s *Snapshot) Device(serial string) (MFADevice, error) {
	d, ok := s.devices[serial]
	if !ok {
		return d, refuse(ErrNoSuchEntity, "VirtualMFADevice with serial number %s doesn't exist.", serial)
	}
	return d, nil
}

// Devices returns all second factors, ordered by serial number.
func (s *Snapshot) Devices() []MFADevice {
	return sorted(s.devices, MFADevice.Serial, nil)
}

// Provider returns the OIDC provider with this ARN.
func (s *Snapshot) Provider(arn string) (OIDCProvider, error) {
	p, ok := s.providers[arn]
	if !ok {
		return p, refuse(ErrNoSuchEntity, "OpenIDConnect Provider not found for arn %s", arn)
	}
	return p, nil
}

// Providers returns the OIDC providers, ordered by ARN.
func (s *Snapshot) Providers() []OIDCProvider {
	return sorted(s.providers, OIDCProvider.ARN, nil)
}

// trust returns a role's trust policy.
func (r Role) trust() (*policy.Document, error) {
	d, err := policy.Parse([]byte(r.Trust), policy.Trust)
	if err != nil {
		return nil, fmt.Errorf("read trust policy of %s: %w", r.ARN(), err)
	}
	return d, nil
}

// rightsOf returns what holds for a principal, or ErrNoSuchEntity when its user or role is gone.
func (s *Snapshot) rightsOf(p Principal) (Policies, error) {
	id := p.UserID
	switch p.Kind {
	case KindUser:
	case KindRole:
		if p.Session == nil {
			return Policies{}, refuse(ErrNoSuchEntity, "The session %s has no role.", p.ARN)
		}
		id = p.Session.RoleID
	default:
		return Policies{}, nil // a root and our own services have no policies
	}
	if known, ok := s.rights.m.Load(id); ok {
		return known.(Policies), nil
	}
	rights, err := s.compileRights(p.Kind, id)
	if err != nil {
		return Policies{}, err
	}
	s.rights.m.Store(id, rights)
	return rights, nil
}

func (s *Snapshot) compileRights(kind Kind, id string) (Policies, error) {
	var out Policies
	var grants []Grants
	var boundary string
	if kind == KindUser {
		u, err := s.UserByID(id)
		if err != nil {
			return out, err
		}
		grants, boundary, out.Tags = append(grants, u.Grants), u.Boundary, u.Tags
		for _, g := range s.GroupsOf(u) {
			grants = append(grants, g.Grants)
		}
	} else {
		r, err := s.RoleByID(id)
		if err != nil {
			return out, err
		}
		grants, boundary, out.Tags = append(grants, r.Grants), r.Boundary, r.Tags
	}
	texts, err := s.texts(grants)
	if err != nil {
		return out, err
	}
	for _, t := range texts {
		d, err := policy.Parse([]byte(t.Text), policy.Identity)
		if err != nil {
			return out, fmt.Errorf("read policy %s of %s: %w", t.Name, id, err)
		}
		out.Identity = append(out.Identity, d)
	}
	if boundary == "" {
		return out, nil
	}
	text, err := s.defaultText(boundary)
	if err != nil {
		return out, err
	}
	if out.Boundary, err = policy.Parse([]byte(text), policy.Boundary); err != nil {
		return out, fmt.Errorf("read boundary %s of %s: %w", boundary, id, err)
	}
	return out, nil
}

// NamedPolicy is the text of a policy in force.
type NamedPolicy struct{ Name, Text string }

// PoliciesFor returns the policies that a user (with those of its groups), a group or a role has: inline ones by name, then attached ones.
func (s *Snapshot) PoliciesFor(h Holder) ([]NamedPolicy, error) {
	own, err := s.Grants(h)
	if err != nil {
		return nil, err
	}
	grants := []Grants{own}
	if h.Type == TypeUser {
		u, err := s.User(h.Name)
		if err != nil {
			return nil, err
		}
		for _, g := range s.GroupsOf(u) {
			grants = append(grants, g.Grants)
		}
	}
	return s.texts(grants)
}

func (s *Snapshot) texts(grants []Grants) ([]NamedPolicy, error) {
	var out []NamedPolicy
	for _, g := range grants {
		for _, name := range slices.Sorted(maps.Keys(g.Inline)) {
			out = append(out, NamedPolicy{name, g.Inline[name]})
		}
		for _, arn := range g.Attached {
			text, err := s.defaultText(arn)
			if err != nil {
				return nil, err
			}
			out = append(out, NamedPolicy{arn[strings.LastIndexByte(arn, '/')+1:], text})
		}
	}
	return out, nil
}

// defaultText returns the version in force of a managed policy that something has. One that is gone is our
// own failure, not a reason to ignore what it may have denied.
func (s *Snapshot) defaultText(arn string) (string, error) {
	p, err := s.Policy(arn)
	if err != nil {
		// Not wrapped: it must not look like a principal that is gone.
		return "", fmt.Errorf("attached policy: %s", err.Error())
	}
	v, ok := p.Version(p.Default)
	if !ok {
		return "", fmt.Errorf("policy %s has no version %s", arn, p.Default)
	}
	return v.Text, nil
}
