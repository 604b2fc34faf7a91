"""Encryption and policies of buckets (issue 4 §2)."""
from tools import ACCOUNT, KMS, OTHER, OTHER_ACCOUNT, S3, Case, Person, allow, bucket, client, main, policy, unique

EVERYBODY = {"AWS": "*"}


def on(effect, action, name, principal=EVERYBODY, key="/*", **conditions):
    """A statement of a bucket's policy."""
    out = {"Effect": effect, "Principal": principal, "Action": action, "Resource": f"arn:aws:s3:::{name}{key}"}
    return {**out, "Condition": conditions} if conditions else out


def default_encryption(key):
    return {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}, "BucketKeyEnabled": False}]}


class Base(Case):
    def setUp(self):
        self.bucket = bucket()

    def put(self, s3=S3, key="k", **more):
        return s3.put_object(Bucket=self.bucket, Key=key, Body=b"body", **more)


class Encryption(Base):
    def shown(self, answer):
        return answer.get("ServerSideEncryption"), answer.get("SSEKMSKeyId")

    def everyAnswer(self, key, want, **more):
        """Every answer about an object tells how it is encrypted."""
        self.assertEqual(self.shown(self.put(key=key, **more)), want)
        self.assertEqual(self.shown(S3.head_object(Bucket=self.bucket, Key=key)), want)
        got = S3.get_object(Bucket=self.bucket, Key=key)
        self.assertEqual((self.shown(got), got["Body"].read()), (want, b"body"))
        self.assertEqual(self.shown(S3.get_object(Bucket=self.bucket, Key=key, Range="bytes=0-1")), want)
        self.assertEqual(self.shown(S3.copy_object(Bucket=self.bucket, Key=key + "-copy", CopySource={"Bucket": self.bucket, "Key": key}, **more)), want)
        upload = S3.create_multipart_upload(Bucket=self.bucket, Key=key + "-parts", **more)
        self.assertEqual(self.shown(upload), want)
        which = {"Bucket": self.bucket, "Key": key + "-parts", "UploadId": upload["UploadId"]}
        part = S3.upload_part(PartNumber=1, Body=b"part", **which)
        self.assertEqual(self.shown(part), want)
        done = S3.complete_multipart_upload(MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}, **which)
        self.assertEqual(self.shown(done), want)
        self.assertEqual(self.shown(S3.head_object(Bucket=self.bucket, Key=key + "-parts")), want)

    def test_sse_s3_is_the_default(self):
        rules = S3.get_bucket_encryption(Bucket=self.bucket)["ServerSideEncryptionConfiguration"]["Rules"]
        self.assertEqual(rules[0]["ApplyServerSideEncryptionByDefault"], {"SSEAlgorithm": "AES256"})
        self.everyAnswer("plain", ("AES256", None))

    def test_sse_kms_by_header(self):
        key = KMS.create_key()["KeyMetadata"]["Arn"]
        self.everyAnswer("kms", ("aws:kms", key), ServerSideEncryption="aws:kms", SSEKMSKeyId=key)

    def test_sse_kms_by_bucket_default(self):
        key = KMS.create_key()["KeyMetadata"]["Arn"]
        S3.put_bucket_encryption(Bucket=self.bucket, ServerSideEncryptionConfiguration=default_encryption(key))
        self.everyAnswer("kms", ("aws:kms", key))
        got = S3.get_bucket_encryption(Bucket=self.bucket)["ServerSideEncryptionConfiguration"]["Rules"][0]["ApplyServerSideEncryptionByDefault"]
        self.assertEqual(got, {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key})
        self.assertEqual(self.shown(self.put(key="other", ServerSideEncryption="AES256")), ("AES256", None))
        S3.delete_bucket_encryption(Bucket=self.bucket)
        self.assertEqual(self.shown(self.put(key="after")), ("AES256", None))
        self.assertEqual(self.shown(S3.head_object(Bucket=self.bucket, Key="kms")), ("aws:kms", key))

    def test_the_key_is_needed_to_write_and_to_read(self):
        key = KMS.create_key()["KeyMetadata"]["Arn"]
        S3.put_bucket_encryption(Bucket=self.bucket, ServerSideEncryptionConfiguration=default_encryption(key))
        person = Person(allow("s3:*"))
        s3 = person.client("s3")
        self.assertIn(key, self.refused("AccessDenied", f"User: {person.arn} is not authorized to perform: kms:GenerateDataKey", self.put, s3=s3))
        person.may(allow("s3:*"), allow("kms:GenerateDataKey", key))
        self.put(s3)
        self.assertIn(key, self.refused("AccessDenied", "kms:Decrypt", s3.get_object, Bucket=self.bucket, Key="k"))
        person.may(allow("s3:*"), allow("kms:Decrypt", key, StringEquals={"kms:EncryptionContext:aws:s3:arn": f"arn:aws:s3:::{self.bucket}/k"}))
        self.assertEqual(s3.get_object(Bucket=self.bucket, Key="k")["Body"].read(), b"body")
        KMS.disable_key(KeyId=key)
        self.refused("KMS.DisabledException", "is disabled", S3.get_object, Bucket=self.bucket, Key="k")


class Policies(Base):
    def test_encryption_is_demanded(self):
        key = KMS.create_key()["KeyMetadata"]["Arn"]
        S3.put_bucket_policy(Bucket=self.bucket, Policy=policy(
            on("Deny", "s3:PutObject", self.bucket, StringNotEquals={"s3:x-amz-server-side-encryption": "aws:kms"}),
            on("Deny", "s3:PutObject", self.bucket, StringNotEqualsIfExists={"s3:x-amz-server-side-encryption-aws-kms-key-id": key})))
        why = "with an explicit deny in a resource-based policy"
        self.refused("AccessDenied", why, self.put)
        self.refused("AccessDenied", why, self.put, ServerSideEncryption="AES256")
        other = KMS.create_key()["KeyMetadata"]["Arn"]
        self.refused("AccessDenied", why, self.put, ServerSideEncryption="aws:kms", SSEKMSKeyId=other)
        self.put(ServerSideEncryption="aws:kms", SSEKMSKeyId=key)

    def test_tls_is_demanded(self):
        # tls.py does the same over TLS, to this bucket.
        S3.put_bucket_policy(Bucket=self.bucket, Policy=policy(on("Deny", "s3:*Object", self.bucket, Bool={"aws:SecureTransport": "false"})))
        self.refused("AccessDenied", "with an explicit deny in a resource-based policy", S3.get_object, Bucket=self.bucket, Key="in.wav")
        self.refused("AccessDenied", "with an explicit deny in a resource-based policy", self.put)
        S3.put_bucket_tagging(Bucket=self.bucket, Tagging={"TagSet": [{"Key": "for", "Value": "tls.py"}]})

    def test_public_policies_are_blocked(self):
        blocked = S3.get_public_access_block(Bucket=self.bucket)["PublicAccessBlockConfiguration"]
        self.assertEqual(set(blocked.values()), {True})
        public = policy(on("Allow", "s3:GetObject", self.bucket))
        self.refused("AccessDenied", "BlockPublicPolicy", S3.put_bucket_policy, Bucket=self.bucket, Policy=public)
        self.refused("NoSuchBucketPolicy", "", S3.get_bucket_policy, Bucket=self.bucket)
        # A policy that is public while that is allowed, and blocked later, lets no stranger in.
        theirs = client("s3", OTHER)
        S3.delete_public_access_block(Bucket=self.bucket)
        S3.put_bucket_policy(Bucket=self.bucket, Policy=public)
        theirs.get_object(Bucket=self.bucket, Key="in.wav")
        S3.put_public_access_block(Bucket=self.bucket, PublicAccessBlockConfiguration={"RestrictPublicBuckets": True})
        self.refused("AccessDenied", "", theirs.get_object, Bucket=self.bucket, Key="in.wav")

    def test_across_accounts_both_sides_allow(self):
        iam = client("iam", OTHER)
        person = Person(iam=iam)
        s3 = person.client("s3")
        objects = f"arn:aws:s3:::{self.bucket}/*"
        read = {"Bucket": self.bucket, "Key": "in.wav"}
        self.refused("AccessDenied", "", s3.get_object, **read)  # neither
        person.may(allow("s3:GetObject", objects))
        self.refused("AccessDenied", "because no resource-based policy allows the s3:GetObject action", s3.get_object, **read)  # theirs
        S3.put_bucket_policy(Bucket=self.bucket, Policy=policy(on("Allow", "s3:GetObject", self.bucket, {"AWS": f"arn:aws:iam::{OTHER_ACCOUNT}:root"})))
        s3.get_object(**read)  # both
        person.may()
        self.refused("AccessDenied", "because no identity-based policy allows the s3:GetObject action", s3.get_object, **read)  # ours
        S3.put_bucket_policy(Bucket=self.bucket, Policy=policy(on("Allow", "s3:GetObject", self.bucket, {"AWS": person.arn})))
        self.refused("AccessDenied", "because no identity-based policy allows the s3:GetObject action", s3.get_object, **read)
        person.may(allow("s3:*", objects))
        s3.get_object(**read)
        self.refused("AccessDenied", "s3:PutObject", self.put, s3=s3)

    def test_a_user_made_anew_is_not_the_one_that_the_policy_named(self):
        iam = client("iam", OTHER)
        person = Person(allow("s3:GetObject"), iam=iam)
        S3.put_bucket_policy(Bucket=self.bucket, Policy=policy(on("Allow", "s3:GetObject", self.bucket, {"AWS": person.arn})))
        person.client("s3").get_object(Bucket=self.bucket, Key="in.wav")
        person.delete()
        again = Person(allow("s3:GetObject"), iam=iam, name=person.name)
        self.assertEqual(again.arn, person.arn)
        self.refused("AccessDenied", "because no resource-based policy allows the s3:GetObject action", again.client("s3").get_object, Bucket=self.bucket, Key="in.wav")
        S3.put_bucket_policy(Bucket=self.bucket, Policy=policy(on("Allow", "s3:GetObject", self.bucket, {"AWS": again.arn})))
        again.client("s3").get_object(Bucket=self.bucket, Key="in.wav")

    def test_a_policy_that_names_nobody_is_refused(self):
        nobody = {"AWS": f"arn:aws:iam::{ACCOUNT}:user/{unique('nobody')}"}
        self.refused("MalformedPolicy", "Invalid principal in policy", S3.put_bucket_policy, Bucket=self.bucket, Policy=policy(on("Allow", "s3:GetObject", self.bucket, nobody)))

    def test_who_may_read_may_not_list(self):
        person = Person(allow("s3:GetObject", f"arn:aws:s3:::{self.bucket}/*"))
        s3 = person.client("s3")
        s3.get_object(Bucket=self.bucket, Key="in.wav")
        self.refused("AccessDenied", "s3:ListBucket", s3.list_objects_v2, Bucket=self.bucket)
        # Without the right to list, nobody learns which keys exist.
        self.refused("AccessDenied", "s3:ListBucket", s3.get_object, Bucket=self.bucket, Key="no-such-key")
        self.refused("403", "", s3.head_object, Bucket=self.bucket, Key="no-such-key")

    def test_prefixes(self):
        person = Person(allow("s3:ListBucket", f"arn:aws:s3:::{self.bucket}", StringLike={"s3:prefix": "home/${aws:username}/*"}))
        s3 = person.client("s3")
        s3.list_objects_v2(Bucket=self.bucket, Prefix=f"home/{person.name}/")
        self.refused("AccessDenied", "s3:ListBucket", s3.list_objects_v2, Bucket=self.bucket, Prefix="home/")
        self.refused("AccessDenied", "s3:ListBucket", s3.list_objects_v2, Bucket=self.bucket)


if __name__ == "__main__":
    main()
