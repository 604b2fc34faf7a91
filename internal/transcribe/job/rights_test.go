package job_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/dictum/dictum/internal/aws/awserr"
	"github.com/dictum/dictum/internal/iam"
	"github.com/dictum/dictum/internal/objects"
	"github.com/dictum/dictum/internal/store/jobs/jobtest"
	"github.com/dictum/dictum/internal/transcribe/job"
	"github.com/dictum/dictum/internal/transcribe/model"
)

const (
	// trustTranscribe lets the service assume a role.
	trustTranscribe = `Allow "Principal":{"Service":"transcribe.amazonaws.com"},"Action":"sts:AssumeRole"`

	readMedia    = `Allow "Action":"s3:GetObject","Resource":"arn:aws:s3:::media/*"`
	readForeign  = `Allow "Action":"s3:GetObject","Resource":"arn:aws:s3:::foreign/*"`
	writeResults = `Allow "Action":"s3:PutObject","Resource":"arn:aws:s3:::results/*"`
	useKeys      = `Allow "Action":["kms:GenerateDataKey","kms:Encrypt","kms:Decrypt"],"Resource":"*"`

	noRole = "The specified data access role can't be assumed."
	noKey  = "The specified KMS key can't be accessed."
)

// serviceMay is a bucket's statement that names the service as principal.
func serviceMay(bucket, condition string) string {
	s := `Allow "Principal":{"Service":"transcribe.amazonaws.com"},"Action":["s3:GetObject","s3:PutObject"],"Resource":"arn:aws:s3:::` + bucket + `/*"`
	if condition != "" {
		s += `,"Condition":{` + condition + `}`
	}
	return s
}

func fromAccount(account string) string {
	return `"StringEquals":{"aws:SourceAccount":"` + account + `"}`
}

func fromARN(pattern string) string { return `"ArnLike":{"aws:SourceArn":"` + pattern + `"}` }

// alice makes the user of these tests.
func (b *bench) alice(t *testing.T, statements ...string) iam.Principal {
	t.Helper()
	return b.world.User(t, jobtest.Account, "alice", statements...)
}

// allow replaces alice's policy.
func (b *bench) allow(t *testing.T, statements ...string) {
	t.Helper()
	b.world.Allow(t, jobtest.Account, iam.Holder{Type: iam.TypeUser, Name: "alice"}, statements...)
}

// inForeign puts media into the other account's bucket and returns a change that asks for it.
func (b *bench) inForeign(t *testing.T) func(*request) {
	t.Helper()
	if _, err := b.storage.Store.Put(t.Context(), "foreign", "tone.wav", bytes.NewReader(wav(16000, 1, time.Second, 0.5)), objects.Metadata{}); err != nil {
		t.Fatal(err)
	}
	return func(r *request) { r.Media.MediaFileUri = ptr("s3://foreign/tone.wav") }
}

// withRole asks for a data access role.
func withRole(arn string) func(*request) {
	return func(r *request) {
		r.JobExecutionSettings = &model.JobExecutionSettings{AllowDeferredExecution: ptr(true), DataAccessRoleArn: &arn}
	}
}

func toResults(r *request) { r.OutputBucketName = ptr("results") }

func all(changes ...func(*request)) func(*request) {
	return func(r *request) {
		for _, change := range changes {
			if change != nil {
				change(r)
			}
		}
	}
}

// mustBe holds the outcome of a Start to what it should be: a refusal whose message begins with want, or a job.
func (b *bench) mustBe(t *testing.T, err error, want string) {
	t.Helper()
	var refused *awserr.Error
	switch {
	case want == "" && err != nil:
		t.Errorf("refused: %v", err)
	case want != "" && (!errors.As(err, &refused) || refused.Code != "BadRequestException" || !strings.HasPrefix(refused.Message, want)):
		t.Errorf("got %v, want %s", err, want)
	}
}

// Spec auth-and-security.md §2.3: without a role the caller's rights decide, then a bucket's policy for the service.
func TestStartActsForTheCaller(t *testing.T) {
	const ours, theirs = jobtest.Account, jobtest.Other
	for _, tc := range []struct {
		name   string
		caller []string
		media  []string // the bucket's policy
		change func(*request)
		want   string
	}{
		{"may read", []string{readMedia}, nil, nil, ""},
		{"may nothing", nil, nil, nil, noMedia},
		{"may read something else", []string{readForeign}, nil, nil, noMedia},
		{"may read, not write", []string{readMedia}, nil, toResults, noOutput},
		{"may read and write", []string{readMedia, writeResults}, nil, toResults, ""},
		{"through the service only", []string{readMedia + `,"Condition":{"Bool":{"aws:ViaAWSService":"true"}}`}, nil, nil, ""},
		{"called via Transcribe", []string{readMedia + `,"Condition":{"ForAnyValue:StringEquals":{"aws:CalledVia":"transcribe.amazonaws.com"}}`}, nil, nil, ""},
		{"not through a service", []string{readMedia, `Deny "Action":"s3:*","Resource":"*","Condition":{"Bool":{"aws:ViaAWSService":"true"}}`}, nil, nil, noMedia},
		{"by source address alone", []string{readMedia + `,"Condition":{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}}`}, nil, nil, noMedia},
		{"with TLS", []string{readMedia}, []string{`Deny "Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::media/*","Condition":{"Bool":{"aws:SecureTransport":"false"}}`}, nil, ""},
		{"by the bucket's policy", nil, []string{`Allow "Principal":{"AWS":"arn:aws:iam::111122223333:user/alice"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::media/*"`}, nil, ""},

		{"service principal", nil, []string{serviceMay("media", "")}, nil, ""},
		{"service principal for the account", nil, []string{serviceMay("media", fromAccount(ours))}, nil, ""},
		{"service principal for another account", nil, []string{serviceMay("media", fromAccount(theirs))}, nil, noMedia},
		{"service principal for the account's jobs", nil, []string{serviceMay("media", fromARN("arn:aws:transcribe:us-east-1:111122223333:*"))}, nil, ""},
		{"service principal for one job", nil, []string{serviceMay("media", fromARN("arn:aws:transcribe:us-east-1:111122223333:transcription-job/J"))}, nil, ""},
		{"service principal for another job", nil, []string{serviceMay("media", fromARN("arn:aws:transcribe:us-east-1:111122223333:transcription-job/K"))}, nil, noMedia},
		{"service principal for another region", nil, []string{serviceMay("media", fromARN("arn:aws:transcribe:us-west-2:111122223333:*"))}, nil, noMedia},
		{"another service", nil, []string{strings.Replace(serviceMay("media", ""), "transcribe.", "lambda.", 1)}, nil, noMedia},
		{"service principal, caller denied", []string{`Deny "Action":"s3:GetObject","Resource":"*"`}, []string{serviceMay("media", "")}, nil, noMedia},
		{"service principal, bucket denies the caller", nil, []string{serviceMay("media", ""), `Deny "Principal":{"AWS":"arn:aws:iam::111122223333:user/alice"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::media/*"`}, nil, noMedia},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			alice := b.alice(t, tc.caller...)
			b.world.Bucket(t, "media", ours, scope.Region, tc.media...)
			_, err := b.Start(t.Context(), as(alice), b.request(t, "J", tc.change))
			b.mustBe(t, err, tc.want)
		})
	}
}

// Nothing crosses accounts without a policy on both sides, and the service does not carry it across.
func TestMediaInAnotherAccountsBucket(t *testing.T) {
	const ours, theirs = jobtest.Account, jobtest.Other
	bucketTrusts := `Allow "Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::foreign/*"`
	for _, tc := range []struct {
		name           string
		caller, bucket []string
		want           string
	}{
		{"both allow", []string{readForeign}, []string{bucketTrusts}, ""},
		{"the bucket does not", []string{readForeign}, nil, noMedia},
		{"the caller's policy does not", nil, []string{bucketTrusts}, noMedia},
		{"confused deputy: the service for its own account", nil, []string{serviceMay("foreign", fromAccount(theirs))}, noMedia},
		{"confused deputy: the service for its own jobs", nil, []string{serviceMay("foreign", fromARN("arn:aws:transcribe:*:444455556666:*"))}, noMedia},
		{"confused deputy: the service for whomever", nil, []string{serviceMay("foreign", "")}, noMedia},
		{"the service for our account", nil, []string{serviceMay("foreign", fromAccount(ours))}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			alice := b.alice(t, tc.caller...)
			b.world.Bucket(t, "foreign", theirs, scope.Region, tc.bucket...)
			_, err := b.Start(t.Context(), as(alice), b.request(t, "J", b.inForeign(t)))
			b.mustBe(t, err, tc.want)
			if tc.want != "" {
				return
			}
			b.run(t, nil)
			if r := b.report(t); r.Job.Status != job.Completed {
				t.Errorf("got %+v", r.Job.Failure)
			}
		})
	}
}

// The confused deputy does not write either, whatever else the bucket's policy asks for.
func TestOutputInAnotherAccountsBucket(t *testing.T) {
	for name, tc := range map[string]struct{ condition, want string }{
		"for whomever":    {"", noOutput},
		"for its account": {fromAccount(jobtest.Other), noOutput},
		"for our account": {fromAccount(jobtest.Account), ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			alice := b.alice(t, readMedia)
			b.world.Bucket(t, "foreign", jobtest.Other, scope.Region, serviceMay("foreign", tc.condition))
			_, err := b.Start(t.Context(), as(alice), b.request(t, "J", func(r *request) { r.OutputBucketName = ptr("foreign") }))
			b.mustBe(t, err, tc.want)
			if _, _, written := b.storage.get(t, "foreign", ".write_access_check_file.temp"); written != (tc.want == "") {
				t.Errorf("probe written: %v", written)
			}
		})
	}
}

// With a role the role's rights decide, and nobody else's.
func TestStartActsAsItsRole(t *testing.T) {
	for _, tc := range []struct {
		name        string
		caller      []string
		trust       string
		role        []string
		media       []string
		want        string
		anotherRole string
	}{
		{name: "role may", trust: trustTranscribe, role: []string{readMedia, writeResults}},
		{name: "role may not, caller may", caller: []string{readMedia, writeResults}, trust: trustTranscribe, want: noMedia},
		{name: "role may read only", trust: trustTranscribe, role: []string{readMedia}, want: noOutput},
		{name: "role trusts another service", trust: strings.Replace(trustTranscribe, "transcribe.", "lambda.", 1), role: []string{readMedia, writeResults}, want: noRole},
		{name: "role trusts the account", trust: `Allow "Principal":{"AWS":"111122223333"},"Action":"sts:AssumeRole"`, role: []string{readMedia, writeResults}, want: noRole},
		{name: "trust for the account", trust: trustTranscribe + `,"Condition":{` + fromAccount(jobtest.Account) + `}`, role: []string{readMedia, writeResults}},
		{name: "trust for another account", trust: trustTranscribe + `,"Condition":{` + fromAccount(jobtest.Other) + `}`, role: []string{readMedia, writeResults}, want: noRole},
		{name: "trust for the account's jobs", trust: trustTranscribe + `,"Condition":{` + fromARN("arn:aws:transcribe:us-east-1:111122223333:*") + `}`, role: []string{readMedia, writeResults}},
		{name: "trust for another region's jobs", trust: trustTranscribe + `,"Condition":{` + fromARN("arn:aws:transcribe:eu-west-1:111122223333:*") + `}`, role: []string{readMedia, writeResults}, want: noRole},
		{name: "no such role", trust: trustTranscribe, anotherRole: "arn:aws:iam::111122223333:role/none", want: noRole},
		{name: "the service does not help a role", trust: trustTranscribe, media: []string{serviceMay("media", "")}, want: noMedia},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			alice := b.alice(t, tc.caller...)
			role := b.world.Role(t, jobtest.Account, "r", tc.trust, tc.role...)
			if tc.anotherRole != "" {
				role = tc.anotherRole
			}
			b.world.Bucket(t, "media", jobtest.Account, scope.Region, tc.media...)
			_, err := b.Start(t.Context(), as(alice), b.request(t, "J", all(withRole(role), toResults)))
			b.mustBe(t, err, tc.want)
			if tc.want != "" {
				return
			}
			b.run(t, nil)
			if r := b.report(t); r.Job.Status != job.Completed {
				t.Errorf("got %+v", r.Job.Failure)
			}
		})
	}
}

// A session's policies limit the job as they limit the session.
func TestSessionPoliciesLimitTheJob(t *testing.T) {
	b := newBench(t)
	role := b.world.Role(t, jobtest.Account, "r", trustTranscribe, `Allow "Action":"*","Resource":"*"`)
	session, err := b.world.Roles.ServiceRole(t.Context(), role, "transcribe.amazonaws.com", jobtest.Account, "")
	if err != nil {
		t.Fatal(err)
	}
	for want, statement := range map[string]string{"": readMedia, noMedia: readForeign} {
		session.Session.Policies = []string{jobtest.Policy(statement)}
		_, err := b.Start(t.Context(), as(session), b.request(t, "J", nil))
		b.mustBe(t, err, want)
	}
	// They hold for the worker too.
	b.run(t, nil)
	if r := b.report(t); r.Job.Status != job.Completed {
		t.Errorf("got %+v", r.Job.Failure)
	}
	if got := b.job(t, "J").Principal; len(got.Session.Policies) != 1 || got.ARN != session.ARN {
		t.Errorf("stored %+v", got)
	}
}

// What was allowed at Start is asked for again at use.
func TestRightsLostAfterStartFailTheJob(t *testing.T) {
	everything := []string{readMedia, writeResults}
	for _, tc := range []struct {
		name string
		// role makes the job one with a role that may everything.
		role bool
		lose func(t *testing.T, b *bench)
		// late loses the right while the job recognises, not before.
		late bool
		kind string
		want string
	}{
		{"read", false, func(t *testing.T, b *bench) { b.allow(t, writeResults) }, false, "media_access", noMedia},
		{"write", false, func(t *testing.T, b *bench) { b.allow(t, readMedia) }, true, "output_access", noOutput},
		{"all, by an explicit deny", false, func(t *testing.T, b *bench) {
			b.allow(t, append([]string{`Deny "Action":"*","Resource":"*"`}, everything...)...)
		}, true, "output_access", noOutput},
		{"the user is deleted", false, func(t *testing.T, b *bench) {
			b.allow(t)
			if err := b.world.Directory.DeleteUser(t.Context(), jobtest.Account, "alice"); err != nil {
				t.Fatal(err)
			}
			// Another user of the name is another user.
			b.alice(t, everything...)
		}, false, "media_access", noMedia},
		{"the role's", true, func(t *testing.T, b *bench) {
			b.world.Allow(t, jobtest.Account, iam.Holder{Type: iam.TypeRole, Name: "r"}, readMedia)
		}, true, "output_access", noOutput},
		{"the role's trust", true, func(t *testing.T, b *bench) {
			_, err := b.world.Directory.UpdateRole(t.Context(), jobtest.Account, "r", func(r *iam.Role) {
				r.Trust = jobtest.Policy(strings.Replace(trustTranscribe, "Allow", "Deny", 1))
			})
			if err != nil {
				t.Fatal(err)
			}
		}, true, "role_access", noRole},
		{"the bucket denies all", false, func(t *testing.T, b *bench) {
			b.world.Bucket(t, "results", jobtest.Account, scope.Region, `Deny "Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::results/*"`)
		}, true, "output_access", noOutput},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			alice := b.alice(t, everything...)
			change := toResults
			if tc.role {
				change = all(change, withRole(b.world.Role(t, jobtest.Account, "r", trustTranscribe, everything...)))
			}
			if _, err := b.Start(t.Context(), as(alice), b.request(t, "J", change)); err != nil {
				t.Fatal(err)
			}
			if !tc.late {
				tc.lose(t, b)
			}
			b.run(t, func(c *job.PoolConfig) {
				c.Recognizer = tones{begin: func(context.Context) error {
					if tc.late {
						tc.lose(t, b)
					}
					return nil
				}}
			})
			r := b.report(t)
			if r.Job.Status != job.Failed || r.Job.Failure.Kind != tc.kind || !strings.HasPrefix(r.Job.Failure.Reason, tc.want) || r.Job.Attempts != 1 {
				t.Errorf("got %s %+v after %d attempts, want %s", r.Job.Status, r.Job.Failure, r.Job.Attempts, tc.want)
			}
			if _, _, ok := b.storage.get(t, "results", "J.json"); ok {
				t.Error("the transcript was written")
			}
		})
	}
}
