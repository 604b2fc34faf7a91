"""Every call is on record (issue 4 §4). This suite runs after the others and looks for their calls too."""
import json

from tools import (ACCOUNT, CALLS, KMS, OTHER, OTHER_ACCOUNT, Case, Keys, Person, Role, allow, aws, bucket, client, dictum, main, session, start, trust,
                   unique)

TRAIL = client("cloudtrail")


def exported():
    """The whole audit, oldest first."""
    return [json.loads(line) for line in dictum("admin", "audit", "export").splitlines()]


def found(events, **want):
    """The events whose members are as given; a member may be named with its parent's, with two underscores between."""
    def has(event, path, value):
        for name in path.split("__"):
            event = (event or {}).get(name)
        return event == value
    return [e for e in events if all(has(e, path, value) for path, value in want.items())]


def looked_up(trail=TRAIL, **attribute):
    (name, value), = attribute.items()
    pages = trail.get_paginator("lookup_events").paginate(LookupAttributes=[{"AttributeKey": name, "AttributeValue": value}])
    return [json.loads(e["CloudTrailEvent"]) for page in pages for e in page["Events"]]


class EveryCall(Case):
    def test_all_suites_calls_are_there(self):
        with open(CALLS) as file:
            calls = [json.loads(line) for line in file]
        self.assertGreater(len(calls), 100)
        events = {}
        for event in exported():
            events.setdefault(event["requestID"], []).append(event)
        missing, wrong = [], []
        for call in calls:
            mine = [e for e in events.get(call["requestID"], []) if e["eventSource"].split(".")[0] == call["service"] and "invokedBy" not in e["userIdentity"]]
            # What crosses accounts is on record in both.
            if not mine or len({e.get("recipientAccountId") for e in mine}) != len(mine):
                missing.append((call, len(mine)))
                continue
            names = {call["operation"]}
            if "userName" not in mine[0]["userIdentity"] and call["failed"]:
                names.add("")  # refused before it was known what was asked for
            if mine[0]["eventName"] not in names or ("errorCode" in mine[0]) != call["failed"]:
                wrong.append((call, mine[0]["eventName"], mine[0].get("errorCode")))
        self.assertEqual((missing[:10], len(missing)), ([], 0))
        self.assertEqual((wrong[:10], len(wrong)), ([], 0))

    def test_events_have_cloudtrails_shape(self):
        members = {"eventVersion", "userIdentity", "eventTime", "eventSource", "eventName", "awsRegion", "sourceIPAddress", "userAgent", "requestID",
                   "eventID", "readOnly", "eventType", "managementEvent", "eventCategory"}
        for event in exported():
            self.assertEqual(members - event.keys(), set(), event)
            if event["userIdentity"]["type"] not in ("Unknown", "AWSService"):  # which may be in no account
                self.assertRegex(event["recipientAccountId"], r"^\d{12}$")


class Samples(Case):
    @classmethod
    def setUpClass(cls):
        cls.bucket = bucket()
        cls.media = f"s3://{cls.bucket}/in.wav"

    def test_a_job_allowed_and_denied(self):
        person = Person(allow("transcribe:StartTranscriptionJob"))
        jobs = person.client("transcribe")
        denied, allowed = unique("denied"), unique("allowed")
        person.may()
        self.refused("AccessDeniedException", "transcribe:StartTranscriptionJob", start, transcribe=jobs, media=self.media, name=denied)
        person.may(allow(["transcribe:StartTranscriptionJob", "s3:GetObject"]))
        start(jobs, self.media, name=allowed)
        mine = [e for e in looked_up(EventName="StartTranscriptionJob") if e["userIdentity"].get("userName") == person.name]
        self.assertEqual([e["requestParameters"]["transcriptionJobName"] for e in mine], [allowed, denied])  # the newest first
        good, bad = mine
        self.assertEqual((bad["errorCode"], bad["responseElements"]), ("AccessDenied", None))
        self.assertIn(f"User: {person.arn} is not authorized to perform: transcribe:StartTranscriptionJob", bad["errorMessage"])
        self.assertNotIn("errorCode", good)
        self.assertEqual(good["responseElements"]["transcriptionJob"]["transcriptionJobStatus"], "IN_PROGRESS")
        self.assertEqual((good["userIdentity"]["type"], good["userIdentity"]["accessKeyId"], good["sourceIPAddress"], good["readOnly"], good["awsRegion"]),
                         ("IAMUser", person.keys.id, "127.0.0.1", False, "us-east-1"))
        self.assertIn("Botocore", good["userAgent"])

    def test_what_a_job_does_on_somebodys_behalf(self):
        person = Person(allow(["transcribe:*", "s3:GetObject", "s3:PutObject", "kms:GenerateDataKey", "kms:Decrypt"]))
        key = KMS.create_key()["KeyMetadata"]["Arn"]
        jobs, context = person.client("transcribe"), {"color": "indigoBlue"}
        name = start(jobs, self.media, OutputBucketName=self.bucket, OutputEncryptionKMSKeyId=key, KMSEncryptionContext=context)
        self.completed(name, jobs)
        person.client("s3").get_object(Bucket=self.bucket, Key=name + ".json")["Body"].read()
        mine = [e for e in exported() if e["userIdentity"].get("arn") == person.arn]
        output = {"bucketName": self.bucket, "key": name + ".json"}
        for_transcribe = {"userIdentity__invokedBy": "transcribe.amazonaws.com", "sourceIPAddress": "transcribe.amazonaws.com", "eventCategory": "Data"}
        self.assertTrue(found(mine, eventName="GetObject", requestParameters__key="in.wav", **for_transcribe))
        written, = [e for e in found(mine, eventName="PutObject", **for_transcribe) if e["requestParameters"]["key"] == output["key"]]
        self.assertEqual(written["resources"][0]["ARN"], f"arn:aws:s3:::{self.bucket}/{name}.json")
        # The context that the job was given is with each use of the key, as is what S3 adds.
        bound = {**context, "aws:s3:arn": f"arn:aws:s3:::{self.bucket}/{name}.json"}
        for operation in ("GenerateDataKey", "Decrypt"):
            used = found(mine, eventSource="kms.amazonaws.com", eventName=operation, requestParameters__encryptionContext=bound, userIdentity__invokedBy="s3.amazonaws.com")
            self.assertTrue(used, operation)
            self.assertEqual(used[0]["resources"], [{"ARN": key, "accountId": ACCOUNT, "type": "AWS::KMS::Key"}])
        # Data events are not looked up; management events are.
        self.assertEqual(looked_up(EventName="GetObject"), [])
        self.assertIn(bound, [e["requestParameters"]["encryptionContext"] for e in looked_up(ResourceName=key) if e["eventName"] == "Decrypt"])

    def test_keys_are_used_on_record(self):
        key = KMS.create_key()["KeyMetadata"]["Arn"]
        context = {"color": "indigoBlue", "id": unique("context")}
        sealed = KMS.encrypt(KeyId=key, Plaintext=b"not on record: squeamish ossifrage", EncryptionContext=context)["CiphertextBlob"]
        KMS.decrypt(CiphertextBlob=sealed, EncryptionContext=context)
        self.refused("InvalidCiphertextException", "", KMS.decrypt, CiphertextBlob=sealed, EncryptionContext={**context, "color": "red"})
        events = looked_up(ResourceName=key)
        good, = found(events, eventName="Decrypt", requestParameters__encryptionContext=context)
        self.assertEqual((good["readOnly"], good["userIdentity"]["userName"]), (True, "admin"))
        self.assertNotIn("ossifrage", json.dumps(exported()))
        bad, = [e for e in looked_up(EventName="Decrypt") if (e["requestParameters"] or {}).get("encryptionContext") == {**context, "color": "red"}]
        self.assertEqual(bad["errorCode"], "InvalidCiphertextException")

    def test_sessions_show_who_assumed_what(self):
        role = Role(trust({"AWS": ACCOUNT}), allow("transcribe:List*"))
        person = Person(allow("sts:AssumeRole"))
        keys = session(person.client("sts").assume_role(RoleArn=role.arn, RoleSessionName="on-record"))
        client("transcribe", keys).list_transcription_jobs()
        event, = looked_up(AccessKeyId=keys.id)
        who = event["userIdentity"]
        self.assertEqual((who["type"], who["arn"], who["sessionContext"]["sessionIssuer"]["arn"]),
                         ("AssumedRole", f"arn:aws:sts::{ACCOUNT}:assumed-role/{role.name}/on-record", role.arn))
        self.assertEqual(who["sessionContext"]["attributes"]["mfaAuthenticated"], "false")
        begun, = [e for e in looked_up(EventName="AssumeRole") if e["userIdentity"].get("userName") == person.name]
        self.assertEqual(begun["responseElements"]["credentials"]["accessKeyId"], keys.id)
        self.assertNotIn(keys.token, json.dumps(begun))

    def test_refusals_of_strangers(self):
        stranger = client("sts", Keys("AKIAIOSFODNN7EXAMPLE", "x" * 40))
        self.refused("InvalidClientTokenId", "", stranger.get_caller_identity)
        with open(CALLS) as file:
            call = json.loads(file.readlines()[-1])
        event, = found(exported(), requestID=call["requestID"])
        self.assertEqual(event["errorCode"], "InvalidClientTokenId")

    def test_accounts_see_their_own(self):
        marker = unique("theirs")
        client("iam", OTHER).create_user(UserName=marker)
        self.assertEqual(looked_up(ResourceName=marker), [])
        theirs = client("cloudtrail", OTHER)
        self.assertEqual({e["recipientAccountId"] for e in looked_up(theirs, EventName="CreateUser")}, {OTHER_ACCOUNT})
        self.assertIn(marker, json.dumps(looked_up(theirs, EventName="CreateUser")))

    def test_operators_are_on_record(self):
        names = {e["eventName"] for e in exported()}
        self.assertEqual({"CreateAccount", "RotateRootKey", "RotateWrappingKey"} - names, set())

    def test_lookup_by_command_line(self):
        marker = unique("cli")
        aws("v1", "iam", "create-user", "--user-name", marker)
        for version in ("v1", "v2"):
            out = aws(version, "cloudtrail", "lookup-events", "--lookup-attributes", "AttributeKey=EventName,AttributeValue=CreateUser", "--max-items", "500")
            mine, = [e for e in out["Events"] if marker in e["CloudTrailEvent"]]
            self.assertEqual((mine["EventName"], mine["EventSource"], mine["Username"]), ("CreateUser", "iam.amazonaws.com", "admin"))
            self.assertIn("aws-cli/1", json.loads(mine["CloudTrailEvent"])["userAgent"])

    def test_the_audit_needs_a_right(self):
        self.refused("AccessDeniedException", "cloudtrail:LookupEvents", Person().client("cloudtrail").lookup_events)


if __name__ == "__main__":
    main()
