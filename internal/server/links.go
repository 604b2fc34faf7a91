package server

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/dictum/dictum/internal/api/transcribe"
	"github.com/dictum/dictum/internal/aws/sigv4"
	"github.com/dictum/dictum/internal/iam"
)

// links presigns URLs of service-managed output with Dictum's own credentials of the account.
type links struct{ credentials *iam.ServiceCredentials }

var _ transcribe.Presigner = links{}

// PresignGet implements transcribe.Presigner. Keys of the service bucket begin with the account
// they belong to.
func (l links) PresignGet(_ context.Context, origin, region, bucket, key string, life time.Duration) (string, error) {
	account, _, _ := strings.Cut(key, "/")
	credential, err := l.credentials.ForAccount(account)
	if err != nil {
		return "", fmt.Errorf("find credentials for a link: %w", err)
	}
	path := (&url.URL{Path: "/" + bucket + "/" + key}).EscapedPath()
	return sigv4.Presign(http.MethodGet, origin+path, credential, region, "s3", life, time.Now())
}
