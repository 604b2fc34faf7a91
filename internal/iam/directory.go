package iam

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/dictum/dictum/internal/bounded"
	"github.com/dictum/dictum/internal/iam/policy"
)

// Directory is every account's identities: it reads them from memory and writes them through to a store.
// It is a PolicySource and a Credentials. It is safe for concurrent use by one process; another process's
// writes are found out at the next write of one's own (ErrConflict), which then reads anew.
type Directory struct {
	store Store
	now   func() time.Time

	mu        sync.RWMutex // guards snapshots and forget
	snapshots map[string]*Snapshot
	forget    []func(accessKeyID string)

	writing sync.Mutex // held by the one write under way
	uses    chan Use
	marked  *bounded.Cache[string, time.Time]
	guesses *bounded.Cache[string, guesses]
}

var (
	_ PolicySource = (*Directory)(nil)
	_ Credentials  = (*Directory)(nil)
)

// NewDirectory makes a directory of what is in the store. A nil clock means time.Now.
func NewDirectory(store Store, now func() time.Time) *Directory {
	if now == nil {
		now = time.Now
	}
	return &Directory{
		store: store, now: now, snapshots: map[string]*Snapshot{},
		uses: make(chan Use, 256), marked: bounded.NewCache[string, time.Time](4096), guesses: bounded.NewCache[string, guesses](1024),
	}
}

// OnKeyChange has f called with the id of every access key whose credential changed or is gone, before the
// write that changed it returns: Resolver.Forget.
func (d *Directory) OnKeyChange(f func(accessKeyID string)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.forget = append(d.forget, f)
}

// Lookup implements Credentials, reading from the store.
func (d *Directory) Lookup(ctx context.Context, accessKeyID string) (Credential, error) {
	return d.store.Lookup(ctx, accessKeyID)
}

// CreateAccount makes an account with its administrator and one access key.
func (d *Directory) CreateAccount(ctx context.Context, name string) (Credential, error) {
	return CreateAccount(ctx, d.store, name, d.now())
}

// Accounts returns all accounts, the oldest first.
func (d *Directory) Accounts(ctx context.Context) ([]Account, error) {
	return d.store.Accounts(ctx)
}

// Snapshot returns an account's identities as they are now, or ErrNoSuchEntity when there is no such account.
func (d *Directory) Snapshot(ctx context.Context, accountID string) (*Snapshot, error) {
	d.mu.RLock()
	s, ok := d.snapshots[accountID]
	d.mu.RUnlock()
	if ok {
		return s, nil
	}
	// A write must not slip between reading and remembering.
	d.writing.Lock()
	defer d.writing.Unlock()
	return d.read(ctx, accountID)
}

// read is Snapshot for who holds writing.
func (d *Directory) read(ctx context.Context, accountID string) (*Snapshot, error) {
	d.mu.RLock()
	s, ok := d.snapshots[accountID]
	d.mu.RUnlock()
	if ok {
		return s, nil
	}
	s, err := load(ctx, d.store, accountID)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	d.snapshots[accountID] = s
	d.mu.Unlock()
	return s, nil
}

// PoliciesOf implements PolicySource.
func (d *Directory) PoliciesOf(ctx context.Context, p Principal) (Policies, error) {
	if p.Kind != KindUser && p.Kind != KindRole {
		return Policies{}, nil
	}
	s, err := d.Snapshot(ctx, p.AccountID)
	if err != nil {
		return Policies{}, err
	}
	return s.rightsOf(p)
}

// Role returns a role by its name, with its trust policy as it counts now; ErrNoSuchEntity when the account or the role
// does not exist.
func (d *Directory) Role(ctx context.Context, accountID, name string) (Role, error) {
	s, err := d.Snapshot(ctx, accountID)
	if err != nil {
		return Role{}, err
	}
	r, err := s.Role(name)
	if err != nil {
		return Role{}, err
	}
	return d.withTrust(ctx, r)
}

// TrustPolicy returns who may assume the role that Role returned.
func (d *Directory) TrustPolicy(r Role) (*policy.Document, error) { return r.trust() }

// User returns a user by its name, or ErrNoSuchEntity.
func (d *Directory) User(ctx context.Context, accountID, name string) (User, error) {
	s, err := d.Snapshot(ctx, accountID)
	if err != nil {
		return User{}, err
	}
	return s.User(name)
}

// ManagedPolicy returns the text in force of a managed policy by its ARN, as seen from an account: its own or
// AWS's; ErrNoSuchEntity otherwise.
func (d *Directory) ManagedPolicy(ctx context.Context, accountID, arn string) (string, error) {
	s, err := d.Snapshot(ctx, accountID)
	if err != nil {
		return "", err
	}
	p, err := s.Policy(arn)
	if err != nil {
		return "", err
	}
	v, ok := p.Version(p.Default)
	if !ok {
		return "", fmt.Errorf("policy %s has no version %s", arn, p.Default)
	}
	return v.Text, nil
}

// OIDCProvider returns the provider for an issuer, "https://token.example.com/path" or the same without its
// scheme; ErrNoSuchEntity when the account does not know it.
func (d *Directory) OIDCProvider(ctx context.Context, accountID, issuer string) (OIDCProvider, error) {
	s, err := d.Snapshot(ctx, accountID)
	if err != nil {
		return OIDCProvider{}, err
	}
	return s.Provider(OIDCProvider{AccountID: accountID, URL: issuerName(issuer)}.ARN())
}

// change is a write in the making: a snapshot that is not yet anyone's, and the records that differ.
type change struct {
	*Snapshot
	now    time.Time
	put    []Record
	remove []RecordKey
	// rekeyed are the access keys whose credentials change.
	rekeyed []string
	// rerights tells that someone's rights may have changed.
	rerights bool
}

// update applies f to an account, durably and all or nothing. f may be called again when another process wrote meanwhile.
func (d *Directory) update(ctx context.Context, accountID string, f func(*change) error) error {
	d.writing.Lock()
	defer d.writing.Unlock()
	for attempt := 0; ; attempt++ {
		s, err := d.read(ctx, accountID)
		if err != nil {
			return err
		}
		c := &change{Snapshot: s.clone(), now: seconds(d.now())}
		if err := f(c); err != nil {
			return err
		}
		if len(c.put)+len(c.remove) == 0 {
			return nil
		}
		err = d.store.Save(ctx, accountID, s.version, c.put, c.remove)
		if errors.Is(err, ErrConflict) && attempt < 3 {
			d.drop(accountID)
			continue
		}
		if err != nil {
			// Whether it was written is not known: read it again.
			d.drop(accountID)
			return fmt.Errorf("write account %s: %w", accountID, err)
		}
		c.version++
		if c.rerights {
			c.rights = &rightsCache{}
		}
		d.publish(c)
		return nil
	}
}

func (d *Directory) drop(accountID string) {
	d.mu.Lock()
	delete(d.snapshots, accountID)
	d.mu.Unlock()
}

func (d *Directory) publish(c *change) {
	d.mu.Lock()
	d.snapshots[c.AccountID] = c.Snapshot
	forget := d.forget
	d.mu.Unlock()
	for _, id := range c.rekeyed {
		for _, f := range forget {
			f(id)
		}
	}
}

// set stores an entity in the snapshot and the change.
func set[T entity](c *change, m map[string]T, id string, v T) {
	m[id] = v
	r := v.record()
	c.put = append(c.put, r)
	c.touched(r.Type)
}

// unset removes one.
func unset[T entity](c *change, m map[string]T, id string) {
	v, ok := m[id]
	if !ok {
		return
	}
	r := v.record()
	delete(m, id)
	c.remove = append(c.remove, RecordKey{r.Type, r.ID})
	c.touched(r.Type)
}

func (c *change) touched(t Type) {
	switch t {
	case TypeUser, TypeGroup, TypeRole, TypePolicy:
		c.rerights = true
	}
}

func (c *change) setUser(u User)            { set(c, c.users, u.ID, u) }
func (c *change) setGroup(g Group)          { set(c, c.groups, g.ID, g) }
func (c *change) setRole(r Role)            { set(c, c.roles, r.ID, r) }
func (c *change) setPolicy(p ManagedPolicy) { set(c, c.policies, p.ID, p) }
