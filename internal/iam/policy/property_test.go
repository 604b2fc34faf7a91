package policy_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/dictum/dictum/internal/iam/policy"
)

// The small alphabet that policies and requests are made of: small, so that they meet.
var (
	genActions        = []string{"s3:GetObject", "s3:PutObject", "iam:PassRole", "kms:Decrypt"}
	genActionPatterns = []string{"*", "s3:*", "S3:get*", "s3:?utObject", "iam:Pass*", "kms:Decrypt", "*:*", "s3:*Object"}
	genResources      = []string{
		"*", "arn:aws:s3:::b", "arn:aws:s3:::b/k", "arn:aws:s3:::b/ann/k", "arn:aws:s3:::b/a:k", "arn:aws:kms:us-east-1:111111111111:key/1",
		"arn:aws:transcribe:us-west-1:222222222222:vocabulary/ann",
	}
	genResourcePatterns = []string{
		"*", "arn:aws:s3:::b", "arn:aws:s3:::b/*", "arn:aws:s3:::b/${aws:username}/*", "arn:aws:s3:::?/*k", "arn:aws:s3:*:k*k", "arn:aws:kms:*:*:key/?",
		"arn:aws:kms:us-*-1:111111111111:*", "arn:aws:kms:*", "arn:aws:transcribe:*:vocabulary/${aws:username, 'ann'}", "arn:aws:transcribe:u*:2*2:*/ann",
		"arn:aws:s3:::b/${*}", "arn:aws:s3:::${k:s}/k", "arn:aws:s3:::*:k", "arn:*:kms:*1:key/1", "${k:arn}",
	}
	genNumbers = []string{"-1", "0", "1", "10", "9.5", "1e1", "x"}
	genDates   = []string{"2026-11-22T00:00:00Z", "2026-11-22T02:00:00+02:00", "2026-11-23T00:00:00Z", "1795305600", "x"}
	genIPs     = []string{"203.0.113.7", "10.1.2.3", "2001:db8::1", "::ffff:10.1.2.3", "x"}
	genNets    = []string{"203.0.113.0/24", "10.1.2.3", "10.0.0.0/8", "2001:db8::/32", "0.0.0.0/0"}
	genStrings = []string{"", "a", "A", "ann", "b", "a*", "k"}
	genLike    = []string{"", "a", "*", "a*", "?", "A", "*n*", "${aws:username}", "${k:s}", "${k:none, 'b'}", "${*}", "a${*}", "${k:none}"}
	genARNs    = []string{"arn:aws:s3:::b", "arn:aws:iam::111111111111:role/r", "x", "arn:aws:iam::111111111111:user/a:b"}
	genARNLike = []string{"*", "arn:aws:s3:::*", "arn:aws:iam::*:role/?", "arn:*", "arn:aws:iam::111111111111:*/${aws:username}", "arn:aws:*:::b", "${k:arn}"}
	genBools   = []string{"true", "false", "x"}
	genBytes   = []string{"YQ==", "Yg==", "x"}
)

// genFamilies are the operators, the keys they read, and the values on both sides.
var genFamilies = []struct {
	operators []string
	keys      []string
	want, got []string
}{
	{[]string{"StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase", "StringLike", "StringNotLike"}, []string{"k:S", "aws:username", "aws:PrincipalTag/Team"}, genLike, genStrings},
	{[]string{"NumericEquals", "NumericNotEquals", "NumericLessThan", "NumericLessThanEquals", "NumericGreaterThan", "NumericGreaterThanEquals"}, []string{"k:n"}, genNumbers[:6], genNumbers},
	{[]string{"DateEquals", "DateNotEquals", "DateLessThan", "DateLessThanEquals", "DateGreaterThan", "DateGreaterThanEquals"}, []string{"k:d"}, genDates[:4], genDates},
	{[]string{"Bool"}, []string{"k:b"}, genBools[:2], genBools},
	{[]string{"BinaryEquals"}, []string{"k:bin"}, genBytes[:2], genBytes},
	{[]string{"IpAddress", "NotIpAddress"}, []string{"k:ip"}, genNets, genIPs},
	{[]string{"ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike"}, []string{"k:arn"}, genARNLike, genARNs},
}

var genPrincipals = []refRequest{
	{kind: "user", account: "111111111111", arn: "arn:aws:iam::111111111111:user/ann"},
	{kind: "role", account: "111111111111", arn: "arn:aws:sts::111111111111:assumed-role/r/s", role: "arn:aws:iam::111111111111:role/r"},
	{kind: "root", account: "111111111111", arn: "arn:aws:iam::111111111111:root"},
	{kind: "service", service: "transcribe.amazonaws.com"},
	{kind: "anonymous"},
	{kind: "user", account: "222222222222", arn: "arn:aws:iam::222222222222:user/ann"},
}

var genNamed = []string{
	`"*"`, `{"AWS":"*"}`, `{"AWS":"111111111111"}`, `{"AWS":"arn:aws:iam::111111111111:root"}`, `{"AWS":"arn:aws:iam::111111111111:user/ann"}`,
	`{"AWS":["arn:aws:iam::111111111111:role/r"]}`, `{"AWS":"arn:aws:sts::111111111111:assumed-role/r/s"}`, `{"Service":"transcribe.amazonaws.com"}`,
	`{"Service":"s3.amazonaws.com","AWS":"222222222222"}`, `{"AWS":["arn:aws:iam::111111111111:user/ann","111111111111"]}`,
	`{"AWS":["arn:aws:iam::111111111111:role/r","arn:aws:sts::111111111111:assumed-role/r/s","111111111111"]}`,
}

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

func some(r *rand.Rand, from []string) []string {
	out := []string{}
	for range 1 + r.IntN(2) {
		out = append(out, pick(r, from))
	}
	return out
}

// genPolicy writes a policy of the kind.
func genPolicy(r *rand.Rand, kind policy.Kind) string {
	var statements []any
	for range 1 + r.IntN(3) {
		st := map[string]any{"Effect": "Allow"}
		if r.IntN(5) == 0 {
			st["Effect"] = "Deny"
		}
		st[pick(r, []string{"Action", "Action", "Action", "NotAction"})] = some(r, genActionPatterns)
		st[pick(r, []string{"Resource", "Resource", "Resource", "NotResource"})] = some(r, genResourcePatterns)
		if kind == policy.Resource {
			name := "Principal"
			if st["Effect"] == "Deny" && r.IntN(2) == 0 {
				name = "NotPrincipal"
			}
			st[name] = json.RawMessage(pick(r, genNamed))
		}
		if r.IntN(2) == 0 {
			conditions := map[string]map[string]any{}
			for range 1 + r.IntN(2) {
				f := pick(r, genFamilies)
				op := pick(r, []string{"", "", "ForAllValues:", "ForAnyValue:"}) + pick(r, f.operators) + pick(r, []string{"", "", "IfExists"})
				value := any(some(r, f.want))
				if r.IntN(8) == 0 {
					op, value = "Null", pick(r, genBools[:2])
				}
				if conditions[op] == nil {
					conditions[op] = map[string]any{}
				}
				conditions[op][pick(r, f.keys)] = value
			}
			st["Condition"] = conditions
		}
		statements = append(statements, st)
	}
	text, _ := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": statements})
	return string(text)
}

func genKeys(r *rand.Rand) map[string][]string {
	keys := map[string][]string{}
	for _, f := range genFamilies {
		for _, k := range f.keys {
			k = strings.ToLower(k)
			switch r.IntN(8) {
			case 0:
			case 1:
				keys[k] = []string{}
			case 2, 3:
				keys[k] = some(r, f.got)
			default:
				keys[k] = []string{pick(r, f.got)}
			}
		}
	}
	return keys
}

var kinds = map[string]policy.PrincipalKind{
	"user": policy.User, "role": policy.RoleSession, "root": policy.Root, "service": policy.Service, "anonymous": policy.Anonymous,
}

// both is a policy for both evaluators.
type both struct {
	document  *policy.Document
	reference refPolicy
}

func genBoth(t testing.TB, r *rand.Rand, kind policy.Kind) both {
	text := genPolicy(r, kind)
	d, err := policy.Parse([]byte(text), kind)
	if err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return both{document: d, reference: refParse(t, text)}
}

func TestEvaluateLikeTheReference(t *testing.T) {
	rounds := 300
	if testing.Short() {
		rounds = 30
	}
	const perRound = 500
	outcomes := map[string]int{}
	for seed := range rounds {
		r := rand.New(rand.NewPCG(uint64(seed), 4))
		pool := map[policy.Kind][]both{}
		for _, k := range []policy.Kind{policy.Identity, policy.Resource, policy.Boundary, policy.Session} {
			for range 12 {
				pool[k] = append(pool[k], genBoth(t, r, k))
			}
		}
		for range perRound {
			request := pick(r, genPrincipals)
			request.action, request.resource, request.keys = pick(r, genActions), pick(r, genResources), genKeys(r)
			request.owner = pick(r, []string{"111111111111", "111111111111", "222222222222"})
			var set policy.Set
			var ref refSet
			ref.delegated = r.IntN(4) == 0
			set.Delegated = ref.delegated
			for range r.IntN(3) {
				p := pick(r, pool[policy.Identity])
				set.Identity, ref.identity = append(set.Identity, p.document), append(ref.identity, p.reference)
			}
			for range max(0, r.IntN(5)-2) {
				p := pick(r, pool[policy.Session])
				set.Session, ref.session = append(set.Session, p.document), append(ref.session, p.reference)
			}
			if r.IntN(3) == 0 {
				p := pick(r, pool[policy.Boundary])
				set.Boundary, ref.boundary = p.document, p.reference
			}
			if r.IntN(3) > 0 {
				p := pick(r, pool[policy.Resource])
				set.Resource, ref.resource = p.document, p.reference
			}
			want := refEvaluate(request, ref)
			outcomes[want+" "+request.kind]++
			for _, trace := range []bool{false, true} {
				d, err := policy.Evaluate(asRequest(request, trace), &set)
				if err != nil {
					t.Fatal(err)
				}
				got := map[policy.Verdict]string{policy.Allowed: "allow", policy.ExplicitDeny: "explicit", policy.ImplicitDeny: "implicit"}[d.Verdict()]
				if got != want || d.Allowed != (d.By == 0) || d.Allowed != (d.Reason("a:b") == "") {
					t.Fatalf("seed %d, trace %v: %s %+v, want %s\n%s", seed, trace, got, d, want, describe(request, set))
				}
			}
		}
	}
	t.Logf("%d cases: %v", rounds*perRound, outcomes)
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		for _, outcome := range []string{"allow", "explicit", "implicit"} {
			if outcomes[outcome+" "+kind] == 0 {
				t.Errorf("no case was %s for %s: the generator is too narrow", outcome, kind)
			}
		}
	}
}

func asRequest(r refRequest, trace bool) *policy.Request {
	return &policy.Request{
		Principal: policy.Principal{Kind: kinds[r.kind], Account: r.account, ARN: r.arn, RoleARN: r.role, Name: r.service},
		Action:    r.action, Resource: r.resource, Owner: r.owner, Trace: trace,
		Lookup: func(key string) ([]string, bool, error) { v, ok := r.keys[key]; return v, ok, nil },
	}
}

func describe(r refRequest, s policy.Set) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%+v delegated=%v\n", r, s.Delegated)
	for _, d := range append(append(slices.Clone(s.Identity), s.Session...), s.Boundary, s.Resource) {
		if d != nil {
			fmt.Fprintf(&b, "%v: %s\n", d.Kind(), d.Text())
		}
	}
	return b.String()
}
