package iam

// IAM's quotas (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html): AWS's defaults, and
// where they can be raised, sizes that policies are written for.
const (
	maxUsers          = 5000
	maxGroups         = 300
	maxRoles          = 1000
	maxPolicies       = 1500
	maxProviders      = 100
	maxGroupsPerUser  = 10
	maxAttached       = 10
	maxKeys           = 2
	maxDevices        = 8
	maxTags           = 50
	maxClientIDs      = 100
	maxThumbprints    = 5
	maxPolicySize     = 6144
	maxTrustSize      = 2048
	maxInlinePerUser  = 2048
	maxInlinePerGroup = 5120
	maxInlinePerRole  = 10240
)

// Quotas are the limits that GetAccountSummary shows, by its names.
var Quotas = map[string]int{
	"UsersQuota": maxUsers, "GroupsQuota": maxGroups, "RolesQuota": maxRoles, "PoliciesQuota": maxPolicies,
	"GroupsPerUserQuota": maxGroupsPerUser, "AccessKeysPerUserQuota": maxKeys,
	"AttachedPoliciesPerUserQuota": maxAttached, "AttachedPoliciesPerGroupQuota": maxAttached, "AttachedPoliciesPerRoleQuota": maxAttached,
	"PolicySizeQuota": maxPolicySize, "AssumeRolePolicySizeQuota": maxTrustSize, "VersionsPerPolicyQuota": MaxVersions,
	"UserPolicySizeQuota": maxInlinePerUser, "GroupPolicySizeQuota": maxInlinePerGroup, "RolePolicySizeQuota": maxInlinePerRole,
}
