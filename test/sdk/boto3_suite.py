"""What boto3 does with an S3 and a Transcribe endpoint, run by sdk_test.go in the environment that
`dictum env` prints. Exits with unittest's code."""
import hashlib
import os
import sys
import unittest
import urllib.error
import urllib.request
import uuid

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

PATH_STYLE = {"addressing_style": "path"}
MIB = 1 << 20


def client(service, region="us-east-1", **config):
    retries = {"total_max_attempts": 1}
    return boto3.client(service, region_name=region, config=Config(retries=retries, s3=PATH_STYLE, **config))


def fetch(url, method="GET", data=None, headers=None):
    """Status and body of a plain HTTP request without credentials."""
    request = urllib.request.Request(url, data=data, method=method, headers=headers or {})
    try:
        with urllib.request.urlopen(request) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


class BucketCase(unittest.TestCase):
    def setUp(self):
        self.s3 = client("s3")
        self.bucket = f"boto-{uuid.uuid4()}"
        self.s3.create_bucket(Bucket=self.bucket)

    def put(self, key, body=b"x", **more):
        return self.s3.put_object(Bucket=self.bucket, Key=key, Body=body, **more)

    def get(self, key, **more):
        return self.s3.get_object(Bucket=self.bucket, Key=key, **more)["Body"].read()

    def assertCode(self, code, call, **arguments):
        with self.assertRaises(ClientError) as caught:
            call(**arguments)
        self.assertEqual(caught.exception.response["Error"]["Code"], code)


class Objects(BucketCase):
    def test_round_trip_with_metadata(self):
        body = os.urandom(100_000)
        put = self.put("a", body, ContentType="audio/x-test", Metadata={"Speaker": "alice"}, CacheControl="no-store")
        self.assertEqual(put["ETag"], f'"{hashlib.md5(body).hexdigest()}"')
        head = self.s3.head_object(Bucket=self.bucket, Key="a")
        self.assertEqual((head["ContentLength"], head["ContentType"], head["Metadata"], head["CacheControl"]),
                         (len(body), "audio/x-test", {"speaker": "alice"}, "no-store"))
        self.assertEqual(self.get("a"), body)

    def test_ranges(self):
        body = os.urandom(3 * MIB + 17)
        self.put("r", body)
        for header, wanted in {
            "bytes=0-0": body[:1],
            "bytes=5-99": body[5:100],
            "bytes=1048570-1048590": body[1048570:1048591],  # over the edge of a sealed chunk of any power of two
            "bytes=65530-65540": body[65530:65541],
            "bytes=3145000-": body[3145000:],
            "bytes=-20": body[-20:],
            "bytes=100-999999999": body[100:],
        }.items():
            with self.subTest(header):
                answer = self.s3.get_object(Bucket=self.bucket, Key="r", Range=header)
                self.assertEqual(answer["ResponseMetadata"]["HTTPStatusCode"], 206)
                self.assertEqual(answer["Body"].read(), wanted)
        self.assertCode("InvalidRange", self.s3.get_object, Bucket=self.bucket, Key="r", Range="bytes=99999999-")

    def test_conditions(self):
        etag = self.put("c", b"one")["ETag"]
        self.assertEqual(self.get("c", IfMatch=etag), b"one")
        self.assertCode("PreconditionFailed", self.s3.get_object, Bucket=self.bucket, Key="c", IfMatch='"other"')
        self.assertCode("304", self.s3.get_object, Bucket=self.bucket, Key="c", IfNoneMatch=etag)
        self.assertCode("PreconditionFailed", self.s3.put_object, Bucket=self.bucket, Key="c", Body=b"two", IfNoneMatch="*")

    def test_any_legal_key(self):
        keys = ["p", "p/q", "p/q/r", "x//y", "/lead", "trail/", "a/../b", "./dot", "..", "space and+plus", "per%20cent%2F",
                "q?uery=1&b", "#hash", "ünïcödé/мир/世界", "emoji-🎧", "quote'\"<>&", "tab\there", "é" * 512, "k" * 1024]
        for key in keys:
            with self.subTest(key[:40]):
                self.put(key, key.encode())
                self.assertEqual(self.get(key), key.encode())
        listed = [o["Key"] for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, PaginationConfig={"PageSize": 4})
                  for o in page["Contents"]]
        self.assertEqual(listed, sorted(keys, key=lambda k: k.encode()))
        answer = self.s3.delete_objects(Bucket=self.bucket, Delete={"Objects": [{"Key": k} for k in keys]})
        self.assertEqual(sorted(d["Key"] for d in answer["Deleted"]), sorted(keys))
        self.assertEqual(self.s3.list_objects_v2(Bucket=self.bucket)["KeyCount"], 0)

    def test_key_that_is_too_long(self):
        self.assertCode("KeyTooLongError", self.s3.put_object, Bucket=self.bucket, Key="k" * 1025, Body=b"")

    def test_copy(self):
        self.put("from me", b"body", Metadata={"a": "1"}, ContentType="text/plain")
        source = {"Bucket": self.bucket, "Key": "from me"}
        self.s3.copy_object(Bucket=self.bucket, Key="same", CopySource=source)
        self.s3.copy_object(Bucket=self.bucket, Key="new", CopySource=source, MetadataDirective="REPLACE", Metadata={"b": "2"})
        self.assertEqual(self.s3.head_object(Bucket=self.bucket, Key="same")["Metadata"], {"a": "1"})
        self.assertEqual(self.s3.head_object(Bucket=self.bucket, Key="new")["Metadata"], {"b": "2"})
        self.assertEqual(self.get("new"), b"body")

    def test_delete_is_safe_to_repeat(self):
        self.put("d")
        for _ in range(2):
            self.assertEqual(self.s3.delete_object(Bucket=self.bucket, Key="d")["ResponseMetadata"]["HTTPStatusCode"], 204)
        self.assertCode("NoSuchKey", self.s3.get_object, Bucket=self.bucket, Key="d")
        self.assertCode("404", self.s3.head_object, Bucket=self.bucket, Key="d")

    def test_checksums(self):
        for algorithm in ("CRC32", "SHA1", "SHA256"):
            with self.subTest(algorithm):
                put = self.put(algorithm, b"checked", ChecksumAlgorithm=algorithm)
                self.assertIn(f"Checksum{algorithm}", put)
                got = self.s3.get_object(Bucket=self.bucket, Key=algorithm, ChecksumMode="ENABLED")
                self.assertEqual(got[f"Checksum{algorithm}"], put[f"Checksum{algorithm}"])
                self.assertEqual(got["Body"].read(), b"checked")
        self.assertCode("BadDigest", self.s3.put_object, Bucket=self.bucket, Key="bad", Body=b"x", ChecksumCRC32="AAAAAA==")
        self.assertCode("BadDigest", self.s3.put_object, Bucket=self.bucket, Key="bad", Body=b"x", ContentMD5="1B2M2Y8AsgTpgAmY7PhCfg==")
        self.assertCode("404", self.s3.head_object, Bucket=self.bucket, Key="bad")


class Multipart(BucketCase):
    def test_transfer_of_a_large_file(self):
        body = os.urandom(20 * MIB + 5)
        path = os.path.join(os.environ["HOME"], "large")
        with open(path, "wb") as f:
            f.write(body)
        self.s3.upload_file(path, self.bucket, "large", ExtraArgs={"Metadata": {"m": "1"}}, Config=TransferConfig(multipart_chunksize=8 * MIB))
        head = self.s3.head_object(Bucket=self.bucket, Key="large")
        parts = [hashlib.md5(body[i:i + 8 * MIB]).digest() for i in range(0, len(body), 8 * MIB)]
        self.assertEqual(head["ETag"], f'"{hashlib.md5(b"".join(parts)).hexdigest()}-3"')
        self.assertEqual(head["Metadata"], {"m": "1"})
        self.s3.download_file(self.bucket, "large", path + ".back")
        with open(path + ".back", "rb") as f:
            self.assertEqual(f.read(), body)
        self.s3.copy({"Bucket": self.bucket, "Key": "large"}, self.bucket, "copy", Config=TransferConfig(multipart_threshold=8 * MIB))
        self.assertEqual(self.get("copy"), body)

    def test_parts_listed_and_aborted(self):
        upload = self.s3.create_multipart_upload(Bucket=self.bucket, Key="m")["UploadId"]
        self.s3.upload_part(Bucket=self.bucket, Key="m", UploadId=upload, PartNumber=2, Body=b"b")
        self.s3.upload_part(Bucket=self.bucket, Key="m", UploadId=upload, PartNumber=1, Body=bytes(5 * MIB))
        parts = self.s3.list_parts(Bucket=self.bucket, Key="m", UploadId=upload)["Parts"]
        self.assertEqual([(p["PartNumber"], p["Size"]) for p in parts], [(1, 5 * MIB), (2, 1)])
        self.assertEqual([u["UploadId"] for u in self.s3.list_multipart_uploads(Bucket=self.bucket)["Uploads"]], [upload])
        self.assertCode("NoSuchKey", self.s3.get_object, Bucket=self.bucket, Key="m")
        self.s3.abort_multipart_upload(Bucket=self.bucket, Key="m", UploadId=upload)
        self.assertCode("NoSuchUpload", self.s3.list_parts, Bucket=self.bucket, Key="m", UploadId=upload)

    def test_rules_of_completion(self):
        upload = self.s3.create_multipart_upload(Bucket=self.bucket, Key="m")["UploadId"]
        etags = {n: self.s3.upload_part(Bucket=self.bucket, Key="m", UploadId=upload, PartNumber=n, Body=b"small")["ETag"] for n in (1, 2)}

        def complete(*parts):
            return {"Bucket": self.bucket, "Key": "m", "UploadId": upload,
                    "MultipartUpload": {"Parts": [{"PartNumber": n, "ETag": e} for n, e in parts]}}
        self.assertCode("EntityTooSmall", self.s3.complete_multipart_upload, **complete((1, etags[1]), (2, etags[2])))
        self.assertCode("InvalidPartOrder", self.s3.complete_multipart_upload, **complete((2, etags[2]), (1, etags[1])))
        self.assertCode("InvalidPart", self.s3.complete_multipart_upload, **complete((1, '"00000000000000000000000000000000"')))
        self.s3.complete_multipart_upload(**complete((1, etags[1])))
        self.assertEqual(self.get("m"), b"small")


class Presigned(BucketCase):
    def check(self, s3):
        body = os.urandom(1000)
        self.put("odd key+%/é", body)
        url = s3.generate_presigned_url("get_object", {"Bucket": self.bucket, "Key": "odd key+%/é"}, ExpiresIn=60)
        self.assertEqual(fetch(url), (200, body))
        status, _ = fetch(url.replace("odd", "even"))
        self.assertEqual(status, 403)
        url = s3.generate_presigned_url("put_object", {"Bucket": self.bucket, "Key": "put"}, ExpiresIn=60)
        self.assertEqual(fetch(url, "PUT", body, {"Content-Type": ""})[0], 200)
        self.assertEqual(self.get("put"), body)
        status, _ = fetch(url)  # signed for PUT only
        self.assertEqual(status, 403)

    def test_version_4(self):
        s3 = client("s3", signature_version="s3v4")
        self.assertIn("X-Amz-Signature=", s3.generate_presigned_url("get_object", {"Bucket": "b", "Key": "k"}))
        self.check(s3)

    def test_version_2(self):
        s3 = client("s3", signature_version="s3")
        self.assertIn("AWSAccessKeyId=", s3.generate_presigned_url("get_object", {"Bucket": "b", "Key": "k"}))
        self.check(s3)


class Buckets(unittest.TestCase):
    def test_location_rules(self):
        name = f"boto-{uuid.uuid4()}"
        eu, us = client("s3", "eu-west-1"), client("s3")
        eu.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        self.assertEqual(eu.get_bucket_location(Bucket=name)["LocationConstraint"], "eu-west-1")
        self.assertEqual(eu.head_bucket(Bucket=name)["BucketRegion"], "eu-west-1")
        with self.assertRaises(ClientError) as caught:
            eu.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        self.assertEqual(caught.exception.response["Error"]["Code"], "BucketAlreadyOwnedByYou")
        with self.assertRaises(ClientError) as caught:
            eu.create_bucket(Bucket=name + "x")
        self.assertEqual(caught.exception.response["Error"]["Code"], "IllegalLocationConstraintException")
        home = f"boto-{uuid.uuid4()}"
        for _ in range(2):  # repeatable in us-east-1
            us.create_bucket(Bucket=home)
        self.assertIsNone(us.get_bucket_location(Bucket=home)["LocationConstraint"])
        self.assertTrue({name, home} <= {b["Name"] for b in us.list_buckets()["Buckets"]})

    def test_delete_only_when_empty(self):
        s3, name = client("s3"), f"boto-{uuid.uuid4()}"
        s3.create_bucket(Bucket=name)
        s3.put_object(Bucket=name, Key="k", Body=b"")
        with self.assertRaises(ClientError) as caught:
            s3.delete_bucket(Bucket=name)
        self.assertEqual(caught.exception.response["Error"]["Code"], "BucketNotEmpty")
        s3.delete_object(Bucket=name, Key="k")
        s3.delete_bucket(Bucket=name)
        with self.assertRaises(ClientError) as caught:
            s3.list_objects_v2(Bucket=name)
        self.assertEqual(caught.exception.response["Error"]["Code"], "NoSuchBucket")


class Listing(BucketCase):
    def test_pages_folders_and_prefixes(self):
        keys = [f"{folder}/{n}" for folder in "abc" for n in range(5)] + ["top"]
        for key in keys:
            self.put(key)
        for operation in ("list_objects", "list_objects_v2"):
            with self.subTest(operation):
                pages = list(self.s3.get_paginator(operation).paginate(Bucket=self.bucket, PaginationConfig={"PageSize": 3}))
                self.assertEqual([o["Key"] for p in pages for o in p.get("Contents", [])], sorted(keys))
                self.assertEqual(len(pages), 6)
                pages = self.s3.get_paginator(operation).paginate(Bucket=self.bucket, Delimiter="/", PaginationConfig={"PageSize": 2})
                entries = [e for p in pages for e in [c["Prefix"] for c in p.get("CommonPrefixes", [])] + [o["Key"] for o in p.get("Contents", [])]]
                self.assertEqual(entries, ["a/", "b/", "c/", "top"])
        answer = self.s3.list_objects_v2(Bucket=self.bucket, Prefix="b/", StartAfter="b/2")
        self.assertEqual([o["Key"] for o in answer["Contents"]], ["b/3", "b/4"])


class Transcribe(BucketCase):
    def setUp(self):
        super().setUp()
        self.transcribe = client("transcribe")
        self.put("in.wav", silence())
        self.name = f"job-{uuid.uuid4()}"

    def start(self, **more):
        request = {"TranscriptionJobName": self.name, "LanguageCode": "en-US", "Media": {"MediaFileUri": f"s3://{self.bucket}/in.wav"}, **more}
        return self.transcribe.start_transcription_job(**request)["TranscriptionJob"]

    def test_a_job_and_its_waiter(self):
        started = self.start(OutputBucketName=self.bucket, OutputKey="out/", Tags=[{"Key": "team", "Value": "a"}])
        self.assertEqual(started["TranscriptionJobStatus"], "IN_PROGRESS")
        self.assertNotIn("Transcript", started)
        self.assertCode("ConflictException", self.start)
        waiter = self.transcribe.get_waiter("transcription_job_completed")
        waiter.wait(TranscriptionJobName=self.name, WaiterConfig={"Delay": 1, "MaxAttempts": 90})
        job = self.transcribe.get_transcription_job(TranscriptionJobName=self.name)["TranscriptionJob"]
        self.assertEqual(job["Transcript"]["TranscriptFileUri"], f"{os.environ['AWS_ENDPOINT_URL']}/{self.bucket}/out/{self.name}.json")
        self.assertIn(b'"COMPLETED"', self.get(f"out/{self.name}.json"))
        self.assertEqual(self.get("out/.write_access_check_file.temp"), b"")
        self.transcribe.delete_transcription_job(TranscriptionJobName=self.name)
        self.assertCode("BadRequestException", self.transcribe.get_transcription_job, TranscriptionJobName=self.name)
        self.get(f"out/{self.name}.json")  # a customer's object stays

    def test_tags(self):
        self.start(Tags=[{"Key": "a", "Value": "1"}])
        account = client("sts").get_caller_identity()["Account"]
        arn = f"arn:aws:transcribe:us-east-1:{account}:transcription-job/{self.name}"
        self.transcribe.tag_resource(ResourceArn=arn, Tags=[{"Key": "b", "Value": "2"}, {"Key": "a", "Value": "3"}])
        tags = {t["Key"]: t["Value"] for t in self.transcribe.list_tags_for_resource(ResourceArn=arn)["Tags"]}
        self.assertEqual(tags, {"a": "3", "b": "2"})
        self.transcribe.untag_resource(ResourceArn=arn, TagKeys=["a"])
        self.assertEqual(self.transcribe.list_tags_for_resource(ResourceArn=arn)["Tags"], [{"Key": "b", "Value": "2"}])

    def test_listing(self):
        prefix = str(uuid.uuid4())
        for n in range(7):
            self.name = f"{prefix}-{n}"
            self.start()
        found, token = [], None
        while True:
            more = {"NextToken": token} if token else {}
            page = self.transcribe.list_transcription_jobs(JobNameContains=prefix.upper(), MaxResults=3, **more)
            found += [j["TranscriptionJobName"] for j in page["TranscriptionJobSummaries"]]
            token = page.get("NextToken")
            if not token:
                break
        self.assertEqual(found, [f"{prefix}-{n}" for n in reversed(range(7))])

    def test_requests_that_are_refused(self):
        refused = {
            "no language": {"LanguageCode": None},
            "two ways to say the language": {"IdentifyLanguage": True},
            "options without identification": {"LanguageOptions": ["en-US", "fr-FR"]},
            "speaker labels without a number": {"Settings": {"ShowSpeakerLabels": True}},
            "a setting that is not built yet": {"Settings": {"VocabularyName": "v"}},
            "redaction in a language without it": {"LanguageCode": "ru-RU", "ContentRedaction": {"RedactionType": "PII", "RedactionOutput": "redacted"}},
            "name with a slash": {"TranscriptionJobName": "a/b"},
            "unknown language": {"LanguageCode": "xx-XX"},
            "deferral without a role": {"JobExecutionSettings": {"AllowDeferredExecution": True}},
        }
        for why, change in refused.items():
            with self.subTest(why):
                request = {"TranscriptionJobName": self.name, "LanguageCode": "en-US",
                           "Media": {"MediaFileUri": f"s3://{self.bucket}/in.wav"}, **change}
                request = {k: v for k, v in request.items() if v is not None}
                self.assertCode("BadRequestException", self.transcribe.start_transcription_job, **request)
        self.assertCode("BadRequestException", self.transcribe.get_transcription_job, TranscriptionJobName=self.name)


def silence():
    """A WAV file of two seconds of silence."""
    data = bytes(2 * 2 * 16000)
    header = b"RIFF" + (36 + len(data)).to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little")
    header += (1).to_bytes(2, "little") * 2 + (16000).to_bytes(4, "little") + (32000).to_bytes(4, "little")
    header += (2).to_bytes(2, "little") + (16).to_bytes(2, "little")
    return header + b"data" + len(data).to_bytes(4, "little") + data


if __name__ == "__main__":
    sys.exit(not unittest.main(exit=False, verbosity=2).result.wasSuccessful())
