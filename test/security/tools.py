"""What the suites of this folder share: clients of boto3 and of both AWS CLIs with anybody's keys, people and jobs to
test with, and assertions on refusals. security_test.go runs the suites in the environment that `dictum env` prints."""
import base64
import json
import os
import subprocess
import sys
import threading
import time
import unittest
import uuid
from typing import NamedTuple

import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError

REGION = "us-east-1"
ENDPOINT = os.environ["AWS_ENDPOINT_URL"]
SPEECH = os.environ["SPEECH"]  # a WAV file of three seconds
READING = os.environ["READING"]  # a WAV file long enough to keep a worker busy until its job is deleted
DICTUM = [os.environ["DICTUM"]]
DATA = os.environ["DATA"]
CLIS = {"v1": [os.environ["AWS_V1"]], "v2": ["/usr/bin/aws", "--endpoint-url", ENDPOINT]}

# Time that a busy machine may take for one job.
PATIENCE = 60


class Keys(NamedTuple):
    """An access key, temporary with a token."""
    id: str
    secret: str
    token: str | None = None


ADMIN = Keys(os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"])
OTHER = Keys(os.environ["OTHER_ACCESS_KEY_ID"], os.environ["OTHER_SECRET_ACCESS_KEY"])  # another account's administrator


def secret(*values):
    """Notes values that no log and no audit may have."""
    with open(os.environ["SECRETS"], "a") as file:
        file.writelines(json.dumps(v) + "\n" for v in values)


def note_secrets(answer):
    """Notes the secrets in an answer."""
    if isinstance(answer, dict):
        for name, value in answer.items():
            if name in ("SecretAccessKey", "SessionToken", "Base32StringSeed"):
                secret(value if isinstance(value, str) else value.decode())
            elif name == "Plaintext":
                secret(value if isinstance(value, str) else base64.b64encode(value).decode())
            else:
                note_secrets(value)
    elif isinstance(answer, list):
        for member in answer:
            note_secrets(member)


def note_call(model, parsed, **_):
    """Notes each call, for audit.py to find in the audit."""
    note_secrets(parsed)
    about = parsed.get("ResponseMetadata", {})
    call = {"service": model.service_model.endpoint_prefix, "operation": model.name, "requestID": about.get("RequestId"),
            "failed": about.get("HTTPStatusCode", 0) >= 300}
    with open(CALLS, "a") as file:
        file.write(json.dumps(call) + "\n")


CALLS = os.environ["CALLS"]
SESSION = botocore.session.get_session()
SESSION.register("after-call", note_call)
making = threading.Lock()


def client(service, keys=ADMIN, region=REGION, **config):
    config = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}, max_pool_connections=20, **config)
    with making:
        return SESSION.create_client(service, region_name=region, config=config, aws_access_key_id=keys.id,
                                     aws_secret_access_key=keys.secret, aws_session_token=keys.token)


IAM, STS, KMS, S3, TRANSCRIBE = (client(s) for s in ("iam", "sts", "kms", "s3", "transcribe"))
ACCOUNT = STS.get_caller_identity()["Account"]
OTHER_ACCOUNT = client("sts", OTHER).get_caller_identity()["Account"]


class Failed(Exception):
    """What a program wrote when it failed."""


def aws(version, *arguments, keys=ADMIN):
    """Runs the AWS CLI and returns its output, parsed when it is JSON."""
    env = {k: v for k, v in os.environ.items() if k != "AWS_SESSION_TOKEN"}
    env.update(AWS_ACCESS_KEY_ID=keys.id, AWS_SECRET_ACCESS_KEY=keys.secret, AWS_MAX_ATTEMPTS="1")
    if keys.token:
        env["AWS_SESSION_TOKEN"] = keys.token
    arguments = [a if isinstance(a, str) else json.dumps(a) for a in arguments]
    out = subprocess.run(CLIS[version] + arguments + ["--output", "json"], env=env, capture_output=True, text=True)
    if out.returncode:
        raise Failed(out.stderr.strip())
    answer = json.loads(out.stdout) if out.stdout.lstrip().startswith(("{", "[")) else out.stdout
    note_secrets(answer)
    return answer


def dictum(*arguments):
    """Runs dictum on the server's data folder."""
    out = subprocess.run(DICTUM + [*arguments, "--data", DATA], capture_output=True, text=True)
    if out.returncode:
        raise Failed(out.stdout + out.stderr)
    return out.stdout


def unique(prefix):
    return f"{prefix}-{uuid.uuid4().hex[:12]}"


def allow(action, resource="*", **conditions):
    return statement("Allow", action, resource, conditions)


def deny(action, resource="*", **conditions):
    return statement("Deny", action, resource, conditions)


def statement(effect, action, resource, conditions):
    out = {"Effect": effect, "Action": action, "Resource": resource}
    return {**out, "Condition": conditions} if conditions else out


def policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def trust(principal, action="sts:AssumeRole", **conditions):
    out = {"Effect": "Allow", "Principal": principal, "Action": action}
    return policy({**out, "Condition": conditions} if conditions else out)


def key_policy(*statements, account=ACCOUNT):
    """A key policy that leaves the key to its account's policies, and more."""
    owner = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account}:root"}, "Action": "kms:*", "Resource": "*"}
    return policy(owner, *statements)


class Person:
    """A user with one inline policy and a key."""

    def __init__(self, *statements, iam=IAM, name=None, **more):
        self.iam, self.name = iam, name or unique("person")
        self.arn = iam.create_user(UserName=self.name, **more)["User"]["Arn"]
        self.may(*statements)
        key = iam.create_access_key(UserName=self.name)["AccessKey"]
        self.keys = Keys(key["AccessKeyId"], key["SecretAccessKey"])

    def may(self, *statements):
        """Replaces the policy."""
        if statements:
            self.iam.put_user_policy(UserName=self.name, PolicyName="may", PolicyDocument=policy(*statements))
        else:
            try:
                self.iam.delete_user_policy(UserName=self.name, PolicyName="may")
            except self.iam.exceptions.NoSuchEntityException:
                pass

    def delete(self):
        self.may()
        self.iam.delete_access_key(UserName=self.name, AccessKeyId=self.keys.id)
        self.iam.delete_user(UserName=self.name)

    def client(self, service, region=REGION, **config):
        return client(service, self.keys, region, **config)


class Role:
    """A role with one inline policy."""

    def __init__(self, trusted, *statements, iam=IAM, **more):
        self.iam, self.name = iam, unique("role")
        self.arn = iam.create_role(RoleName=self.name, AssumeRolePolicyDocument=trusted, **more)["Role"]["Arn"]
        if statements:
            self.may(*statements)

    def may(self, *statements):
        self.iam.put_role_policy(RoleName=self.name, PolicyName="may", PolicyDocument=policy(*statements))


def session(answer):
    """The keys of an answer with temporary credentials."""
    c = answer["Credentials"]
    return Keys(c["AccessKeyId"], c["SecretAccessKey"], c["SessionToken"])


def bucket(s3=S3):
    """Makes a bucket with three seconds of speech in it: in.wav."""
    name = unique("security")
    s3.create_bucket(Bucket=name)
    with open(SPEECH, "rb") as speech:
        s3.put_object(Bucket=name, Key="in.wav", Body=speech.read())
    return name


def start(transcribe, media, name=None, **more):
    """Starts a job and returns its name."""
    name = name or unique("job")
    transcribe.start_transcription_job(TranscriptionJobName=name, LanguageCode="en-US", Media={"MediaFileUri": media}, **more)
    return name


def ended(name, transcribe=TRANSCRIBE):
    """Waits for the end of a job and returns it."""
    deadline = time.monotonic() + PATIENCE
    while True:
        job = transcribe.get_transcription_job(TranscriptionJobName=name)["TranscriptionJob"]
        if job["TranscriptionJobStatus"] in ("COMPLETED", "FAILED"):
            return job
        if time.monotonic() > deadline:
            raise AssertionError(f"job {name} is {job['TranscriptionJobStatus']} after {PATIENCE} s")
        time.sleep(0.1)


class Case(unittest.TestCase):
    maxDiff = None

    def refused(self, code, text, call, **arguments):
        """Expects a refusal with a code and a text in its message, and returns the message."""
        with self.assertRaises(ClientError) as caught:
            call(**arguments)
        error = caught.exception.response["Error"]
        self.assertEqual(error["Code"], code, error)
        self.assertIn(text, error["Message"])
        return error["Message"]

    def cliRefused(self, code, version, *arguments, keys=ADMIN):
        with self.assertRaises(Failed) as caught:
            aws(version, *arguments, keys=keys)
        self.assertIn(f"An error occurred ({code})", str(caught.exception))
        return str(caught.exception)

    def completed(self, name, transcribe=TRANSCRIBE):
        job = ended(name, transcribe)
        self.assertEqual(job["TranscriptionJobStatus"], "COMPLETED", job.get("FailureReason"))
        return job

    def noJob(self, name):
        self.refused("BadRequestException", "couldn't be found", TRANSCRIBE.get_transcription_job, TranscriptionJobName=name)


def main():
    sys.exit(not unittest.main(module="__main__", exit=False, verbosity=2).result.wasSuccessful())
