package iam

import (
	"context"
	"slices"
	"strings"
	"time"
)

// NewEntity is what users, groups and roles begin with.
type NewEntity struct {
	Name string
	// Path is "/" when empty.
	Path string
	// Boundary is the ARN of a managed policy, or empty. Groups have none.
	Boundary string
	Tags     Tags
}

func (n NewEntity) path() string {
	if n.Path == "" {
		return "/"
	}
	return n.Path
}

// CreateUser makes a user without rights.
func (d *Directory) CreateUser(ctx context.Context, accountID string, n NewEntity) (u User, err error) {
	err = d.update(ctx, accountID, func(c *change) error {
		if err := c.userNameFree(n.Name, ""); err != nil {
			return err
		}
		if len(c.users) >= maxUsers {
			return overQuota("UsersPerAccount", maxUsers)
		}
		if err := c.checkNew(n); err != nil {
			return err
		}
		if u, err = NewUser(accountID, n.Name, c.now); err != nil {
			return err
		}
		u.Path, u.Boundary, u.Tags = n.path(), n.Boundary, n.Tags
		c.setUser(u)
		return nil
	})
	return u, err
}

func overQuota(name string, limit int) error {
	return refuse(ErrLimit, "Cannot exceed quota for %s: %d", name, limit)
}

// checkNew checks tags and boundary.
func (c *change) checkNew(n NewEntity) error {
	if n.Boundary != "" {
		if err := c.attachable(n.Boundary); err != nil {
			return err
		}
	}
	return checkTags(n.Tags)
}

func (c *change) userNameFree(name, except string) error {
	if u, taken := find(c.users, func(u User) bool { return strings.EqualFold(u.Name, name) }); taken && u.ID != except {
		return refuse(ErrExists, "User with name %s already exists.", name)
	}
	return nil
}

// UpdateUser gives a user another name and path; empty leaves them as they are.
func (d *Directory) UpdateUser(ctx context.Context, accountID, name, newName, newPath string) error {
	return d.update(ctx, accountID, func(c *change) error {
		u, err := c.User(name)
		if err != nil {
			return err
		}
		if newName != "" {
			if err := c.userNameFree(newName, u.ID); err != nil {
				return err
			}
			u.Name = newName
		}
		if newPath != "" {
			u.Path = newPath
		}
		c.setUser(u)
		for _, k := range c.Keys(u.ID) {
			c.rekeyed = append(c.rekeyed, k.ID) // credentials carry the user's ARN
		}
		return nil
	})
}

// DeleteUser removes a user that has nothing left.
func (d *Directory) DeleteUser(ctx context.Context, accountID, name string) error {
	return d.update(ctx, accountID, func(c *change) error {
		u, err := c.User(name)
		if err != nil {
			return err
		}
		switch {
		case len(c.Keys(u.ID)) > 0:
			return refuse(ErrDeleteConflict, "Cannot delete entity, must delete access keys first.")
		case slices.ContainsFunc(c.Devices(), func(m MFADevice) bool { return m.UserID == u.ID }):
			return refuse(ErrDeleteConflict, "Cannot delete entity, must delete MFA device first.")
		case len(u.Groups) > 0:
			return refuse(ErrDeleteConflict, "Cannot delete entity, must remove users from group first.")
		}
		if err := deletable(u.Grants); err != nil {
			return err
		}
		unset(c, c.users, u.ID)
		return nil
	})
}

func deletable(g Grants) error {
	switch {
	case len(g.Inline) > 0:
		return refuse(ErrDeleteConflict, "Cannot delete entity, must delete policies first.")
	case len(g.Attached) > 0:
		return refuse(ErrDeleteConflict, "Cannot delete entity, must detach all policies first.")
	}
	return nil
}

// CreateGroup makes an empty group.
func (d *Directory) CreateGroup(ctx context.Context, accountID string, n NewEntity) (g Group, err error) {
	err = d.update(ctx, accountID, func(c *change) error {
		if _, taken := find(c.groups, func(g Group) bool { return strings.EqualFold(g.Name, n.Name) }); taken {
			return refuse(ErrExists, "Group with name %s already exists.", n.Name)
		}
		if len(c.groups) >= maxGroups {
			return overQuota("GroupsPerAccount", maxGroups)
		}
		id, err := newID(prefixGroup)
		if err != nil {
			return err
		}
		g = Group{AccountID: accountID, ID: id, Name: n.Name, Path: n.path(), Created: c.now}
		c.setGroup(g)
		return nil
	})
	return g, err
}

// UpdateGroup gives a group another name and path; empty leaves them as they are.
func (d *Directory) UpdateGroup(ctx context.Context, accountID, name, newName, newPath string) error {
	return d.update(ctx, accountID, func(c *change) error {
		g, err := c.Group(name)
		if err != nil {
			return err
		}
		if newName != "" {
			if other, taken := find(c.groups, func(g Group) bool { return strings.EqualFold(g.Name, newName) }); taken && other.ID != g.ID {
				return refuse(ErrExists, "Group with name %s already exists.", newName)
			}
			g.Name = newName
		}
		if newPath != "" {
			g.Path = newPath
		}
		c.setGroup(g)
		return nil
	})
}

// DeleteGroup removes a group that has neither users nor policies.
func (d *Directory) DeleteGroup(ctx context.Context, accountID, name string) error {
	return d.update(ctx, accountID, func(c *change) error {
		g, err := c.Group(name)
		if err != nil {
			return err
		}
		if len(c.Members(g)) > 0 {
			return refuse(ErrDeleteConflict, "Cannot delete entity, must remove users from group first.")
		}
		if err := deletable(g.Grants); err != nil {
			return err
		}
		unset(c, c.groups, g.ID)
		return nil
	})
}

// SetMember puts a user into a group, or takes it out. Doing so again changes nothing.
func (d *Directory) SetMember(ctx context.Context, accountID, group, user string, member bool) error {
	return d.update(ctx, accountID, func(c *change) error {
		g, err := c.Group(group)
		if err != nil {
			return err
		}
		u, err := c.User(user)
		if err != nil {
			return err
		}
		at := slices.Index(u.Groups, g.ID)
		if member == (at >= 0) {
			return nil
		}
		u = u.clone()
		if !member {
			u.Groups = slices.Delete(u.Groups, at, at+1)
			c.setUser(u)
			return nil
		}
		if len(u.Groups) >= maxGroupsPerUser {
			return overQuota("GroupsPerUser", maxGroupsPerUser)
		}
		u.Groups = append(u.Groups, g.ID)
		c.setUser(u)
		return nil
	})
}

// NewRole is what a role begins with.
type NewRole struct {
	NewEntity
	Description string
	// MaxSession is DefaultSession when zero.
	MaxSession time.Duration
	// Trust is the text of the trust policy.
	Trust string
}

// CreateRole makes a role without rights.
func (d *Directory) CreateRole(ctx context.Context, accountID string, n NewRole) (r Role, err error) {
	err = d.update(ctx, accountID, func(c *change) error {
		if _, taken := find(c.roles, func(r Role) bool { return strings.EqualFold(r.Name, n.Name) }); taken {
			return refuse(ErrExists, "Role with name %s already exists.", n.Name)
		}
		if len(c.roles) >= maxRoles {
			return overQuota("RolesPerAccount", maxRoles)
		}
		if err := c.checkNew(n.NewEntity); err != nil {
			return err
		}
		trusted, err := d.checkTrust(ctx, c, n.Trust)
		if err != nil {
			return err
		}
		id, err := newID(prefixRole)
		if err != nil {
			return err
		}
		r = Role{
			AccountID: accountID, ID: id, Name: n.Name, Path: n.path(), Created: c.now, Description: n.Description,
			MaxSession: n.MaxSession, Trust: n.Trust, Trusted: trusted, Boundary: n.Boundary, Tags: n.Tags,
		}
		if r.MaxSession == 0 {
			r.MaxSession = DefaultSession
		}
		c.setRole(r)
		return nil
	})
	return r, err
}

// UpdateRole changes a role by f, which must change only the description, the longest session and the trust policy.
func (d *Directory) UpdateRole(ctx context.Context, accountID, name string, f func(*Role)) (r Role, err error) {
	err = d.update(ctx, accountID, func(c *change) error {
		if r, err = c.Role(name); err != nil {
			return err
		}
		trust := r.Trust
		if f(&r); r.Trust != trust {
			if r.Trusted, err = d.checkTrust(ctx, c, r.Trust); err != nil {
				return err
			}
		}
		c.setRole(r)
		return nil
	})
	return r, err
}

// DeleteRole removes a role that has no policies. Its sessions have no rights from then on.
func (d *Directory) DeleteRole(ctx context.Context, accountID, name string) error {
	return d.update(ctx, accountID, func(c *change) error {
		r, err := c.Role(name)
		if err != nil {
			return err
		}
		if err := deletable(r.Grants); err != nil {
			return err
		}
		unset(c, c.roles, r.ID)
		unset(c, c.uses, r.ID)
		return nil
	})
}

// SetAlias names the account; "" takes the name away. Aliases are unique over all accounts.
func (d *Directory) SetAlias(ctx context.Context, accountID, alias string) error {
	return d.update(ctx, accountID, func(c *change) error {
		if c.Alias == alias {
			return nil
		}
		if c.Alias != "" {
			c.remove = append(c.remove, RecordKey{TypeAlias, c.Alias})
		}
		if alias != "" {
			c.put = append(c.put, Record{Type: TypeAlias, ID: alias, Body: []byte("{}")})
		}
		c.Alias = alias
		return nil
	})
}
