"""Each level of keys is rotated while clients work; nothing they do fails (issue 4 §2)."""
import os
import threading
import time
import uuid

from tools import ADMIN, IAM, KMS, PATIENCE, Case, Keys, Person, allow, bucket, client, dictum, ended, main, secret, start

CONTEXT = {"color": "indigoBlue"}
# A worker's rest between rounds, in seconds: jobs set the pace, and all that was stored is read again at the end.
PAUSE = 0.1


class Load:
    """Workers that put and get, encrypt and decrypt, and run jobs, again and again, with the keys that are current."""

    def __init__(self, person):
        self.keys, self.bucket = person.keys, bucket()
        self.customer = KMS.create_key()["KeyMetadata"]["Arn"]
        self.objects, self.sealed, self.jobs = {}, {}, []
        self.failures, self.stopped = [], threading.Event()
        self.work = [self.store, self.store_kms, self.encrypt, self.transcribe]
        self.rounds = [0] * len(self.work)
        self.threads = [threading.Thread(target=self.repeat, args=(n,), daemon=True) for n in range(len(self.work))]
        for thread in self.threads:
            thread.start()

    def repeat(self, n):
        keys, clients = None, {}
        while not self.stopped.is_set():
            if keys != self.keys:
                keys = self.keys
                clients = {s: client(s, keys) for s in ("s3", "kms", "transcribe")}
            try:
                self.work[n](clients)
            except Exception as error:
                self.failures.append(f"{self.work[n].__name__}, round {self.rounds[n]}: {error!r}")
                return
            self.rounds[n] += 1
            self.stopped.wait(PAUSE)

    def store(self, clients, **more):
        key, body = uuid.uuid4().hex, os.urandom(100_000)
        clients["s3"].put_object(Bucket=self.bucket, Key=key, Body=body, **more)
        self.objects[key] = body
        self.read(clients["s3"], key)

    def store_kms(self, clients):
        self.store(clients, ServerSideEncryption="aws:kms", SSEKMSKeyId=self.customer)

    def read(self, s3, key):
        if s3.get_object(Bucket=self.bucket, Key=key)["Body"].read() != self.objects[key]:
            raise AssertionError(f"object {key} has changed")

    def encrypt(self, clients):
        text = uuid.uuid4().hex.encode()
        secret(text.decode())
        sealed = clients["kms"].encrypt(KeyId=self.customer, Plaintext=text, EncryptionContext=CONTEXT)["CiphertextBlob"]
        self.sealed[sealed] = text
        self.open(clients["kms"], sealed)

    def open(self, kms, sealed):
        if kms.decrypt(CiphertextBlob=sealed, EncryptionContext=CONTEXT)["Plaintext"] != self.sealed[sealed]:
            raise AssertionError("a ciphertext opens to something else")

    def transcribe(self, clients):
        name = start(clients["transcribe"], f"s3://{self.bucket}/in.wav", OutputBucketName=self.bucket, OutputEncryptionKMSKeyId=self.customer)
        job = ended(name, clients["transcribe"])
        if job["TranscriptionJobStatus"] != "COMPLETED":
            raise AssertionError(f"{name} failed: {job['FailureReason']}")
        self.jobs.append(name)

    def go_on(self):
        """Returns when every worker has begun and ended a round since."""
        before, deadline = list(self.rounds), time.monotonic() + PATIENCE
        while any(now < then + 2 for now, then in zip(self.rounds, before)):
            if self.failures or time.monotonic() > deadline:
                raise AssertionError(f"the load stands still: {self.failures}, rounds {self.rounds}")
            time.sleep(0.02)

    def stop(self):
        self.stopped.set()
        for thread in self.threads:
            thread.join()


class Rotation(Case):
    def test_every_level_under_load(self):
        person = Person(allow(["s3:*", "kms:*", "transcribe:*"]))
        load = Load(person)
        self.addCleanup(load.stop)
        load.go_on()
        old_root = dictum_root()
        for level in (self.access_key, self.customer_key, self.wrapping_key, self.root, self.customer_key, self.wrapping_key):
            level(person, load)
            load.go_on()
            self.assertEqual(load.failures, [], level.__name__)
        load.stop()
        self.assertEqual(load.failures, [])
        # What was encrypted before, between and after: all of it opens.
        s3, kms = client("s3", load.keys), client("kms", load.keys)
        for key in load.objects:
            load.read(s3, key)
        for sealed in load.sealed:
            load.open(kms, sealed)
        for name in load.jobs:
            self.assertIn(b'"COMPLETED"', s3.get_object(Bucket=load.bucket, Key=name + ".json")["Body"].read())
        self.assertEqual(len(KMS.list_key_rotations(KeyId=load.customer)["Rotations"]), 2)
        self.assertNotEqual(dictum_root(), old_root)
        self.assertIn(ADMIN.id, dictum("env"))

    def access_key(self, person, load):
        made = IAM.create_access_key(UserName=person.name)["AccessKey"]
        old, load.keys = load.keys, Keys(made["AccessKeyId"], made["SecretAccessKey"])
        load.go_on()  # nobody has the old key any more
        IAM.update_access_key(UserName=person.name, AccessKeyId=old.id, Status="Inactive")
        self.refused("UnrecognizedClientException", "security token", client("kms", old).list_keys)
        IAM.delete_access_key(UserName=person.name, AccessKeyId=old.id)

    def customer_key(self, person, load):
        KMS.rotate_key_on_demand(KeyId=load.customer)

    def wrapping_key(self, person, load):
        self.assertIn("new data keys are wrapped by", dictum("admin", "keys", "rotate-wrapping-key"))

    def root(self, person, load):
        self.assertIn("the root key is a new one", dictum("admin", "keys", "rotate-root"))


def dictum_root():
    with open(os.path.join(os.environ["DATA"], "root.key"), "rb") as file:
        return file.read()


if __name__ == "__main__":
    main()
