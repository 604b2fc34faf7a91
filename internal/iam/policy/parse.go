package policy

import (
	"fmt"
	"strings"
)

// The texts of AWS's MalformedPolicyDocument.
const (
	textSyntax        = "Syntax errors in policy."
	textLegacy        = "The policy failed legacy parsing"
	textSids          = "Statement IDs (SID) in a single policy must be unique."
	textSidForm       = "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*"
	textActions       = "Policy statement must contain actions."
	textResources     = "Policy statement must contain resources."
	textNoPrincipal   = "Policy document should not specify a principal."
	textVendor        = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
	textOneColon      = "Actions/Condition can contain only one colon."
	textARNVendor     = "Resource vendor must be fully qualified and cannot contain regexes."
	textPrincipal     = "Invalid principal in policy"
	textNotPrincipal  = "Allow with NotPrincipal is not allowed."
	textNeedPrincipal = "Missing required field Principal"
	textNeedAction    = "Missing required field Action"
	textNeedResource  = "Missing required field Resource"
	textTrustNot      = "AssumeRole policy must not contain NotPrincipal field."
	textTrustActions  = "AssumeRole policy may only specify STS AssumeRole actions."
	textTrustResource = "Has prohibited field Resource"
	textTrustNotRes   = "AssumeRole policy must not contain resources."
)

// Parse reads a policy, as strictly as AWS does: its errors are of type *Error. The text must be at most
// MaxSize bytes. Both versions of the language are taken; AWS takes a new managed policy only in Version2012.
func Parse(text []byte, kind Kind) (*Document, error) {
	root, err := decode(text)
	if err != nil {
		return nil, &Error{Message: textSyntax, Detail: err.Error()}
	}
	d := &Document{text: string(text), kind: kind, version: Version2008}
	raw, err := d.document(root)
	if err != nil {
		return nil, err
	}
	// In AWS's order: the syntax of everything, then each rule over all statements.
	for _, check := range []func(*Document, []rawStatement) error{
		(*Document).legacy, (*Document).sids, (*Document).parties, (*Document).things, (*Document).acts, (*Document).build,
	} {
		if err := check(d, raw); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// rawStatement is a statement whose syntax is right.
type rawStatement struct {
	start, end             int
	sid, effect            string
	hasSid                 bool
	principal              []Named
	everyone               bool
	hasPrincipal, notParty bool
	actions, resources     []string
	hasAction, notAction   bool
	hasResource, notThing  bool
	conditions             []rawCondition
}

type rawCondition struct {
	operator, key string
	values        []string
}

func syntax(format string, args ...any) error {
	return &Error{Message: textSyntax, Detail: fmt.Sprintf(format, args...)}
}

// document reads the grammar's outer level
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html).
func (d *Document) document(root node) ([]rawStatement, error) {
	if root.kind != objectNode {
		return nil, syntax("a policy is an object")
	}
	var statements []rawStatement
	for _, m := range root.members {
		switch m.name {
		case "Version":
			if m.value.kind != stringNode || m.value.text != Version2008 && m.value.text != Version2012 {
				return nil, syntax("Version must be %s or %s", Version2012, Version2008)
			}
			d.version, d.explicit = m.value.text, true
		case "Id":
			if m.value.kind != stringNode {
				return nil, syntax("Id must be a string")
			}
			d.id = m.value.text
		case "Statement":
			items := []node{m.value}
			if m.value.kind == arrayNode {
				items = m.value.items
			}
			for _, n := range items {
				s, err := readStatement(n)
				if err != nil {
					return nil, err
				}
				statements = append(statements, s)
			}
		default:
			return nil, syntax("unknown element %q", m.name)
		}
	}
	if len(statements) == 0 {
		return nil, syntax("a policy needs a Statement")
	}
	return statements, nil
}

func readStatement(n node) (rawStatement, error) {
	s := rawStatement{start: n.start, end: n.end}
	if n.kind != objectNode {
		return s, syntax("a statement is an object")
	}
	var err error
	for _, m := range n.members {
		v := m.value
		switch m.name {
		case "Sid":
			s.sid, s.hasSid = v.text, true
			if v.kind != stringNode {
				return s, syntax("Sid must be a string")
			}
		case "Effect":
			s.effect = v.text
			if v.kind != stringNode || !strings.EqualFold(v.text, "Allow") && !strings.EqualFold(v.text, "Deny") {
				return s, syntax("Effect must be Allow or Deny")
			}
		case "Principal", "NotPrincipal":
			if s.hasPrincipal {
				return s, syntax("Principal and NotPrincipal exclude each other")
			}
			s.hasPrincipal, s.notParty = true, m.name == "NotPrincipal"
			s.principal, s.everyone, err = readPrincipal(v)
		case "Action", "NotAction":
			if s.hasAction {
				return s, syntax("Action and NotAction exclude each other")
			}
			s.hasAction, s.notAction = true, m.name == "NotAction"
			s.actions, err = readStrings(m)
		case "Resource", "NotResource":
			if s.hasResource {
				return s, syntax("Resource and NotResource exclude each other")
			}
			s.hasResource, s.notThing = true, m.name == "NotResource"
			s.resources, err = readStrings(m)
		case "Condition":
			s.conditions, err = readConditions(v)
		default:
			return s, syntax("unknown element %q", m.name)
		}
		if err != nil {
			return s, err
		}
	}
	if s.effect == "" {
		return s, syntax("a statement needs an Effect")
	}
	return s, nil
}

func readStrings(m member) ([]string, error) {
	out, ok := m.value.strings(false)
	if !ok {
		return nil, syntax("%s must be a string or a list of strings", m.name)
	}
	return out, nil
}

func readPrincipal(n node) (named []Named, everyone bool, err error) {
	if n.kind == stringNode {
		if n.text != "*" {
			return nil, false, &Error{Message: textPrincipal, Detail: n.text}
		}
		return []Named{{Type: typeAWS, Value: "*"}}, true, nil
	}
	if n.kind != objectNode || len(n.members) == 0 {
		return nil, false, syntax("a principal is \"*\" or an object")
	}
	for _, m := range n.members {
		switch m.name {
		case typeAWS, typeService, typeFederated, typeCanonical:
		default:
			return nil, false, &Error{Message: textPrincipal, Detail: "unknown type " + m.name}
		}
		values, err := readStrings(m)
		if err != nil {
			return nil, false, err
		}
		for _, v := range values {
			named = append(named, Named{Type: m.name, Value: v})
			everyone = everyone || m.name == typeAWS && v == "*"
		}
	}
	return named, everyone, nil
}

func readConditions(n node) ([]rawCondition, error) {
	if n.kind != objectNode {
		return nil, syntax("Condition must be an object")
	}
	var out []rawCondition
	for _, op := range n.members {
		if op.value.kind != objectNode {
			return nil, syntax("%s must be an object", op.name)
		}
		if _, ok := parseOperator(op.name); !ok && len(op.value.members) > 0 {
			return nil, syntax("unknown condition operator %q", op.name)
		}
		for _, key := range op.value.members {
			values, ok := key.value.strings(true)
			if !ok || key.name == "" {
				return nil, syntax("the values of %s %q must be strings", op.name, key.name)
			}
			out = append(out, rawCondition{operator: op.name, key: key.name, values: values})
		}
	}
	return out, nil
}

// legacy makes the checks that AWS calls so: the case of Effect, dates, ARNs that miss a part.
func (d *Document) legacy(raw []rawStatement) error {
	for i := range raw {
		s := &raw[i]
		if s.effect != "Allow" && s.effect != "Deny" {
			return &Error{Message: textLegacy, Detail: "Effect must be Allow or Deny"}
		}
		for _, c := range s.conditions {
			op, _ := parseOperator(c.operator)
			for _, v := range c.values {
				if _, ok := parseOperand(op, v, d.version == Version2012); !ok {
					message := textSyntax
					if op.family == dateFamily {
						message = textLegacy
					}
					return &Error{Message: message, Detail: fmt.Sprintf("%s %s: %q", c.operator, c.key, v)}
				}
			}
		}
		for _, r := range s.resources {
			// Too few segments, and no star that could stand for the missing ones.
			n := strings.Count(r, ":")
			if strings.HasPrefix(r, "arn:") && (n == 3 || n == 4) && !strings.Contains(r+":", "*:") {
				return &Error{Message: textLegacy, Detail: r}
			}
		}
	}
	return nil
}

func (d *Document) sids(raw []rawStatement) error {
	seen := map[string]bool{}
	for i := range raw {
		s := &raw[i]
		if !s.hasSid || s.sid == "" {
			continue
		}
		if seen[s.sid] {
			return &Error{Message: textSids, Detail: s.sid}
		}
		seen[s.sid] = true
		if !d.kind.hasPrincipal() && strings.ContainsFunc(s.sid, func(r rune) bool {
			return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
		}) {
			return &Error{Message: textSidForm, Detail: s.sid}
		}
	}
	return nil
}

// parties checks principals.
func (d *Document) parties(raw []rawStatement) error {
	for i := range raw {
		s := &raw[i]
		switch {
		case !d.kind.hasPrincipal():
			if s.hasPrincipal {
				return &Error{Message: textNoPrincipal}
			}
			continue
		case !s.hasPrincipal, len(s.principal) == 0:
			return &Error{Message: textNeedPrincipal}
		case s.notParty && d.kind == Trust:
			return &Error{Message: textTrustNot}
		case s.notParty && s.effect == "Allow":
			return &Error{Message: textNotPrincipal}
		}
		for _, n := range s.principal {
			if !n.valid() {
				return &Error{Message: textPrincipal, Detail: fmt.Sprintf("%q:%q", n.Type, n.Value)}
			}
		}
	}
	return nil
}

// valid tells whether the value can be a principal of its type; wildcards are for "*" alone.
func (n Named) valid() bool {
	v := n.Value
	if v == "*" {
		return n.Type == typeAWS
	}
	if v == "" || strings.ContainsAny(v, "*?${} \t\n") {
		return false
	}
	switch n.Type {
	case typeService:
		return strings.Contains(v, ".")
	case typeAWS:
		if strings.HasPrefix(v, "arn:") {
			f := strings.SplitN(v, ":", 6)
			return len(f) == 6 && (f[2] == "iam" || f[2] == "sts") && f[3] == "" && digits(f[4]) && principalResource(f[2], f[5])
		}
		return digits(v) || len(v) >= 16 && strings.HasPrefix(v, "A") // a unique id, as AIDA… of a user
	}
	return true
}

// principalResource tells the resources that can act: no groups and no policies.
func principalResource(service, resource string) bool {
	for _, prefix := range map[string][]string{"iam": {"user/", "role/"}, "sts": {"assumed-role/", "federated-user/"}}[service] {
		if rest, ok := strings.CutPrefix(resource, prefix); ok && rest != "" {
			return true
		}
	}
	return service == "iam" && resource == "root"
}

func digits(s string) bool { return len(s) == 12 && strings.Trim(s, "0123456789") == "" }

// things checks the form of resources.
func (d *Document) things(raw []rawStatement) error {
	for i := range raw {
		s := &raw[i]
		if d.kind == Trust {
			switch {
			case s.hasResource && s.notThing:
				return &Error{Message: textTrustNotRes}
			case s.hasResource:
				return &Error{Message: textTrustResource}
			}
			continue
		}
		for _, r := range s.resources {
			if err := checkARN(r); err != nil {
				return err
			}
		}
	}
	return nil
}

// partitions are AWS's.
var partitions = map[string]bool{"aws": true, "aws-cn": true, "aws-us-gov": true, "aws-iso": true, "aws-iso-b": true, "*": true}

func checkARN(r string) error {
	if r == "*" || strings.HasPrefix(r, "${") {
		return nil
	}
	f := strings.SplitN(r, ":", 6)
	switch {
	case len(f) < 2 || f[0] != "arn":
		return &Error{Message: "Resource " + r + ` must be in ARN format or "*".`}
	case !partitions[f[1]]:
		return &Error{Message: `Partition "` + f[1] + `" is not valid for resource "` + r + strings.Repeat(":*", 6-len(f)) + `".`}
	case len(f) < 3 || f[2] == "" || strings.ContainsAny(f[2], "*?"):
		return &Error{Message: textARNVendor, Detail: r}
	case f[2] == "iam" && len(f) > 3 && f[3] != "" && f[3] != "*":
		return &Error{Message: "IAM resource " + r + " cannot contain region information."}
	case f[2] == "s3" && len(f) > 3 && f[3] != "" && f[3] != "*":
		return &Error{Message: "Resource " + r + " can not contain region information."}
	}
	return nil
}

// acts checks actions, and that actions and resources are there.
func (d *Document) acts(raw []rawStatement) error {
	for i := range raw {
		for _, a := range raw[i].actions {
			if err := d.checkAction(a); err != nil {
				return err
			}
		}
	}
	needAction, needResource := textActions, textResources
	if d.kind.hasPrincipal() {
		needAction, needResource = textNeedAction, textNeedResource
	}
	for i := range raw {
		if len(raw[i].actions) == 0 {
			return &Error{Message: needAction}
		}
	}
	for i := range raw {
		if len(raw[i].resources) == 0 && d.kind != Trust {
			return &Error{Message: needResource}
		}
	}
	return nil
}

func (d *Document) checkAction(a string) error {
	if d.kind == Trust && (len(a) < 5 || !strings.EqualFold(a[:4], "sts:")) {
		return &Error{Message: textTrustActions, Detail: a}
	}
	if a == "*" || strings.HasPrefix(a, "*:") && strings.Count(a, ":") == 1 {
		return nil
	}
	vendor, name, ok := strings.Cut(a, ":")
	switch {
	case !ok:
		return &Error{Message: textVendor, Detail: a}
	case strings.Contains(name, ":"):
		return &Error{Message: textOneColon, Detail: a}
	case vendor == "" || strings.ContainsFunc(vendor, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && r != '-' && r != '_' && r != '.'
	}):
		return &Error{Message: "Vendor " + vendor + " is not valid"}
	}
	return nil
}

// build compiles the statements.
func (d *Document) build(raw []rawStatement) error {
	variables := d.version == Version2012
	d.statements = make([]statement, len(raw))
	for i := range raw {
		r, s := &raw[i], &d.statements[i]
		*s = statement{
			sid: r.sid, effect: Allow, start: r.start, end: r.end, notPrincipal: r.notParty,
			notAction: r.notAction, actionTexts: r.actions, notResource: r.notThing, resourceTexts: r.resources,
		}
		if r.effect == "Deny" {
			s.effect = Deny
		}
		if r.hasPrincipal {
			s.principals = &principals{named: r.principal, everyone: r.everyone}
		}
		for _, a := range r.actions {
			p, err := compile(strings.ToLower(a), false, true)
			if err != nil {
				return syntax("action %q: %v", a, err)
			}
			s.actions = append(s.actions, p)
		}
		for _, t := range r.resources {
			p, err := compile(t, variables, true)
			if err != nil {
				return syntax("resource %q: %v", t, err)
			}
			s.resources = append(s.resources, p)
		}
		for _, rc := range r.conditions {
			op, _ := parseOperator(rc.operator)
			c := condition{operator: op, key: strings.ToLower(rc.key)}
			for _, v := range rc.values {
				o, _ := parseOperand(op, v, variables) // legacy has looked
				c.values = append(c.values, o)
			}
			s.conditions = append(s.conditions, c)
		}
	}
	return nil
}
