package iam

import (
	"crypto/sha256"
	"sync"
	"time"

	"github.com/dictum/dictum/internal/iam/policy"
)

// awsManagedSince is when AWS made the oldest of its managed policies. Ours have no other date.
var awsManagedSince = time.Date(2015, 2, 6, 18, 39, 46, 0, time.UTC)

// awsManaged are AWS's managed policies by ARN. Nobody can change them.
var awsManaged = sync.OnceValue(func() map[string]ManagedPolicy {
	out := map[string]ManagedPolicy{}
	for _, m := range policy.Predefined() {
		p := ManagedPolicy{
			AccountID: "aws", ID: awsPolicyID(m.Name), Name: m.Name, Path: "/", Description: m.Description,
			Created: awsManagedSince, Updated: awsManagedSince, Default: "v1", Last: 1,
			Versions: []PolicyVersion{{ID: "v1", Text: m.Document.Text(), Created: awsManagedSince}},
		}
		out[p.ARN()] = p
	}
	return out
})

// awsPolicyID is always the same for a name. AWS's own ids are not published.
func awsPolicyID(name string) string {
	sum := sha256.Sum256([]byte(name))
	return prefixPolicy + idEncoding.EncodeToString(sum[:10])
}
