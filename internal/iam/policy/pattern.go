package policy

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// The wildcards of a compiled pattern. They are bytes that no UTF-8 text has, so that a literal star
// (${*}, or one in the value of a variable) is told from a wildcard.
const (
	anyMark = '\xff' // any number of characters
	oneMark = '\xfe' // one character
	anyText = "\xff"
)

// pattern is a string with wildcards and variables.
type pattern struct {
	// text is the whole pattern when it has no variables.
	text  string
	parts []part
	// wild tells that there are wildcards.
	wild bool
}

// part is a literal (key is empty) or a variable.
type part struct {
	text string
	// key is the variable's, in lower case.
	key string
	// fallback is used when the key is absent; hasFallback tells whether there is one.
	fallback    string
	hasFallback bool
}

var errVariable = errors.New("malformed policy variable")

// compile reads a pattern. Variables and the escapes ${*}, ${?} and ${$} are read when variables is set
// (Version 2012-10-17), wildcards when wild is set.
func compile(s string, variables, wild bool) (pattern, error) {
	var p pattern
	var lit strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case wild && c == '*':
			p.wild = true
			lit.WriteByte(anyMark)
		case wild && c == '?':
			p.wild = true
			lit.WriteByte(oneMark)
		case variables && c == '$' && strings.HasPrefix(s[i+1:], "{"):
			body, _, ok := strings.Cut(s[i+2:], "}")
			if !ok {
				return pattern{}, errVariable
			}
			i += len(body) + 2
			if body == "*" || body == "?" || body == "$" {
				lit.WriteString(body)
				continue
			}
			v, err := variable(body)
			if err != nil {
				return pattern{}, err
			}
			if lit.Len() > 0 {
				p.parts = append(p.parts, part{text: lit.String()})
				lit.Reset()
			}
			p.parts = append(p.parts, v)
		default:
			lit.WriteByte(c)
		}
	}
	if p.parts == nil {
		p.text = lit.String()
	} else if lit.Len() > 0 {
		p.parts = append(p.parts, part{text: lit.String()})
	}
	return p, nil
}

// variable reads what stands between the braces: a key, or a key and a quoted default
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html).
func variable(body string) (part, error) {
	key, fallback, has := strings.Cut(body, ",")
	key = strings.TrimSpace(key)
	if key == "" || strings.ContainsAny(key, "{}$*?'") {
		return part{}, errVariable
	}
	v := part{key: strings.ToLower(key), hasFallback: has}
	if has {
		fallback = strings.TrimSpace(fallback)
		if len(fallback) < 2 || fallback[0] != '\'' || fallback[len(fallback)-1] != '\'' {
			return part{}, errVariable
		}
		v.fallback = fallback[1 : len(fallback)-1]
	}
	return v, nil
}

// keys adds the keys of the variables.
func (p *pattern) keys(to map[string]bool) {
	for i := range p.parts {
		if k := p.parts[i].key; k != "" {
			to[k] = true
		}
	}
}

// fixed tells patterns that stand for one string only.
func (p *pattern) fixed() bool { return p.parts == nil && !p.wild }

// expand puts the values of variables in. A variable without a value, or with several, and without a
// default cannot be resolved, and the pattern then matches nothing. Wildcards in values are literal.
func (p *pattern) expand(e *evaluation) (string, bool) {
	if p.parts == nil {
		return p.text, true
	}
	var b strings.Builder
	for i := range p.parts {
		v := &p.parts[i]
		if v.key == "" {
			b.WriteString(v.text)
			continue
		}
		values, ok := e.lookup(v.key)
		switch {
		case ok && len(values) == 1 && utf8.ValidString(values[0]):
			b.WriteString(values[0])
		case !ok && v.hasFallback:
			b.WriteString(v.fallback)
		default:
			return "", false
		}
	}
	return b.String(), true
}

// glob matches a compiled text. With fold, letters of ASCII match in either case; the pattern must then
// be in lower case. It takes time proportional to the product of the lengths at most.
func glob(p, s string, fold bool) bool {
	pi, si := 0, 0
	backP, backS := -1, 0
	for {
		if pi < len(p) && p[pi] == anyMark {
			pi++
			if pi == len(p) {
				return true
			}
			backP, backS = pi, si
			continue
		}
		if si == len(s) {
			return pi == len(p)
		}
		if pi < len(p) {
			if p[pi] == oneMark {
				_, n := utf8.DecodeRuneInString(s[si:])
				pi, si = pi+1, si+n
				continue
			}
			c := s[si]
			if fold && 'A' <= c && c <= 'Z' {
				c += 'a' - 'A'
			}
			if p[pi] == c {
				pi, si = pi+1, si+1
				continue
			}
		}
		if backP < 0 {
			return false
		}
		// Let the last star take one character more. Earlier ones need not: the last can take anything.
		_, n := utf8.DecodeRuneInString(s[backS:])
		backS += n
		pi, si = backP, backS
	}
}

// matchARN matches the pattern of a Resource element. AWS: wildcards work within the segments that colons separate,
// but a star that is the last character of a segment may match beyond the colon
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html). So
// "arn:aws:s3:::b*x" and "arn:aws:transcribe:*:111122223333:*" do what they look like,
// "arn:aws:transcribe:us-*-1:…" stays within the region, and "arn:aws:transcribe:*" is everything of the service.
// From the sixth segment on colons are part of the resource and ordinary: keys of objects have them.
func matchARN(p, s string) bool {
	if p == anyText {
		return true
	}
	left := 5 // colons before the resource
	var backP, backS string
	backLeft := -1
	for {
		segment, rest, more := strings.Cut(p, ":")
		if left == 0 || !more {
			if glob(p, s, false) {
				return true
			}
		} else if value, after, ok := strings.Cut(s, ":"); ok && glob(segment, value, false) {
			p, s, left = rest, after, left-1
			if strings.HasSuffix(segment, anyText) {
				backP, backS, backLeft = p, s, left
			}
			continue
		}
		if backLeft < 0 {
			return false
		}
		// Let the last star that ends a segment take one segment more.
		_, after, ok := strings.Cut(backS, ":")
		if !ok {
			return false
		}
		backS = after
		p, s, left = backP, backS, backLeft
	}
}

// matchComponents matches the pattern of an ArnEquals or ArnLike condition: each of the six components of an ARN is
// checked on its own. A lone star matches any ARN.
func matchComponents(p, s string) bool {
	for i := range 6 {
		var value, segment string
		var more, moreP bool
		if i < 5 {
			value, s, more = strings.Cut(s, ":")
			if p != anyText || i > 0 {
				segment, p, moreP = strings.Cut(p, ":")
			} else {
				return isARN(value, s)
			}
			if !more || !moreP {
				return false
			}
		} else {
			value, segment = s, p
		}
		if i == 0 && value != "arn" || !glob(segment, value, false) {
			return false
		}
	}
	return true
}

// isARN tells the shape of an ARN from its first component and the rest.
func isARN(first, rest string) bool { return first == "arn" && strings.Count(rest, ":") >= 4 }
