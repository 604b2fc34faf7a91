package policy

import (
	"encoding/base64"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// condition is one operator on one key
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html).
type condition struct {
	operator
	// key is in lower case: names of keys are not case-sensitive, nor is the tag's part of them.
	key    string
	values []operand
}

// operator is what an operator's name says.
type operator struct {
	family   family
	negated  bool
	set      quantifier
	ifExists bool
	order    order // of numbers and dates
	fold     bool  // of strings: ignore case
	like     bool  // of strings: wildcards
}

type family uint8

const (
	stringFamily family = iota
	numericFamily
	dateFamily
	boolFamily
	binaryFamily
	ipFamily
	arnFamily
	nullFamily
)

type quantifier uint8

const (
	single quantifier = iota
	forAllValues
	forAnyValue
)

type order uint8

const (
	equal order = iota
	less
	lessOrEqual
	greater
	greaterOrEqual
)

// operators are the names without prefix and suffix.
var operators = map[string]operator{
	"StringEquals":              {family: stringFamily},
	"StringNotEquals":           {family: stringFamily, negated: true},
	"StringEqualsIgnoreCase":    {family: stringFamily, fold: true},
	"StringNotEqualsIgnoreCase": {family: stringFamily, fold: true, negated: true},
	"StringLike":                {family: stringFamily, like: true},
	"StringNotLike":             {family: stringFamily, like: true, negated: true},
	"NumericEquals":             {family: numericFamily},
	"NumericNotEquals":          {family: numericFamily, negated: true},
	"NumericLessThan":           {family: numericFamily, order: less},
	"NumericLessThanEquals":     {family: numericFamily, order: lessOrEqual},
	"NumericGreaterThan":        {family: numericFamily, order: greater},
	"NumericGreaterThanEquals":  {family: numericFamily, order: greaterOrEqual},
	"DateEquals":                {family: dateFamily},
	"DateNotEquals":             {family: dateFamily, negated: true},
	"DateLessThan":              {family: dateFamily, order: less},
	"DateLessThanEquals":        {family: dateFamily, order: lessOrEqual},
	"DateGreaterThan":           {family: dateFamily, order: greater},
	"DateGreaterThanEquals":     {family: dateFamily, order: greaterOrEqual},
	"Bool":                      {family: boolFamily},
	"BinaryEquals":              {family: binaryFamily},
	"IpAddress":                 {family: ipFamily},
	"NotIpAddress":              {family: ipFamily, negated: true},
	"ArnEquals":                 {family: arnFamily},
	"ArnLike":                   {family: arnFamily},
	"ArnNotEquals":              {family: arnFamily, negated: true},
	"ArnNotLike":                {family: arnFamily, negated: true},
	"Null":                      {family: nullFamily},
}

// parseOperator reads an operator's name with its ForAllValues: or ForAnyValue: and its IfExists.
func parseOperator(name string) (operator, bool) {
	rest, all := strings.CutPrefix(name, "ForAllValues:")
	rest, anyOf := strings.CutPrefix(rest, "ForAnyValue:")
	if all && anyOf {
		return operator{}, false
	}
	rest, ifExists := strings.CutSuffix(rest, "IfExists")
	op, ok := operators[rest]
	if !ok || ifExists && op.family == nullFamily {
		return operator{}, false
	}
	op.ifExists = ifExists
	switch {
	case all:
		op.set = forAllValues
	case anyOf:
		op.set = forAnyValue
	}
	return op, true
}

// operand is a value that a condition compares with, ready for its family.
type operand struct {
	pattern pattern // strings and ARNs
	number  float64
	date    time.Time
	truth   bool
	bytes   string
	network netip.Prefix
}

// parseOperand reads a value for the operator. Variables are for strings and ARNs only, as AWS has it.
func parseOperand(op operator, s string, variables bool) (operand, bool) {
	var o operand
	var ok bool
	var err error
	switch op.family {
	case stringFamily:
		o.pattern, err = compile(s, variables, op.like)
		ok = err == nil
	case arnFamily:
		o.pattern, err = compile(s, variables, true)
		ok = err == nil
	case numericFamily:
		o.number, ok = parseNumber(s)
	case dateFamily:
		o.date, ok = parseDate(s)
	case boolFamily, nullFamily:
		o.truth, ok = parseBool(s)
	case binaryFamily:
		o.bytes, ok = parseBinary(s)
	case ipFamily:
		o.network, ok = parseNetwork(s)
	}
	return o, ok
}

// holds evaluates the condition.
func (c *condition) holds(e *evaluation) bool {
	values, ok := e.lookup(c.key)
	if c.family == nullFamily {
		absent := !ok || len(values) == 0
		for i := range c.values {
			if c.values[i].truth == absent {
				return true
			}
		}
		return false
	}
	if !ok {
		e.miss(c.key)
		if c.ifExists {
			return true
		}
	}
	switch c.set {
	case forAllValues:
		// No values at all, and values that are all empty, satisfy it: so AWS documents.
		if nothing(values) {
			return true
		}
		for _, v := range values {
			if c.matches(e, v) == c.negated {
				return false
			}
		}
		return true
	case forAnyValue:
		if nothing(values) {
			return false
		}
		for _, v := range values {
			if c.matches(e, v) != c.negated {
				return true
			}
		}
		return false
	default:
		// A key without a value matches nothing, so that negated operators hold. One with several, which AWS says not to
		// compare without a set operator, matches when any does, and the negation is the opposite.
		for _, v := range values {
			if c.matches(e, v) {
				return !c.negated
			}
		}
		return c.negated
	}
}

// nothing tells AWS's "null data set".
func nothing(values []string) bool {
	for _, v := range values {
		if v != "" {
			return false
		}
	}
	return true
}

// matches tells whether the request's value matches one of the policy's, the negation aside.
func (c *condition) matches(e *evaluation, value string) bool {
	switch c.family {
	case stringFamily, arnFamily:
		return c.matchesText(e, value)
	case numericFamily:
		n, ok := parseNumber(value)
		for i := 0; ok && i < len(c.values); i++ {
			if c.order.holds(compareNumbers(n, c.values[i].number)) {
				return true
			}
		}
	case dateFamily:
		t, ok := parseDate(value)
		for i := 0; ok && i < len(c.values); i++ {
			if c.order.holds(t.Compare(c.values[i].date)) {
				return true
			}
		}
	case boolFamily:
		b, ok := parseBool(value)
		for i := 0; ok && i < len(c.values); i++ {
			if b == c.values[i].truth {
				return true
			}
		}
	case binaryFamily:
		b, ok := parseBinary(value)
		for i := 0; ok && i < len(c.values); i++ {
			if b == c.values[i].bytes {
				return true
			}
		}
	case ipFamily:
		a, err := netip.ParseAddr(value)
		a = a.Unmap().WithZone("")
		for i := 0; err == nil && i < len(c.values); i++ {
			if c.values[i].network.Contains(a) {
				return true
			}
		}
	}
	return false
}

func (c *condition) matchesText(e *evaluation, value string) bool {
	for i := range c.values {
		want, ok := c.values[i].pattern.expand(e)
		if !ok {
			continue
		}
		switch {
		case c.family == arnFamily:
			ok = matchComponents(want, value)
		case c.like:
			ok = glob(want, value, false)
		case c.fold:
			ok = strings.EqualFold(want, value)
		default:
			ok = want == value
		}
		if ok {
			return true
		}
	}
	return false
}

// holds tells whether a comparison's result, -1 to 1, satisfies the order.
func (o order) holds(cmp int) bool {
	switch o {
	case less:
		return cmp < 0
	case lessOrEqual:
		return cmp <= 0
	case greater:
		return cmp > 0
	case greaterOrEqual:
		return cmp >= 0
	default:
		return cmp == 0
	}
}

func compareNumbers(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	default:
		return 0
	}
}

func parseNumber(s string) (float64, bool) {
	if s == "" || strings.Trim(s, "0123456789+-.eE") != "" {
		return 0, false
	}
	n, err := strconv.ParseFloat(s, 64)
	return n, err == nil
}

// dateLayouts are those of W3C's profile of ISO 8601 (https://www.w3.org/TR/NOTE-datetime), and the same
// without a zone, which is UTC.
var dateLayouts = []string{
	"2006-01-02T15:04:05Z07:00", "2006-01-02", "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05", "2006-01", "2006",
}

func parseDate(s string) (time.Time, bool) {
	if len(s) > 4 || s != "" && s[0] == '-' {
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			return time.Unix(n, 0), true
		}
	}
	for _, layout := range dateLayouts {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return time.Unix(n, 0), true
	}
	return time.Time{}, false
}

func parseBool(s string) (value, ok bool) {
	switch {
	case strings.EqualFold(s, "true"):
		return true, true
	case strings.EqualFold(s, "false"):
		return false, true
	default:
		return false, false
	}
}

func parseBinary(s string) (string, bool) {
	b, err := base64.StdEncoding.DecodeString(s)
	return string(b), err == nil
}

// parseNetwork reads an address or a network in CIDR notation; bits below the mask may be set.
func parseNetwork(s string) (netip.Prefix, bool) {
	if !strings.Contains(s, "/") {
		a, err := netip.ParseAddr(s)
		if err != nil || a.Zone() != "" {
			return netip.Prefix{}, false
		}
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), true
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, false
	}
	if a := p.Addr(); a.Is4In6() {
		if p.Bits() < 96 {
			return netip.Prefix{}, false
		}
		p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
	}
	return p.Masked(), true
}
