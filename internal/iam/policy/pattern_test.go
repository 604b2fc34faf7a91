package policy_test

import (
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/dictum/dictum/internal/iam/policy"
)

func TestResourceWildcards(t *testing.T) {
	const key = "arn:aws:kms:us-east-1:111122223333:key/ab"
	for _, c := range []struct {
		pattern, resource string
		want              bool
	}{
		{"*", key, true},
		{"*", "*", true},
		{"arn:aws:kms:*", "*", false},
		{"arn:aws:kms:*:111122223333:key/*", key, true},
		{"arn:aws:kms:*:222222222222:key/*", key, false},
		{"arn:aws:kms:us-*-1:111122223333:key/a?", key, true},
		{"arn:aws:kms:us-????-1:*", key, true},
		{"arn:aws:kms:us-??-1:*", key, false},
		// A star that is the last character of a segment goes beyond the colon, another does not.
		{"arn:aws:kms:*", key, true},
		{"arn:aws:kms:us-*", key, true},
		{"arn:aws:kms*", key, true},
		{"arn:aws:kms:*:key/ab", key, true},
		{"arn:aws:kms:us*3:key/ab", key, false},
		{"arn:aws:kms:us-east-1?111122223333:key:ab", "arn:aws:kms:us-east-1:111122223333:key:ab", false},
		// Colons of the resource itself are characters like others.
		{"arn:aws:s3:::b/*.wav", "arn:aws:s3:::b/10:00:00.wav", true},
		{"arn:aws:s3:::b/?0?00*", "arn:aws:s3:::b/10:00:00.wav", true},
		{"arn:aws:s3:::b/*", "arn:aws:s3:::b", false},
		{"arn:aws:s3:::b", "arn:aws:s3:::B", false},
		{"arn:aws:s3:::b/é?", "arn:aws:s3:::b/é語", true},
		{"arn:aws:s3:::b/??", "arn:aws:s3:::b/語", false},
		{"arn:aws:s3:::b/*??", "arn:aws:s3:::b/語", false},
		{"arn:aws:s3:::*/test/*", "arn:aws:s3:::b/1/2/test/3/object.jpg", true},
		{"arn:aws:s3:::*/test/*", "arn:aws:s3:::b/1/2/3/object.jpg", false},
	} {
		if got := policy.MatchPattern(c.pattern, c.resource, false, true); got != c.want {
			t.Errorf("%s on %s: %v, want %v", c.pattern, c.resource, got, c.want)
		}
	}
}

func TestHostilePatternsEnd(t *testing.T) {
	start := time.Now()
	stars := strings.Repeat("*a", 500) + "b"
	policy.MatchPattern(stars, strings.Repeat("a", 1024), true, false)
	policy.MatchPattern("arn:a*:a*:a*:a*:"+stars, "arn:"+strings.Repeat("a:", 1000), false, true)
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("took %v", d)
	}
}

func FuzzMatch(f *testing.F) {
	f.Add("s3:*Obj?ct", "s3:GetObject")
	f.Add("arn:aws:kms:us-*-1:*:key/?", "arn:aws:kms:us-east-1:111122223333:key/a")
	f.Add("a*b*:*:c?*", "aabb:cc:cd")
	f.Add("*語?", "é語語")
	f.Fuzz(func(t *testing.T, p, s string) {
		if !utf8.ValidString(p) || !utf8.ValidString(s) || strings.ContainsAny(p+s, "\x00") || len(p)+len(s) > 200 {
			return
		}
		tokens := make([]string, 0, len(p))
		for _, r := range p {
			tok := string(r)
			if tok == "*" || tok == "?" {
				tok = "\x00" + tok
			}
			tokens = append(tokens, tok)
		}
		clear(refCompiled) // bounded
		for _, arn := range []bool{false, true} {
			if got, want := policy.MatchPattern(p, s, false, arn), refRegexp("", tokens, arn).MatchString(s); got != want {
				t.Errorf("%q on %q, ARN %v: %v, want %v", p, s, arn, got, want)
			}
		}
		if ascii := regexp.MustCompile(`^[ -~]*$`); ascii.MatchString(p + s) {
			// Actions are matched in lower case, whatever the case of the request.
			if got, want := policy.MatchPattern(strings.ToLower(p), s, true, false), refRegexp("(?i)", tokens, false).MatchString(s); got != want {
				t.Errorf("action %q on %q: %v, want %v", p, s, got, want)
			}
		}
	})
}
