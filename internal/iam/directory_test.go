package iam_test

import (
	"bytes"
	"context"
	"encoding/base32"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dictum/dictum/internal/iam"
	"github.com/dictum/dictum/internal/kms"
	"github.com/dictum/dictum/internal/store/identity"
	"github.com/dictum/dictum/internal/store/storetest"
)

const (
	allowAll   = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`
	allowList  = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:ListBucket","Resource":"*"}]}`
	trustRoot  = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}]}`
	otherTrust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"transcribe.amazonaws.com"},"Action":"sts:AssumeRole"}]}`
)

// desk is a directory over a real, encrypted database, with one account.
type desk struct {
	*iam.Directory
	store   iam.Store
	account string
	admin   iam.Credential

	mu  sync.Mutex
	now time.Time
}

func (d *desk) clock() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.now
}

func (d *desk) advance(by time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.now = d.now.Add(by)
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	root, err := kms.NewRoot(bytes.Repeat([]byte{1}, kms.RootKeySize))
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{now: start}
	if d.store, err = identity.Open(t.Context(), storetest.Open(t), root); err != nil {
		t.Fatal(err)
	}
	if d.admin, err = iam.CreateAccount(t.Context(), d.store, "one", start); err != nil {
		t.Fatal(err)
	}
	d.account = d.admin.Principal.AccountID
	d.Directory = iam.NewDirectory(d.store, d.clock)
	return d
}

func (d *desk) user(t *testing.T, name string) iam.User {
	t.Helper()
	u, err := d.CreateUser(t.Context(), d.account, iam.NewEntity{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantKind(t *testing.T, err, kind error, text string) {
	t.Helper()
	if !errors.Is(err, kind) || !strings.Contains(err.Error(), text) {
		t.Errorf("got %v, want %v with %q", err, kind, text)
	}
}

func (d *desk) principal(u iam.User) iam.Principal {
	return iam.Principal{Kind: iam.KindUser, AccountID: u.AccountID, ARN: u.ARN(), UserID: u.ID, UserName: u.Name}
}

func texts(p iam.Policies) []string {
	var out []string
	for _, d := range p.Identity {
		out = append(out, d.Text())
	}
	return out
}

func TestPoliciesOf(t *testing.T) {
	d, ctx := newDesk(t), t.Context()
	u := d.user(t, "alice")
	hold := iam.Holder{Type: iam.TypeUser, Name: "alice"}
	group := iam.Holder{Type: iam.TypeGroup, Name: "staff"}
	_, err := d.CreateGroup(ctx, d.account, iam.NewEntity{Name: "staff"})
	must(t, err)
	p, err := d.CreatePolicy(ctx, d.account, iam.NewPolicy{NewEntity: iam.NewEntity{Name: "list"}, Text: allowList})
	must(t, err)
	count := func(want int) iam.Policies {
		t.Helper()
		got, err := d.PoliciesOf(ctx, d.principal(u))
		must(t, err)
		if len(got.Identity) != want {
			t.Errorf("%d policies, want %d: %v", len(got.Identity), want, texts(got))
		}
		return got
	}
	count(0)
	t.Run("every write counts at once: inline, attached, by group, boundary, tags", func(t *testing.T) {
		must(t, d.PutInline(ctx, d.account, hold, "own", allowAll))
		count(1)
		must(t, d.Attach(ctx, d.account, hold, p.ARN()))
		count(2)
		must(t, d.Attach(ctx, d.account, group, "arn:aws:iam::aws:policy/ReadOnlyAccess"))
		count(2)
		must(t, d.SetMember(ctx, d.account, "staff", "alice", true))
		count(3)
		must(t, d.PutInline(ctx, d.account, group, "g", allowList))
		count(4)
		must(t, d.SetBoundary(ctx, d.account, hold, p.ARN()))
		must(t, d.Tag(ctx, d.account, hold, iam.Tags{"Team": "a"}, nil))
		got := count(4)
		if got.Boundary == nil || got.Boundary.Text() != allowList || got.Tags["Team"] != "a" {
			t.Errorf("boundary %v, tags %v", got.Boundary, got.Tags)
		}
		_, err := d.CreatePolicyVersion(ctx, d.account, p.ARN(), allowAll, true)
		must(t, err)
		if got := count(4); got.Boundary.Text() != allowAll {
			t.Errorf("boundary is still %s", got.Boundary.Text())
		}
		must(t, d.SetMember(ctx, d.account, "staff", "alice", false))
		count(2)
		must(t, d.Detach(ctx, d.account, hold, p.ARN()))
		must(t, d.DeleteInline(ctx, d.account, hold, "own"))
		count(0)
	})
	t.Run("a restarted directory sees the same", func(t *testing.T) {
		got, err := iam.NewDirectory(d.store, nil).PoliciesOf(ctx, d.principal(u))
		if err != nil || len(got.Identity) != 0 || got.Boundary == nil || got.Tags["Team"] != "a" {
			t.Errorf("%+v, %v", got, err)
		}
	})
	t.Run("a user made anew has nothing of the old one's, and the old one's keys and sessions have no rights", func(t *testing.T) {
		must(t, d.DeleteUser(ctx, d.account, "alice"))
		d.user(t, "alice")
		_, err := d.PoliciesOf(ctx, d.principal(u))
		wantKind(t, err, iam.ErrNoSuchEntity, u.ID)
	})
	t.Run("a role's session has the role's, by its unique id", func(t *testing.T) {
		r, err := d.CreateRole(ctx, d.account, iam.NewRole{NewEntity: iam.NewEntity{Name: "r", Path: "/a/"}, Trust: trustRoot})
		must(t, err)
		hold := iam.Holder{Type: iam.TypeRole, Name: "r"}
		must(t, d.PutInline(ctx, d.account, hold, "own", allowAll))
		p := iam.Principal{Kind: iam.KindRole, AccountID: d.account, Session: &iam.Session{RoleName: "r", RoleID: r.ID}}
		if got, err := d.PoliciesOf(ctx, p); err != nil || len(got.Identity) != 1 {
			t.Errorf("%v, %v", got, err)
		}
		must(t, d.DeleteInline(ctx, d.account, hold, "own"))
		must(t, d.DeleteRole(ctx, d.account, "r"))
		_, err = d.CreateRole(ctx, d.account, iam.NewRole{NewEntity: iam.NewEntity{Name: "r", Path: "/a/"}, Trust: trustRoot})
		must(t, err)
		_, err = d.PoliciesOf(ctx, p)
		wantKind(t, err, iam.ErrNoSuchEntity, r.ID)
		_, err = d.PoliciesOf(ctx, iam.Principal{Kind: iam.KindRole, AccountID: d.account})
		wantKind(t, err, iam.ErrNoSuchEntity, "")
	})
	t.Run("accounts are apart", func(t *testing.T) {
		_, err := d.PoliciesOf(ctx, iam.Principal{Kind: iam.KindUser, AccountID: "111122223333", UserID: d.admin.Principal.UserID})
		wantKind(t, err, iam.ErrNoSuchEntity, "")
		other, err := d.CreateAccount(ctx, "two")
		must(t, err)
		_, err = d.PoliciesOf(ctx, iam.Principal{Kind: iam.KindUser, AccountID: other.Principal.AccountID, UserID: d.admin.Principal.UserID})
		wantKind(t, err, iam.ErrNoSuchEntity, "")
	})
	t.Run("the administrator has AdministratorAccess", func(t *testing.T) {
		got, err := d.PoliciesOf(ctx, d.admin.Principal)
		if err != nil || len(got.Identity) != 1 {
			t.Fatalf("%v, %v", got, err)
		}
	})
}

func TestKeys(t *testing.T) {
	d, ctx := newDesk(t), t.Context()
	r := iam.NewResolver(time.Hour, d)
	d.OnKeyChange(r.Forget)
	u := d.user(t, "alice")
	k, err := d.CreateKey(ctx, d.account, u.ID)
	must(t, err)
	c, err := r.Lookup(ctx, k.ID)
	if err != nil || c.SecretAccessKey != k.Secret || c.Principal.ARN != u.ARN() {
		t.Fatalf("%+v, %v", c, err)
	}
	t.Run("switching off takes effect at once, and on again", func(t *testing.T) {
		must(t, d.SetKeyActive(ctx, d.account, u.ID, k.ID, false))
		if _, err := r.Lookup(ctx, k.ID); !errors.Is(err, iam.ErrNoSuchKey) {
			t.Errorf("got %v", err)
		}
		must(t, d.SetKeyActive(ctx, d.account, u.ID, k.ID, true))
		if c, err := r.Lookup(ctx, k.ID); err != nil || c.SecretAccessKey != k.Secret {
			t.Errorf("%+v, %v", c, err)
		}
	})
	t.Run("a renamed user's key speaks in the new name at once", func(t *testing.T) {
		must(t, d.UpdateUser(ctx, d.account, "alice", "carol", "/x/"))
		if c, err := r.Lookup(ctx, k.ID); err != nil || c.Principal.ARN != "arn:aws:iam::"+d.account+":user/x/carol" {
			t.Errorf("%+v, %v", c, err)
		}
	})
	t.Run("two a user", func(t *testing.T) {
		_, err := d.CreateKey(ctx, d.account, u.ID)
		must(t, err)
		_, err = d.CreateKey(ctx, d.account, u.ID)
		wantKind(t, err, iam.ErrLimit, "Cannot exceed quota for AccessKeysPerUser: 2")
	})
	t.Run("another user's key does not exist", func(t *testing.T) {
		bob := d.user(t, "bob")
		wantKind(t, d.DeleteKey(ctx, d.account, bob.ID, k.ID), iam.ErrNoSuchEntity, "The Access Key with id "+k.ID+" cannot be found.")
	})
	t.Run("a root has keys too", func(t *testing.T) {
		k, err := d.CreateKey(ctx, d.account, d.account)
		must(t, err)
		c, err := r.Lookup(ctx, k.ID)
		if err != nil || c.Principal.Kind != iam.KindRoot || c.Principal.ARN != "arn:aws:iam::"+d.account+":root" || c.Principal.UserID != d.account {
			t.Errorf("%+v, %v", c, err)
		}
	})
	t.Run("the last use is written once a minute", func(t *testing.T) {
		run, stop := context.WithCancel(ctx)
		done := make(chan struct{})
		go func() { d.Run(run); close(done) }()
		use := func(service string) {
			d.Used(iam.Use{AccountID: d.account, ID: k.ID, At: d.clock(), Service: service, Region: "us-west-2"})
		}
		await := func(want string) {
			t.Helper()
			for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
				s, err := d.Snapshot(ctx, d.account)
				must(t, err)
				if got, _ := s.LastUse(k.ID); got.Service == want {
					return
				} else if time.Now().After(deadline) {
					t.Fatalf("last use %+v, want %s", got, want)
				}
			}
		}
		use("s3")
		await("s3")
		use("kms") // within the minute: not written
		d.advance(61 * time.Second)
		use("transcribe")
		await("transcribe")
		stop()
		<-done
	})
	t.Run("deleting takes effect at once", func(t *testing.T) {
		must(t, d.DeleteKey(ctx, d.account, u.ID, k.ID))
		if _, err := r.Lookup(ctx, k.ID); !errors.Is(err, iam.ErrNoSuchKey) {
			t.Errorf("got %v", err)
		}
	})
}

func TestWhatHangsTogetherStays(t *testing.T) {
	d, ctx := newDesk(t), t.Context()
	d.user(t, "Alice")
	hold := iam.Holder{Type: iam.TypeUser, Name: "Alice"}
	_, err := d.CreateUser(ctx, d.account, iam.NewEntity{Name: "alice"})
	wantKind(t, err, iam.ErrExists, "User with name alice already exists.")
	_, err = d.CreateGroup(ctx, d.account, iam.NewEntity{Name: "g"})
	must(t, err)
	p, err := d.CreatePolicy(ctx, d.account, iam.NewPolicy{NewEntity: iam.NewEntity{Name: "p"}, Text: allowAll})
	must(t, err)

	must(t, d.Attach(ctx, d.account, hold, p.ARN()))
	wantKind(t, d.DeletePolicy(ctx, d.account, p.ARN()), iam.ErrDeleteConflict, "Cannot delete a policy attached to entities.")
	wantKind(t, d.DeleteUser(ctx, d.account, "Alice"), iam.ErrDeleteConflict, "must detach all policies first")
	must(t, d.Detach(ctx, d.account, hold, p.ARN()))
	wantKind(t, d.Detach(ctx, d.account, hold, p.ARN()), iam.ErrNoSuchEntity, "was not found")

	must(t, d.SetBoundary(ctx, d.account, hold, p.ARN()))
	wantKind(t, d.DeletePolicy(ctx, d.account, p.ARN()), iam.ErrDeleteConflict, "attached")
	must(t, d.SetBoundary(ctx, d.account, hold, ""))

	must(t, d.PutInline(ctx, d.account, hold, "i", allowAll))
	wantKind(t, d.DeleteUser(ctx, d.account, "Alice"), iam.ErrDeleteConflict, "must delete policies first")
	must(t, d.DeleteInline(ctx, d.account, hold, "i"))

	must(t, d.SetMember(ctx, d.account, "g", "Alice", true))
	wantKind(t, d.DeleteGroup(ctx, d.account, "g"), iam.ErrDeleteConflict, "must remove users from group first")
	wantKind(t, d.DeleteUser(ctx, d.account, "Alice"), iam.ErrDeleteConflict, "must remove users from group first")
	must(t, d.SetMember(ctx, d.account, "g", "Alice", false))
	must(t, d.DeleteGroup(ctx, d.account, "g"))
	must(t, d.DeleteUser(ctx, d.account, "Alice"))

	t.Run("five versions, the default one kept, ids never used again", func(t *testing.T) {
		for i := 2; i <= iam.MaxVersions; i++ {
			_, err := d.CreatePolicyVersion(ctx, d.account, p.ARN(), allowList, false)
			must(t, err)
		}
		_, err := d.CreatePolicyVersion(ctx, d.account, p.ARN(), allowList, false)
		wantKind(t, err, iam.ErrLimit, "up to 5 versions")
		wantKind(t, d.DeletePolicyVersion(ctx, d.account, p.ARN(), "v1"), iam.ErrDeleteConflict, "default version")
		wantKind(t, d.DeletePolicy(ctx, d.account, p.ARN()), iam.ErrDeleteConflict, "more than one version")
		must(t, d.SetDefaultPolicyVersion(ctx, d.account, p.ARN(), "v3"))
		must(t, d.DeletePolicyVersion(ctx, d.account, p.ARN(), "v5"))
		v, err := d.CreatePolicyVersion(ctx, d.account, p.ARN(), allowList, false)
		if err != nil || v.ID != "v6" {
			t.Errorf("%+v, %v", v, err)
		}
		wantKind(t, d.SetDefaultPolicyVersion(ctx, d.account, p.ARN(), "v5"), iam.ErrNoSuchEntity, "version v5")
	})
	t.Run("AWS's policies can't be changed", func(t *testing.T) {
		wantKind(t, d.DeletePolicy(ctx, d.account, iam.AdministratorAccess), iam.ErrInvalidInput, "AWS managed policy")
	})
	t.Run("another account's policy does not exist", func(t *testing.T) {
		d.user(t, "bob")
		other, err := d.CreateAccount(ctx, "two")
		must(t, err)
		foreign, err := d.CreatePolicy(ctx, other.Principal.AccountID, iam.NewPolicy{NewEntity: iam.NewEntity{Name: "p"}, Text: allowAll})
		must(t, err)
		wantKind(t, d.Attach(ctx, d.account, iam.Holder{Type: iam.TypeUser, Name: "bob"}, foreign.ARN()), iam.ErrNoSuchEntity, "not attachable")
	})
	t.Run("sizes", func(t *testing.T) {
		long := func(n int) string {
			return fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Sid":"%s","Effect":"Allow","Action":"*","Resource":"*"}]}`, strings.Repeat("a", n))
		}
		bob := iam.Holder{Type: iam.TypeUser, Name: "bob"}
		wantKind(t, d.PutInline(ctx, d.account, bob, "i", long(2048)), iam.ErrLimit, "Maximum policy size of 2048 bytes exceeded for user bob")
		_, err := d.CreatePolicy(ctx, d.account, iam.NewPolicy{NewEntity: iam.NewEntity{Name: "big"}, Text: long(6144)})
		wantKind(t, err, iam.ErrLimit, "Cannot exceed quota for PolicySize: 6144")
		wantKind(t, d.PutInline(ctx, d.account, bob, "i", `{"Version":"2012-10-17"`), iam.ErrMalformedPolicy, "Syntax errors in policy.")
		_, err = d.UpdateRole(ctx, d.account, "nobody", func(*iam.Role) {})
		wantKind(t, err, iam.ErrNoSuchEntity, "The role with name nobody cannot be found.")
	})
}

func TestTrustIsInThePersonNotTheName(t *testing.T) {
	d, ctx := newDesk(t), t.Context()
	other, err := d.CreateAccount(ctx, "two")
	must(t, err)
	u, err := d.CreateUser(ctx, other.Principal.AccountID, iam.NewEntity{Name: "bob", Path: "/x/"})
	must(t, err)
	trusting := func(who string) string {
		return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":["` + who + `"]},"Action":"sts:AssumeRole"}]}`
	}
	create := func(name, who string) error {
		_, err := d.CreateRole(ctx, d.account, iam.NewRole{NewEntity: iam.NewEntity{Name: name}, Trust: trusting(who)})
		return err
	}
	for _, nobody := range []string{"arn:aws:iam::" + d.account + ":user/nobody", "arn:aws:iam::" + other.Principal.AccountID + ":user/bob", "arn:aws:iam::111122223333:root", "111122223333"} {
		wantKind(t, create("bad", nobody), iam.ErrMalformedPolicy, `Invalid principal in policy: "AWS":"`+nobody+`"`)
	}
	must(t, create("account", other.Principal.AccountID))
	must(t, create("person", u.ARN()))
	must(t, create("self", "arn:aws:iam::"+d.account+":role/person"))
	trust := func() string {
		t.Helper()
		r, err := d.Role(ctx, d.account, "person")
		must(t, err)
		if _, err := d.TrustPolicy(r); err != nil {
			t.Error(err)
		}
		return r.Trust
	}
	if got := trust(); got != trusting(u.ARN()) {
		t.Errorf("trusts %s", got)
	}
	must(t, d.DeleteUser(ctx, other.Principal.AccountID, "bob"))
	_, err = d.CreateUser(ctx, other.Principal.AccountID, iam.NewEntity{Name: "bob", Path: "/x/"})
	must(t, err)
	if got := trust(); got != trusting(u.ID) {
		t.Errorf("trusts %s, want the deleted user's id", got)
	}
}

func TestSecondFactor(t *testing.T) {
	d, ctx := newDesk(t), t.Context()
	u := d.user(t, "alice")
	m, seed, err := d.CreateDevice(ctx, d.account, iam.NewEntity{Name: "phone"})
	must(t, err)
	secret, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(seed)
	must(t, err)
	code := func(steps int) string {
		return iam.TOTPCode(secret, d.clock().Add(time.Duration(steps)*30*time.Second))
	}
	wantKind(t, d.EnableDevice(ctx, d.account, "alice", m.Serial(), code(0), code(0)), iam.ErrWrongCode, "not valid")
	wantKind(t, d.EnableDevice(ctx, d.account, "alice", m.Serial(), code(1), code(0)), iam.ErrWrongCode, "not valid")
	must(t, d.EnableDevice(ctx, d.account, "alice", m.Serial(), code(-1), code(0)))
	t.Run("a code is taken once, also by a restarted directory", func(t *testing.T) {
		wantKind(t, d.VerifyTOTP(ctx, u.ID, m.Serial(), code(0)), iam.ErrWrongCode, "MultiFactorAuthentication failed")
		must(t, d.VerifyTOTP(ctx, u.ID, m.Serial(), code(1)))
		wantKind(t, iam.NewDirectory(d.store, d.clock).VerifyTOTP(ctx, u.ID, m.Serial(), code(1)), iam.ErrWrongCode, "")
	})
	t.Run("one step of drift, no more", func(t *testing.T) {
		d.advance(10 * time.Minute)
		wantKind(t, d.VerifyTOTP(ctx, u.ID, m.Serial(), code(-2)), iam.ErrWrongCode, "")
		wantKind(t, d.VerifyTOTP(ctx, u.ID, m.Serial(), code(2)), iam.ErrWrongCode, "")
		must(t, d.VerifyTOTP(ctx, u.ID, m.Serial(), code(-1)))
	})
	t.Run("who guesses is shut out until the next step", func(t *testing.T) {
		d.advance(10 * time.Minute)
		for range 5 {
			wantKind(t, d.VerifyTOTP(ctx, u.ID, m.Serial(), "x"), iam.ErrWrongCode, "")
		}
		wantKind(t, d.VerifyTOTP(ctx, u.ID, m.Serial(), code(0)), iam.ErrWrongCode, "")
		d.advance(30 * time.Second)
		must(t, d.VerifyTOTP(ctx, u.ID, m.Serial(), code(0)))
	})
	t.Run("it is nobody else's", func(t *testing.T) {
		bob := d.user(t, "bob")
		d.advance(time.Minute)
		wantKind(t, d.VerifyTOTP(ctx, bob.ID, m.Serial(), code(0)), iam.ErrNoSuchEntity, "")
		wantKind(t, d.DeactivateDevice(ctx, d.account, "bob", m.Serial()), iam.ErrNoSuchEntity, "")
		wantKind(t, d.EnableDevice(ctx, d.account, "bob", m.Serial(), code(0), code(1)), iam.ErrExists, "already in use")
	})
	t.Run("in use it stays", func(t *testing.T) {
		wantKind(t, d.DeleteDevice(ctx, d.account, m.Serial()), iam.ErrDeleteConflict, "Must deactivate first")
		wantKind(t, d.DeleteUser(ctx, d.account, "alice"), iam.ErrDeleteConflict, "MFA")
		must(t, d.DeactivateDevice(ctx, d.account, "alice", m.Serial()))
		d.advance(time.Minute)
		wantKind(t, d.VerifyTOTP(ctx, u.ID, m.Serial(), code(0)), iam.ErrNoSuchEntity, "")
		must(t, d.DeleteDevice(ctx, d.account, m.Serial()))
	})
}

// RFC 6238 appendix B, SHA-1, cut to six digits.
func TestTOTPVectors(t *testing.T) {
	for at, want := range map[int64]string{59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130"} {
		if got := iam.TOTPCode([]byte("12345678901234567890"), time.Unix(at, 0)); got != want {
			t.Errorf("at %d: %s, want %s", at, got, want)
		}
	}
}

func TestProviders(t *testing.T) {
	d, ctx := newDesk(t), t.Context()
	p, err := d.CreateProvider(ctx, d.account, "https://issuer.example:8443/a", []string{"x", "x", "y"}, nil, nil)
	must(t, err)
	if p.ARN() != "arn:aws:iam::"+d.account+":oidc-provider/issuer.example:8443/a" || !slices.Equal(p.ClientIDs, []string{"x", "y"}) {
		t.Errorf("%+v", p)
	}
	_, err = d.CreateProvider(ctx, d.account, "https://issuer.example:8443/a", nil, nil, nil)
	wantKind(t, err, iam.ErrExists, "already exists")
	for _, bad := range []string{"http://issuer.example", "https://", "https://u@issuer.example", "https://issuer.example?x", "%"} {
		_, err := d.CreateProvider(ctx, d.account, bad, nil, nil, nil)
		wantKind(t, err, iam.ErrInvalidInput, "https://")
	}
	must(t, d.SetClientID(ctx, d.account, p.ARN(), "z", true))
	must(t, d.SetClientID(ctx, d.account, p.ARN(), "x", false))
	must(t, d.SetThumbprints(ctx, d.account, p.ARN(), []string{strings.Repeat("AB", 20)}))
	wantKind(t, d.SetThumbprints(ctx, d.account, p.ARN(), []string{"x"}), iam.ErrInvalidInput, "40 hexadecimal")
	got, err := d.OIDCProvider(ctx, d.account, "https://issuer.example:8443/a")
	if err != nil || !slices.Equal(got.ClientIDs, []string{"y", "z"}) || got.Thumbprints[0] != strings.Repeat("ab", 20) {
		t.Errorf("%+v, %v", got, err)
	}
	_, err = d.OIDCProvider(ctx, d.account, "https://issuer.example")
	wantKind(t, err, iam.ErrNoSuchEntity, "not found")
}

func TestWritersAndReadersTogether(t *testing.T) {
	d, ctx := newDesk(t), t.Context()
	u := d.user(t, "alice")
	hold := iam.Holder{Type: iam.TypeUser, Name: "alice"}
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for j := range 5 {
				if err := d.PutInline(ctx, d.account, hold, fmt.Sprintf("p%d-%d", i, j), allowList); err != nil {
					t.Error(err)
				}
			}
		})
		wg.Go(func() {
			for range 50 {
				if _, err := d.PoliciesOf(ctx, d.principal(u)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if got, err := d.PoliciesOf(ctx, d.principal(u)); err != nil || len(got.Identity) != 20 {
		t.Errorf("%d policies, %v", len(got.Identity), err)
	}
	t.Run("another process's write is not lost", func(t *testing.T) {
		other := iam.NewDirectory(d.store, nil)
		_, err := other.CreateUser(ctx, d.account, iam.NewEntity{Name: "bob"})
		must(t, err)
		d.user(t, "carol")
		must(t, other.PutInline(ctx, d.account, hold, "p0-0", allowAll))
		s, err := iam.NewDirectory(d.store, nil).Snapshot(ctx, d.account)
		must(t, err)
		if got := len(s.Users("/")); got != 4 {
			t.Errorf("%d users, want 4", got)
		}
	})
}

func BenchmarkPoliciesOf(b *testing.B) {
	root, err := kms.NewRoot(bytes.Repeat([]byte{1}, kms.RootKeySize))
	if err != nil {
		b.Fatal(err)
	}
	s, err := identity.Open(b.Context(), storetest.Open(b), root)
	if err != nil {
		b.Fatal(err)
	}
	c, err := iam.CreateAccount(b.Context(), s, "", start)
	if err != nil {
		b.Fatal(err)
	}
	d := iam.NewDirectory(s, nil)
	for b.Loop() {
		if _, err := d.PoliciesOf(b.Context(), c.Principal); err != nil {
			b.Fatal(err)
		}
	}
}
