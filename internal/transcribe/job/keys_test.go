package job_test

import (
	"bytes"
	"context"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/dictum/dictum/internal/kms"
	"github.com/dictum/dictum/internal/objects"
	"github.com/dictum/dictum/internal/store/jobs/jobtest"
	"github.com/dictum/dictum/internal/transcribe/job"
	"github.com/dictum/dictum/internal/transcribe/model"
)

func underKey(key string) func(*request) {
	return func(r *request) { r.OutputBucketName, r.OutputEncryptionKMSKeyId = ptr("results"), &key }
}

func inContext(context map[string]string) func(*request) {
	return func(r *request) { r.KMSEncryptionContext = context }
}

// Spec auth-and-security.md §3: the forms of a key, whose it may be, of what kind, and who may use it.
func TestStartChecksTheOutputKey(t *testing.T) {
	const toAll = `Allow "Principal":{"AWS":"*"},"Action":"kms:*","Resource":"*"`
	toUs := func(actions string) string {
		return `Allow "Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":[` + actions + `],"Resource":"*"`
	}
	blue := map[string]string{"color": "indigoBlue"}
	ifBlue := toUs(`"kms:GenerateDataKey"`) + `,"Condition":{"StringEquals":{"kms:EncryptionContext:color":"indigoBlue"}}`
	for _, tc := range []struct {
		name string
		// owner is whose key it is, new how it is made, policy the key's, and prepare may change it.
		owner   string
		new     kms.NewKey
		policy  []string
		prepare func(t *testing.T, w *jobtest.World, k kms.Target)
		// caller is alice's policy about keys; useKeys when empty.
		caller string
		// name of the key in the request, from its ARN and id.
		form   func(k kms.CustomerKey) string
		change func(*request)
		want   string
		// also is in the message.
		also string
	}{
		{name: "by ARN", form: byARN},
		{name: "by id", form: byID},
		{name: "by alias", form: func(kms.CustomerKey) string { return "alias/out" }},
		{name: "by alias ARN", form: func(kms.CustomerKey) string { return "arn:aws:kms:us-east-1:111122223333:alias/out" }},
		{name: "no such key", form: func(kms.CustomerKey) string { return "1234abcd-12ab-34cd-56ef-1234567890ab" }, want: noKey, also: "does not exist"},
		{name: "no such alias", form: func(kms.CustomerKey) string { return "alias/none" }, want: noKey, also: "is not found"},
		{name: "key of another region", form: func(k kms.CustomerKey) string { return strings.Replace(k.ARN, "us-east-1", "us-west-2", 1) }, want: noKey},
		{name: "no right to use it", caller: `Deny "Action":"kms:GenerateDataKey","Resource":"*"`, form: byARN, want: noKey, also: "kms:GenerateDataKey"},
		{name: "a right to encrypt is not enough", caller: `Allow "Action":"kms:Encrypt","Resource":"*"`, form: byARN, want: noKey, also: "kms:GenerateDataKey"},
		{name: "GenerateDataKey is enough for one's own", caller: `Allow "Action":"kms:GenerateDataKey","Resource":"*"`, form: byARN},
		{name: "through S3 only", caller: useKeys + `,"Condition":{"StringEquals":{"kms:ViaService":"s3.us-east-1.amazonaws.com"}}`, form: byARN},
		{name: "RSA", new: kms.NewKey{Spec: "RSA_2048", Usage: kms.EncryptDecrypt}, form: byARN, want: noKey},
		{name: "HMAC", new: kms.NewKey{Spec: "HMAC_256", Usage: "GENERATE_VERIFY_MAC"}, form: byARN, want: noKey},
		{name: "disabled", prepare: func(t *testing.T, w *jobtest.World, k kms.Target) {
			if err := w.Keys.Disable(t.Context(), k); err != nil {
				t.Fatal(err)
			}
		}, form: byARN, want: noKey, also: "is disabled"},
		{name: "pending deletion", prepare: func(t *testing.T, w *jobtest.World, k kms.Target) {
			if _, err := w.Keys.ScheduleDeletion(t.Context(), k, 7); err != nil {
				t.Fatal(err)
			}
		}, form: byARN, want: noKey, also: "pending deletion"},
		{name: "key policy asks for a context", policy: []string{ifBlue}, form: byARN, change: inContext(blue)},
		{name: "context missing", policy: []string{ifBlue}, form: byARN, want: noKey},
		{name: "another context", policy: []string{ifBlue}, form: byARN, change: inContext(map[string]string{"color": "red"}), want: noKey},

		{name: "another account's by ARN", owner: jobtest.Other, policy: []string{toAll}, form: byARN},
		{name: "another account's by alias ARN", owner: jobtest.Other, policy: []string{toAll}, form: func(kms.CustomerKey) string { return "arn:aws:kms:us-east-1:444455556666:alias/out" }},
		{name: "another account's by id", owner: jobtest.Other, policy: []string{toAll}, form: byID, want: noKey},
		{name: "another account's by alias", owner: jobtest.Other, policy: []string{toAll}, form: func(kms.CustomerKey) string { return "alias/out" }, want: noKey},
		{name: "another account's, key policy does not allow", owner: jobtest.Other, form: byARN, want: noKey},
		{name: "another account's, caller may not", owner: jobtest.Other, policy: []string{toAll}, caller: `Deny "Action":"kms:*","Resource":"*"`, form: byARN, want: noKey},
		{name: "another account's needs Encrypt", owner: jobtest.Other, policy: []string{toUs(`"kms:GenerateDataKey"`)}, form: byARN, want: noKey, also: "kms:Encrypt"},
		{name: "another account's with both", owner: jobtest.Other, policy: []string{toUs(`"kms:GenerateDataKey","kms:Encrypt"`)}, form: byARN},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			w := b.world
			if tc.owner == "" {
				tc.owner = jobtest.Account
			}
			if tc.caller == "" {
				tc.caller = useKeys
			}
			alice := b.alice(t, readMedia, writeResults, tc.caller)
			k := w.Key(t, tc.owner, tc.new, tc.policy...)
			if k.Symmetric {
				alias := w.Keys.Alias(jobtest.Caller(jobtest.Root(tc.owner)), "alias/out")
				if err := w.Keys.CreateAlias(t.Context(), alias, w.Target(t, k)); err != nil {
					t.Fatal(err)
				}
			}
			if tc.prepare != nil {
				tc.prepare(t, w, w.Target(t, k))
			}
			j, err := b.Start(t.Context(), as(alice), b.request(t, "J", all(underKey(tc.form(k)), tc.change)))
			b.mustBe(t, err, tc.want)
			if err != nil && !strings.Contains(err.Error(), tc.also) {
				t.Errorf("got %v, want …%s…", err, tc.also)
			}
			if tc.want == "" && (j.KeyARN != k.ARN || b.job(t, "J").KeyARN != k.ARN) {
				t.Errorf("the key is %s, want %s", j.KeyARN, k.ARN)
			}
			if _, _, probed := b.storage.get(t, "results", ".write_access_check_file.temp"); probed != (tc.want == "") {
				t.Errorf("probe written: %v", probed)
			}
		})
	}
}

func byARN(k kms.CustomerKey) string { return k.ARN }
func byID(k kms.CustomerKey) string  { return k.ID }

// The transcript and the subtitles are under the key and its context; without one, as the bucket is set up.
func TestOutputIsEncryptedAsAsked(t *testing.T) {
	blue := map[string]string{"color": "indigoBlue"}
	for _, name := range []string{"the request's key", "the bucket's default", "nobody's wish"} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			alice := b.alice(t, readMedia, writeResults, useKeys)
			k := b.world.Key(t, jobtest.Account, kms.NewKey{})
			change, want := toResults, objects.Encryption{}
			switch name {
			case "the request's key":
				change, want = all(underKey(k.ID), inContext(blue)), objects.Encryption{KeyARN: k.ARN, Context: blue}
				// A bucket that takes nothing else gets nothing else, the write probe included.
				b.world.Bucket(t, "results", jobtest.Account, scope.Region,
					`Deny "Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::results/*","Condition":{"StringNotEquals":{"s3:x-amz-server-side-encryption-aws-kms-key-id":"`+k.ARN+`"}}`)
			case "the bucket's default":
				want.KeyARN = k.ARN
				err := b.storage.Configure(t.Context(), "results", func(s *objects.Settings) error {
					s.Default = objects.Encryption{KeyARN: k.ARN}
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			_, err := b.Start(t.Context(), as(alice), b.request(t, "J", all(change, func(r *request) {
				r.Subtitles = &model.Subtitles{Formats: []string{"vtt", "srt"}}
			})))
			if err != nil {
				t.Fatal(err)
			}
			b.run(t, nil)
			if r := b.report(t); r.Job.Status != job.Completed {
				t.Fatalf("got %+v", r.Job.Failure)
			}
			for _, key := range []string{".write_access_check_file.temp", "J.json", "J.vtt", "J.srt"} {
				o, err := b.storage.Head(t.Context(), "results", key)
				if got := o.Metadata.Encryption; err != nil || got.KeyARN != want.KeyARN || !maps.Equal(got.Context, want.Context) {
					t.Errorf("%s: %v, encrypted %+v, want %+v", key, err, got, want)
				}
			}
			if _, content, _ := b.storage.get(t, "results", "J.json"); !strings.Contains(content, "tone.") {
				t.Errorf("got %s", content)
			}
		})
	}
}

// A key that is disabled while the job runs fails the job.
func TestKeyLostAfterStart(t *testing.T) {
	b := newBench(t)
	alice := b.alice(t, readMedia, writeResults, useKeys)
	k := b.world.Key(t, jobtest.Account, kms.NewKey{})
	if _, err := b.Start(t.Context(), as(alice), b.request(t, "J", underKey(k.ARN))); err != nil {
		t.Fatal(err)
	}
	b.run(t, func(c *job.PoolConfig) {
		c.Recognizer = tones{begin: func(context.Context) error { return b.world.Keys.Disable(t.Context(), b.world.Target(t, k)) }}
	})
	if r := b.report(t); r.Job.Status != job.Failed || r.Job.Failure.Kind != "key_access" || !strings.HasPrefix(r.Job.Failure.Reason, noKey) {
		t.Errorf("got %s %+v", r.Job.Status, r.Job.Failure)
	}
}

// An alias that moves does not move a job's output.
func TestAliasIsResolvedAtStart(t *testing.T) {
	b := newBench(t)
	w := b.world
	first, second := w.Key(t, jobtest.Account, kms.NewKey{}), w.Key(t, jobtest.Account, kms.NewKey{})
	alias := w.Keys.Alias(caller.Identity, "alias/out")
	if err := w.Keys.CreateAlias(t.Context(), alias, w.Target(t, first)); err != nil {
		t.Fatal(err)
	}
	b.start(t, "J", underKey("alias/out"))
	was, err := w.Keys.FindAlias(t.Context(), alias)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Keys.UpdateAlias(t.Context(), alias, was, w.Target(t, second)); err != nil {
		t.Fatal(err)
	}
	b.run(t, nil)
	b.report(t)
	if o, err := b.storage.Head(t.Context(), "results", "J.json"); err != nil || o.Metadata.Encryption.KeyARN != first.ARN {
		t.Errorf("%v, under %s, want %s", err, o.Metadata.Encryption.KeyARN, first.ARN)
	}
}

// Media under a customer's key needs kms:Decrypt, at Start and at use.
func TestMediaUnderAKey(t *testing.T) {
	b := newBench(t)
	k := b.world.Key(t, jobtest.Account, kms.NewKey{})
	put := func(t *testing.T) {
		t.Helper()
		_, err := b.storage.Store.Put(t.Context(), "media", "tone.wav", bytes.NewReader(wav(16000, 1, time.Second, 0.5)), objects.Metadata{Encryption: objects.Encryption{KeyARN: k.ARN}})
		if err != nil {
			t.Fatal(err)
		}
	}
	put(t)
	alice := b.alice(t, readMedia)
	_, err := b.Start(t.Context(), as(alice), b.request(t, "J", nil))
	b.mustBe(t, err, noMedia)
	for _, name := range []string{"J", "K"} {
		b.allow(t, readMedia, useKeys)
		if _, err := b.Start(t.Context(), as(alice), b.request(t, name, nil)); err != nil {
			t.Fatal(err)
		}
		if name == "K" {
			b.allow(t, readMedia)
		}
		_, stop := b.run(t, nil)
		r := b.report(t)
		stop()
		if name == "J" && r.Job.Status != job.Completed {
			t.Errorf("got %+v", r.Job.Failure)
		}
		if name == "K" && (r.Job.Status != job.Failed || r.Job.Failure.Reason != noMedia) {
			t.Errorf("without the key: %s %+v", r.Job.Status, r.Job.Failure)
		}
	}
}
