"""Signs with botocore in every way that it has, against the gateway at argv[1]."""
import io
import sys
import urllib.request

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

url = sys.argv[1]
sts = boto3.client("sts", endpoint_url=url)
identity = sts.get_caller_identity()
assert identity["Arn"].endswith(":user/admin"), identity

transcribe = boto3.client("transcribe", endpoint_url=url)
job = transcribe.get_transcription_job(TranscriptionJobName="there")["TranscriptionJob"]
assert job["CreationTime"].timestamp() == 1599750586.471, job
try:
    transcribe.get_transcription_job(TranscriptionJobName="gone")
    raise SystemExit("no error")
except ClientError as e:
    assert e.response["Error"]["Code"] == "BadRequestException", e.response

content = b"0123456789" * 50_000
for version in ("s3", "s3v4"):
    s3 = boto3.client("s3", endpoint_url=url, config=Config(signature_version=version, s3={"addressing_style": "path"}))
    for key in ("a", "a/b", "x//y", "caf\u00e9 +&=%/~", "a/../b"):
        if version == "s3v4":
            s3.put_object(Bucket="b", Key=key, Body=content)
            assert s3.get_object(Bucket="b", Key=key)["Body"].read() == content
        put = s3.generate_presigned_url("put_object", {"Bucket": "b", "Key": key}, ExpiresIn=60)
        request = urllib.request.Request(put, data=content, method="PUT", headers={"Content-Type": ""})
        assert urllib.request.urlopen(request).status == 200
        get = s3.generate_presigned_url("get_object", {"Bucket": "b", "Key": key, "ResponseContentType": "text/x"}, ExpiresIn=60)
        assert ("AWSAccessKeyId" in get) == (version == "s3"), get
        assert urllib.request.urlopen(get).read() == content, key
print("boto3", boto3.__version__, "ok")
