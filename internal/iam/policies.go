package iam

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/dictum/dictum/internal/iam/policy"
)

// Holder names what has policies or tags: a user, group or role by its name, a policy or provider by its ARN, a
// device by its serial number.
type Holder struct {
	Type Type
	Name string
}

// words are how AWS's sentences and quotas name a type of holder.
var words = map[Type]struct {
	lower, upper string
	inline       int
}{
	TypeUser:  {"user", "User", maxInlinePerUser},
	TypeGroup: {"group", "Group", maxInlinePerGroup},
	TypeRole:  {"role", "Role", maxInlinePerRole},
}

// Grants returns the policies of a user, group or role.
func (s *Snapshot) Grants(h Holder) (Grants, error) {
	switch h.Type {
	case TypeUser:
		u, err := s.User(h.Name)
		return u.Grants, err
	case TypeGroup:
		g, err := s.Group(h.Name)
		return g.Grants, err
	case TypeRole:
		r, err := s.Role(h.Name)
		return r.Grants, err
	default:
		return Grants{}, fmt.Errorf("a %s has no policies", h.Type)
	}
}

// grants changes a holder's policies.
func (d *Directory) grants(ctx context.Context, accountID string, h Holder, f func(*change, *Grants) error) error {
	return d.update(ctx, accountID, func(c *change) error {
		g, err := c.Grants(h)
		if err != nil {
			return err
		}
		g = g.clone()
		if err := f(c, &g); err != nil {
			return err
		}
		// The holder was found above.
		switch h.Type {
		case TypeUser:
			u, _ := c.User(h.Name)
			u.Grants = g
			c.setUser(u)
		case TypeGroup:
			group, _ := c.Group(h.Name)
			group.Grants = g
			c.setGroup(group)
		case TypeRole:
			r, _ := c.Role(h.Name)
			r.Grants = g
			c.setRole(r)
		}
		return nil
	})
}

// Attach attaches a managed policy. Doing so again changes nothing.
func (d *Directory) Attach(ctx context.Context, accountID string, h Holder, arn string) error {
	return d.grants(ctx, accountID, h, func(c *change, g *Grants) error {
		if err := c.attachable(arn); err != nil {
			return err
		}
		if slices.Contains(g.Attached, arn) {
			return nil
		}
		if len(g.Attached) >= maxAttached {
			return overQuota("PoliciesPer"+words[h.Type].upper, maxAttached)
		}
		g.Attached = append(g.Attached, arn)
		return nil
	})
}

func (c *change) attachable(arn string) error {
	if _, err := c.Policy(arn); err != nil {
		return refuse(ErrNoSuchEntity, "Policy %s does not exist or is not attachable.", arn)
	}
	return nil
}

// Detach takes a managed policy away.
func (d *Directory) Detach(ctx context.Context, accountID string, h Holder, arn string) error {
	return d.grants(ctx, accountID, h, func(_ *change, g *Grants) error {
		i := slices.Index(g.Attached, arn)
		if i < 0 {
			return refuse(ErrNoSuchEntity, "Policy %s was not found.", arn)
		}
		g.Attached = slices.Delete(g.Attached, i, i+1)
		return nil
	})
}

// PutInline writes a policy of the holder's own.
func (d *Directory) PutInline(ctx context.Context, accountID string, h Holder, name, text string) error {
	return d.grants(ctx, accountID, h, func(_ *change, g *Grants) error {
		if _, err := parse(text, policy.Identity); err != nil {
			return err
		}
		if g.Inline == nil {
			g.Inline = map[string]string{}
		}
		g.Inline[name] = text
		size := 0
		for _, text := range g.Inline {
			size += policySize(text)
		}
		if w := words[h.Type]; size > w.inline {
			return refuse(ErrLimit, "Maximum policy size of %d bytes exceeded for %s %s", w.inline, w.lower, h.Name)
		}
		return nil
	})
}

// Inline returns the text of a policy of the holder's own.
func (s *Snapshot) Inline(h Holder, name string) (string, error) {
	g, err := s.Grants(h)
	if err != nil {
		return "", err
	}
	text, ok := g.Inline[name]
	if !ok {
		return "", noSuchInline(h, name)
	}
	return text, nil
}

func noSuchInline(h Holder, name string) error {
	return refuse(ErrNoSuchEntity, "The %s policy with name %s cannot be found.", words[h.Type].lower, name)
}

// DeleteInline removes a policy of the holder's own.
func (d *Directory) DeleteInline(ctx context.Context, accountID string, h Holder, name string) error {
	return d.grants(ctx, accountID, h, func(_ *change, g *Grants) error {
		if _, ok := g.Inline[name]; !ok {
			return noSuchInline(h, name)
		}
		delete(g.Inline, name)
		return nil
	})
}

// SetBoundary limits a user's or a role's rights to what a managed policy allows; "" lifts the limit.
func (d *Directory) SetBoundary(ctx context.Context, accountID string, h Holder, arn string) error {
	return d.update(ctx, accountID, func(c *change) error {
		if arn != "" {
			if err := c.attachable(arn); err != nil {
				return err
			}
		}
		if h.Type == TypeUser {
			u, err := c.User(h.Name)
			if err != nil {
				return err
			}
			if u.Boundary == "" && arn == "" {
				return refuse(ErrNoSuchEntity, "There is no permissions boundary attached to user %s.", h.Name)
			}
			u.Boundary = arn
			c.setUser(u)
			return nil
		}
		r, err := c.Role(h.Name)
		if err != nil {
			return err
		}
		if r.Boundary == "" && arn == "" {
			return refuse(ErrNoSuchEntity, "There is no permissions boundary attached to role %s.", h.Name)
		}
		r.Boundary = arn
		c.setRole(r)
		return nil
	})
}

// parse reads a policy that a caller gave.
func parse(text string, kind policy.Kind) (*policy.Document, error) {
	doc, err := policy.Parse([]byte(text), kind)
	var bad *policy.Error
	if errors.As(err, &bad) {
		return nil, refuse(ErrMalformedPolicy, "%s", bad.Message)
	}
	if err != nil {
		return nil, fmt.Errorf("read policy: %w", err)
	}
	return doc, nil
}

func checkManaged(text string) error {
	doc, err := parse(text, policy.Identity)
	if err != nil {
		return err
	}
	if doc.Version() != policy.Version2012 {
		return refuse(ErrMalformedPolicy, "Policy document must be version 2012-10-17 or greater.")
	}
	if doc.Size() > maxPolicySize {
		return overQuota("PolicySize", maxPolicySize)
	}
	return nil
}

// policySize counts a policy's characters as the quotas do: without white space.
func policySize(text string) int {
	n := 0
	for _, word := range strings.Fields(text) {
		n += len([]rune(word))
	}
	return n
}

// NewPolicy is what a managed policy begins with.
type NewPolicy struct {
	NewEntity
	Description, Text string
}

// CreatePolicy makes a managed policy with the version v1.
func (d *Directory) CreatePolicy(ctx context.Context, accountID string, n NewPolicy) (p ManagedPolicy, err error) {
	err = d.update(ctx, accountID, func(c *change) error {
		if _, taken := find(c.policies, func(p ManagedPolicy) bool { return strings.EqualFold(p.Name, n.Name) }); taken {
			return refuse(ErrExists, "A policy called %s already exists. Duplicate names are not allowed.", n.Name)
		}
		if len(c.policies) >= maxPolicies {
			return overQuota("PoliciesPerAccount", maxPolicies)
		}
		if err := checkTags(n.Tags); err != nil {
			return err
		}
		if err := checkManaged(n.Text); err != nil {
			return err
		}
		id, err := newID(prefixPolicy)
		if err != nil {
			return err
		}
		p = ManagedPolicy{
			AccountID: accountID, ID: id, Name: n.Name, Path: n.path(), Description: n.Description, Created: c.now, Updated: c.now,
			Versions: []PolicyVersion{{ID: "v1", Text: n.Text, Created: c.now}}, Default: "v1", Last: 1, Tags: n.Tags,
		}
		c.setPolicy(p)
		return nil
	})
	return p, err
}

// own returns a policy that the account may change: AWS's it may not.
func (c *change) own(arn string) (ManagedPolicy, error) {
	p, err := c.Policy(arn)
	if err == nil && p.AccountID != c.AccountID {
		return p, refuse(ErrInvalidInput, "Policy %s is an AWS managed policy and can't be changed.", arn)
	}
	return p.clone(), err
}

// CreatePolicyVersion adds a version, and puts it in force when told so.
func (d *Directory) CreatePolicyVersion(ctx context.Context, accountID, arn, text string, setDefault bool) (v PolicyVersion, err error) {
	err = d.update(ctx, accountID, func(c *change) error {
		p, err := c.own(arn)
		if err != nil {
			return err
		}
		if len(p.Versions) >= MaxVersions {
			return refuse(ErrLimit, "A managed policy can have up to %d versions. Before you create a new version, you must delete an existing version.", MaxVersions)
		}
		if err := checkManaged(text); err != nil {
			return err
		}
		p.Last++
		v = PolicyVersion{ID: "v" + strconv.Itoa(p.Last), Text: text, Created: c.now}
		p.Versions, p.Updated = append(p.Versions, v), c.now
		if setDefault {
			p.Default = v.ID
		}
		c.setPolicy(p)
		return nil
	})
	return v, err
}

// NoSuchVersion is the answer where a policy has no such version.
func NoSuchVersion(arn, id string) error {
	return refuse(ErrNoSuchEntity, "Policy %s version %s does not exist or is not attachable.", arn, id)
}

// DeletePolicyVersion removes a version that is not in force.
func (d *Directory) DeletePolicyVersion(ctx context.Context, accountID, arn, id string) error {
	return d.update(ctx, accountID, func(c *change) error {
		p, err := c.own(arn)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(p.Versions, func(v PolicyVersion) bool { return v.ID == id })
		switch {
		case i < 0:
			return NoSuchVersion(arn, id)
		case p.Default == id:
			return refuse(ErrDeleteConflict, "Cannot delete the default version of a policy.")
		}
		p.Versions, p.Updated = slices.Delete(p.Versions, i, i+1), c.now
		c.setPolicy(p)
		return nil
	})
}

// SetDefaultPolicyVersion puts a version in force.
func (d *Directory) SetDefaultPolicyVersion(ctx context.Context, accountID, arn, id string) error {
	return d.update(ctx, accountID, func(c *change) error {
		p, err := c.own(arn)
		if err != nil {
			return err
		}
		if _, ok := p.Version(id); !ok {
			return NoSuchVersion(arn, id)
		}
		p.Default, p.Updated = id, c.now
		c.setPolicy(p)
		return nil
	})
}

// DeletePolicy removes a policy that nobody has and whose other versions are gone.
func (d *Directory) DeletePolicy(ctx context.Context, accountID, arn string) error {
	return d.update(ctx, accountID, func(c *change) error {
		p, err := c.own(arn)
		if err != nil {
			return err
		}
		switch attached, boundaries := c.Attachments(arn); {
		case attached+boundaries > 0:
			return refuse(ErrDeleteConflict, "Cannot delete a policy attached to entities.")
		case len(p.Versions) > 1:
			return refuse(ErrDeleteConflict, "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy.")
		}
		unset(c, c.policies, p.ID)
		return nil
	})
}

// TagsOf returns a holder's tags.
func (s *Snapshot) TagsOf(h Holder) (Tags, error) {
	switch h.Type {
	case TypeUser:
		u, err := s.User(h.Name)
		return u.Tags, err
	case TypeRole:
		r, err := s.Role(h.Name)
		return r.Tags, err
	case TypePolicy:
		p, err := s.Policy(h.Name)
		return p.Tags, err
	case TypeDevice:
		m, err := s.Device(h.Name)
		return m.Tags, err
	case TypeProvider:
		p, err := s.Provider(h.Name)
		return p.Tags, err
	default:
		return nil, fmt.Errorf("a %s has no tags", h.Type)
	}
}

// Tag adds tags to a holder or gives them new values, and removes those with the keys in remove.
func (d *Directory) Tag(ctx context.Context, accountID string, h Holder, add Tags, remove []string) error {
	return d.update(ctx, accountID, func(c *change) error {
		old, err := c.TagsOf(h)
		if err != nil {
			return err
		}
		tags := maps.Clone(old)
		if tags == nil {
			tags = Tags{}
		}
		drop := func(key string) {
			maps.DeleteFunc(tags, func(k, _ string) bool { return strings.EqualFold(k, key) })
		}
		for _, key := range remove {
			drop(key)
		}
		for key, value := range add {
			drop(key)
			tags[key] = value
		}
		if err := checkTags(tags); err != nil {
			return err
		}
		return c.setTags(h, tags)
	})
}

func (c *change) setTags(h Holder, tags Tags) error {
	switch h.Type {
	case TypeUser:
		u, err := c.User(h.Name)
		u.Tags = tags
		return setIf(err, func() { c.setUser(u) })
	case TypeRole:
		r, err := c.Role(h.Name)
		r.Tags = tags
		return setIf(err, func() { c.setRole(r) })
	case TypePolicy:
		p, err := c.own(h.Name)
		p.Tags = tags
		return setIf(err, func() { c.setPolicy(p) })
	case TypeDevice:
		m, err := c.Device(h.Name)
		m.Tags = tags
		return setIf(err, func() { set(c, c.devices, m.Serial(), m) })
	default:
		p, err := c.Provider(h.Name)
		p.Tags = tags
		return setIf(err, func() { set(c, c.providers, p.ARN(), p) })
	}
}

func setIf(err error, f func()) error {
	if err == nil {
		f()
	}
	return err
}

// MakeTags makes Tags of pairs of key and value. Keys that differ in case only are refused.
func MakeTags(pairs [][2]string) (Tags, error) {
	tags, seen := Tags{}, map[string]bool{}
	for _, p := range pairs {
		folded := strings.ToLower(p[0])
		if seen[folded] {
			return nil, refuse(ErrInvalidInput, "Duplicate tag keys found. Please note that Tag keys are case insensitive.")
		}
		seen[folded] = true
		tags[p[0]] = p[1]
	}
	return tags, nil
}

func checkTags(tags Tags) error {
	if len(tags) > maxTags {
		return refuse(ErrLimit, "The number of tags has reached the maximum limit.")
	}
	for key := range tags {
		if strings.HasPrefix(strings.ToLower(key), "aws:") {
			return refuse(ErrInvalidInput, "Invalid tag key: %s. System tags, which begin with aws:, can't be changed.", key)
		}
	}
	return nil
}
