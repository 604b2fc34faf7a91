package sts

import (
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/dictum/dictum/internal/aws/awserr"
)

// shape is what the service model says of a member: botocore's sts 2011-06-15 service-2.json.
type shape struct {
	// min and max bound the characters of a string, or an integer; a max of zero is none.
	min, max int
	// integer marks a number.
	integer bool
	// pattern is Java's; whole is compiled from it and matches the whole value.
	pattern string
	whole   *regexp.Regexp
	// secret values are not repeated to anyone.
	secret bool
}

func text(lo, hi int, pattern string) *shape {
	s := &shape{min: lo, max: hi, pattern: pattern}
	if pattern != "" {
		// Go writes code points otherwise than Java.
		s.whole = regexp.MustCompile(`\A(?:` + javaEscape.ReplaceAllString(pattern, `\x{$1}`) + `)\z`)
	}
	return s
}

var javaEscape = regexp.MustCompile(`\\u([0-9A-F]{4,6})`)

const anyText = `[\u0009\u000A\u000D\u0020-\u007E\u0085\u00A0-\uD7FF\uE000-\uFFFD\u10000-\u10FFFF]+`

var (
	arnType           = text(20, 2048, anyText)
	sessionNameType   = text(2, 64, `[\w+=,.@-]*`)
	roleDuration      = &shape{min: 900, max: 43200, integer: true}
	tokenDuration     = &shape{min: 900, max: 129600, integer: true}
	tokenSize         = &shape{max: 4096, integer: true}
	policyType        = text(1, 2048, `[\u0009\u000A\u000D\u0020-\u00FF]+`)
	longPolicyType    = text(1, 0, `[\u0009\u000A\u000D\u0020-\u00FF]+`)
	tagKeyType        = text(1, 128, `[\p{L}\p{Z}\p{N}_.:/=+\-@]+`)
	tagValueType      = text(0, 256, `[\p{L}\p{Z}\p{N}_.:/=+\-@]*`)
	externalIDType    = text(2, 1224, `[\w+=,.@:\/-]*`)
	serialType        = text(9, 256, `[\w+=/:,.@-]*`)
	codeType          = text(6, 6, `[\d]*`)
	keyIDType         = text(16, 128, `[\w]*`)
	urlType           = text(4, 2048, "")
	webTokenType      = &shape{min: 4, max: 20000, secret: true}
	maxTagsOfRequest  = 50
	roleMembers       = []member{{"RoleArn", true, arnType}, {"RoleSessionName", true, sessionNameType}}
	moreRoleMembers   = []member{{"PolicyArns.arn", false, arnType}, {"DurationSeconds", false, roleDuration}, {"MinimumSessionTokenSize", false, tokenSize}}
	assumeRoleMembers = []member{
		{"Policy", false, longPolicyType},
		{"Tags.Key", true, tagKeyType},
		{"Tags.Value", true, tagValueType},
		{"TransitiveTagKeys", false, tagKeyType},
		{"ExternalId", false, externalIDType},
		{"SerialNumber", false, serialType},
		{"TokenCode", false, codeType},
		{"SourceIdentity", false, sessionNameType},
	}
	webIdentityMembers = []member{
		{"WebIdentityToken", true, webTokenType},
		{"ProviderId", false, urlType},
		{"Policy", false, policyType},
	}
)

// member is one of an action's parameters. "Tags.Key" is Key of each element of the list Tags; the name of a
// list alone is each of its elements.
type member struct {
	path     string
	required bool
	shape    *shape
}

// members are the parameters of each action that have rules.
var members = map[string][]member{
	"AssumeRole": append(append(append([]member(nil), roleMembers...), moreRoleMembers...), assumeRoleMembers...),
	webIdentity:  append(append(append([]member(nil), roleMembers...), moreRoleMembers...), webIdentityMembers...),
	"GetSessionToken": {
		{"DurationSeconds", false, tokenDuration},
		{"SerialNumber", false, serialType},
		{"TokenCode", false, codeType},
		{"MinimumSessionTokenSize", false, tokenSize},
	},
	"GetAccessKeyInfo": {{"AccessKeyId", true, keyIDType}},
}

// validate is an awsquery.Validator: it names all that the parameters break of the model, as AWS does.
func validate(action string, params map[string]any) error {
	var broken []string
	for _, m := range members[action] {
		list, inner, nested := strings.Cut(m.path, ".")
		value, there := params[list]
		elements, isList := value.([]any)
		switch {
		case !there && m.required && !nested:
			broken = append(broken, violation(nil, lowerFirst(m.path), "Member must not be null"))
		case !there:
		case nested:
			for i, e := range elements {
				fields, _ := e.(map[string]any)
				at := fmt.Sprintf("%s.%d.member.%s", lowerFirst(list), i+1, lowerFirst(inner))
				field, given := fields[inner]
				if !given {
					if m.required {
						broken = append(broken, violation(nil, at, "Member must not be null"))
					}
					continue
				}
				broken = append(broken, m.shape.check(at, field)...)
			}
		case isList:
			for i, e := range elements {
				broken = append(broken, m.shape.check(fmt.Sprintf("%s.%d.member", lowerFirst(list), i+1), e)...)
			}
		default:
			broken = append(broken, m.shape.check(lowerFirst(m.path), value)...)
		}
	}
	for _, list := range []string{"Tags", "TransitiveTagKeys"} {
		if elements, _ := params[list].([]any); action == "AssumeRole" && len(elements) > maxTagsOfRequest {
			broken = append(broken, fmt.Sprintf("Value at '%s' failed to satisfy constraint: Member must have length less than or equal to %d", lowerFirst(list), maxTagsOfRequest))
		}
	}
	if len(broken) == 0 {
		return nil
	}
	plural := ""
	if len(broken) > 1 {
		plural = "s"
	}
	return &awserr.Error{
		Code: "ValidationError", Status: http.StatusBadRequest,
		Message: fmt.Sprintf("%d validation error%s detected: %s", len(broken), plural, strings.Join(broken, "; ")),
	}
}

// check returns what a value breaks.
func (s *shape) check(at string, value any) []string {
	given, _ := value.(string)
	shown := &given
	if s.secret {
		shown = new("***")
	}
	var broken []string
	add := func(constraint string) { broken = append(broken, violation(shown, at, constraint)) }
	if s.integer {
		n, err := strconv.Atoi(given)
		switch {
		case err != nil: // the binding refused it
		case n > s.max:
			add("Member must have value less than or equal to " + strconv.Itoa(s.max))
		case n < s.min:
			add("Member must have value greater than or equal to " + strconv.Itoa(s.min))
		}
		return broken
	}
	n := utf8.RuneCountInString(given)
	switch {
	case s.max > 0 && n > s.max:
		add("Member must have length less than or equal to " + strconv.Itoa(s.max))
	case n < s.min:
		add("Member must have length greater than or equal to " + strconv.Itoa(s.min))
	}
	if s.whole != nil && !s.whole.MatchString(given) {
		add("Member must satisfy regular expression pattern: " + s.pattern)
	}
	return broken
}

// violation is one sentence of the message; a nil value is a missing one.
func violation(value *string, at, constraint string) string {
	shown := "null"
	if value != nil {
		shown = "'" + *value + "'"
	}
	return "Value " + shown + " at '" + at + "' failed to satisfy constraint: " + constraint
}

func lowerFirst(s string) string { return strings.ToLower(s[:1]) + s[1:] }
