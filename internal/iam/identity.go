package iam

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"time"
)

// Account is a tenant: everything belongs to exactly one.
type Account struct {
	// ID is 12 digits, the first of them not zero, so that tools that take it for a number keep it whole.
	ID string
	// Name is for people; it may be empty.
	Name    string
	Created time.Time
}

// RootARN returns arn:aws:iam::{account}:root, the account itself.
func (a Account) RootARN() string { return rootARN(a.ID) }

func rootARN(accountID string) string { return "arn:aws:iam::" + accountID + ":root" }

// Grants are the policies of a user, a group or a role.
type Grants struct {
	// Attached are the ARNs of managed policies, in the order they were attached.
	Attached []string
	// Inline are the texts of the entity's own policies by their names.
	Inline map[string]string
}

func (g Grants) clone() Grants {
	return Grants{Attached: slices.Clone(g.Attached), Inline: maps.Clone(g.Inline)}
}

// Tags are a resource's, by key. No two keys differ in case only.
type Tags map[string]string

// User is a person or program within an account. It has access keys and no password.
type User struct {
	AccountID string
	// ID is AIDA and 16 more characters; it is never used again, names may be.
	ID   string
	Name string
	// Path begins and ends with a slash; it is "/" for most.
	Path    string
	Created time.Time
	Grants
	// Groups are the ids of the groups that the user is in.
	Groups []string
	// Boundary is the ARN of the managed policy that limits the user's rights, or empty.
	Boundary string
	Tags     Tags
}

// ARN returns arn:aws:iam::{account}:user{path}{name}.
func (u User) ARN() string { return entityARN(u.AccountID, "user", u.Path, u.Name) }

func (u User) clone() User {
	u.Grants, u.Groups, u.Tags = u.Grants.clone(), slices.Clone(u.Groups), maps.Clone(u.Tags)
	return u
}

// Group is a set of users that share policies.
type Group struct {
	AccountID string
	// ID is AGPA and 16 more characters.
	ID, Name, Path string
	Created        time.Time
	Grants
}

// ARN returns arn:aws:iam::{account}:group{path}{name}.
func (g Group) ARN() string { return entityARN(g.AccountID, "group", g.Path, g.Name) }

// The bounds of a role's sessions.
const (
	MinSession     = 15 * time.Minute
	DefaultSession = time.Hour
	MaxSession     = 12 * time.Hour
)

// Role is an identity that others assume for a time.
type Role struct {
	AccountID string
	// ID is AROA and 16 more characters: a role made anew under an old name has another, and the old role's
	// sessions have no rights in it.
	ID, Name, Path string
	Created        time.Time
	Description    string
	// MaxSession is the longest that a session may be asked for.
	MaxSession time.Duration
	// Trust is the text of the policy that says who may assume the role; Directory.TrustPolicy reads it.
	Trust string
	// Trusted are the unique ids of the users and roles that Trust names, by ARN, as they were when it was written.
	Trusted map[string]string
	Grants
	Boundary string
	Tags     Tags
}

// ARN returns arn:aws:iam::{account}:role{path}{name}.
func (r Role) ARN() string { return entityARN(r.AccountID, "role", r.Path, r.Name) }

// MaxVersions is how many versions a managed policy can have.
const MaxVersions = 5

// ManagedPolicy is a policy of its own that can be attached to many.
type ManagedPolicy struct {
	AccountID string
	// ID is ANPA and 16 more characters.
	ID, Name, Path   string
	Description      string
	Created, Updated time.Time
	// Versions are at least one and at most MaxVersions, the oldest first.
	Versions []PolicyVersion
	// Default is the id of the version in force.
	Default string
	// Last is the number of the newest version ever made: ids are not used again.
	Last int
	Tags Tags
}

// PolicyVersion is one text of a managed policy.
type PolicyVersion struct {
	// ID is "v1", "v2" and so on.
	ID      string
	Text    string
	Created time.Time
}

// ARN returns arn:aws:iam::{account}:policy{path}{name}; an AWS managed policy's account is "aws".
func (p ManagedPolicy) ARN() string { return entityARN(p.AccountID, "policy", p.Path, p.Name) }

// Version returns the version with this id.
func (p ManagedPolicy) Version(id string) (PolicyVersion, bool) {
	for _, v := range p.Versions {
		if v.ID == id {
			return v, true
		}
	}
	return PolicyVersion{}, false
}

func (p ManagedPolicy) clone() ManagedPolicy {
	p.Versions, p.Tags = slices.Clone(p.Versions), maps.Clone(p.Tags)
	return p
}

// AccessKey is a long-term key of a user or of the account's root.
type AccessKey struct {
	AccountID string
	// ID is AKIA and 16 more characters.
	ID string
	// Secret is 40 characters. It is stored sealed, and leaves the process once, to its owner.
	Secret string `json:"-"`
	// UserID is the owner's: AIDA…, or the account id for the root.
	UserID  string
	Active  bool
	Created time.Time
}

// Use is when and where a key or a role was last used.
type Use struct {
	AccountID string
	// ID is the access key's or the role's.
	ID string
	At time.Time
	// Service is the signing name: "s3". A role's use has none.
	Service, Region string
}

// OIDCProvider is an issuer of web identities that the account's roles may trust.
type OIDCProvider struct {
	AccountID string
	// URL is the issuer without its scheme: "token.example.com/path".
	URL         string
	ClientIDs   []string
	Thumbprints []string
	Created     time.Time
	Tags        Tags
}

// ARN returns arn:aws:iam::{account}:oidc-provider/{url}.
func (p OIDCProvider) ARN() string { return "arn:aws:iam::" + p.AccountID + ":oidc-provider/" + p.URL }

func (p OIDCProvider) clone() OIDCProvider {
	p.ClientIDs, p.Thumbprints, p.Tags = slices.Clone(p.ClientIDs), slices.Clone(p.Thumbprints), maps.Clone(p.Tags)
	return p
}

func entityARN(accountID, kind, path, name string) string {
	return "arn:aws:iam::" + accountID + ":" + kind + path + name
}

// The prefixes of unique ids
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html).
const (
	prefixAccessKey = "AKIA"
	prefixSession   = "ASIA"
	prefixUser      = "AIDA"
	prefixGroup     = "AGPA"
	prefixRole      = "AROA"
	prefixPolicy    = "ANPA"
)

var idEncoding = base32.StdEncoding.WithPadding(base32.NoPadding)

// NewAccount makes an account with a random id.
func NewAccount(name string, now time.Time) (Account, error) {
	n, err := rand.Int(rand.Reader, big.NewInt(9e11))
	if err != nil {
		return Account{}, fmt.Errorf("make account id: %w", err)
	}
	return Account{ID: fmt.Sprintf("%012d", n.Int64()+1e11), Name: name, Created: now.UTC()}, nil
}

// NewUser makes a user with a random id, without rights.
func NewUser(accountID, name string, now time.Time) (User, error) {
	id, err := newID(prefixUser)
	if err != nil {
		return User{}, err
	}
	return User{AccountID: accountID, ID: id, Name: name, Path: "/", Created: seconds(now)}, nil
}

// NewAccessKey makes an active key of a user, or of the root with the account id for the user id. The id is
// random and the secret has 240 random bits.
func NewAccessKey(accountID, userID string, now time.Time) (AccessKey, error) {
	id, err := newID(prefixAccessKey)
	if err != nil {
		return AccessKey{}, err
	}
	var secret [30]byte
	if _, err := rand.Read(secret[:]); err != nil {
		return AccessKey{}, fmt.Errorf("make secret: %w", err)
	}
	return AccessKey{
		AccountID: accountID, ID: id, Secret: base64.StdEncoding.EncodeToString(secret[:]),
		UserID: userID, Active: true, Created: seconds(now),
	}, nil
}

// seconds is the time as IAM shows it.
func seconds(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }

func newID(prefix string) (string, error) {
	var raw [10]byte
	if _, err := rand.Read(raw[:]); err != nil {
		return "", fmt.Errorf("make id: %w", err)
	}
	return prefix + idEncoding.EncodeToString(raw[:]), nil
}

// Credential returns what a verifier needs to know of the user's key.
func (k AccessKey) Credential(u User) Credential {
	return Credential{
		AccessKeyID:     k.ID,
		SecretAccessKey: k.Secret,
		Principal:       Principal{Kind: KindUser, AccountID: u.AccountID, ARN: u.ARN(), UserID: u.ID, UserName: u.Name, AccessKeyID: k.ID},
	}
}

// rootCredential is Credential for a key of the account's root.
func (k AccessKey) rootCredential() Credential {
	return Credential{
		AccessKeyID:     k.ID,
		SecretAccessKey: k.Secret,
		Principal:       Principal{Kind: KindRoot, AccountID: k.AccountID, ARN: rootARN(k.AccountID), UserID: k.AccountID, AccessKeyID: k.ID},
	}
}
