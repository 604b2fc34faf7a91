package policy_test

import (
	"encoding/base64"
	"encoding/json"
	"net"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// This file is a second evaluator, slow and obvious, written from AWS's text and sharing nothing with the first: it
// works on decoded JSON, turns patterns into regular expressions, and spells every operator out.

type refPolicy []map[string]any // the statements

func refParse(t testing.TB, text string) refPolicy {
	var doc struct{ Statement []map[string]any }
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatal(err)
	}
	return doc.Statement
}

type refRequest struct {
	kind, account, arn, role, service string // the principal
	action, resource, owner           string
	keys                              map[string][]string // by lower-case name
}

type refSet struct {
	identity, session  []refPolicy
	boundary, resource refPolicy // nil: none
	delegated          bool
}

// refEvaluate returns "allow", "explicit" or "implicit".
func refEvaluate(r refRequest, s refSet) string {
	var all []map[string]any
	for _, p := range append(append([]refPolicy{s.boundary, s.resource}, s.identity...), s.session...) {
		all = append(all, p...)
	}
	// "An explicit deny in any of these policies overrides the allow."
	for _, st := range all {
		if st["Effect"] == "Deny" && refNames(st, r, s.boundary != nil) && refApplies(st, r) {
			return "explicit"
		}
	}
	allows := func(policies ...refPolicy) bool {
		for _, p := range policies {
			for _, st := range p {
				if st["Effect"] == "Allow" && refApplies(st, r) {
					return true
				}
			}
		}
		return false
	}
	// "The root user has full access."
	identity := r.kind == "root" || allows(s.identity...)
	limits := (s.boundary == nil || allows(s.boundary)) && (len(s.session) == 0 || allows(s.session...))

	// How the resource's policy allows: to everyone or the very principal, to its role, or to its account.
	var toPrincipal, toRole, toAccount bool
	for _, st := range s.resource {
		if st["Effect"] != "Allow" || !refApplies(st, r) {
			continue
		}
		for _, n := range refPrincipals(st["Principal"]) {
			account := n == "AWS "+r.account || n == "AWS arn:aws:iam::"+r.account+":root"
			switch {
			case n == "AWS *", n == "Service "+r.service && r.kind == "service", r.account != "" && n == "AWS "+r.arn, account && r.account != "" && r.kind == "root":
				toPrincipal = true
			case r.kind == "role" && n == "AWS "+r.role:
				toRole = true
			case account && r.account != "":
				toAccount = true
			}
		}
	}
	var allowed bool
	switch {
	case r.account == "":
		allowed = toPrincipal
	case r.owner != r.account:
		// "Both the trusting and the trusted account must allow."
		allowed = (toPrincipal || toRole || toAccount) && identity && limits
	case s.delegated:
		// A key policy: its direct grants hold, and what it leaves to the account needs an identity policy.
		direct := toPrincipal && (r.kind != "user" || len(s.session) == 0)
		allowed = direct || (toPrincipal || toRole) && limits || toAccount && identity && limits
	default:
		direct := toPrincipal && (r.kind != "user" || len(s.session) == 0)
		allowed = direct || (toPrincipal || toRole || identity) && limits
	}
	if allowed {
		return "allow"
	}
	return "implicit"
}

// refNames tells whether a statement that denies is about the principal.
func refNames(st map[string]any, r refRequest, boundary bool) bool {
	if p, ok := st["NotPrincipal"]; ok {
		// "NotPrincipal with Deny will always deny any IAM principal that has a permissions boundary."
		if boundary && (r.kind == "user" || r.kind == "role") {
			return true
		}
		named := refPrincipals(p)
		has := func(n string) bool {
			for _, m := range named {
				if m == n {
					return true
				}
			}
			return false
		}
		if has("AWS *") {
			return false
		}
		account := has("AWS "+r.account) || has("AWS arn:aws:iam::"+r.account+":root")
		switch r.kind {
		case "user":
			return !(account && has("AWS "+r.arn))
		case "role":
			return !(account && has("AWS "+r.role) && has("AWS "+r.arn))
		case "root":
			return !account
		case "service":
			return !has("Service " + r.service)
		}
		return true
	}
	p, ok := st["Principal"]
	if !ok {
		return true
	}
	for _, n := range refPrincipals(p) {
		if n == "AWS *" || r.kind == "service" && n == "Service "+r.service {
			return true
		}
		if r.account != "" && (n == "AWS "+r.arn || n == "AWS "+r.account || n == "AWS arn:aws:iam::"+r.account+":root" || r.kind == "role" && n == "AWS "+r.role) {
			return true
		}
	}
	return false
}

// refPrincipals returns "type value" of each.
func refPrincipals(v any) []string {
	if v == "*" {
		return []string{"AWS *"}
	}
	var out []string
	m, _ := v.(map[string]any)
	for k, v := range m {
		for _, s := range refStrings(v) {
			out = append(out, k+" "+s)
		}
	}
	return out
}

func refStrings(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		var out []string
		for _, i := range v {
			out = append(out, i.(string))
		}
		return out
	}
	return nil
}

// refApplies tells whether action, resource and conditions match.
func refApplies(st map[string]any, r refRequest) bool {
	action := false
	for _, p := range append(refStrings(st["Action"]), refStrings(st["NotAction"])...) {
		action = action || refRegexp("(?i)", refTokens(p, nil), false).MatchString(r.action)
	}
	if _, not := st["NotAction"]; not {
		action = !action
	}
	if !action {
		return false
	}
	found, unresolved := false, false
	for _, p := range append(refStrings(st["Resource"]), refStrings(st["NotResource"])...) {
		tokens := refTokens(p, r.keys)
		if tokens == nil {
			unresolved = true
			continue
		}
		found = found || refRegexp("", tokens, true).MatchString(r.resource)
	}
	if _, not := st["NotResource"]; not {
		if found || unresolved && st["Effect"] == "Allow" {
			return false
		}
	} else if !found {
		return false
	}
	conditions, _ := st["Condition"].(map[string]any)
	for op, v := range conditions {
		for key, values := range v.(map[string]any) {
			if !refCondition(op, strings.ToLower(key), refStrings(values), r.keys) {
				return false
			}
		}
	}
	return true
}

// refTokens splits a pattern into single characters, "*" and "?" marked as wildcards by a leading NUL. It returns nil when a
// variable has no value. With keys nil there are no variables.
func refTokens(p string, keys map[string][]string) []string {
	tokens := []string{}
	for p != "" {
		if keys != nil && strings.HasPrefix(p, "${") {
			end := strings.Index(p, "}")
			name := p[2:end]
			p = p[end+1:]
			if name == "*" || name == "?" || name == "$" {
				tokens = append(tokens, name)
				continue
			}
			name, fallback, hasFallback := strings.Cut(name, ", ")
			value, ok := keys[strings.ToLower(name)]
			switch {
			case !ok && hasFallback:
				fallback = strings.Trim(fallback, "'")
			case ok && len(value) == 1:
				fallback = value[0]
			default:
				return nil
			}
			tokens = append(tokens, strings.Split(fallback, "")...)
			continue
		}
		if p[0] == '*' || p[0] == '?' {
			tokens = append(tokens, "\x00"+p[:1])
		} else {
			tokens = append(tokens, p[:1])
		}
		p = p[1:]
	}
	return tokens
}

var refCompiled = map[string]*regexp.Regexp{}

// refRegexp turns tokens into a regular expression. In an ARN, wildcards stay within a segment, but for a
// star that ends one; the sixth segment, or the last of fewer, is everything that is left.
func refRegexp(flags string, tokens []string, arn bool) *regexp.Regexp {
	colons := strings.Count(strings.Join(tokens, ""), ":")
	var b strings.Builder
	b.WriteString(flags + "(?s)^")
	seen := 0
	for i, tok := range tokens {
		inside := arn && seen < 5 && seen < colons
		last := i+1 < len(tokens) && tokens[i+1] == ":"
		switch {
		case tok == "\x00*" && inside && !last:
			b.WriteString("[^:]*")
		case tok == "\x00*":
			b.WriteString(".*")
		case tok == "\x00?" && inside:
			b.WriteString("[^:]")
		case tok == "\x00?":
			b.WriteString(".")
		default:
			if tok == ":" {
				seen++
			}
			b.WriteString(regexp.QuoteMeta(tok))
		}
	}
	b.WriteString("$")
	re := refCompiled[b.String()]
	if re == nil {
		re = regexp.MustCompile(b.String())
		refCompiled[b.String()] = re
	}
	return re
}

func refCondition(op, key string, want []string, keys map[string][]string) bool {
	got, present := keys[key]
	if op == "Null" {
		for _, w := range want {
			if w == "true" && (!present || len(got) == 0) || w == "false" && present && len(got) > 0 {
				return true
			}
		}
		return false
	}
	if base, ok := strings.CutSuffix(op, "IfExists"); ok {
		// "If the key is not present, evaluate the condition element as true."
		return !present || refCondition(base, key, want, keys)
	}
	empty := strings.Join(got, "") == ""
	if base, ok := strings.CutPrefix(op, "ForAllValues:"); ok {
		if empty {
			return true
		}
		for _, g := range got {
			if !refOne(base, g, want, keys) {
				return false
			}
		}
		return true
	}
	if base, ok := strings.CutPrefix(op, "ForAnyValue:"); ok {
		for _, g := range got {
			if !empty && refOne(base, g, want, keys) {
				return true
			}
		}
		return false
	}
	negated := strings.Contains(op, "Not")
	// "If the key is not present, the condition is false; of a negated operator it is true."
	if len(got) == 0 {
		return negated
	}
	for _, g := range got {
		if refOne(op, g, want, keys) != negated {
			return !negated
		}
	}
	return negated
}

// refOne compares one value: it matches any of the wanted, or, negated, none.
func refOne(op, got string, want []string, keys map[string][]string) bool {
	for positive, negative := range map[string]string{
		"StringEquals": "StringNotEquals", "StringEqualsIgnoreCase": "StringNotEqualsIgnoreCase", "StringLike": "StringNotLike",
		"NumericEquals": "NumericNotEquals", "DateEquals": "DateNotEquals", "IpAddress": "NotIpAddress", "ArnLike": "ArnNotLike", "ArnEquals": "ArnNotEquals",
	} {
		if op == negative {
			return !refOne(positive, got, want, keys)
		}
	}
	for _, w := range want {
		if refPair(op, got, w, keys) {
			return true
		}
	}
	return false
}

func refPair(op, got, want string, keys map[string][]string) bool {
	family := regexp.MustCompile("^(String|Numeric|Date|Arn|Bool|Binary|IpAddress)").FindString(op)
	switch family {
	case "String":
		tokens := refTokens(want, keys)
		if tokens == nil {
			return false
		}
		literal := strings.ReplaceAll(strings.Join(tokens, ""), "\x00", "")
		switch op {
		case "StringEquals":
			return got == literal
		case "StringEqualsIgnoreCase":
			return strings.EqualFold(got, literal)
		default:
			return refRegexp("", tokens, false).MatchString(got)
		}
	case "Arn":
		tokens := refTokens(want, keys)
		if tokens == nil || strings.Count(got, ":") < 5 || !strings.HasPrefix(got, "arn:") {
			return false
		}
		if len(tokens) == 1 && tokens[0] == "\x00*" {
			return true
		}
		parts := strings.SplitN(strings.Join(tokens, "\x01"), ":", 6)
		values := strings.SplitN(got, ":", 6)
		if len(parts) < 6 {
			return false
		}
		for i := range parts {
			component := strings.FieldsFunc(parts[i], func(r rune) bool { return r == 1 })
			if !refRegexp("", component, false).MatchString(values[i]) {
				return false
			}
		}
		return true
	case "Numeric":
		a, err := strconv.ParseFloat(got, 64)
		b, _ := strconv.ParseFloat(want, 64)
		return err == nil && refOrder(op, a-b)
	case "Date":
		a, ok := refDate(got)
		b, _ := refDate(want)
		return ok && refOrder(op, float64(a-b))
	case "Bool":
		return (got == "true" || got == "false") && got == want
	case "Binary":
		a, err := base64.StdEncoding.DecodeString(got)
		b, _ := base64.StdEncoding.DecodeString(want)
		return err == nil && string(a) == string(b)
	case "IpAddress":
		ip := net.ParseIP(got)
		if !strings.Contains(want, "/") {
			return ip != nil && ip.Equal(net.ParseIP(want))
		}
		_, n, _ := net.ParseCIDR(want)
		return ip != nil && n.Contains(ip)
	}
	panic(op)
}

func refOrder(op string, difference float64) bool {
	switch {
	case strings.HasSuffix(op, "LessThan"):
		return difference < 0
	case strings.HasSuffix(op, "LessThanEquals"):
		return difference <= 0
	case strings.HasSuffix(op, "GreaterThan"):
		return difference > 0
	case strings.HasSuffix(op, "GreaterThanEquals"):
		return difference >= 0
	}
	return difference == 0
}

// refDate returns seconds since 1970.
func refDate(s string) (int64, bool) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n, true
	}
	t, err := time.Parse(time.RFC3339, s)
	return t.Unix(), err == nil
}
