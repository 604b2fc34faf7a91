"""Captured, replayed, old, altered and odd requests (issue 4 §5). Requests are signed by botocore, with another time
where a test needs one, and sent as they are."""
import hashlib
import http.client
import re
import urllib.parse
from datetime import datetime, timedelta, timezone
from unittest import mock

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tools import ADMIN, ENDPOINT, REGION, S3, TRANSCRIBE, Case, Person, allow, bucket, main, session, unique

HOST = urllib.parse.urlsplit(ENDPOINT).netloc
JSON = {"Content-Type": "application/x-amz-json-1.1"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Signed:
    """A request signed by an age ago, which can be sent more than once."""

    def __init__(self, service, method, path, headers=None, body=b"", age=timedelta(), keys=ADMIN, host=HOST):
        self.method, self.path, self.body = method, path, body
        request = AWSRequest(method, f"http://{host}{path}", headers=headers or {}, data=body)
        signer = botocore.auth.S3SigV4Auth if service == "s3" else botocore.auth.SigV4Auth
        then = datetime.now(timezone.utc) - age
        with mock.patch("botocore.auth.get_current_datetime", lambda remove_tzinfo=True: then.replace(tzinfo=None) if remove_tzinfo else then):
            signer(Credentials(keys.id, keys.secret, keys.token), service, REGION).add_auth(request)
        self.headers = {"Host": host, **dict(request.headers.items())}

    def send(self, **change):
        """Status and body of the answer; change replaces method, path, headers or body."""
        connection = http.client.HTTPConnection(HOST, timeout=30)
        try:
            headers = {**self.headers, **change.get("headers", {})}
            connection.putrequest(change.get("method", self.method), change.get("path", self.path), skip_host=True, skip_accept_encoding=True)
            body = change.get("body", self.body)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()


def list_jobs(**more):
    return Signed("transcribe", "POST", "/", {**JSON, "X-Amz-Target": "Transcribe.ListTranscriptionJobs"}, b"{}", **more)


def who_am_i(**more):
    return Signed("sts", "POST", "/", FORM, b"Action=GetCallerIdentity&Version=2011-06-15", **more)


class Case(Case):
    def answers(self, status, text, request, **change):
        got, body = request.send(**change)
        self.assertEqual(got, status, body)
        self.assertIn(text, body)


class Age(Case):
    @classmethod
    def setUpClass(cls):
        cls.bucket = bucket()

    def test_a_captured_request_ages(self):
        late = timedelta(minutes=15, seconds=30)
        for age in (late, -late, timedelta(hours=5), timedelta(days=-7)):
            with self.subTest(str(age)):
                word = "Signature expired" if age > timedelta() else "Signature not yet current"
                self.answers(400, word, list_jobs(age=age))
                self.answers(400, "InvalidSignatureException", list_jobs(age=age))
                self.answers(403, word, who_am_i(age=age))
                put = Signed("s3", "PUT", f"/{self.bucket}/late", body=b"x", age=age)
                self.answers(403, "<Code>RequestTimeTooSkewed</Code>", put)
        self.refused("NoSuchKey", "", S3.get_object, Bucket=self.bucket, Key="late")
        for age in (timedelta(minutes=14, seconds=30), timedelta(minutes=-14, seconds=-30)):
            self.answers(200, "", list_jobs(age=age))
            self.answers(200, "", who_am_i(age=age))
            self.answers(200, "", Signed("s3", "PUT", f"/{self.bucket}/in-time", body=b"x", age=age))

    def test_a_new_date_does_not_renew_it(self):
        now = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        request = list_jobs(age=timedelta(hours=1))
        self.answers(400, "InvalidSignatureException", request, headers={"X-Amz-Date": now})

    def test_a_captured_request_dies_with_its_key(self):
        person = Person(allow("transcribe:List*"))
        request = list_jobs(keys=person.keys)
        self.answers(200, "", request)
        self.answers(200, "", request)  # as AWS does, within the window
        person.delete()
        self.answers(400, "UnrecognizedClientException", request)


class Altered(Case):
    @classmethod
    def setUpClass(cls):
        cls.bucket = bucket()
        S3.put_object(Bucket=cls.bucket, Key="good", Body=b"as it was")

    def tearDown(self):
        self.assertEqual(S3.get_object(Bucket=self.bucket, Key="good")["Body"].read(), b"as it was")

    def test_nothing_signed_can_be_changed(self):
        put = Signed("s3", "PUT", f"/{self.bucket}/other", body=b"intended")
        different = "<Code>SignatureDoesNotMatch</Code>"
        self.answers(403, different, put, path=f"/{self.bucket}/good")
        self.answers(403, different, put, method="DELETE", path=f"/{self.bucket}/good")
        self.answers(403, different, put, path=f"/{self.bucket}/other?acl")
        self.answers(403, different, put, headers={"Host": "another.example"})
        self.answers(400, "<Code>XAmzContentSHA256Mismatch</Code>", put, body=b"tampered")
        self.answers(403, different, put, body=b"tampered", headers={"X-Amz-Content-SHA256": hashlib.sha256(b"tampered").hexdigest()})
        self.answers(403, different, put, headers={"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"})
        jobs = list_jobs()
        self.answers(400, "InvalidSignatureException", jobs, body=b'{"MaxResults":1}')
        delete = Signed("transcribe", "POST", "/", {**JSON, "X-Amz-Target": "Transcribe.GetTranscriptionJob"}, b'{"TranscriptionJobName":"x"}')
        self.answers(400, "InvalidSignatureException", delete, headers={"X-Amz-Target": "Transcribe.DeleteTranscriptionJob"})

    def test_headers_of_amazon_must_be_signed(self):
        put = Signed("s3", "PUT", f"/{self.bucket}/other", body=b"x")
        self.answers(403, "There were headers present in the request which were not signed", put, headers={"x-amz-server-side-encryption": "aws:kms"})
        self.answers(403, "There were headers present in the request which were not signed", put, headers={"x-amz-copy-source": f"/{self.bucket}/in.wav"})

    def test_one_service_for_each_signature(self):
        get = Signed("sts", "GET", f"/{self.bucket}/good")
        status, body = get.send(headers={"X-Amz-Content-SHA256": hashlib.sha256(b"").hexdigest()})
        self.assertIn(status, (400, 403), body)
        self.assertNotIn("as it was", body)

    def test_tokens(self):
        person = Person(allow("s3:*"))
        keys = session(person.client("sts").get_session_token())
        get = Signed("s3", "GET", f"/{self.bucket}/good", keys=keys)
        self.answers(200, "as it was", get)
        other = session(person.client("sts").get_session_token())
        self.answers(400, "<Code>InvalidToken</Code>", Signed("s3", "GET", f"/{self.bucket}/good", keys=keys._replace(token=other.token)))
        self.answers(403, "<Code>InvalidAccessKeyId</Code>", Signed("s3", "GET", f"/{self.bucket}/good", keys=keys._replace(token=None)))
        person.delete()
        self.assertNotEqual(get.send()[0], 200)


class Traversal(Case):
    """Keys are names, not paths: whatever they look like, they stay in their bucket."""

    @classmethod
    def setUpClass(cls):
        cls.inside, cls.outside = bucket(), bucket()
        S3.put_object(Bucket=cls.outside, Key="secret", Body=b"nobody's business")
        cls.person = Person(allow("s3:*", [f"arn:aws:s3:::{cls.inside}", f"arn:aws:s3:::{cls.inside}/*"]))

    def test_paths_on_the_wire(self):
        for way in ("..", "%2e%2e", "%2E%2E", ".%2e", "%2e.", "..%2f..", "%252e%252e", "..%5c", ".", "%00", "//.."):
            with self.subTest(way):
                path = f"/{self.inside}/{way}/{self.outside}/secret"
                # Signatures are over one way to write a path, whatever way it is sent in.
                signed = "%2F".join(urllib.parse.quote(urllib.parse.unquote(part), safe="/~") for part in re.split("%2[fF]", path))
                status, body = Signed("s3", "GET", signed, keys=self.person.keys).send(path=path)
                self.assertIn(status, (400, 404), body)
                self.assertNotIn("business", body)
                status, body = Signed("s3", "PUT", signed, keys=self.person.keys, body=b"mine").send(path=path)
                self.assertIn(status, (200, 400), body)
                self.assertEqual(S3.get_object(Bucket=self.outside, Key="secret")["Body"].read(), b"nobody's business")
                if status == 200:
                    self.assertEqual(Signed("s3", "GET", signed, keys=self.person.keys).send(path=path), (200, "mine"))
                    Signed("s3", "DELETE", signed).send(path=path)
        self.assertEqual([o["Key"] for o in S3.list_objects_v2(Bucket=self.outside)["Contents"]], ["in.wav", "secret"])
        self.assertEqual([o["Key"] for o in S3.list_objects_v2(Bucket=self.inside)["Contents"]], ["in.wav"])

    def test_copies_and_media(self):
        s3 = self.person.client("s3")
        for key in (f"../{self.outside}/secret", f"%2e%2e/{self.outside}/secret"):
            with self.assertRaises(s3.exceptions.ClientError) as caught:
                s3.copy_object(Bucket=self.inside, Key="stolen", CopySource={"Bucket": self.inside, "Key": "x/" + key})
            self.assertEqual(caught.exception.response["Error"]["Code"], "NoSuchKey")
            name = unique("job")
            self.refused("BadRequestException", "", TRANSCRIBE.start_transcription_job, TranscriptionJobName=name, LanguageCode="en-US",
                         Media={"MediaFileUri": f"s3://{self.inside}/x/{key}"})
            self.noJob(name)

    def test_policies_see_the_key_as_it_is(self):
        person = Person(allow("s3:*", f"arn:aws:s3:::{self.inside}/mine/*"))
        s3 = person.client("s3")
        self.refused("AccessDenied", "s3:PutObject", s3.put_object, Bucket=self.inside, Key="theirs/x", Body=b"x")
        s3.put_object(Bucket=self.inside, Key="mine/../theirs/x", Body=b"mine")  # a name like others
        self.refused("NoSuchKey", "", S3.get_object, Bucket=self.inside, Key="theirs/x")

    def test_output_keys(self):
        into = bucket()
        for key in ("../x.json", f"a/../../{self.outside}/x.json"):
            name = unique("job")
            TRANSCRIBE.start_transcription_job(TranscriptionJobName=name, LanguageCode="en-US", Media={"MediaFileUri": f"s3://{into}/in.wav"},
                                               OutputBucketName=into, OutputKey=key)
            self.completed(name)
            S3.head_object(Bucket=into, Key=key)
        self.assertEqual([o["Key"] for o in S3.list_objects_v2(Bucket=self.outside)["Contents"]], ["in.wav", "secret"])


if __name__ == "__main__":
    main()
