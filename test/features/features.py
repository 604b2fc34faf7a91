"""Channels, alternatives, languages, filters and redaction by boto3. Argument: a bucket with call.wav and bilingual.wav."""
import json
import os
import sys
import time

import boto3
from botocore.config import Config

bucket = sys.argv[1]
options = {"region_name": "us-east-1", "endpoint_url": os.environ["AWS_ENDPOINT_URL"]}
transcribe = boto3.client("transcribe", **options)
s3 = boto3.client("s3", config=Config(s3={"addressing_style": "path"}), **options)


def run(name, media="call.wav", **request):
    request.setdefault("LanguageCode", "en-US")
    request = {k: v for k, v in request.items() if v is not None}
    transcribe.start_transcription_job(TranscriptionJobName=name, Media={"MediaFileUri": f"s3://{bucket}/{media}"},
                                       OutputBucketName=bucket, OutputKey="out/", **request)
    while True:
        job = transcribe.get_transcription_job(TranscriptionJobName=name)["TranscriptionJob"]
        if job["TranscriptionJobStatus"] in ("COMPLETED", "FAILED"):
            assert job["TranscriptionJobStatus"] == "COMPLETED", job["FailureReason"]
            return job
        time.sleep(0.1)


def document(key):
    return json.load(s3.get_object(Bucket=bucket, Key=key)["Body"])


run("channels", Settings={"ChannelIdentification": True})
results = document("out/channels.json")["results"]
labels = results["channel_labels"]
assert labels["number_of_channels"] == 2
text = [" ".join(i["alternatives"][0]["content"] for i in c["items"]) for c in labels["channels"]]
assert "area code" in text[0] and "worst of times" in text[1] and "worst" not in text[0], text
starts = [float(i["start_time"]) for i in results["items"] if "start_time" in i]
assert starts == sorted(starts)

job = run("languages", "bilingual.wav", LanguageCode=None, IdentifyMultipleLanguages=True)
spoken = {l["LanguageCode"]: l["DurationInSeconds"] for l in job["LanguageCodes"]}
assert set(spoken) == {"en-US", "fr-FR"} and all(3 < s < 10 for s in spoken.values()), spoken

job = run("both", ContentRedaction={"RedactionType": "PII", "RedactionOutput": "redacted_and_unredacted", "PiiEntityTypes": ["PHONE"]},
          Subtitles={"Formats": ["srt"]})
assert job["Transcript"]["TranscriptFileUri"].endswith("/out/both.json"), job
assert job["Transcript"]["RedactedTranscriptFileUri"].endswith("/out/redacted-both.json"), job
clear, redacted = document("out/both.json"), document("out/redacted-both.json")
assert clear["isRedacted"] is False and redacted["isRedacted"] is True
found = [r for i in redacted["results"]["items"] for r in i["alternatives"][0].get("redactions", [])]
assert [r["type"] for r in found] == ["PHONE"] and found[0]["category"] == "PII", found
assert "[PII]" in redacted["results"]["transcripts"][0]["transcript"]
assert "[PII]" not in clear["results"]["transcripts"][0]["transcript"]
assert b"[PII]" in s3.get_object(Bucket=bucket, Key="out/redacted-both.srt")["Body"].read()

job = run("others", ContentRedaction={"RedactionType": "PII", "RedactionOutput": "redacted", "PiiEntityTypes": ["SSN", "EMAIL"]})
assert "[PII]" not in document("out/redacted-others.json")["results"]["transcripts"][0]["transcript"]

transcribe.create_vocabulary_filter(VocabularyFilterName="v", LanguageCode="en-US", Words=["times"], Tags=[{"Key": "a", "Value": "b"}])
run("tagged", Settings={"VocabularyFilterName": "v", "VocabularyFilterMethod": "tag", "ShowAlternatives": True, "MaxAlternatives": 2})
results = document("out/tagged.json")["results"]
matches = [i["alternatives"][0]["content"] for i in results["items"] if i["vocabularyFilterMatch"]]
assert matches == ["times", "times"], matches
assert all("vocabularyFilterMatch" in i for s in results["segments"] for a in s["alternatives"] for i in a["items"])
arn = next(t for t in [transcribe.list_tags_for_resource(
    ResourceArn=f"arn:aws:transcribe:us-east-1:{boto3.client('sts', **options).get_caller_identity()['Account']}:vocabulary-filter/v")])
assert arn["Tags"] == [{"Key": "a", "Value": "b"}], arn
transcribe.update_vocabulary_filter(VocabularyFilterName="v", Words=["other"])
assert [f["VocabularyFilterName"] for f in transcribe.list_vocabulary_filters(NameContains="V")["VocabularyFilters"]] == ["v"]
transcribe.delete_vocabulary_filter(VocabularyFilterName="v")
try:
    transcribe.get_vocabulary_filter(VocabularyFilterName="v")
    raise SystemExit("a deleted filter is there")
except transcribe.exceptions.NotFoundException as error:
    assert "couldn't be found" in str(error), error
