package embedded_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"

	"github.com/dictum/dictum/internal/audit"
	"github.com/dictum/dictum/internal/iam"
	"github.com/dictum/dictum/internal/iam/policy"
	"github.com/dictum/dictum/internal/kms"
	"github.com/dictum/dictum/internal/objects"
	"github.com/dictum/dictum/internal/objects/objectstest"
	"github.com/dictum/dictum/internal/store"
	"github.com/dictum/dictum/internal/store/storetest"
)

// dataKeys returns the ids of the keys that wrap data keys, one for each data key in the database.
func dataKeys(t testing.TB, db *store.DB) (ids []string) {
	t.Helper()
	rows, err := db.Read().QueryContext(t.Context(), `SELECT key_id FROM segments WHERE length(data_key) > 0`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return ids
}

func TestDataKeysGoWithTheirContent(t *testing.T) {
	r := startWithBucket(t)
	count := func(rule string, want int) {
		t.Helper()
		if got := len(dataKeys(t, r.db)); got != want {
			t.Errorf("%s: %d data keys, want %d", rule, got, want)
		}
	}
	r.put(t, "k", []byte("one"))
	r.put(t, "k", []byte("two"))
	count("replaced", 1)
	r.upload(t, "k", objects.Metadata{}, random(5<<20, 1), []byte("end"))
	count("replaced by two parts", 2)
	if err := r.Delete(t.Context(), "b", "k"); err != nil {
		t.Fatal(err)
	}
	count("deleted", 0)
	u, err := r.CreateUpload(t.Context(), "b", "k", objects.Metadata{})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := r.PutPart(t.Context(), u.UploadRef, 1, bytes.NewReader([]byte("part"))); err != nil {
			t.Fatal(err)
		}
	}
	count("a part replaced", 1)
	if err := r.AbortUpload(t.Context(), u.UploadRef); err != nil {
		t.Fatal(err)
	}
	count("aborted", 0)
	if _, err := r.Put(t.Context(), "b", "k", failing{errors.New("cut")}, objects.Metadata{}); err == nil {
		t.Fatal("a cut body was stored")
	}
	count("cut short", 0)
	if got := len(r.files(t)); got != 0 {
		t.Errorf("%d files are left", got)
	}
}

// nobodysPolicies allow nothing; the owner's root needs none.
type nobodysPolicies struct{}

func (nobodysPolicies) PoliciesOf(context.Context, iam.Principal) (iam.Policies, error) {
	return iam.Policies{Identity: []*policy.Document{}}, nil
}

// unrecorded drops events.
type unrecorded struct{}

func (unrecorded) Record(context.Context, audit.Event) error { return nil }

func TestUnderCustomersKeys(t *testing.T) {
	db := storetest.Open(t)
	s, keys := objectstest.OpenWithKeys(t, db, iam.NewAuthorizer(nobodysPolicies{}), unrecorded{})
	if err := s.CreateBucket(t.Context(), objects.Bucket{Name: "b", AccountID: "111122223333", Region: "us-east-1"}); err != nil {
		t.Fatal(err)
	}
	owner := iam.Caller{Principal: iam.Principal{Kind: iam.KindRoot, AccountID: "111122223333", ARN: "arn:aws:iam::111122223333:root"}, Region: "us-east-1"}
	k, err := keys.CreateKey(t.Context(), owner, kms.NewKey{})
	if err != nil {
		t.Fatal(err)
	}
	target, err := keys.Find(t.Context(), owner, k.ARN)
	if err != nil {
		t.Fatal(err)
	}
	content := random(200_000, 3)
	for _, e := range []objects.Encryption{{KeyARN: k.ARN}, {KeyARN: k.ARN, Context: kms.Context{"team": "red"}}, {KeyARN: k.ARN, BucketKey: true}} {
		put, err := s.Put(t.Context(), "b", "k", bytes.NewReader(content), objects.Metadata{Encryption: e})
		if err != nil {
			t.Fatal(err)
		}
		o, r, err := s.Open(t.Context(), "b", "k")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, content) || !o.Metadata.Encryption.Same(e) || o.ETag != put.ETag {
			t.Errorf("%+v: %d bytes, %+v, %v", e, len(got), o, err)
		}
		r.Close()
	}
	if ids := dataKeys(t, db); len(ids) != 1 || ids[0] != k.ARN {
		t.Errorf("wrapped by %v", ids)
	}
	t.Run("old content is read after the key was rotated", func(t *testing.T) {
		if _, err := keys.RotateNow(t.Context(), target); err != nil {
			t.Fatal(err)
		}
		if _, r, err := s.Open(t.Context(), "b", "k"); err != nil {
			t.Error(err)
		} else {
			r.Close()
		}
	})
	t.Run("nothing is read under a disabled key", func(t *testing.T) {
		if err := keys.Disable(t.Context(), target); err != nil {
			t.Fatal(err)
		}
		var failed *objects.KeyError
		if _, _, err := s.Open(t.Context(), "b", "k"); !errors.As(err, &failed) || !errors.Is(err, kms.ErrKeyDisabled) {
			t.Errorf("open: %v", err)
		}
		if _, err := s.Put(t.Context(), "b", "new", bytes.NewReader(nil), objects.Metadata{Encryption: objects.Encryption{KeyARN: k.ARN}}); !errors.As(err, &failed) {
			t.Errorf("put: %v", err)
		}
	})
}
