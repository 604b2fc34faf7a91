package kms_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/dictum/dictum/internal/audit"
	"github.com/dictum/dictum/internal/aws/awserr"
	"github.com/dictum/dictum/internal/iam"
	"github.com/dictum/dictum/internal/iam/policy"
	"github.com/dictum/dictum/internal/kms"
	"github.com/dictum/dictum/internal/store/keys"
	"github.com/dictum/dictum/internal/store/storetest"
)

// everything lets identities do everything; keys' policies decide.
type everything struct{}

func (everything) PoliciesOf(context.Context, iam.Principal) (iam.Policies, error) {
	d, err := policy.Parse([]byte(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`), policy.Identity)
	return iam.Policies{Identity: []*policy.Document{d}}, err
}

// journal keeps audit events, or fails.
type journal struct {
	mu     sync.Mutex
	names  []string // guarded by mu
	broken error    // guarded by mu
}

func (j *journal) Record(_ context.Context, e audit.Event) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.broken != nil {
		return j.broken
	}
	j.names = append(j.names, e.Name)
	return nil
}

// rig is a service on a real database, with a clock that tests set.
type rig struct {
	*kms.Service
	keys    *kms.Keys
	root    *kms.Root
	dir     string
	store   *keys.Keys
	journal *journal

	mu  sync.Mutex
	now time.Time // guarded by mu
}

func newRig(t testing.TB) *rig {
	t.Helper()
	r := &rig{dir: t.TempDir(), journal: &journal{}, now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)}
	r.root = openRoot(t, r.dir)
	var err error
	if r.store, err = keys.Open(t.Context(), storetest.Open(t)); err != nil {
		t.Fatal(err)
	}
	r.Service = kms.NewService(kms.Config{
		Store: r.store, Sealer: r.root, Authorizer: iam.NewAuthorizer(everything{}), Recorder: r.journal,
		Now: func() time.Time {
			r.mu.Lock()
			defer r.mu.Unlock()
			return r.now
		},
	})
	r.keys = kms.NewKeys(r.root, r.Service)
	return r
}

func (r *rig) pass(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = r.now.Add(d)
}

const (
	accountID = "111122223333"
	day       = 24 * time.Hour
)

func who(name string) iam.Caller {
	return iam.Caller{Region: "us-east-1", Principal: iam.Principal{
		Kind: iam.KindUser, AccountID: accountID, ARN: "arn:aws:iam::" + accountID + ":user/" + name, UserID: "AIDA" + name, UserName: name,
	}}
}

func (r *rig) create(t *testing.T, spec string, usage kms.Usage) (kms.CustomerKey, kms.Target) {
	t.Helper()
	k, err := r.CreateKey(t.Context(), who("alice"), kms.NewKey{Spec: spec, Usage: usage})
	if err != nil {
		t.Fatal(err)
	}
	return k, r.target(t, k.ID)
}

func (r *rig) target(t *testing.T, name string) kms.Target {
	t.Helper()
	target, err := r.Find(t.Context(), who("alice"), name)
	if err != nil {
		t.Fatal(err)
	}
	return target
}

func TestWrapper(t *testing.T) {
	r := newRig(t)
	k, target := r.create(t, "", "")
	in := kms.Context{"aws:s3:arn": "arn:aws:s3:::b/k"}
	plain, wrapped, err := r.keys.NewDataKey(t.Context(), k.ARN, in)
	if err != nil || len(plain) != kms.DataKeySize || wrapped.KeyID != k.ARN {
		t.Fatalf("%d bytes, %+v, %v", len(plain), wrapped, err)
	}
	unwrap := func() error {
		got, err := r.keys.Unwrap(t.Context(), wrapped, in)
		if err == nil && !bytes.Equal(got, plain) {
			return errors.New("another key")
		}
		return err
	}
	if err := unwrap(); err != nil {
		t.Error(err)
	}
	t.Run("under the root", func(t *testing.T) {
		plain, wrapped, err := r.keys.NewDataKey(t.Context(), kms.RootKeyID, in)
		if err != nil || !kms.IsRootKey(wrapped.KeyID) {
			t.Fatalf("%+v, %v", wrapped, err)
		}
		if got, err := r.keys.Unwrap(t.Context(), wrapped, in); err != nil || !bytes.Equal(got, plain) {
			t.Error(err)
		}
	})
	t.Run("KMS's Decrypt opens it too", func(t *testing.T) {
		out, err := r.Decrypt(t.Context(), target, wrapped.Blob, in)
		if err != nil || !bytes.Equal(out.Plaintext, plain) {
			t.Error(err)
		}
	})
	t.Run("another context, key or byte opens nothing", func(t *testing.T) {
		second, _ := r.create(t, "", "")
		for name, w := range map[string]kms.WrappedKey{
			"key": {KeyID: second.ARN, Blob: wrapped.Blob}, "short": {KeyID: k.ARN, Blob: wrapped.Blob[:20]}, "none": {KeyID: k.ARN},
		} {
			if _, err := r.keys.Unwrap(t.Context(), w, in); !errors.Is(err, kms.ErrSealed) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := r.keys.Unwrap(t.Context(), wrapped, nil); !errors.Is(err, kms.ErrSealed) {
			t.Errorf("context: %v", err)
		}
		for i := range wrapped.Blob {
			bad := bytes.Clone(wrapped.Blob)
			bad[i] ^= 1
			if _, err := r.keys.Unwrap(t.Context(), kms.WrappedKey{KeyID: k.ARN, Blob: bad}, in); !errors.Is(err, kms.ErrSealed) {
				t.Fatalf("byte %d: %v", i, err)
			}
		}
		if _, _, err := r.keys.NewDataKey(t.Context(), "nonsense", nil); !errors.Is(err, kms.ErrUnknownKey) {
			t.Errorf("unknown: %v", err)
		}
	})
	t.Run("a key that can't encrypt", func(t *testing.T) {
		mac, _ := r.create(t, "HMAC_256", kms.GenerateVerifyMAC)
		if _, _, err := r.keys.NewDataKey(t.Context(), mac.ARN, nil); !errors.Is(err, kms.ErrKeyUsage) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("disabled, pending deletion, gone", func(t *testing.T) {
		if err := r.Disable(t.Context(), target); err != nil {
			t.Fatal(err)
		}
		if err := unwrap(); !errors.Is(err, kms.ErrKeyDisabled) {
			t.Errorf("disabled: %v", err)
		}
		if _, err := r.ScheduleDeletion(t.Context(), target, 7); err != nil {
			t.Fatal(err)
		}
		if err := unwrap(); !errors.Is(err, kms.ErrKeyPendingDeletion) {
			t.Errorf("pending: %v", err)
		}
		if _, _, err := r.keys.NewDataKey(t.Context(), k.ARN, nil); !errors.Is(err, kms.ErrKeyPendingDeletion) {
			t.Errorf("new under pending: %v", err)
		}
		r.pass(7*day - time.Minute)
		if err := r.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := unwrap(); !errors.Is(err, kms.ErrKeyPendingDeletion) {
			t.Errorf("a minute early: %v", err)
		}
		r.pass(time.Minute)
		if err := r.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		err := unwrap()
		if shown := awserr.For(awserr.JSON, err); !errors.Is(err, kms.ErrKeyGone) || shown.Code != "NotFoundException" {
			t.Errorf("gone: %v", err)
		}
		if _, err := r.store.Material(t.Context(), k.ID, 1); !errors.Is(err, kms.ErrKeyGone) {
			t.Errorf("the material is still there: %v", err)
		}
		if got := fmt.Sprint(r.journal.names); got != "[DeleteKey]" {
			t.Errorf("on record: %s", got)
		}
	})
}

func TestSweepRotates(t *testing.T) {
	r := newRig(t)
	k, target := r.create(t, "", "")
	if err := r.EnableRotation(t.Context(), target, 90); err != nil {
		t.Fatal(err)
	}
	sealed, err := r.Encrypt(t.Context(), target, []byte("x"), nil)
	if err != nil {
		t.Fatal(err)
	}
	versions := func() uint32 {
		k, err := r.store.Key(t.Context(), k.ID)
		if err != nil {
			t.Fatal(err)
		}
		return k.Version
	}
	for i, step := range []struct {
		pass time.Duration
		want uint32
	}{{90*day - time.Second, 1}, {time.Second, 2}, {time.Hour, 2}, {90 * day, 3}} {
		r.pass(step.pass)
		if err := r.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := versions(); got != step.want {
			t.Errorf("step %d: version %d, want %d", i, got, step.want)
		}
	}
	if out, err := r.Decrypt(t.Context(), r.target(t, k.ID), sealed.Blob, nil); err != nil || string(out.Plaintext) != "x" {
		t.Errorf("old ciphertext: %v", err)
	}
	t.Run("not while it is disabled", func(t *testing.T) {
		if err := r.Disable(t.Context(), target); err != nil {
			t.Fatal(err)
		}
		r.pass(90 * day)
		if err := r.Sweep(t.Context()); err != nil || versions() != 3 {
			t.Errorf("version %d, %v", versions(), err)
		}
		if err := r.Enable(t.Context(), target); err != nil {
			t.Fatal(err)
		}
		if err := r.Sweep(t.Context()); err != nil || versions() != 4 {
			t.Errorf("version %d, %v", versions(), err)
		}
	})
	t.Run("not without a record", func(t *testing.T) {
		r.pass(90 * day)
		r.journal.broken = errors.New("disk full")
		if err := r.Sweep(t.Context()); err == nil || versions() != 4 {
			t.Errorf("version %d, %v", versions(), err)
		}
	})
}

func TestGateFailsWithoutARecord(t *testing.T) {
	r := newRig(t)
	k, _ := r.create(t, "", "")
	r.journal.broken = errors.New("disk full")
	if got, err := r.Use(t.Context(), who("alice"), "GenerateDataKey", k.ID, nil); err == nil || got != (kms.Key{}) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestOnDemandRotationsAreBounded(t *testing.T) {
	r := newRig(t)
	_, target := r.create(t, "", "")
	for range 25 {
		if _, err := r.RotateNow(t.Context(), target); err != nil {
			t.Fatal(err)
		}
	}
	_, err := r.RotateNow(t.Context(), target)
	if shown := awserr.For(awserr.JSON, err); shown.Code != "LimitExceededException" {
		t.Errorf("got %v", err)
	}
}

func TestServiceKeyIsMadeOnce(t *testing.T) {
	r := newRig(t)
	got := make(chan string, 8)
	for range cap(got) {
		go func() {
			k, err := r.Use(t.Context(), who("alice").Through("s3.amazonaws.com"), "GenerateDataKey", kms.ServiceAliasS3, nil)
			if err != nil {
				t.Error(err)
			}
			got <- k.ARN
		}()
	}
	first := <-got
	for range cap(got) - 1 {
		if other := <-got; other != first {
			t.Errorf("%s and %s", first, other)
		}
	}
	if all, _, err := r.ListKeys(t.Context(), who("alice"), "", 10); err != nil || len(all) != 1 {
		t.Errorf("%d keys, %v", len(all), err)
	}
	t.Run("and can't be changed", func(t *testing.T) {
		for name, err := range map[string]error{
			"disable": r.Disable(t.Context(), r.target(t, first)), "alias": r.CreateAlias(t.Context(), r.Alias(who("alice"), "alias/x"), r.target(t, first)),
		} {
			if awserr.For(awserr.JSON, err).Code != "UnsupportedOperationException" {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
	t.Run("the account of another can't be made to have one", func(t *testing.T) {
		_, err := r.Use(t.Context(), who("alice").Through("s3.amazonaws.com"), "GenerateDataKey", "arn:aws:kms:us-east-1:444455556666:alias/aws/s3", nil)
		if !errors.Is(err, awserr.Fail(awserr.NotAuthorized)) {
			t.Errorf("got %v", err)
		}
	})
}

// TestRotationsUnderLoad rotates every level of the hierarchy while keys are used, and then opens
// everything that was ever encrypted with what a new start reads from the folder.
func TestRotationsUnderLoad(t *testing.T) {
	r := newRig(t)
	k, target := r.create(t, "", "")
	in := kms.Context{"object": "1"}
	type kept struct {
		plain   []byte
		wrapped kms.WrappedKey
		sealed  []byte
	}
	const workers = 4
	results := make([][]kept, workers)
	stop := make(chan struct{})
	var group sync.WaitGroup
	for i := range workers {
		group.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					if n >= 20 {
						return
					}
				default:
				}
				id := kms.RootKeyID
				if n%2 == 1 {
					id = k.ARN
				}
				plain, wrapped, err := r.keys.NewDataKey(t.Context(), id, in)
				if err != nil {
					t.Error(err)
					return
				}
				got, err := r.keys.Unwrap(t.Context(), wrapped, in)
				if err != nil || !bytes.Equal(got, plain) {
					t.Errorf("unwrap: %v", err)
					return
				}
				sealed, err := r.root.Seal(plain, in)
				if err != nil {
					t.Error(err)
					return
				}
				results[i] = append(results[i], kept{plain, wrapped, sealed})
			}
		})
	}
	file := filepath.Join(r.dir, "root.key")
	for range 5 {
		if err := r.root.RotateRootFile(t.Context(), file); err != nil {
			t.Error(err)
		}
		if err := r.root.RotateWrappingKey(t.Context()); err != nil {
			t.Error(err)
		}
		if _, err := r.RotateNow(t.Context(), target); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	group.Wait()
	again := openRoot(t, r.dir)
	if got := again.WrappingKeyID(); got != "dictum/root/v6" {
		t.Errorf("wrapping key %s", got)
	}
	service := kms.NewService(kms.Config{Store: r.store, Sealer: again})
	reopened, opened := kms.NewKeys(again, service), 0
	for _, all := range results {
		for _, one := range all {
			if got, err := reopened.Unwrap(t.Context(), one.wrapped, in); err != nil || !bytes.Equal(got, one.plain) {
				t.Fatalf("%s: %v", one.wrapped.KeyID, err)
			}
			if got, err := again.Open(one.sealed, in); err != nil || !bytes.Equal(got, one.plain) {
				t.Fatalf("sealed: %v", err)
			}
			opened++
		}
	}
	t.Logf("%d data keys opened after 5 rotations of each level", opened)
}
