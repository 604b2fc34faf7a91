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
		name string
		call gateway.Call
		ok   bool
	}{
		{"a user, within the account", gateway.Call{Principal: user, Service: "transcribe", Action: "DeleteTranscriptionJob", Resource: "arn:aws:transcribe:us-west-2:111122223333:transcription-job/j"}, true},
		{"a user, no particular resource", gateway.Call{Principal: user, Service: "transcribe", Action: "ListTranscriptionJobs", Resource: "*"}, true},
		{"a user, another account", gateway.Call{Principal: user, Service: "transcribe", Action: "DeleteTranscriptionJob", Resource: "arn:aws:transcribe:us-west-2:444455556666:transcription-job/j"}, false},
		{"a user, a bucket", gateway.Call{Principal: user, Service: "s3", Action: "PutObject", Resource: "arn:aws:s3:::b/k"}, true},
		{"a user, the service bucket", gateway.Call{Principal: user, Service: "s3", Action: "GetObject", Resource: "arn:aws:s3:::aws-transcribe-us-west-2-prod/111122223333/j"}, false},
		{"nobody", gateway.Call{Service: "s3", Action: "GetObject", Resource: "arn:aws:s3:::b/k"}, false},
		{"a link, its output", gateway.Call{Principal: link, Region: "us-west-2", Service: "s3", Action: "GetObject", Resource: "arn:aws:s3:::aws-transcribe-us-west-2-prod/111122223333/j"}, true},
		{"a link, an account that begins alike", gateway.Call{Principal: link, Region: "us-west-2", Service: "s3", Action: "GetObject", Resource: "arn:aws:s3:::aws-transcribe-us-west-2-prod/1111222233334/j"}, false},
		{"a link, deleting", gateway.Call{Principal: link, Region: "us-west-2", Service: "s3", Action: "DeleteObject", Resource: "arn:aws:s3:::aws-transcribe-us-west-2-prod/111122223333/j"}, false},
		{"a link, another service", gateway.Call{Principal: link, Region: "us-west-2", Service: "transcribe", Action: "GetObject", Resource: "arn:aws:s3:::aws-transcribe-us-west-2-prod/111122223333/j"}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := gateway.Administrators{}.Authorize(t.Context(), &tt.call)
			if tt.ok != (err == nil) || (err != nil && !errors.Is(err, awserr.Fail(awserr.NotAuthorized))) {
				t.Errorf("got %v", err)
			}
		})
	}
}
