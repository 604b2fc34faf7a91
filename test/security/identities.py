"""Users, groups, roles, policies, keys and temporary credentials (issue 4 §1)."""
import base64
import hashlib
import hmac
import os
import struct
import time
from datetime import datetime, timedelta, timezone

import botocore

from tools import (ACCOUNT, IAM, OTHER, OTHER_ACCOUNT, S3, TRANSCRIBE, Case, Keys, Person, Role, allow, aws,
                   bucket, client, deny, main, policy, session, start, trust, unique)

NO_ALLOW = "because no identity-based policy allows the {} action"


class CommandLine(Case):
    """The life of identities by the AWS CLI, versions 1 and 2."""

    def test_version_1(self):
        self.life("v1")

    def test_version_2(self):
        self.life("v2")

    def life(self, version):
        def iam(*arguments, **more):
            return aws(version, "iam", *arguments, **more)

        name, group = unique("cli-" + version), unique("group")
        list_jobs = ["transcribe", "list-transcription-jobs", "--region", "eu-west-1"]
        user = iam("create-user", "--user-name", name, "--tags", "Key=team,Value=blue")["User"]
        self.assertEqual((user["Arn"], user["UserId"][:4]), (f"arn:aws:iam::{ACCOUNT}:user/{name}", "AIDA"))
        key = iam("create-access-key", "--user-name", name)["AccessKey"]
        keys = Keys(key["AccessKeyId"], key["SecretAccessKey"])
        said = self.cliRefused("AccessDeniedException", version, *list_jobs, keys=keys)
        self.assertIn(f"User: {user['Arn']} is not authorized to perform: transcribe:ListTranscriptionJobs", said)
        self.assertIn(NO_ALLOW.format("transcribe:ListTranscriptionJobs"), said)

        iam("create-group", "--group-name", group)
        IAM.add_user_to_group(GroupName=group, UserName=name)  # each call of a CLI takes most of a second
        managed = iam("create-policy", "--policy-name", group, "--policy-document", policy(allow("transcribe:Get*")))["Policy"]["Arn"]
        iam("attach-group-policy", "--group-name", group, "--policy-arn", managed)
        iam("create-policy-version", "--policy-arn", managed, "--policy-document", policy(allow("transcribe:List*")), "--set-as-default")
        versions = IAM.list_policy_versions(PolicyArn=managed)["Versions"]
        self.assertEqual([(v["VersionId"], v["IsDefaultVersion"]) for v in versions], [("v2", True), ("v1", False)])
        self.assertEqual(aws(version, *list_jobs, keys=keys)["TranscriptionJobSummaries"], [])

        # The key's first use; later ones in the same minute are not noted.
        used = iam("get-access-key-last-used", "--access-key-id", keys.id)
        self.assertEqual((used["UserName"], used["AccessKeyLastUsed"]["ServiceName"], used["AccessKeyLastUsed"]["Region"]), (name, "transcribe", "eu-west-1"))

        iam("put-user-policy", "--user-name", name, "--policy-name", "no-delete", "--policy-document", policy(deny("transcribe:DeleteTranscriptionJob")))
        results = iam("simulate-principal-policy", "--policy-source-arn", user["Arn"], "--action-names",
                      "transcribe:ListTranscriptionJobs", "transcribe:DeleteTranscriptionJob", "transcribe:StartTranscriptionJob")["EvaluationResults"]
        self.assertEqual([r["EvalDecision"] for r in results], ["allowed", "explicitDeny", "implicitDeny"])
        why = [[m["SourcePolicyId"] for m in r["MatchedStatements"]] for r in results]
        self.assertEqual([len(w) for w in why], [1, 1, 0])
        self.assertEqual((why[0][0], why[1][0][-9:]), (group, "no-delete"))

        iam("put-user-permissions-boundary", "--user-name", name, "--permissions-boundary", "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")
        said = self.cliRefused("AccessDeniedException", version, *list_jobs, keys=keys)
        self.assertIn("because no permissions boundary allows the transcribe:ListTranscriptionJobs action", said)
        IAM.delete_user_permissions_boundary(UserName=name)

        iam("update-access-key", "--user-name", name, "--access-key-id", keys.id, "--status", "Inactive")
        self.cliRefused("UnrecognizedClientException", version, *list_jobs, keys=keys)


class Identities(Case):
    def test_two_keys_a_user(self):
        person = Person(allow("transcribe:List*"))
        IAM.create_access_key(UserName=person.name)
        said = self.refused("LimitExceeded", "Cannot exceed quota for AccessKeysPerUser: 2", IAM.create_access_key, UserName=person.name)
        self.assertNotIn("secret", said.lower())

    def test_a_key_that_is_deactivated_is_refused_at_once(self):
        person = Person(allow("transcribe:List*"))
        jobs = person.client("transcribe")
        for _ in range(3):  # the first time it is not remembered, later it is
            IAM.update_access_key(UserName=person.name, AccessKeyId=person.keys.id, Status="Active")
            jobs.list_transcription_jobs()
            IAM.update_access_key(UserName=person.name, AccessKeyId=person.keys.id, Status="Inactive")
            self.refused("UnrecognizedClientException", "The security token included in the request is invalid", jobs.list_transcription_jobs)
        IAM.delete_access_key(UserName=person.name, AccessKeyId=person.keys.id)
        self.refused("UnrecognizedClientException", "The security token included in the request is invalid", jobs.list_transcription_jobs)

    def test_tags_and_paths(self):
        name = unique("tagged")
        IAM.create_user(UserName=name, Path="/sales/", Tags=[{"Key": "a", "Value": "1"}])
        IAM.tag_user(UserName=name, Tags=[{"Key": "b", "Value": "2"}])
        IAM.untag_user(UserName=name, TagKeys=["a"])
        self.assertEqual(IAM.list_user_tags(UserName=name)["Tags"], [{"Key": "b", "Value": "2"}])
        self.assertEqual(IAM.get_user(UserName=name)["User"]["Arn"], f"arn:aws:iam::{ACCOUNT}:user/sales/{name}")
        self.assertIn(name, [u["UserName"] for u in IAM.list_users(PathPrefix="/sales/")["Users"]])

    def test_what_is_not_allowed_is_refused_in_iam_itself(self):
        person = Person(allow("iam:GetUser", f"arn:aws:iam::{ACCOUNT}:user/${{aws:username}}"))
        iam = person.client("iam")
        self.assertEqual(iam.get_user(UserName=person.name)["User"]["Arn"], person.arn)
        self.refused("AccessDenied", f"User: {person.arn} is not authorized to perform: iam:GetUser on resource: arn:aws:iam::{ACCOUNT}:user/admin because", iam.get_user, UserName="admin")
        self.refused("AccessDenied", "iam:CreateAccessKey", iam.create_access_key, UserName="admin")


class Accounts(Case):
    """Nothing crosses accounts."""

    @classmethod
    def setUpClass(cls):
        cls.bucket = bucket()
        cls.job = start(TRANSCRIBE, f"s3://{cls.bucket}/in.wav")
        cls.key = client("kms").create_key()["KeyMetadata"]["Arn"]
        cls.user = Person()

    def test_jobs(self):
        theirs = client("transcribe", OTHER)
        self.assertEqual(theirs.list_transcription_jobs(JobNameContains=self.job)["TranscriptionJobSummaries"], [])
        self.refused("BadRequestException", "couldn't be found", theirs.get_transcription_job, TranscriptionJobName=self.job)
        try:
            theirs.delete_transcription_job(TranscriptionJobName=self.job)
        except theirs.exceptions.BadRequestException:
            pass
        TRANSCRIBE.get_transcription_job(TranscriptionJobName=self.job)
        arn = f"arn:aws:transcribe:us-east-1:{ACCOUNT}:transcription-job/{self.job}"
        for call, more in ((theirs.list_tags_for_resource, {}), (theirs.tag_resource, {"Tags": [{"Key": "a", "Value": "b"}]}), (theirs.untag_resource, {"TagKeys": ["a"]})):
            self.refused("AccessDeniedException", f"on resource: {arn}", call, ResourceArn=arn, **more)
        self.refused("BadRequestException", "can't be accessed", start, transcribe=theirs, media=f"s3://{self.bucket}/in.wav")

    def test_buckets(self):
        theirs = client("s3", OTHER)
        self.assertNotIn(self.bucket, [b["Name"] for b in theirs.list_buckets()["Buckets"]])
        who = f"User: arn:aws:iam::{OTHER_ACCOUNT}:user/admin is not authorized to perform: "
        why = "because no resource-based policy allows the {} action"
        for action, call, more in (
            ("s3:GetObject", theirs.get_object, {"Key": "in.wav"}),
            ("s3:PutObject", theirs.put_object, {"Key": "x", "Body": b"x"}),
            ("s3:DeleteObject", theirs.delete_object, {"Key": "in.wav"}),
            ("s3:ListBucket", theirs.list_objects_v2, {}),
            ("s3:DeleteBucket", theirs.delete_bucket, {}),
            ("s3:GetBucketPolicy", theirs.get_bucket_policy, {}),
            ("s3:PutBucketPolicy", theirs.put_bucket_policy, {"Policy": policy()}),
        ):
            with self.subTest(action):
                message = self.refused("AccessDenied", "", call, Bucket=self.bucket, **more)
                if message != "Access Denied":  # AWS shows strangers no more than that
                    self.assertIn(who + action, message)
                    self.assertIn(why.format(action), message)
        self.refused("403", "Forbidden", theirs.head_bucket, Bucket=self.bucket)
        self.refused("BucketAlreadyExists", "", theirs.create_bucket, Bucket=self.bucket)
        S3.head_object(Bucket=self.bucket, Key="in.wav")

    def test_keys(self):
        theirs = client("kms", OTHER)
        self.assertNotIn(self.key, [k["KeyArn"] for k in theirs.list_keys()["Keys"]])
        self.refused("NotFoundException", "does not exist", theirs.describe_key, KeyId=self.key.split("/")[1])
        for action, call, more in (("DescribeKey", theirs.describe_key, {}), ("Encrypt", theirs.encrypt, {"Plaintext": b"x"}), ("DisableKey", theirs.disable_key, {}),
                                   ("ScheduleKeyDeletion", theirs.schedule_key_deletion, {})):
            with self.subTest(action):
                self.refused("AccessDeniedException", f"is not authorized to perform: kms:{action} on", call, KeyId=self.key, **more)

    def test_users(self):
        theirs = client("iam", OTHER)
        self.assertNotIn(self.user.name, [u["UserName"] for u in theirs.list_users()["Users"]])
        for call in (theirs.get_user, theirs.delete_user, theirs.create_access_key):
            self.refused("NoSuchEntity", f"The user with name {self.user.name} cannot be found.", call, UserName=self.user.name)
        managed = IAM.create_policy(PolicyName=unique("ours"), PolicyDocument=policy(allow("s3:*")))["Policy"]["Arn"]
        self.refused("AccessDenied", "iam:GetPolicy", theirs.get_policy, PolicyArn=managed)

    def test_a_role_is_assumed_when_both_sides_allow(self):
        role = Role(trust({"AWS": f"arn:aws:iam::{OTHER_ACCOUNT}:root"}), allow("s3:ListAllMyBuckets"))
        iam = client("iam", OTHER)
        stranger, friend = Person(iam=iam), Person(allow("sts:AssumeRole", role.arn), iam=iam)
        asked = {"RoleArn": role.arn, "RoleSessionName": "visit"}
        self.refused("AccessDenied", f"User: {stranger.arn} is not authorized to perform: sts:AssumeRole on resource: {role.arn}",
                     stranger.client("sts").assume_role, **asked)
        keys = session(friend.client("sts").assume_role(**asked))
        self.assertIn(self.bucket, [b["Name"] for b in client("s3", keys).list_buckets()["Buckets"]])
        closed = Role(trust({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}))
        friend.may(allow("sts:AssumeRole"))
        self.refused("AccessDenied", "sts:AssumeRole", friend.client("sts").assume_role, RoleArn=closed.arn, RoleSessionName="visit")


class AssumeRole(Case):
    @classmethod
    def setUpClass(cls):
        cls.caller = Person(allow(["sts:AssumeRole", "sts:TagSession"]))
        cls.sts = cls.caller.client("sts")
        cls.trusted = trust({"AWS": cls.caller.arn}, ["sts:AssumeRole", "sts:TagSession"])

    def assume(self, role, **more):
        return self.sts.assume_role(RoleArn=role.arn, RoleSessionName="sess", **more)

    def test_external_id(self):
        role = Role(trust({"AWS": ACCOUNT}, StringEquals={"sts:ExternalId": "unique-to-us"}))
        for wrong in ({}, {"ExternalId": "unique-to-them"}):
            self.refused("AccessDenied", f"is not authorized to perform: sts:AssumeRole on resource: {role.arn}", self.assume, role=role, **wrong)
        self.assume(role, ExternalId="unique-to-us")

    def test_session_name_and_identity(self):
        role = Role(self.trusted, allow("transcribe:List*"))
        answer = self.assume(role)
        arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/{role.name}/sess"
        self.assertEqual(answer["AssumedRoleUser"]["Arn"], arn)
        who = client("sts", session(answer)).get_caller_identity()
        self.assertEqual((who["Arn"], who["UserId"]), (arn, answer["AssumedRoleUser"]["AssumedRoleId"]))
        self.assertTrue(answer["Credentials"]["AccessKeyId"].startswith("ASIA"))
        self.refused("AccessDeniedException", f"User: {arn} is not authorized to perform: transcribe:DeleteTranscriptionJob",
                     client("transcribe", session(answer)).delete_transcription_job, TranscriptionJobName="x")
        self.refused("ValidationError", "roleSessionName", self.sts.assume_role, RoleArn=role.arn, RoleSessionName="not a name!")

    def test_session_policy_narrows_and_never_widens(self):
        role = Role(self.trusted, allow("transcribe:List*"), allow("transcribe:Get*"))
        jobs = client("transcribe", session(self.assume(role, Policy=policy(allow("transcribe:List*"), allow("transcribe:Delete*")))))
        jobs.list_transcription_jobs()
        self.refused("AccessDeniedException", "because no session policy allows the transcribe:GetTranscriptionJob action",
                     jobs.get_transcription_job, TranscriptionJobName="x")
        self.refused("AccessDeniedException", NO_ALLOW.format("transcribe:DeleteTranscriptionJob"), jobs.delete_transcription_job, TranscriptionJobName="x")

    def test_session_tags_are_principal_tags(self):
        name = bucket()
        role = Role(self.trusted, allow("s3:PutObject", f"arn:aws:s3:::{name}/${{aws:PrincipalTag/team}}/*"))
        blue = client("s3", session(self.assume(role, Tags=[{"Key": "team", "Value": "blue"}])))
        blue.put_object(Bucket=name, Key="blue/x", Body=b"x")
        self.refused("AccessDenied", f'on resource: "arn:aws:s3:::{name}/red/x"', blue.put_object, Bucket=name, Key="red/x", Body=b"x")
        untagged = client("s3", session(self.assume(role)))
        self.refused("AccessDenied", "s3:PutObject", untagged.put_object, Bucket=name, Key="blue/x", Body=b"x")

    def test_durations(self):
        role = Role(self.trusted)
        got = self.assume(role, DurationSeconds=900)["Credentials"]["Expiration"] - datetime.now(timezone.utc)
        self.assertTrue(timedelta(seconds=840) < got <= timedelta(seconds=900), got)
        self.refused("ValidationError", "exceeds the MaxSessionDuration set for this role", self.assume, role=role, DurationSeconds=3601)
        unchecked = self.caller.client("sts", parameter_validation=False)  # else boto3 refuses it itself
        self.refused("ValidationError", "at 'durationSeconds' failed to satisfy constraint", unchecked.assume_role, RoleArn=role.arn,
                     RoleSessionName="sess", DurationSeconds=899)
        longer = Role(self.trusted, MaxSessionDuration=7200)
        self.assume(longer, DurationSeconds=7200)

    def test_chained(self):
        first = Role(self.trusted, allow("sts:AssumeRole"))
        second = Role(trust({"AWS": first.arn}), allow("transcribe:List*"), MaxSessionDuration=7200)
        self.refused("AccessDenied", "sts:AssumeRole", self.assume, role=second)
        sts = client("sts", session(self.assume(first)))
        asked = {"RoleArn": second.arn, "RoleSessionName": "chain"}
        client("transcribe", session(sts.assume_role(**asked))).list_transcription_jobs()
        self.refused("ValidationError", "1 hour session limit for roles assumed by role chaining", sts.assume_role, DurationSeconds=3601, **asked)

    def test_sessions_are_revoked_as_aws_does_it(self):
        role = Role(self.trusted, allow("transcribe:List*"))
        old = client("transcribe", session(self.assume(role)))
        old.list_transcription_jobs()
        # The console's "Revoke active sessions". A token's time of issue is in whole seconds.
        time.sleep(1.1)
        now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        IAM.put_role_policy(RoleName=role.name, PolicyName="AWSRevokeOlderSessions",
                            PolicyDocument=policy(deny("*", DateLessThan={"aws:TokenIssueTime": now})))
        self.refused("AccessDeniedException", "with an explicit deny in an identity-based policy", old.list_transcription_jobs)
        client("transcribe", session(self.assume(role))).list_transcription_jobs()

    def test_a_deleted_role_ends_its_sessions(self):
        role = Role(self.trusted)
        role.may(allow("transcribe:List*"))
        keys = session(self.assume(role))
        jobs = client("transcribe", keys)
        jobs.list_transcription_jobs()
        IAM.delete_role_policy(RoleName=role.name, PolicyName="may")
        IAM.delete_role(RoleName=role.name)
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            jobs.list_transcription_jobs()
        self.assertIn(caught.exception.response["Error"]["Code"], ("AccessDeniedException", "UnrecognizedClientException"))

    def test_credentials_are_bound_to_their_token(self):
        role = Role(self.trusted, allow("transcribe:List*"))
        one, two = session(self.assume(role)), session(self.assume(role))
        said = "The security token included in the request is invalid"
        for why, keys in {
            "no token": Keys(one.id, one.secret),
            "another session's token": Keys(one.id, one.secret, two.token),
            "another session's key": Keys(two.id, one.secret, one.token),
            "a token with a user's key": Keys(self.caller.keys.id, self.caller.keys.secret, one.token),
            "a changed token": Keys(one.id, one.secret, one.token[:-4] + "AAAA"),
            "nonsense": Keys(one.id, one.secret, "nonsense"),
        }.items():
            with self.subTest(why):
                self.refused("UnrecognizedClientException", said, client("transcribe", keys).list_transcription_jobs)
                self.refused("InvalidClientTokenId", said, client("sts", keys).get_caller_identity)
        wrong = Keys(one.id, two.secret, one.token)
        self.refused("InvalidSignatureException", "does not match", client("transcribe", wrong).list_transcription_jobs)


def totp(seed, at):
    """RFC 6238 with SHA-1, 30 s and 6 digits."""
    digest = hmac.new(base64.b32decode(seed), struct.pack(">Q", int(at) // 30), hashlib.sha1).digest()
    offset = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[offset:offset + 4])[0] & 0x7FFFFFFF) % 10**6:06d}"


class SecondFactor(Case):
    def test_rights_that_need_it(self):
        needs = allow("transcribe:List*", Bool={"aws:MultiFactorAuthPresent": "true"})
        person = Person(needs)
        device = IAM.create_virtual_mfa_device(VirtualMFADeviceName=person.name)["VirtualMFADevice"]
        seed, serial = device["Base32StringSeed"], device["SerialNumber"]
        # Two codes in a row enable it; a code counts once, and those around now count too.
        now = time.time()
        self.refused("InvalidAuthenticationCode", "", IAM.enable_mfa_device, UserName=person.name, SerialNumber=serial,
                     AuthenticationCode1="000000", AuthenticationCode2="000001")
        IAM.enable_mfa_device(UserName=person.name, SerialNumber=serial, AuthenticationCode1=totp(seed, now - 30), AuthenticationCode2=totp(seed, now))
        self.refused("AccessDeniedException", "transcribe:ListTranscriptionJobs", person.client("transcribe").list_transcription_jobs)

        sts = person.client("sts")
        plain = session(sts.get_session_token(DurationSeconds=900))
        self.refused("AccessDeniedException", "transcribe:ListTranscriptionJobs", client("transcribe", plain).list_transcription_jobs)
        self.refused("AccessDenied", "MultiFactorAuthentication failed with invalid MFA one time pass code", sts.get_session_token,
                     SerialNumber=serial, TokenCode="000000")
        code = totp(seed, now + 30)
        proved = session(sts.get_session_token(SerialNumber=serial, TokenCode=code))
        client("transcribe", proved).list_transcription_jobs()
        self.refused("AccessDenied", "MultiFactorAuthentication failed", sts.get_session_token, SerialNumber=serial, TokenCode=code)  # used
        self.refused("AccessDenied", "Cannot call GetSessionToken with session credentials", client("sts", proved).get_session_token)
        self.refused("AccessDenied", "", client("iam", proved).list_users)

        role = Role(trust({"AWS": person.arn}, Bool={"aws:MultiFactorAuthPresent": "true"}), allow("transcribe:List*"))
        person.may(needs, allow("sts:AssumeRole", role.arn))
        asked = {"RoleArn": role.arn, "RoleSessionName": "factor"}
        self.refused("AccessDenied", "sts:AssumeRole", sts.assume_role, **asked)
        client("transcribe", session(client("sts", proved).assume_role(**asked))).list_transcription_jobs()


class WebIdentity(Case):
    """AssumeRoleWithWebIdentity against the issuer that the Go test runs."""

    def test_tokens(self):
        issuer = os.environ["ISSUER"]
        host = issuer.removeprefix("https://")
        arn = IAM.create_open_id_connect_provider(Url=issuer, ClientIDList=["dictum-client"], ThumbprintList=[os.environ["ISSUER_THUMBPRINT"]])["OpenIDConnectProviderArn"]
        self.assertEqual(arn, f"arn:aws:iam::{ACCOUNT}:oidc-provider/{host}")
        role = Role(trust({"Federated": arn}, "sts:AssumeRoleWithWebIdentity", StringEquals={f"{host}:aud": "dictum-client", f"{host}:sub": "alice"}),
                    allow("transcribe:List*"))
        sts = client("sts", signature_version=botocore.UNSIGNED)

        def assume(token):
            return sts.assume_role_with_web_identity(RoleArn=role.arn, RoleSessionName="web", WebIdentityToken=os.environ["TOKEN_" + token])

        answer = assume("GOOD")
        self.assertEqual((answer["SubjectFromWebIdentityToken"], answer["Audience"]), ("alice", "dictum-client"))
        client("transcribe", session(answer)).list_transcription_jobs()
        self.refused("InvalidIdentityToken", "Incorrect token audience", assume, token="OTHER_AUDIENCE")
        self.refused("ExpiredTokenException", "", assume, token="EXPIRED")
        self.refused("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity", assume, token="OTHER_SUBJECT")
        self.refused("InvalidIdentityToken", "", assume, token="FORGED")
        IAM.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)
        self.refused("InvalidIdentityToken", "No OpenIDConnect provider found in your account", assume, token="GOOD")


if __name__ == "__main__":
    main()
