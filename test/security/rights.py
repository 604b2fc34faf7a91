"""Who may do what with transcription jobs: tags, condition keys, and the texts of refusals (issue 4 §1)."""
from tools import ACCOUNT, IAM, KMS, S3, TRANSCRIBE, Case, Person, allow, bucket, deny, main, start, unique

ARN = f"arn:aws:transcribe:us-east-1:{ACCOUNT}:transcription-job/"


def begun(jobs, media, **more):
    """Starts a job and deletes it again: that it may start is all that is asked."""
    TRANSCRIBE.delete_transcription_job(TranscriptionJobName=start(jobs, media, **more))


def tags(**tags):
    return [{"Key": k, "Value": v} for k, v in tags.items()]


class ByTag(Case):
    """The tag-based policies that AWS's guide shows for Transcribe
    (https://docs.aws.amazon.com/transcribe/latest/dg/tagging.html)."""

    @classmethod
    def setUpClass(cls):
        cls.bucket = bucket()
        cls.media = f"s3://{cls.bucket}/in.wav"
        cls.person = Person(
            allow("transcribe:StartTranscriptionJob", StringEquals={"aws:RequestTag/Department": "Sales"}),
            allow(["transcribe:GetTranscriptionJob", "transcribe:DeleteTranscriptionJob"], StringEquals={"aws:ResourceTag/Department": ["Sales", "Marketing"]}),
            allow("transcribe:TagResource", **{"ForAllValues:StringEquals": {"aws:TagKeys": ["Department", "Project"]}}),
            allow("s3:GetObject", f"arn:aws:s3:::{cls.bucket}/*"),
        )
        cls.jobs = cls.person.client("transcribe")

    def denied(self, action, on, call, **arguments):
        self.refused("AccessDeniedException", f"User: {self.person.arn} is not authorized to perform: transcribe:{action} on resource: {ARN}{on} "
                     f"because no identity-based policy allows the transcribe:{action} action", call, **arguments)

    def test_start_needs_the_tag(self):
        for why, given in {"no tags": None, "another value": tags(Department="HR"), "a value in another case": tags(Department="sales"),
                           "a key in another case": tags(department="Sales"), "another key": tags(Project="Sales")}.items():
            with self.subTest(why):
                name = unique("job")
                if why == "a key in another case":
                    # aws:RequestTag/Department does not care for case, as keys of conditions don't; aws:TagKeys is a value, and does.
                    self.denied("TagResource", name, start, transcribe=self.jobs, media=self.media, name=name, Tags=given)
                else:
                    self.denied("StartTranscriptionJob", name, start, transcribe=self.jobs, media=self.media, name=name, **({"Tags": given} if given else {}))
                self.noJob(name)
        name = start(self.jobs, self.media, Tags=tags(Department="Sales"))
        self.completed(name, self.jobs)

    def test_tags_at_start_need_the_right_to_tag(self):
        name = unique("job")
        self.denied("TagResource", name, start, transcribe=self.jobs, media=self.media, name=name, Tags=tags(Department="Sales", Secret="x"))
        self.noJob(name)

    def test_get_and_delete_need_the_resource_to_have_it(self):
        for department in ("Sales", "Marketing"):
            name = start(TRANSCRIBE, self.media, Tags=tags(Department=department))
            job = self.jobs.get_transcription_job(TranscriptionJobName=name)["TranscriptionJob"]
            self.assertEqual(job["Tags"], tags(Department=department))
            self.jobs.delete_transcription_job(TranscriptionJobName=name)
            self.noJob(name)
        for given in ({"Tags": tags(Department="HR")}, {}):
            name = start(TRANSCRIBE, self.media, **given)
            self.denied("GetTranscriptionJob", name, self.jobs.get_transcription_job, TranscriptionJobName=name)
            self.denied("DeleteTranscriptionJob", name, self.jobs.delete_transcription_job, TranscriptionJobName=name)
            TRANSCRIBE.get_transcription_job(TranscriptionJobName=name)
            TRANSCRIBE.delete_transcription_job(TranscriptionJobName=name)
        self.denied("GetTranscriptionJob", "no-such-job", self.jobs.get_transcription_job, TranscriptionJobName="no-such-job")

    def test_new_tags_count_at_once(self):
        name = start(TRANSCRIBE, self.media)
        self.denied("GetTranscriptionJob", name, self.jobs.get_transcription_job, TranscriptionJobName=name)
        TRANSCRIBE.tag_resource(ResourceArn=ARN + name, Tags=tags(Department="Sales"))
        self.jobs.get_transcription_job(TranscriptionJobName=name)
        TRANSCRIBE.untag_resource(ResourceArn=ARN + name, TagKeys=["Department"])
        self.denied("GetTranscriptionJob", name, self.jobs.get_transcription_job, TranscriptionJobName=name)
        TRANSCRIBE.delete_transcription_job(TranscriptionJobName=name)


class ByCondition(Case):
    """Transcribe's own condition keys."""

    @classmethod
    def setUpClass(cls):
        cls.bucket, cls.elsewhere = bucket(), bucket()
        cls.media = f"s3://{cls.bucket}/in.wav"
        cls.key = KMS.create_key()["KeyMetadata"]["Arn"]
        cls.alias = f"alias/{unique('rights')}"
        KMS.create_alias(AliasName=cls.alias, TargetKeyId=cls.key)

    def person(self, *statements):
        person = Person(allow(["s3:GetObject", "s3:PutObject", "kms:*", "transcribe:GetTranscriptionJob"]), *statements)
        return person, person.client("transcribe")

    def denied(self, jobs, person, why="because no identity-based policy allows the transcribe:StartTranscriptionJob action", **arguments):
        name = unique("job")
        self.refused("AccessDeniedException", f"User: {person.arn} is not authorized to perform: transcribe:StartTranscriptionJob on resource: {ARN}{name} {why}",
                     start, transcribe=jobs, media=self.media, name=name, **arguments)
        self.noJob(name)

    def test_output_bucket(self):
        person, jobs = self.person(allow("transcribe:StartTranscriptionJob", StringEquals={"transcribe:OutputBucketName": self.bucket}))
        self.denied(jobs, person)  # absent is not equal
        self.denied(jobs, person, OutputBucketName=self.elsewhere)
        begun(jobs, self.media, OutputBucketName=self.bucket)

    def test_output_key(self):
        person, jobs = self.person(allow("transcribe:StartTranscriptionJob", StringLike={"transcribe:OutputKey": "team-a/*"}))
        self.denied(jobs, person, OutputBucketName=self.bucket)
        self.denied(jobs, person, OutputBucketName=self.bucket, OutputKey="team-b/x.json")
        self.denied(jobs, person, OutputBucketName=self.bucket, OutputKey="Team-A/x.json")
        begun(jobs, self.media, OutputBucketName=self.bucket, OutputKey="team-a/x.json")

    def test_output_key_of_the_service(self):
        person, jobs = self.person(allow("transcribe:StartTranscriptionJob", StringEqualsIfExists={"transcribe:OutputBucketName": self.bucket}))
        self.denied(jobs, person, OutputBucketName=self.elsewhere)
        begun(jobs, self.media)

    def test_encryption_is_demanded_and_compared_by_key_arn(self):
        person, jobs = self.person(
            allow("transcribe:StartTranscriptionJob"),
            deny("transcribe:StartTranscriptionJob", Null={"transcribe:OutputEncryptionKMSKeyId": "true"}),
            deny("transcribe:StartTranscriptionJob", StringNotEquals={"transcribe:OutputEncryptionKMSKeyId": self.key}),
        )
        explicit = "with an explicit deny in an identity-based policy"
        self.denied(jobs, person, why=explicit, OutputBucketName=self.bucket)
        other = KMS.create_key()["KeyMetadata"]["KeyId"]
        self.denied(jobs, person, why=explicit, OutputBucketName=self.bucket, OutputEncryptionKMSKeyId=other)
        for form in (self.key, self.key.split("/")[1], self.alias, self.key.rsplit(":", 1)[0] + ":" + self.alias):
            begun(jobs, self.media, OutputBucketName=self.bucket, OutputEncryptionKMSKeyId=form)

    def test_names_of_jobs(self):
        person, jobs = self.person(allow("transcribe:StartTranscriptionJob", ARN + "team-*"))
        self.denied(jobs, person)
        begun(jobs, self.media, name=unique("team-"))

    def test_lists_have_no_resource(self):
        person = Person(allow("transcribe:ListTranscriptionJobs", ARN + "*"))
        self.refused("AccessDeniedException", f"User: {person.arn} is not authorized to perform: transcribe:ListTranscriptionJobs on resource: *",
                     person.client("transcribe").list_transcription_jobs)
        person.may(allow("transcribe:List*"))
        person.client("transcribe").list_transcription_jobs()

    def test_managed_policies(self):
        person = Person()
        jobs = person.client("transcribe")
        IAM.attach_user_policy(UserName=person.name, PolicyArn="arn:aws:iam::aws:policy/AmazonTranscribeReadOnlyAccess")
        jobs.list_transcription_jobs()
        self.denied(jobs, person)

    def test_who_starts_needs_the_rights_to_media_and_output(self):
        person = Person(allow("transcribe:*"))
        jobs, name = person.client("transcribe"), unique("job")
        self.refused("BadRequestException", "The S3 URI that you provided can't be accessed", start, transcribe=jobs, media=self.media, name=name)
        person.may(allow("transcribe:*"), allow("s3:GetObject", f"arn:aws:s3:::{self.bucket}/in.wav"))
        self.refused("BadRequestException", "The specified S3 bucket can't be accessed", start, transcribe=jobs, media=self.media, name=name, OutputBucketName=self.bucket)
        self.noJob(name)
        self.assertEqual([o["Key"] for o in S3.list_objects_v2(Bucket=self.bucket, Prefix=name).get("Contents", [])], [])


if __name__ == "__main__":
    main()
