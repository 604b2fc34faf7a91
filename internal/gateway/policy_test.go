package gateway_test

import (
	"errors"
	"testing"

	"github.com/dictum/dictum/internal/aws/awserr"
	"github.com/dictum/dictum/internal/gateway"
	"github.com/dictum/dictum/internal/iam"
)

func TestAdministrators(t *testing.T) {
	user := iam.Principal{AccountID: "111122223333", ARN: "arn:aws:iam::111122223333:user/admin"}
	link := iam.Principal{AccountID: "111122223333", Service: iam.ServiceTranscribe}
	tests := []struct {
		name     string
		who      iam.Principal
		what, on string
		ok       bool
	}{
		{"a user, within the account", user, "transcribe:DeleteTranscriptionJob", "arn:aws:transcribe:us-west-2:111122223333:transcription-job/j", true},
		{"a user, no particular resource", user, "transcribe:ListTranscriptionJobs", "*", true},
		{"a user, another account", user, "transcribe:DeleteTranscriptionJob", "arn:aws:transcribe:us-west-2:444455556666:transcription-job/j", false},
		{"a user, a bucket", user, "s3:PutObject", "arn:aws:s3:::b/k", true},
		{"a user, the service bucket", user, "s3:GetObject", "arn:aws:s3:::aws-transcribe-us-west-2-prod/111122223333/j", false},
		{"nobody", iam.Principal{}, "s3:GetObject", "arn:aws:s3:::b/k", false},
		{"a link, its output", link, "s3:GetObject", "arn:aws:s3:::aws-transcribe-us-west-2-prod/111122223333/j", true},
		{"a link, an account that begins alike", link, "s3:GetObject", "arn:aws:s3:::aws-transcribe-us-west-2-prod/1111222233334/j", false},
		{"a link, deleting", link, "s3:DeleteObject", "arn:aws:s3:::aws-transcribe-us-west-2-prod/111122223333/j", false},
		{"a link, another service", link, "transcribe:GetObject", "arn:aws:s3:::aws-transcribe-us-west-2-prod/111122223333/j", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := gateway.Administrators{}.Authorize(t.Context(), iam.Caller{Principal: tt.who, Region: "us-west-2"}, iam.Access{Action: tt.what, Resource: tt.on})
			if tt.ok != (err == nil) || (err != nil && !errors.Is(err, awserr.Fail(awserr.NotAuthorized))) {
				t.Errorf("got %v", err)
			}
		})
	}
}
