package policy_test

import (
	"testing"

	"github.com/dictum/dictum/internal/iam/policy"
)

func TestPredefined(t *testing.T) {
	allowed := func(d *policy.Document, action string) bool {
		got, err := policy.Evaluate(&policy.Request{
			Principal: policy.Principal{Kind: policy.User, Account: "111122223333", ARN: "arn:aws:iam::111122223333:user/a"},
			Action:    action, Resource: "arn:aws:s3:::b/k",
		}, &policy.Set{Identity: []*policy.Document{d}})
		if err != nil {
			t.Fatal(err)
		}
		return got.Allowed
	}
	want := map[string][2]string{ // what it allows, what it does not
		"AdministratorAccess":              {"iam:CreateUser", ""},
		"PowerUserAccess":                  {"transcribe:StartTranscriptionJob", "iam:CreateUser"},
		"ReadOnlyAccess":                   {"s3:GetObject", "s3:PutObject"},
		"AmazonTranscribeFullAccess":       {"transcribe:DeleteTranscriptionJob", "s3:GetObject"},
		"AmazonTranscribeReadOnlyAccess":   {"transcribe:ListTranscriptionJobs", "transcribe:StartTranscriptionJob"},
		"AmazonS3FullAccess":               {"s3:DeleteBucket", "kms:Decrypt"},
		"AmazonS3ReadOnlyAccess":           {"s3:ListBucket", "s3:PutObject"},
		"IAMFullAccess":                    {"iam:PassRole", "s3:GetObject"},
		"IAMReadOnlyAccess":                {"iam:SimulatePrincipalPolicy", "iam:CreateUser"},
		"AWSKeyManagementServicePowerUser": {"kms:CreateKey", "kms:Decrypt"},
	}
	all := policy.Predefined()
	if got, want := len(all), len(want); got != want {
		t.Errorf("%d policies, want %d", got, want)
	}
	for _, p := range all {
		if p.ARN != "arn:aws:iam::aws:policy/"+p.Name || p.Description == "" {
			t.Errorf("%+v", p)
		}
		w := want[p.Name]
		if !allowed(p.Document, w[0]) {
			t.Errorf("%s does not allow %s", p.Name, w[0])
		}
		if w[1] != "" && allowed(p.Document, w[1]) {
			t.Errorf("%s allows %s", p.Name, w[1])
		}
	}
}
