package transcribe

import (
	"context"
	"fmt"
	"time"

	"github.com/dictum/dictum/internal/aws/sigv4"
	"github.com/dictum/dictum/internal/iam"
)

// Links is the Presigner over a credential of the service's own, which may read service-managed
// output and nothing else.
type Links struct {
	Credential iam.Credential
	// Now is optional: the clock of signatures.
	Now func() time.Time
}

var _ Presigner = Links{}

// PresignGet implements Presigner.
func (l Links) PresignGet(_ context.Context, origin, region, bucket, key string, life time.Duration) (string, error) {
	now := time.Now
	if l.Now != nil {
		now = l.Now
	}
	url, err := sigv4.Presign("GET", origin+"/"+bucket+"/"+escapeKey(key), l.Credential, region, "s3", life, now())
	if err != nil {
		return "", fmt.Errorf("link to output: %w", err)
	}
	return url, nil
}
