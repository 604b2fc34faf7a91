"""Vocabulary filters by boto3 and both AWS CLIs: under a customer's key, by tag, on real speech (issue 5 §3)."""
import json
import urllib.error
import urllib.request

from tools import ACCOUNT, KMS, OTHER, S3, TRANSCRIBE, Case, Person, Role, allow, aws, bucket, client, deny, ended, main, secret, trust, unique

ARN = f"arn:aws:transcribe:us-east-1:{ACCOUNT}:vocabulary-filter/"
MINE = {"StringEquals": {"aws:ResourceTag/team": "blue"}}
BLUE = [{"Key": "team", "Value": "blue"}]


def under(transcribe, key, **context):
    """Makes a client ask for filters under a key, also where it is older than EncryptionConfiguration."""
    def add(params, **_):
        body = json.loads(params["body"])
        body["EncryptionConfiguration"] = {"KMSKey": key, **({"KMSEncryptionContext": context} if context else {})}
        params["body"] = json.dumps(body).encode()
    for operation in ("CreateVocabularyFilter", "UpdateVocabularyFilter"):
        transcribe.meta.events.register(f"before-call.transcribe.{operation}", add)
    return transcribe


def words(transcribe, name):
    """The words behind the link of a filter, which whoever has it may read."""
    with urllib.request.urlopen(transcribe.get_vocabulary_filter(VocabularyFilterName=name)["DownloadUri"]) as answer:
        return answer.read().decode().split()


class Filtering(Case):
    """One filter under a key, whom a person may use by its tag only, in jobs with each method."""

    @classmethod
    def setUpClass(cls):
        cls.bucket = bucket()
        cls.key = KMS.create_key()["KeyMetadata"]["Arn"]
        cls.person = Person(
            allow(["transcribe:GetVocabularyFilter", "transcribe:UpdateVocabularyFilter", "transcribe:DeleteVocabularyFilter"], **MINE),
            allow(["transcribe:StartTranscriptionJob", "transcribe:GetTranscriptionJob"]),
            allow(["s3:GetObject", "s3:PutObject"], f"arn:aws:s3:::{cls.bucket}/*"),
            allow(["kms:Decrypt", "kms:GenerateDataKey"], cls.key, StringEquals={"kms:EncryptionContext:use": "filter"}))
        cls.transcribe, cls.name, cls.word = cls.person.client("transcribe"), unique("filter"), unique("word").replace("-", "")
        secret(cls.word)
        under(client("transcribe"), cls.key, use="filter").create_vocabulary_filter(
            VocabularyFilterName=cls.name, LanguageCode="en-US", Words=["BEST", cls.word], Tags=BLUE)

    def results(self, method, filter=None, transcribe=None):
        """The results of a job, and both of its subtitles."""
        name, transcribe = unique(method), transcribe or self.transcribe
        transcribe.start_transcription_job(
            TranscriptionJobName=name, LanguageCode="en-US", Media={"MediaFileUri": f"s3://{self.bucket}/in.wav"}, OutputBucketName=self.bucket,
            Settings={"VocabularyFilterName": filter or self.name, "VocabularyFilterMethod": method, "ShowAlternatives": True, "MaxAlternatives": 2},
            Subtitles={"Formats": ["vtt", "srt"]})
        self.completed(name, transcribe)

        def read(suffix):
            return S3.get_object(Bucket=self.bucket, Key=name + suffix)["Body"].read().decode()
        return json.loads(read(".json"))["results"], read(".vtt") + read(".srt")

    def texts(self, results):
        """Every text of a document: the whole, its segments and their alternatives."""
        return [results["transcripts"][0]["transcript"], *(s["transcript"] for s in results["audio_segments"]),
                *(a["transcript"] for s in results["segments"] for a in s["alternatives"])]

    def contents(self, results):
        items = results["items"] + [i for s in results["segments"] for a in s["alternatives"] for i in a["items"]]
        return [a["content"] for i in items for a in i.get("alternatives", [i])]

    def test_mask(self):
        results, subtitles = self.results("mask")
        self.assertIn("was the *** of", results["transcripts"][0]["transcript"])
        item, = [i for i in results["items"] if i["alternatives"][0]["content"] == "***"]
        self.assertEqual(item["type"], "pronunciation")
        self.assertLess(float(item["start_time"]), float(item["end_time"]))
        for text in [*self.texts(results), subtitles]:
            self.assertNotIn("best", text.lower())
        self.assertEqual(subtitles.count("***"), 2)

    def test_remove(self):
        results, subtitles = self.results("remove")
        self.assertIn("was the of", results["transcripts"][0]["transcript"])
        for text in [*self.texts(results), *self.contents(results), subtitles]:
            self.assertNotIn("best", text.lower())
            self.assertNotIn("***", text)
        self.assertEqual([i["id"] for i in results["items"]], list(range(len(results["items"]))))

    def test_tag(self):
        results, subtitles = self.results("tag")
        matches = [i["alternatives"][0]["content"] for i in results["items"] if i["vocabularyFilterMatch"]]
        self.assertEqual(matches, ["best"])
        self.assertEqual(subtitles.count("best"), 2)

    def test_all_of_an_utterance_is_removed(self):
        name = unique("all")
        plain, _ = self.results("tag")
        said = {c.lower() for c in self.contents(plain) if c[0].isalnum()}
        TRANSCRIBE.create_vocabulary_filter(VocabularyFilterName=name, LanguageCode="en-US", Words=sorted(said))
        results, subtitles = self.results("remove", name)
        self.assertEqual((results["transcripts"], results["items"], results["audio_segments"], results["segments"]), ([{"transcript": ""}], [], [], []))
        self.assertNotIn("-->", subtitles)

    def test_only_by_tag(self):
        other = unique("untagged")
        TRANSCRIBE.create_vocabulary_filter(VocabularyFilterName=other, LanguageCode="en-US", Words=["a"])
        self.assertEqual(words(self.transcribe, self.name), ["BEST", self.word])
        for call, more in ((self.transcribe.get_vocabulary_filter, {}), (self.transcribe.update_vocabulary_filter, {"Words": ["b"]}),
                           (self.transcribe.delete_vocabulary_filter, {})):
            self.refused("AccessDeniedException", f"on resource: {ARN}{other}", call, VocabularyFilterName=other, **more)
        TRANSCRIBE.tag_resource(ResourceArn=ARN + other, Tags=BLUE)
        self.transcribe.update_vocabulary_filter(VocabularyFilterName=other, Words=["b", "c"])
        self.assertEqual(words(TRANSCRIBE, other), ["b", "c"])
        TRANSCRIBE.untag_resource(ResourceArn=ARN + other, TagKeys=["team"])
        self.refused("AccessDeniedException", "DeleteVocabularyFilter", self.transcribe.delete_vocabulary_filter, VocabularyFilterName=other)

    def test_the_key_is_needed(self):
        person = Person(allow(["transcribe:*", "s3:*"]))
        theirs = person.client("transcribe")
        self.refused("BadRequestException", "The specified KMS key can't be accessed.", theirs.get_vocabulary_filter, VocabularyFilterName=self.name)
        self.refused("BadRequestException", "The specified KMS key can't be accessed.", theirs.update_vocabulary_filter, VocabularyFilterName=self.name, Words=["x"])
        name = unique("job")
        theirs.start_transcription_job(TranscriptionJobName=name, LanguageCode="en-US", Media={"MediaFileUri": f"s3://{self.bucket}/in.wav"},
                                       Settings={"VocabularyFilterName": self.name, "VocabularyFilterMethod": "tag"})
        job = ended(name)
        self.assertEqual(job["TranscriptionJobStatus"], "FAILED")
        self.assertIn("The specified KMS key can't be accessed.", job["FailureReason"])
        self.assertEqual(words(TRANSCRIBE, self.name), ["BEST", self.word])

    def test_a_disabled_key_closes_the_words(self):
        key, name = KMS.create_key()["KeyMetadata"]["Arn"], unique("disabled")
        under(client("transcribe"), key).create_vocabulary_filter(VocabularyFilterName=name, LanguageCode="en-US", Words=["a"])
        link = TRANSCRIBE.get_vocabulary_filter(VocabularyFilterName=name)["DownloadUri"]
        KMS.disable_key(KeyId=key)
        with self.assertRaises(urllib.error.HTTPError):
            urllib.request.urlopen(link)
        self.refused("BadRequestException", "is disabled", TRANSCRIBE.get_vocabulary_filter, VocabularyFilterName=name)
        TRANSCRIBE.delete_vocabulary_filter(VocabularyFilterName=name)


class Files(Case):
    def setUp(self):
        self.bucket, self.name = bucket(), unique("file")
        S3.put_object(Bucket=self.bucket, Key="words.txt", Body="\ufeffdamn\r\nHell, heck\n".encode())
        self.file = {"VocabularyFilterName": self.name, "VocabularyFilterFileUri": f"s3://{self.bucket}/words.txt"}

    def test_callers_rights(self):
        person = Person(allow("transcribe:*"))
        transcribe = person.client("transcribe")
        self.refused("BadRequestException", "The S3 URI that you provided can't be accessed.", transcribe.create_vocabulary_filter, LanguageCode="en-US", **self.file)
        person.may(allow("transcribe:*"), allow("s3:GetObject", f"arn:aws:s3:::{self.bucket}/words.txt"))
        transcribe.create_vocabulary_filter(LanguageCode="en-US", **self.file)
        self.assertEqual(words(transcribe, self.name), ["damn", "Hell", "heck"])

    def test_a_role_must_be_passed(self):
        role = Role(trust({"Service": "transcribe.amazonaws.com"}), allow("s3:GetObject", f"arn:aws:s3:::{self.bucket}/*"))
        person = Person(allow("transcribe:*"))
        transcribe = person.client("transcribe")
        create = {"LanguageCode": "en-US", "DataAccessRoleArn": role.arn, **self.file}
        self.refused("AccessDeniedException", f"iam:PassRole on resource: {role.arn}", transcribe.create_vocabulary_filter, **create)
        person.may(allow("transcribe:*"), allow("iam:PassRole", role.arn, StringEquals={"iam:PassedToService": "transcribe.amazonaws.com"}))
        transcribe.create_vocabulary_filter(**create)
        self.assertEqual(words(transcribe, self.name), ["damn", "Hell", "heck"])
        person.may(allow("transcribe:*"))  # the role that was passed once is not theirs to use again
        self.refused("BadRequestException", "The S3 URI that you provided can't be accessed.", transcribe.update_vocabulary_filter, **self.file)

    def test_limits(self):
        S3.put_object(Bucket=self.bucket, Key="words.txt", Body=b"word\n" * 10241)
        self.refused("LimitExceededException", "50 KB", TRANSCRIBE.create_vocabulary_filter, LanguageCode="en-US", **self.file)
        S3.put_object(Bucket=self.bucket, Key="words.txt", Body=b"ok\n\xff\n")
        self.refused("BadRequestException", "UTF-8", TRANSCRIBE.create_vocabulary_filter, LanguageCode="en-US", **self.file)


class Tags(Case):
    def test_request_tags(self):
        person = Person(allow("transcribe:*", StringEquals={"aws:RequestTag/team": "blue"}), deny("transcribe:TagResource", StringEquals={"aws:RequestTag/team": "red"}))
        transcribe, name = person.client("transcribe"), unique("tags")
        new = {"VocabularyFilterName": name, "LanguageCode": "en-US", "Words": ["a"]}
        self.refused("AccessDeniedException", "CreateVocabularyFilter", transcribe.create_vocabulary_filter, **new)
        self.refused("AccessDeniedException", "CreateVocabularyFilter", transcribe.create_vocabulary_filter, Tags=[{"Key": "team", "Value": "red"}], **new)
        transcribe.create_vocabulary_filter(Tags=BLUE, **new)
        self.assertEqual(TRANSCRIBE.list_tags_for_resource(ResourceArn=ARN + name)["Tags"], BLUE)

    def test_accounts_have_their_own(self):
        name = unique("own")
        theirs = client("transcribe", OTHER)
        for transcribe in (TRANSCRIBE, theirs, client("transcribe", region="eu-west-1")):
            transcribe.create_vocabulary_filter(VocabularyFilterName=name, LanguageCode="en-US", Words=["a"])
            self.refused("ConflictException", "already exists", transcribe.create_vocabulary_filter, VocabularyFilterName=name, LanguageCode="en-US", Words=["a"])
        self.refused("AccessDeniedException", "", theirs.list_tags_for_resource, ResourceArn=ARN + name)


class CommandLine(Case):
    def test_version_1(self):
        self.life("v1")

    def test_version_2(self):
        self.life("v2")

    def life(self, version):
        def run(*arguments):
            return aws(version, "transcribe", *arguments)

        name, word = unique(version), unique("word").replace("-", "")
        secret(word)
        made = run("create-vocabulary-filter", "--vocabulary-filter-name", name, "--language-code", "en-US", "--words", "damn", word, "--tags", "Key=team,Value=blue")
        self.assertEqual(sorted(made), ["LanguageCode", "LastModifiedTime", "VocabularyFilterName"])
        self.assertEqual(words(TRANSCRIBE, name), ["damn", word])
        changed = run("update-vocabulary-filter", "--vocabulary-filter-name", name, "--words", "heck")
        self.assertGreater(changed["LastModifiedTime"], made["LastModifiedTime"])
        listed = run("list-vocabulary-filters", "--name-contains", name.upper())["VocabularyFilters"]
        self.assertEqual([(f["VocabularyFilterName"], f["LanguageCode"]) for f in listed], [(name, "en-US")])
        self.assertEqual(run("list-tags-for-resource", "--resource-arn", ARN + name)["Tags"], BLUE)
        run("delete-vocabulary-filter", "--vocabulary-filter-name", name)
        self.cliRefused("NotFoundException", version, "transcribe", "get-vocabulary-filter", "--vocabulary-filter-name", name)


if __name__ == "__main__":
    main()
