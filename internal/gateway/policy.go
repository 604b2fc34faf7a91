package gateway

import (
	"context"
	"log/slog"
	"strings"

	"github.com/dictum/dictum/internal/aws/awserr"
	"github.com/dictum/dictum/internal/objects"
)

// Administrators is the Authorizer of a server without policies: every user administers the
// account and may do anything within it; nobody reaches into another account; and a service's own
// session may read the one thing it signs links for.
type Administrators struct{}

var _ Authorizer = Administrators{}

// Authorize implements Authorizer.
func (Administrators) Authorize(_ context.Context, c *Call) error {
	switch {
	case c.Principal.AccountID == "":
		return denied(c, "the request is anonymous")
	case c.Principal.Service != "":
		own := "arn:aws:s3:::" + objects.ServiceBucket(c.Region) + "/" + c.Principal.AccountID + "/"
		if c.Service == "s3" && (c.Action == "GetObject" || c.Action == "HeadObject") && strings.HasPrefix(c.Resource, own) {
			return nil
		}
		return denied(c, "no session policy allows the "+c.Service+":"+c.Action+" action")
	case inServiceBucket(c.Resource):
		return denied(c, "no resource-based policy allows the "+c.Service+":"+c.Action+" action")
	}
	if account := accountOf(c.Resource); account != "" && account != c.Principal.AccountID {
		return denied(c, "no resource-based policy allows the "+c.Service+":"+c.Action+" action")
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

func denied(c *Call, reason string) error {
	return awserr.Fail(awserr.NotAuthorized,
		"principal", c.Principal.ARN, "action", c.Service+":"+c.Action, "resource", c.Resource, "reason", reason)
}

// LogAuditor writes audit events to a structured log.
type LogAuditor struct{ Log *slog.Logger }

var _ Auditor = LogAuditor{}

// Record implements Auditor.
func (a LogAuditor) Record(ctx context.Context, e Event) error {
	attrs := []slog.Attr{
		slog.Time("event_time", e.Time),
		slog.String("request_id", e.RequestID),
		slog.String("service", e.Service),
		slog.String("action", e.Action),
		slog.String("resource", e.Resource),
		slog.String("region", e.Region),
		slog.String("principal", e.Principal.ARN),
		slog.String("account", e.Principal.AccountID),
		slog.String("access_key_id", e.Principal.AccessKeyID),
		slog.String("source_ip", e.SourceIP),
		slog.String("user_agent", e.UserAgent),
		slog.String("method", e.Method),
		slog.Int("status", e.Status),
		slog.Duration("duration", e.Duration),
		slog.Int64("bytes_in", e.BytesIn),
		slog.Int64("bytes_out", e.BytesOut),
	}
	if e.ErrorCode != "" {
		attrs = append(attrs, slog.String("error_code", e.ErrorCode), slog.String("error_message", e.ErrorMessage))
	}
	if e.ClaimedKeyID != "" {
		attrs = append(attrs, slog.String("claimed_key_id", e.ClaimedKeyID))
	}
	a.Log.LogAttrs(ctx, slog.LevelInfo, "audit", attrs...)
	return nil
}
