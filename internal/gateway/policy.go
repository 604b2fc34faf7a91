package gateway

import (
	"context"
	"log/slog"
	"strings"

	"github.com/dictum/dictum/internal/audit"
	"github.com/dictum/dictum/internal/aws/awserr"
	"github.com/dictum/dictum/internal/iam"
	"github.com/dictum/dictum/internal/objects"
)

// Administrators is the Authorizer of a server without policies: every user administers the
// account and may do anything within it; nobody reaches into another account; and a service's own
// session may read the one thing it signs links for.
type Administrators struct{}

var _ iam.Authorizer = Administrators{}

// Authorize implements iam.Authorizer.
func (Administrators) Authorize(_ context.Context, c iam.Caller, a iam.Access) error {
	switch {
	case c.Principal.AccountID == "":
		return denied(c, a, "the request is anonymous")
	case c.Principal.Service != "":
		own := "arn:aws:s3:::" + objects.ServiceBucket(c.Region) + "/" + c.Principal.AccountID + "/"
		if a.Action == "s3:GetObject" && strings.HasPrefix(a.Resource, own) {
			return nil
		}
		return denied(c, a, "no session policy allows the "+a.Action+" action")
	case inServiceBucket(a.Resource):
		return denied(c, a, "no resource-based policy allows the "+a.Action+" action")
	}
	account := accountOf(a.Resource)
	if a.Owner != "" {
		account = a.Owner // S3's ARNs name no account.
	}
	if account != "" && account != c.Principal.AccountID {
		return denied(c, a, "no resource-based policy allows the "+a.Action+" action")
	}
	return nil
}

// inServiceBucket tells S3 ARNs in any region's service bucket.
func inServiceBucket(resource string) bool {
	bucket, ok := strings.CutPrefix(resource, "arn:aws:s3:::")
	if !ok {
		return false
	}
	bucket, _, _ = strings.Cut(bucket, "/")
	return objects.IsServiceBucket(bucket)
}

// accountOf returns the account in an ARN; S3's have none.
func accountOf(resource string) string {
	parts := strings.SplitN(resource, ":", 6)
	if len(parts) < 6 || parts[0] != "arn" {
		return ""
	}
	return parts[4]
}

func denied(c iam.Caller, a iam.Access, reason string) error {
	return awserr.Fail(awserr.NotAuthorized, "principal", c.Principal.ARN, "action", a.Action, "resource", a.Resource, "reason", "because "+reason)
}

// LogAuditor writes audit events to a structured log.
type LogAuditor struct{ Log *slog.Logger }

var _ audit.Recorder = LogAuditor{}

// Record implements audit.Recorder.
func (l LogAuditor) Record(ctx context.Context, e audit.Event) error {
	c := e.Caller
	attrs := []slog.Attr{
		slog.String("request_id", c.RequestID), slog.String("source", e.Source), slog.String("event", e.Name), slog.String("region", c.Region),
		slog.String("principal", c.Principal.ARN), slog.String("account", c.Principal.AccountID),
		slog.String("access_key_id", c.Principal.AccessKeyID), slog.String("source_ip", c.SourceIP), slog.String("user_agent", c.UserAgent),
	}
	for _, r := range e.Resources {
		attrs = append(attrs, slog.String("resource", r.ARN))
	}
	if e.ErrorCode != "" {
		attrs = append(attrs, slog.String("error_code", e.ErrorCode), slog.String("error_message", e.ErrorMessage))
	}
	if e.ClaimedKeyID != "" {
		attrs = append(attrs, slog.String("claimed_key_id", e.ClaimedKeyID))
	}
	l.Log.LogAttrs(ctx, slog.LevelInfo, "audit", attrs...)
	return nil
}
