package iam

import (
	"context"
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/dictum/dictum/internal/aws/awsquery"
	"github.com/dictum/dictum/internal/gateway"
	"github.com/dictum/dictum/internal/iam"
)

type aliasIn struct{ AccountAlias string }

type detailsIn struct {
	Filter []string
	Paging
}

type (
	aliasesOut struct {
		AccountAliases awsquery.List[string]
		Page
	}
	summaryEntry struct {
		Key   string `xml:"key"`
		Value int    `xml:"value"`
	}
	summaryOut struct {
		SummaryMap struct {
			Entries []summaryEntry `xml:"entry"`
		}
	}
	inlineShape struct{ PolicyName, PolicyDocument string }
	userDetail  struct {
		userShape
		UserPolicyList          awsquery.List[inlineShape]
		GroupList               awsquery.List[string]
		AttachedManagedPolicies awsquery.List[attachedShape]
	}
	groupDetail struct {
		groupShape
		GroupPolicyList         awsquery.List[inlineShape]
		AttachedManagedPolicies awsquery.List[attachedShape]
	}
	roleDetail struct {
		roleShape
		InstanceProfileList     awsquery.List[struct{}]
		RolePolicyList          awsquery.List[inlineShape]
		AttachedManagedPolicies awsquery.List[attachedShape]
	}
	policyDetail struct {
		policyShape
		PolicyVersionList awsquery.List[versionShape]
	}
	detailsOut struct {
		UserDetailList  awsquery.List[userDetail]
		GroupDetailList awsquery.List[groupDetail]
		RoleDetailList  awsquery.List[roleDetail]
		Policies        awsquery.List[policyDetail]
		Page
	}
)

// account are the actions on the account as a whole.
func (s *service) account() awsquery.Actions {
	return awsquery.Actions{
		"CreateAccountAlias": do(everything[aliasIn], s.createAlias),
		"DeleteAccountAlias": do(everything[aliasIn], s.deleteAlias),
		"ListAccountAliases": on(everything[Paging], func(ctx context.Context, c *gateway.Call, _ *Paging) (*aliasesOut, error) {
			snapshot, err := s.snapshot(ctx, c)
			if err != nil || snapshot.Alias == "" {
				return &aliasesOut{}, err
			}
			return &aliasesOut{AccountAliases: awsquery.List[string]{Members: []string{snapshot.Alias}}}, nil
		}),
		"GetAccountSummary":              on(everything[struct{}], s.summary),
		"GetAccountAuthorizationDetails": on(everything[detailsIn], s.details),
	}
}

// aliasForm is the model's pattern without its look-ahead: no two hyphens in a row, and no account id.
var aliasForm = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

func (s *service) createAlias(ctx context.Context, c *gateway.Call, in *aliasIn) error {
	if !aliasForm.MatchString(in.AccountAlias) || len(strings.Trim(in.AccountAlias, "0123456789")) == 0 && len(in.AccountAlias) == 12 {
		return &iam.Refusal{Kind: iam.ErrInvalidInput, Message: "The account alias must be lower-case letters, digits and single hyphens between them, and not an account id."}
	}
	err := s.dir.SetAlias(ctx, c.Principal.AccountID, in.AccountAlias)
	if errors.Is(err, iam.ErrExists) {
		return &iam.Refusal{Kind: iam.ErrExists, Message: "The account alias " + in.AccountAlias + " already exists."}
	}
	return err
}

func (s *service) deleteAlias(ctx context.Context, c *gateway.Call, in *aliasIn) error {
	snapshot, err := s.snapshot(ctx, c)
	if err != nil {
		return err
	}
	if snapshot.Alias != in.AccountAlias {
		return &iam.Refusal{Kind: iam.ErrNoSuchEntity, Message: "The account alias with name " + in.AccountAlias + " cannot be found."}
	}
	return s.dir.SetAlias(ctx, c.Principal.AccountID, "")
}

func (s *service) summary(ctx context.Context, c *gateway.Call, _ *struct{}) (*summaryOut, error) {
	snapshot, err := s.snapshot(ctx, c)
	if err != nil {
		return nil, err
	}
	values := maps.Clone(iam.Quotas)
	values["Users"], values["Groups"], values["Roles"] = len(snapshot.Users("")), len(snapshot.Groups("")), len(snapshot.Roles(""))
	values["Policies"], values["Providers"], values["MFADevices"] = len(snapshot.Policies()), len(snapshot.Providers()), len(snapshot.Devices())
	for _, m := range snapshot.Devices() {
		if m.UserID != "" {
			values["MFADevicesInUse"]++
		}
	}
	for _, p := range snapshot.Policies() {
		values["PolicyVersionsInUse"] += len(p.Versions)
	}
	values["AccountAccessKeysPresent"] = min(len(snapshot.Keys(c.Principal.AccountID)), 1)
	values["AccountMFAEnabled"], values["AccountSigningCertificatesPresent"] = 0, 0
	out := &summaryOut{}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		out.SummaryMap.Entries = append(out.SummaryMap.Entries, summaryEntry{key, values[key]})
	}
	return out, nil
}

func inlineList(g iam.Grants) awsquery.List[inlineShape] {
	return awsquery.ListOf(slices.Sorted(maps.Keys(g.Inline)), func(name string) inlineShape { return inlineShape{name, document(g.Inline[name])} })
}

func attachedList(g iam.Grants) awsquery.List[attachedShape] {
	return awsquery.ListOf(g.Attached, attachedOf)
}

// details lists everything with everything it has, in pages over all kinds together.
func (s *service) details(ctx context.Context, c *gateway.Call, in *detailsIn) (*detailsOut, error) {
	snapshot, err := s.snapshot(ctx, c)
	if err != nil {
		return nil, err
	}
	wanted := func(filter string) bool { return len(in.Filter) == 0 || slices.Contains(in.Filter, filter) }
	type entry struct {
		arn string
		add func(*detailsOut)
	}
	var all []entry
	if wanted("User") {
		for _, u := range snapshot.Users("") {
			all = append(all, entry{u.ARN(), func(out *detailsOut) {
				groups := awsquery.ListOf(snapshot.GroupsOf(u), func(g iam.Group) string { return g.Name })
				out.UserDetailList.Members = append(out.UserDetailList.Members, userDetail{userOf(u), inlineList(u.Grants), groups, attachedList(u.Grants)})
			}})
		}
	}
	if wanted("Group") {
		for _, g := range snapshot.Groups("") {
			all = append(all, entry{g.ARN(), func(out *detailsOut) {
				out.GroupDetailList.Members = append(out.GroupDetailList.Members, groupDetail{groupOf(g), inlineList(g.Grants), attachedList(g.Grants)})
			}})
		}
	}
	if wanted("Role") {
		for _, r := range snapshot.Roles("") {
			all = append(all, entry{r.ARN(), func(out *detailsOut) {
				out.RoleDetailList.Members = append(out.RoleDetailList.Members, roleDetail{
					roleShape: roleWhole(snapshot, r), RolePolicyList: inlineList(r.Grants), AttachedManagedPolicies: attachedList(r.Grants),
				})
			}})
		}
	}
	var policies []iam.ManagedPolicy
	if wanted("LocalManagedPolicy") {
		policies = append(policies, snapshot.Policies()...)
	}
	if wanted("AWSManagedPolicy") {
		policies = append(policies, iam.AWSPolicies()...)
	}
	for _, p := range policies {
		all = append(all, entry{p.ARN(), func(out *detailsOut) {
			versions := awsquery.ListOf(p.Versions, func(v iam.PolicyVersion) versionShape {
				shape := versionOf(p, v)
				shape.Document = document(v.Text)
				return shape
			})
			out.Policies.Members = append(out.Policies.Members, policyDetail{policyOf(snapshot, p), versions})
		}})
	}
	slices.SortFunc(all, func(a, b entry) int { return strings.Compare(a.arn, b.arn) })
	shown, page, err := cut(all, in.Paging, func(e entry) string { return e.arn })
	out := &detailsOut{Page: page}
	for _, e := range shown {
		e.add(out)
	}
	return out, err
}
