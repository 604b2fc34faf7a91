"""KMS by the AWS CLIs and boto3 (issue 4 §2)."""
import base64
import os
import tempfile

from botocore.exceptions import ClientError

from tools import ACCOUNT, KMS, OTHER, OTHER_ACCOUNT, Case, Person, allow, aws, client, key_policy, main, policy, secret, unique

COLOR = {"color": "indigoBlue"}


def blob(text):
    """A file with a blob, as both CLIs take it."""
    file = tempfile.NamedTemporaryFile("wb", delete=False, dir=os.environ["HOME"])
    with file:
        file.write(text)
    return "fileb://" + file.name


class CommandLine(Case):
    """The life of a key by the AWS CLI, versions 1 and 2."""

    def test_version_1(self):
        self.life("v1")

    def test_version_2(self):
        self.life("v2")

    def life(self, version):
        def kms(*arguments):
            return aws(version, "kms", *arguments)

        text = b"a plaintext that nobody sees " + version.encode()
        secret(text.decode(), base64.b64encode(text).decode())
        plain, alias = blob(text), f"alias/{unique(version)}"
        made = kms("create-key", "--description", "by CLI " + version, "--tags", "TagKey=team,TagValue=blue")["KeyMetadata"]
        self.assertEqual((made["KeySpec"], made["KeyUsage"], made["KeyState"], made["Arn"]),
                         ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "Enabled", f"arn:aws:kms:us-east-1:{ACCOUNT}:key/{made['KeyId']}"))
        key = made["KeyId"]
        kms("create-alias", "--alias-name", alias, "--target-key-id", key)
        self.assertEqual([a["AliasName"] for a in KMS.list_aliases(KeyId=key)["Aliases"]], [alias])

        first = kms("encrypt", "--key-id", alias, "--plaintext", plain, "--encryption-context", "color=indigoBlue,a=b")
        self.assertEqual(first["KeyId"], made["Arn"])
        sealed = blob(base64.b64decode(first["CiphertextBlob"]))
        opened = kms("decrypt", "--ciphertext-blob", sealed, "--encryption-context", "a=b,color=indigoBlue")
        self.assertEqual(base64.b64decode(opened["Plaintext"]), text)
        self.cliRefused("InvalidCiphertextException", version, "kms", "decrypt", "--ciphertext-blob", sealed, "--encryption-context", "color=red,a=b")

        data = kms("generate-data-key", "--key-id", made["Arn"], "--key-spec", "AES_256")
        self.assertEqual(len(base64.b64decode(data["Plaintext"])), 32)
        closed = kms("generate-data-key-without-plaintext", "--key-id", key, "--key-spec", "AES_128")
        self.assertNotIn("Plaintext", closed)
        self.assertEqual(len(KMS.decrypt(CiphertextBlob=base64.b64decode(closed["CiphertextBlob"]))["Plaintext"]), 16)

        if version == "v1":
            kms("rotate-key-on-demand", "--key-id", key)
        else:
            KMS.rotate_key_on_demand(KeyId=key)  # Debian's CLI is older than that
        self.assertEqual([r["RotationType"] for r in KMS.list_key_rotations(KeyId=key)["Rotations"]], ["ON_DEMAND"])
        self.assertEqual(kms("decrypt", "--ciphertext-blob", sealed, "--encryption-context", "a=b,color=indigoBlue")["Plaintext"], opened["Plaintext"])

        KMS.disable_key(KeyId=key)
        self.assertIn(f"{made['Arn']} is disabled.", self.cliRefused("DisabledException", version, "kms", "encrypt", "--key-id", key, "--plaintext", plain))
        kms("schedule-key-deletion", "--key-id", key, "--pending-window-in-days", "7")
        said = self.cliRefused("KMSInvalidStateException", version, "kms", "decrypt", "--ciphertext-blob", sealed, "--encryption-context", "color=indigoBlue,a=b")
        self.assertIn(f"{made['Arn']} is pending deletion.", said)


class Boto3(Case):
    @classmethod
    def setUpClass(cls):
        cls.key = KMS.create_key()["KeyMetadata"]

    def test_context_is_bound(self):
        sealed = KMS.encrypt(KeyId=self.key["KeyId"], Plaintext=b"bound", EncryptionContext={"a": "1", "b": "2"})["CiphertextBlob"]
        self.assertEqual(KMS.decrypt(CiphertextBlob=sealed, EncryptionContext={"b": "2", "a": "1"})["Plaintext"], b"bound")
        for wrong in ({"a": "1"}, {"a": "1", "b": "2", "c": "3"}, {"A": "1", "b": "2"}, {"a": "2", "b": "1"}):
            self.refused("InvalidCiphertextException", "", KMS.decrypt, CiphertextBlob=sealed, EncryptionContext=wrong)
        for at in (0, len(sealed) // 2, len(sealed) - 1):
            changed = sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1:]
            with self.assertRaises(ClientError) as caught:
                KMS.decrypt(CiphertextBlob=changed, EncryptionContext={"a": "1", "b": "2"})
            self.assertIn(caught.exception.response["Error"]["Code"], ("InvalidCiphertextException", "AccessDeniedException"))

    def test_re_encrypt(self):
        other = KMS.create_key()["KeyMetadata"]
        sealed = KMS.encrypt(KeyId=self.key["Arn"], Plaintext=b"carried", EncryptionContext={"a": "1"})["CiphertextBlob"]
        moved = KMS.re_encrypt(CiphertextBlob=sealed, SourceEncryptionContext={"a": "1"}, DestinationKeyId=other["KeyId"], DestinationEncryptionContext=COLOR)
        self.assertEqual((moved["SourceKeyId"], moved["KeyId"]), (self.key["Arn"], other["Arn"]))
        self.assertEqual(KMS.decrypt(CiphertextBlob=moved["CiphertextBlob"], EncryptionContext=COLOR)["Plaintext"], b"carried")
        self.refused("IncorrectKeyException", "", KMS.decrypt, CiphertextBlob=moved["CiphertextBlob"], EncryptionContext=COLOR, KeyId=self.key["KeyId"])

    def test_deletion_is_cancelled(self):
        key = KMS.create_key()["KeyMetadata"]["KeyId"]
        sealed = KMS.encrypt(KeyId=key, Plaintext=b"kept")["CiphertextBlob"]
        KMS.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
        self.assertEqual(KMS.describe_key(KeyId=key)["KeyMetadata"]["KeyState"], "PendingDeletion")
        KMS.cancel_key_deletion(KeyId=key)
        self.refused("DisabledException", "is disabled", KMS.decrypt, CiphertextBlob=sealed)
        KMS.enable_key(KeyId=key)
        self.assertEqual(KMS.decrypt(CiphertextBlob=sealed)["Plaintext"], b"kept")

    def test_rotations_keep_every_old_ciphertext(self):
        key = KMS.create_key()["KeyMetadata"]["KeyId"]
        sealed = []
        for n in range(4):
            sealed.append(KMS.encrypt(KeyId=key, Plaintext=b"%d" % n)["CiphertextBlob"])
            KMS.rotate_key_on_demand(KeyId=key)
        self.assertEqual([KMS.decrypt(CiphertextBlob=s)["Plaintext"] for s in sealed], [b"0", b"1", b"2", b"3"])
        KMS.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
        self.assertTrue(KMS.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"])

    def test_other_specs_exist_and_do_not_encrypt(self):
        for spec, usage in (("RSA_2048", "ENCRYPT_DECRYPT"), ("HMAC_256", "GENERATE_VERIFY_MAC")):
            key = KMS.create_key(KeySpec=spec, KeyUsage=usage)["KeyMetadata"]
            self.assertEqual((key["KeySpec"], key["KeyUsage"]), (spec, usage))
            with self.assertRaises(ClientError) as caught:
                KMS.generate_data_key(KeyId=key["KeyId"], KeySpec="AES_256")
            self.assertEqual(caught.exception.response["Error"]["Code"], "InvalidKeyUsageException")

    def test_names(self):
        self.refused("NotFoundException", "is not found", KMS.describe_key, KeyId="alias/no-such-alias")
        self.refused("NotFoundException", "does not exist", KMS.encrypt, KeyId="11111111-2222-3333-4444-555555555555", Plaintext=b"x")
        self.refused("InvalidAliasNameException", "", KMS.create_alias, AliasName="no-prefix", TargetKeyId=self.key["KeyId"])
        alias = f"alias/{unique('name')}"
        KMS.create_alias(AliasName=alias, TargetKeyId=self.key["KeyId"])
        self.refused("AlreadyExistsException", f"An alias with the name arn:aws:kms:us-east-1:{ACCOUNT}:{alias} already exists",
                     KMS.create_alias, AliasName=alias, TargetKeyId=self.key["KeyId"])
        with self.assertRaises(ClientError):
            client("kms", region="eu-west-1").describe_key(KeyId=self.key["KeyId"])  # keys belong to a region


class Policies(Case):
    def test_the_indigo_blue_policy(self):
        """The key policy of Transcribe's guide: use of the key is allowed only with one pair of context
        (https://docs.aws.amazon.com/transcribe/latest/dg/kms-context-policy.html)."""
        person = Person()
        uses = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"]
        key = KMS.create_key(Policy=key_policy({
            "Sid": "Allow access for user", "Effect": "Allow", "Principal": {"AWS": person.arn}, "Action": uses, "Resource": "*",
            "Condition": {"StringEquals": {"kms:EncryptionContext:color": "indigoBlue"}},
        }))["KeyMetadata"]["Arn"]
        kms = person.client("kms")
        sealed = kms.encrypt(KeyId=key, Plaintext=b"blue", EncryptionContext=COLOR)["CiphertextBlob"]
        self.assertEqual(kms.decrypt(CiphertextBlob=sealed, EncryptionContext=COLOR)["Plaintext"], b"blue")
        kms.generate_data_key(KeyId=key, KeySpec="AES_256", EncryptionContext={**COLOR, "more": "is fine"})
        for wrong in ({}, {"EncryptionContext": {"color": "red"}}, {"EncryptionContext": {"Color": "IndigoBlue"}}):
            self.refused("AccessDeniedException", f"User: {person.arn} is not authorized to perform: kms:Encrypt on resource: {key} because ",
                         kms.encrypt, KeyId=key, Plaintext=b"x", **wrong)
        self.refused("AccessDeniedException", "kms:Decrypt", kms.decrypt, CiphertextBlob=sealed)
        self.refused("AccessDeniedException", "kms:DescribeKey", kms.describe_key, KeyId=key)  # which has no context

    def test_context_keys(self):
        person = Person(allow(["kms:Encrypt", "kms:Decrypt"], **{"ForAllValues:StringEquals": {"kms:EncryptionContextKeys": ["color"]},
                                                                 "Null": {"kms:EncryptionContextKeys": "false"}}))
        key, kms = KMS.create_key()["KeyMetadata"]["Arn"], person.client("kms")
        kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext={"color": "any"})
        for wrong in ({}, {"EncryptionContext": {"color": "any", "shape": "round"}}):
            self.refused("AccessDeniedException", "kms:Encrypt", kms.encrypt, KeyId=key, Plaintext=b"x", **wrong)

    def test_another_account_needs_both_sides(self):
        theirs = client("kms", OTHER)
        key = KMS.create_key()["KeyMetadata"]["Arn"]
        self.refused("AccessDeniedException", "because no resource-based policy allows the kms:Encrypt action", theirs.encrypt, KeyId=key, Plaintext=b"x")
        KMS.put_key_policy(KeyId=key, PolicyName="default", Policy=key_policy({
            "Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{OTHER_ACCOUNT}:root"}, "Action": ["kms:Encrypt", "kms:Decrypt"], "Resource": "*"}))
        sealed = theirs.encrypt(KeyId=key, Plaintext=b"shared")["CiphertextBlob"]
        self.assertEqual(KMS.decrypt(CiphertextBlob=sealed)["Plaintext"], b"shared")
        person = Person(iam=client("iam", OTHER))  # its own account has not allowed it
        self.refused("AccessDeniedException", "because no identity-based policy allows the kms:Decrypt action", person.client("kms").decrypt, CiphertextBlob=sealed)
        self.refused("NotFoundException", "does not exist", theirs.encrypt, KeyId=key.split("/")[1], Plaintext=b"x")

    def test_a_policy_that_locks_its_maker_out_is_refused(self):
        key = KMS.create_key()["KeyMetadata"]["KeyId"]
        nobody = policy({"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{OTHER_ACCOUNT}:root"}, "Action": "kms:*", "Resource": "*"})
        self.refused("MalformedPolicyDocumentException", "", KMS.put_key_policy, KeyId=key, PolicyName="default", Policy=nobody)
        self.assertIn(f"arn:aws:iam::{ACCOUNT}:root", KMS.get_key_policy(KeyId=key, PolicyName="default")["Policy"])

    def test_tags_decide(self):
        person = Person(allow("kms:Encrypt", StringEquals={"aws:ResourceTag/team": "blue"}))
        kms = person.client("kms")
        blue = KMS.create_key(Tags=[{"TagKey": "team", "TagValue": "blue"}])["KeyMetadata"]["Arn"]
        kms.encrypt(KeyId=blue, Plaintext=b"x")
        KMS.tag_resource(KeyId=blue, Tags=[{"TagKey": "team", "TagValue": "red"}])
        self.refused("AccessDeniedException", "kms:Encrypt", kms.encrypt, KeyId=blue, Plaintext=b"x")


if __name__ == "__main__":
    main()
