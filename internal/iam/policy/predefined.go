package policy

import (
	"embed"
	"fmt"
	"sync"
)

//go:embed predefined/*.json
var predefinedFiles embed.FS

// Managed is a policy that AWS manages and every account has.
type Managed struct {
	// Name is "AmazonTranscribeFullAccess".
	Name string
	// ARN is arn:aws:iam::aws:policy/{name}; the path is always "/".
	ARN         string
	Description string
	// Document is an identity policy.
	Document *Document
}

// predefined are the policies that mean something here, as the AWS managed policy reference has them
// (https://docs.aws.amazon.com/aws-managed-policy/latest/reference/policy-list.html); ReadOnlyAccess is
// cut down to the services that there are.
var predefined = []struct{ name, description string }{
	{"AdministratorAccess", "Provides full access to AWS services and resources."},
	{"PowerUserAccess", "Provides full access to AWS services and resources, but does not allow management of Users and groups."},
	{"ReadOnlyAccess", "Provides read-only access to AWS services and resources."},
	{"AmazonTranscribeFullAccess", "Provides full access to Amazon Transcribe operations."},
	{"AmazonTranscribeReadOnlyAccess", "Provides access to read only operation for Amazon Transcribe."},
	{"AmazonS3FullAccess", "Provides full access to all buckets via the AWS Management Console."},
	{"AmazonS3ReadOnlyAccess", "Provides read only access to all buckets via the AWS Management Console."},
	{"IAMFullAccess", "Provides full access to IAM via the AWS Management Console."},
	{"IAMReadOnlyAccess", "Provides read only access to IAM via the AWS Management Console."},
	{"AWSKeyManagementServicePowerUser", "Provides access to AWS Key Management Service (KMS)."},
}

// Predefined returns AWS's managed policies, always in the same order. The slice must not be changed.
var Predefined = sync.OnceValue(func() []Managed {
	out := make([]Managed, 0, len(predefined))
	for _, p := range predefined {
		text, err := predefinedFiles.ReadFile("predefined/" + p.name + ".json")
		if err != nil {
			panic(err) // embedded: a test reads them all
		}
		d, err := Parse(text, Identity)
		if err != nil {
			panic(fmt.Sprintf("policy %s: %v", p.name, err))
		}
		out = append(out, Managed{Name: p.name, ARN: "arn:aws:iam::aws:policy/" + p.name, Description: p.description, Document: d})
	}
	return out
})
