package keys_test

import (
	"errors"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/dictum/dictum/internal/kms"
	"github.com/dictum/dictum/internal/store/keys"
	"github.com/dictum/dictum/internal/store/storetest"
)

const (
	first  = "11111111-1111-4111-8111-111111111111"
	second = "22222222-2222-4222-8222-222222222222"
)

var at = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func open(t *testing.T, path string) *keys.Keys {
	t.Helper()
	s, err := keys.Open(t.Context(), storetest.OpenAt(t, path))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func key(id string) (kms.CustomerKey, kms.Material) {
	k := kms.CustomerKey{
		Key:         kms.Key{ID: id, ARN: "arn:aws:kms:us-east-1:111122223333:key/" + id, AccountID: "111122223333", Region: "us-east-1", Symmetric: true},
		Description: "d", Spec: kms.SymmetricDefault, Usage: kms.EncryptDecrypt, Manager: kms.ManagerCustomer, State: kms.Enabled, Created: at,
		Policy: "{}", Tags: map[string]string{"a": "b"}, Version: 1, MaterialID: "m1",
	}
	return k, kms.Material{KeyID: id, Version: 1, ID: "m1", Created: at, Sealed: []byte("sealed")}
}

func TestKeysSurviveARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	s := open(t, path)
	k, m := key(first)
	alias := kms.AliasOf{AccountID: k.AccountID, Region: k.Region, Name: "alias/a"}
	if err := s.CreateKey(t.Context(), k, m, &alias); err != nil {
		t.Fatal(err)
	}
	want, err := s.UpdateKey(t.Context(), first, func(k *kms.CustomerKey) (*kms.Material, error) {
		k.State, k.Deletion, k.PendingDays, k.Version, k.MaterialID = kms.PendingDeletion, at.Add(time.Hour), 7, 2, "m2"
		k.Rotation = kms.Rotation{Enabled: true, PeriodDays: 90, Next: at.Add(time.Minute)}
		return &kms.Material{KeyID: first, Version: 2, ID: "m2", Created: at, Rotation: kms.RotationOnDemand, Sealed: []byte("newer")}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*keys.Keys{s, open(t, path)} {
		got, err := s.Key(t.Context(), first)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v\nwant %+v", got, err, want)
		}
		for version, want := range map[uint32]string{1: "sealed", 2: "newer"} {
			if m, err := s.Material(t.Context(), first, version); err != nil || string(m.Sealed) != want {
				t.Errorf("version %d: %+v, %v", version, m, err)
			}
		}
		if a, err := s.Alias(t.Context(), alias); err != nil || a.KeyID != first || !a.Created.Equal(at) {
			t.Errorf("%+v, %v", a, err)
		}
	}
}

func TestNothingOfAFailedChangeStays(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "db"))
	k, m := key(first)
	if err := s.CreateKey(t.Context(), k, m, nil); err != nil {
		t.Fatal(err)
	}
	refused := errors.New("refused")
	_, err := s.UpdateKey(t.Context(), first, func(k *kms.CustomerKey) (*kms.Material, error) {
		k.State = kms.Disabled
		return nil, refused
	})
	if got, _ := s.Key(t.Context(), first); !errors.Is(err, refused) || got.State != kms.Enabled {
		t.Errorf("%v, %s", err, got.State)
	}
	alias := kms.AliasOf{AccountID: k.AccountID, Region: k.Region, Name: "alias/a"}
	if err := s.CreateAlias(t.Context(), kms.Alias{AliasOf: alias, KeyID: first, Created: at, Updated: at}); err != nil {
		t.Fatal(err)
	}
	k, m = key(second)
	if err := s.CreateKey(t.Context(), k, m, &alias); !errors.Is(err, kms.ErrAliasExists) {
		t.Errorf("got %v", err)
	}
	if _, err := s.Key(t.Context(), second); !errors.Is(err, kms.ErrKeyGone) {
		t.Errorf("the key whose alias was taken: %v", err)
	}
	if err := s.CreateAlias(t.Context(), kms.Alias{AliasOf: kms.AliasOf{Name: "alias/b"}, KeyID: second}); !errors.Is(err, kms.ErrKeyGone) {
		t.Errorf("alias of nothing: %v", err)
	}
	if err := s.UpdateAlias(t.Context(), alias, second, at); !errors.Is(err, kms.ErrKeyGone) {
		t.Errorf("alias moved to nothing: %v", err)
	}
	if err := s.UpdateAlias(t.Context(), kms.AliasOf{Name: "alias/none"}, first, at); !errors.Is(err, kms.ErrNoAlias) {
		t.Errorf("no alias moved: %v", err)
	}
}

func TestDeleteKeyTakesAllWithIt(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "db"))
	k, m := key(first)
	alias := kms.AliasOf{AccountID: k.AccountID, Region: k.Region, Name: "alias/a"}
	if err := s.CreateKey(t.Context(), k, m, &alias); err != nil {
		t.Fatal(err)
	}
	refused := errors.New("refused")
	if err := s.DeleteKey(t.Context(), first, func(kms.CustomerKey) error { return refused }); !errors.Is(err, refused) {
		t.Errorf("got %v", err)
	}
	for range 2 { // the second time there is nothing to do
		if err := s.DeleteKey(t.Context(), first, func(kms.CustomerKey) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Key(t.Context(), first); !errors.Is(err, kms.ErrKeyGone) {
		t.Errorf("key: %v", err)
	}
	if _, err := s.Material(t.Context(), first, 1); !errors.Is(err, kms.ErrKeyGone) {
		t.Errorf("material: %v", err)
	}
	if _, err := s.Alias(t.Context(), alias); !errors.Is(err, kms.ErrNoAlias) {
		t.Errorf("alias: %v", err)
	}
}
