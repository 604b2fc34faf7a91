"""What needs TLS: run after the server was restarted with certificates, on what storage.py left."""
import urllib.error
import urllib.request

from botocore.exceptions import ClientError

from tools import ENDPOINT, IAM, S3, TRANSCRIBE, Case, aws, client, main


class OverTLS(Case):
    def test_a_policy_that_demands_tls_is_content(self):
        self.assertTrue(ENDPOINT.startswith("https://"))
        found = []
        for name in (b["Name"] for b in S3.list_buckets()["Buckets"]):
            try:
                if S3.get_bucket_tagging(Bucket=name)["TagSet"] == [{"Key": "for", "Value": "tls.py"}]:
                    found.append(name)
            except ClientError as error:
                self.assertEqual(error.response["Error"]["Code"], "NoSuchTagSet")
        self.assertEqual(len(found), 1)
        self.assertEqual(S3.get_object(Bucket=found[0], Key="in.wav")["Body"].read()[:4], b"RIFF")
        S3.put_object(Bucket=found[0], Key="secure", Body=b"x")  # its checksum comes in the trailer of a chunked body here
        self.assertEqual(S3.get_object(Bucket=found[0], Key="secure")["Body"].read(), b"x")

    def test_every_tool_speaks_it(self):
        for version in ("v1", "v2"):
            self.assertTrue(aws(version, "sts", "get-caller-identity")["Arn"].endswith(":user/admin"))

    def test_what_was_made_before_is_there(self):
        self.assertGreater(len(IAM.list_users()["Users"]), 10)
        self.assertGreater(len(client("kms").list_keys()["Keys"]), 10)
        self.assertGreater(len(TRANSCRIBE.list_transcription_jobs()["TranscriptionJobSummaries"]), 1)

    def test_plain_http_learns_nothing(self):
        with self.assertRaises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(ENDPOINT.replace("https:", "http:"))
        self.assertEqual(caught.exception.code, 400)


if __name__ == "__main__":
    main()
