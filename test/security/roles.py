"""With whose rights and under which keys jobs work: KMS keys, data access roles, bucket policies that name the service
(issue 4 §1, §2)."""
import contextlib
import json

from tools import (ACCOUNT, IAM, KMS, OTHER, OTHER_ACCOUNT, READING, S3, TRANSCRIBE, Case, Person, Role, allow, bucket, client, ended, key_policy,
                   main, policy, start, trust, unique)

SERVICE = {"Service": "transcribe.amazonaws.com"}
BAD_KEY = "The specified KMS key can't be accessed."
BAD_MEDIA = "The S3 URI that you provided can't be accessed."
BAD_ROLE = "The specified data access role can't be assumed."


class Base(Case):
    @classmethod
    def setUpClass(cls):
        cls.bucket = bucket()
        cls.media = f"s3://{cls.bucket}/in.wav"
        cls.objects = f"arn:aws:s3:::{cls.bucket}/*"

    def refusedStart(self, text, transcribe=TRANSCRIBE, media=None, code="BadRequestException", **more):
        name = unique("job")
        self.refused(code, text, start, transcribe=transcribe, media=media or self.media, name=name, **more)
        self.noJob(name)

    def words(self, key, s3=S3):
        answer = s3.get_object(Bucket=self.bucket, Key=key)
        return answer, json.loads(answer["Body"].read())["results"]["transcripts"][0]["transcript"]


class OutputKeys(Base):
    """OutputEncryptionKMSKeyId and KMSEncryptionContext."""

    def test_four_forms(self):
        key = KMS.create_key()["KeyMetadata"]
        alias = f"alias/{unique('output')}"
        KMS.create_alias(AliasName=alias, TargetKeyId=key["KeyId"])
        forms = [key["KeyId"], alias, key["Arn"], key["Arn"].rsplit(":", 1)[0] + ":" + alias]
        jobs = [start(TRANSCRIBE, self.media, OutputBucketName=self.bucket, OutputEncryptionKMSKeyId=form, Subtitles={"Formats": ["vtt"]}) for form in forms]
        reader = Person(allow("s3:GetObject", self.objects)).client("s3")
        for form, name in zip(forms, jobs):
            with self.subTest(form):
                self.completed(name)
                for file in (name + ".json", name + ".vtt"):
                    for read in (S3.get_object, S3.head_object):
                        answer = read(Bucket=self.bucket, Key=file)
                        self.assertEqual((answer["ServerSideEncryption"], answer["SSEKMSKeyId"]), ("aws:kms", key["Arn"]))
                    said = self.refused("AccessDenied", "is not authorized to perform: kms:Decrypt on resource: ", reader.get_object, Bucket=self.bucket, Key=file)
                    self.assertIn(key["Arn"], said)
                self.assertIn("best of times", self.words(name + ".json")[1].lower())

    def test_context_is_needed(self):
        # The job's context joins the one that S3 makes of the object's ARN.
        person = Person(allow(["transcribe:*", "s3:GetObject", "s3:PutObject"]))
        key = KMS.create_key(Policy=key_policy({
            "Effect": "Allow", "Principal": {"AWS": person.arn}, "Action": ["kms:GenerateDataKey", "kms:Decrypt"], "Resource": "*",
            "Condition": {"StringEquals": {"kms:EncryptionContext:color": "indigoBlue"}}}))["KeyMetadata"]["Arn"]
        jobs, given = person.client("transcribe"), {"OutputBucketName": self.bucket, "OutputEncryptionKMSKeyId": key}
        for wrong in ({}, {"KMSEncryptionContext": {"color": "red"}}):
            self.refusedStart(BAD_KEY, jobs, **given, **wrong)
        name = start(jobs, self.media, KMSEncryptionContext={"color": "indigoBlue"}, **given)
        self.completed(name)
        self.assertEqual(self.words(name + ".json", person.client("s3"))[0]["SSEKMSKeyId"], key)

    def test_context_needs_a_key(self):
        self.refusedStart("KMSEncryptionContext", OutputBucketName=self.bucket, KMSEncryptionContext={"color": "indigoBlue"})

    def test_keys_of_other_kinds_and_states(self):
        disabled = KMS.create_key()["KeyMetadata"]["KeyId"]
        KMS.disable_key(KeyId=disabled)
        deleted = KMS.create_key()["KeyMetadata"]["KeyId"]
        KMS.schedule_key_deletion(KeyId=deleted, PendingWindowInDays=7)
        for why, key in {
            "RSA": KMS.create_key(KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")["KeyMetadata"]["KeyId"],
            "HMAC": KMS.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]["KeyId"],
            "disabled": disabled, "pending deletion": deleted, "missing": "11111111-2222-3333-4444-555555555555", "missing alias": "alias/none",
        }.items():
            with self.subTest(why):
                self.refusedStart(BAD_KEY, OutputBucketName=self.bucket, OutputEncryptionKMSKeyId=key)
                self.refusedStart(BAD_KEY, OutputBucketName=self.bucket, OutputEncryptionKMSKeyId=key, KMSEncryptionContext={"color": "indigoBlue"})

    def test_the_caller_needs_rights_to_the_key(self):
        key = KMS.create_key()["KeyMetadata"]["Arn"]
        basic = allow(["transcribe:*", "s3:GetObject", "s3:PutObject"])
        person = Person(basic)
        jobs, given = person.client("transcribe"), {"OutputBucketName": self.bucket, "OutputEncryptionKMSKeyId": key}
        self.refusedStart(BAD_KEY, jobs, **given)
        person.may(basic, allow("kms:Decrypt"))
        self.refusedStart(BAD_KEY, jobs, **given)
        person.may(basic, allow("kms:GenerateDataKey", key, StringEquals={"kms:ViaService": "s3.us-east-1.amazonaws.com"}))
        self.completed(start(jobs, self.media, **given), jobs)

    def test_another_accounts_key_by_arn_only(self):
        theirs = client("kms", OTHER)
        key = theirs.create_key()["KeyMetadata"]["Arn"]
        given = {"OutputBucketName": self.bucket}
        self.refusedStart(BAD_KEY, OutputEncryptionKMSKeyId=key, **given)
        theirs.put_key_policy(KeyId=key, PolicyName="default", Policy=key_policy(
            {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": ["kms:Encrypt", "kms:GenerateDataKey", "kms:Decrypt"], "Resource": "*"},
            account=OTHER_ACCOUNT))
        self.refusedStart(BAD_KEY, OutputEncryptionKMSKeyId=key.split("/")[1], **given)
        name = start(TRANSCRIBE, self.media, OutputEncryptionKMSKeyId=key, **given)
        self.completed(name)
        self.assertEqual(S3.head_object(Bucket=self.bucket, Key=name + ".json")["SSEKMSKeyId"], key)
        theirs.disable_key(KeyId=key)
        with self.assertRaises(S3.exceptions.ClientError):
            S3.get_object(Bucket=self.bucket, Key=name + ".json")


class DataAccessRole(Base):
    def settings(self, role):
        return {"OutputBucketName": self.bucket, "JobExecutionSettings": {"AllowDeferredExecution": True, "DataAccessRoleArn": role.arn}}

    def role(self, **conditions):
        return Role(trust(SERVICE, **conditions), allow(["s3:GetObject", "s3:PutObject"], self.objects))

    def test_the_caller_passes_it_and_needs_no_other_right(self):
        role, person = self.role(), Person(allow("transcribe:*"))
        jobs = person.client("transcribe")
        self.refusedStart(f"User: {person.arn} is not authorized to perform: iam:PassRole on resource: {role.arn} because no identity-based policy allows the iam:PassRole action",
                          jobs, code="AccessDeniedException", **self.settings(role))
        person.may(allow("transcribe:*"), allow("iam:PassRole", role.arn, StringEquals={"iam:PassedToService": "ec2.amazonaws.com"}))
        self.refusedStart("iam:PassRole", jobs, code="AccessDeniedException", **self.settings(role))
        person.may(allow("transcribe:*"), allow("iam:PassRole", role.arn, StringEquals={"iam:PassedToService": "transcribe.amazonaws.com"}))
        self.refusedStart(BAD_MEDIA, jobs)  # by its own rights it can't
        name = start(jobs, self.media, **self.settings(role))
        self.completed(name, jobs)
        self.assertIn("best of times", self.words(name + ".json")[1].lower())
        self.refused("AccessDenied", "s3:GetObject", person.client("s3").get_object, Bucket=self.bucket, Key=name + ".json")

    def test_the_role_limits_a_caller_who_has_more(self):
        role = Role(trust(SERVICE), allow("s3:PutObject", self.objects))
        self.refusedStart(BAD_MEDIA, **self.settings(role))
        role.may(allow("s3:GetObject", self.objects))
        self.refusedStart("The specified S3 bucket can't be accessed.", **self.settings(role))

    def test_trust(self):
        job = f"arn:aws:transcribe:us-east-1:{ACCOUNT}:*"
        for why, document, good in (
            ("another service", trust({"Service": "ec2.amazonaws.com"}), False),
            ("the caller itself", trust({"AWS": ACCOUNT}), False),
            ("another account's jobs", trust(SERVICE, StringEquals={"aws:SourceAccount": OTHER_ACCOUNT}), False),
            ("another region's jobs", trust(SERVICE, ArnLike={"aws:SourceArn": job.replace("us-east-1", "eu-west-1")}), False),
            ("this account's jobs", trust(SERVICE, StringEquals={"aws:SourceAccount": ACCOUNT}, ArnLike={"aws:SourceArn": job}), True),
        ):
            with self.subTest(why):
                role = Role(document, allow(["s3:GetObject", "s3:PutObject"], self.objects))
                if good:
                    TRANSCRIBE.delete_transcription_job(TranscriptionJobName=start(TRANSCRIBE, self.media, **self.settings(role)))
                else:
                    self.refusedStart(BAD_ROLE, **self.settings(role))

    def test_another_accounts_role_is_refused(self):
        role = Role(trust(SERVICE), allow("s3:*"), iam=client("iam", OTHER))
        self.refusedStart("iam:PassRole", code="AccessDeniedException", **self.settings(role))


class Later(Base):
    """Rights are asked for again when the job works. The server has one worker, which a long job keeps busy until the
    rights of those that wait are gone; then it is deleted."""

    def test_rights_taken_away_after_the_start(self):
        with open(READING, "rb") as long:
            S3.put_object(Bucket=self.bucket, Key="long.wav", Body=long)
        everything = allow(["s3:GetObject", "s3:PutObject", "kms:GenerateDataKey", "transcribe:*"])
        trusted, untrusted, unreadable = (Role(trust(SERVICE), everything) for _ in range(3))
        key = KMS.create_key()["KeyMetadata"]["KeyId"]
        person = Person(everything)
        gone = Person(everything)

        def begin(jobs=TRANSCRIBE, role=None, **more):
            if role:
                more["JobExecutionSettings"] = {"AllowDeferredExecution": True, "DataAccessRoleArn": role.arn}
            return start(jobs, self.media, OutputBucketName=self.bucket, **more)

        blocker = start(TRANSCRIBE, f"s3://{self.bucket}/long.wav")
        release = self.enterContext(contextlib.ExitStack())
        release.callback(TRANSCRIBE.delete_transcription_job, TranscriptionJobName=blocker)
        waiting = {
            "its role's trust": (begin(role=untrusted), BAD_ROLE),
            "its role's rights": (begin(role=unreadable), BAD_MEDIA),
            "the key": (begin(OutputEncryptionKMSKeyId=key), BAD_KEY),
            "who started it": (begin(person.client("transcribe")), BAD_MEDIA),
            "who started it is gone": (begin(gone.client("transcribe")), BAD_MEDIA),
        }
        good = begin(role=trusted)
        IAM.update_assume_role_policy(RoleName=untrusted.name, PolicyDocument=trust({"Service": "ec2.amazonaws.com"}))
        unreadable.may(allow("s3:PutObject"))
        KMS.disable_key(KeyId=key)
        person.may(allow("transcribe:*"))
        gone.delete()
        status = TRANSCRIBE.get_transcription_job(TranscriptionJobName=blocker)["TranscriptionJob"]["TranscriptionJobStatus"]
        self.assertEqual(status, "IN_PROGRESS", "the long job is too short")
        release.close()
        for what, (name, reason) in waiting.items():
            with self.subTest(what):
                job = ended(name)
                self.assertEqual(job["TranscriptionJobStatus"], "FAILED")
                self.assertIn(reason, job["FailureReason"])
                with self.assertRaises(S3.exceptions.NoSuchKey):
                    S3.get_object(Bucket=self.bucket, Key=name + ".json")
        self.completed(good)


class ServicePrincipal(Base):
    """Bucket policies that name transcribe.amazonaws.com, and the confused deputy."""

    def statement(self, action, **conditions):
        out = {"Effect": "Allow", "Principal": SERVICE, "Action": action, "Resource": self.objects}
        return {**out, "Condition": conditions} if conditions else out

    def setUp(self):
        S3.delete_bucket_policy(Bucket=self.bucket)

    def test_with_source_account_and_arn(self):
        jobs = Person(allow("transcribe:*")).client("transcribe")
        both = {"StringEquals": {"aws:SourceAccount": ACCOUNT}, "ArnLike": {"aws:SourceArn": f"arn:aws:transcribe:us-east-1:{ACCOUNT}:*"}}
        self.refusedStart(BAD_MEDIA, jobs, OutputBucketName=self.bucket)
        S3.put_bucket_policy(Bucket=self.bucket, Policy=policy(self.statement(["s3:GetObject", "s3:PutObject"], **both)))
        name = start(jobs, self.media, OutputBucketName=self.bucket)
        self.completed(name, jobs)
        self.assertIn("best of times", self.words(name + ".json")[1].lower())

        theirs = client("transcribe", OTHER)
        self.refusedStart(BAD_MEDIA, theirs)
        S3.put_bucket_policy(Bucket=self.bucket, Policy=policy(self.statement("s3:GetObject")))
        self.refusedStart(BAD_MEDIA, theirs)  # a policy that forgot to say for whom
        S3.put_bucket_policy(Bucket=self.bucket, Policy=policy(self.statement("s3:GetObject", StringEquals={"aws:SourceAccount": OTHER_ACCOUNT})))
        name = start(theirs, self.media)
        self.completed(name, theirs)

    def test_an_explicit_deny_is_the_last_word(self):
        S3.put_bucket_policy(Bucket=self.bucket, Policy=policy(self.statement(["s3:GetObject", "s3:PutObject"], StringEquals={"aws:SourceAccount": ACCOUNT})))
        deny = {"Effect": "Deny", "Action": "s3:GetObject", "Resource": "*"}
        self.refusedStart(BAD_MEDIA, Person(allow("transcribe:*"), deny).client("transcribe"))


if __name__ == "__main__":
    main()
