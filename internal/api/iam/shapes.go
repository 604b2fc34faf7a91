package iam

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/dictum/dictum/internal/aws/awsquery"
	"github.com/dictum/dictum/internal/iam"
)

// The shapes of results; members in the order of the API reference.

type boundaryShape struct{ PermissionsBoundaryType, PermissionsBoundaryArn string }

func boundary(arn string) *boundaryShape {
	if arn == "" {
		return nil
	}
	return &boundaryShape{PermissionsBoundaryType: "Policy", PermissionsBoundaryArn: arn}
}

type tagList = awsquery.List[Tag]

// tagShapes are tags ordered by key.
func tagShapes(tags iam.Tags) []Tag {
	out := make([]Tag, 0, len(tags))
	for k, v := range tags {
		out = append(out, Tag{k, v})
	}
	slices.SortFunc(out, func(a, b Tag) int { return strings.Compare(a.Key, b.Key) })
	return out
}

// someTags leaves the element out where there are none.
func someTags(tags iam.Tags) *tagList {
	if len(tags) == 0 {
		return nil
	}
	return &tagList{Members: tagShapes(tags)}
}

type userShape struct {
	Path                string
	UserName            string `xml:",omitempty"`
	UserId, Arn         string
	CreateDate          time.Time
	PermissionsBoundary *boundaryShape
	Tags                *tagList
}

func userOf(u iam.User) userShape {
	return userShape{
		Path: u.Path, UserName: u.Name, UserId: u.ID, Arn: u.ARN(), CreateDate: u.Created,
		PermissionsBoundary: boundary(u.Boundary), Tags: someTags(u.Tags),
	}
}

// userBrief is a user in a list: without boundary and tags.
func userBrief(u iam.User) userShape {
	u.Boundary, u.Tags = "", nil
	return userOf(u)
}

type groupShape struct {
	Path, GroupName, GroupId, Arn string
	CreateDate                    time.Time
}

func groupOf(g iam.Group) groupShape {
	return groupShape{Path: g.Path, GroupName: g.Name, GroupId: g.ID, Arn: g.ARN(), CreateDate: g.Created}
}

type lastUsedShape struct {
	LastUsedDate *time.Time
	Region       string `xml:",omitempty"`
}

type roleShape struct {
	Path, RoleName, RoleId, Arn string
	CreateDate                  time.Time
	AssumeRolePolicyDocument    string
	Description                 string `xml:",omitempty"`
	MaxSessionDuration          int64
	PermissionsBoundary         *boundaryShape
	Tags                        *tagList
	RoleLastUsed                *lastUsedShape
}

func roleOf(r iam.Role) roleShape {
	return roleShape{
		Path: r.Path, RoleName: r.Name, RoleId: r.ID, Arn: r.ARN(), CreateDate: r.Created,
		AssumeRolePolicyDocument: document(r.Trust), Description: r.Description, MaxSessionDuration: int64(r.MaxSession / time.Second),
		PermissionsBoundary: boundary(r.Boundary), Tags: someTags(r.Tags),
	}
}

func roleBrief(r iam.Role) roleShape {
	r.Boundary, r.Tags = "", nil
	return roleOf(r)
}

// roleWhole is a role with its last use.
func roleWhole(s *iam.Snapshot, r iam.Role) roleShape {
	shape := roleOf(r)
	shape.RoleLastUsed = &lastUsedShape{}
	if use, ok := s.LastUse(r.ID); ok {
		shape.RoleLastUsed = &lastUsedShape{LastUsedDate: &use.At, Region: use.Region}
	}
	return shape
}

type policyShape struct {
	PolicyName, PolicyId, Arn, Path, DefaultVersionId string
	AttachmentCount, PermissionsBoundaryUsageCount    int
	IsAttachable                                      bool
	Description                                       string `xml:",omitempty"`
	CreateDate, UpdateDate                            time.Time
	Tags                                              *tagList
}

func policyOf(s *iam.Snapshot, p iam.ManagedPolicy) policyShape {
	attached, boundaries := s.Attachments(p.ARN())
	return policyShape{
		PolicyName: p.Name, PolicyId: p.ID, Arn: p.ARN(), Path: p.Path, DefaultVersionId: p.Default,
		AttachmentCount: attached, PermissionsBoundaryUsageCount: boundaries, IsAttachable: true,
		Description: p.Description, CreateDate: p.Created, UpdateDate: p.Updated, Tags: someTags(p.Tags),
	}
}

type versionShape struct {
	Document         string `xml:",omitempty"`
	VersionId        string
	IsDefaultVersion bool
	CreateDate       time.Time
}

func versionOf(p iam.ManagedPolicy, v iam.PolicyVersion) versionShape {
	return versionShape{VersionId: v.ID, IsDefaultVersion: v.ID == p.Default, CreateDate: v.Created}
}

type attachedShape struct{ PolicyName, PolicyArn string }

func attachedOf(arn string) attachedShape {
	return attachedShape{PolicyName: arn[strings.LastIndexByte(arn, '/')+1:], PolicyArn: arn}
}

// document is a policy's text as IAM answers with it: percent-encoded (RFC 3986).
func document(text string) string {
	return strings.ReplaceAll(url.QueryEscape(text), "+", "%20")
}
