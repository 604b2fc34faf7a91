package sts

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

// maxTags is how many tags a session may have, those that it inherits included.
const maxTags = 50

// Tag is a session tag.
type Tag struct{ Key, Value string }

// sessionTags puts the tags of a request and those inherited from the caller's session together. Keys differ
// in more than case (https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html).
func sessionTags(asked []Tag, transitive []string, inherited map[string]string) (map[string]string, []string, error) {
	tags := maps.Clone(inherited)
	if tags == nil {
		tags = make(map[string]string, len(asked))
	}
	taken := make(map[string]bool, len(inherited))
	for k := range inherited {
		taken[strings.ToLower(k)] = true
	}
	seen := make(map[string]string, len(asked))
	for _, t := range asked {
		lower := strings.ToLower(t.Key)
		_, twice := seen[lower]
		switch {
		case strings.HasPrefix(lower, "aws:"):
			return nil, nil, invalidParameter("Tag keys must not begin with aws:, which is reserved: %s", t.Key)
		case twice:
			return nil, nil, invalidParameter("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
		case taken[lower]:
			return nil, nil, invalidParameter("One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session.")
		}
		seen[lower] = t.Key
		tags[t.Key] = t.Value
	}
	if len(tags) > maxTags {
		return nil, nil, invalidParameter("A session can't have more than %d tags, those of the calling session included.", maxTags)
	}
	keep := slices.Sorted(maps.Keys(inherited))
	for _, k := range transitive {
		own, ok := seen[strings.ToLower(k)]
		if !ok {
			return nil, nil, invalidParameter("The specified transitive tag key must be included in the requested tags.")
		}
		if !slices.Contains(keep, own) {
			keep = append(keep, own)
		}
	}
	if len(tags) == 0 {
		return nil, nil, nil
	}
	return tags, keep, nil
}

var (
	tagKey   = regexp.MustCompile(`\A[\p{L}\p{Z}\p{N}_.:/=+\-@]{1,128}\z`)
	tagValue = regexp.MustCompile(`\A[\p{L}\p{Z}\p{N}_.:/=+\-@]{0,256}\z`)
	// sessionName is what the names of sessions and source identities are.
	sessionName = regexp.MustCompile(`\A[\w+=,.@-]{2,64}\z`)
)

// tagFits tells whether a tag of a token is one that a request could carry; those of requests are held
// against the service model.
func tagFits(key, value string) bool { return tagKey.MatchString(key) && tagValue.MatchString(value) }

func isSessionName(s string) bool { return sessionName.MatchString(s) }
