// What the JavaScript SDK does with the endpoint that `dictum env` prints. Run by sdk_test.go; any
// failed assertion ends it with an error.
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import {
  CreateBucketCommand, DeleteObjectCommand, GetObjectCommand, HeadObjectCommand, ListObjectsV2Command, PutObjectCommand, S3Client,
} from "@aws-sdk/client-s3";
import { GetTranscriptionJobCommand, ListTranscriptionJobsCommand, TranscribeClient } from "@aws-sdk/client-transcribe";

const options = { maxAttempts: 1 };
const s3 = new S3Client({ ...options, forcePathStyle: true });
const transcribe = new TranscribeClient(options);
const Bucket = "js-sdk";
const body = Buffer.alloc(300_000, "dictum ");

async function content(Key) {
  const got = await s3.send(new GetObjectCommand({ Bucket, Key }));
  return Buffer.from(await got.Body.transformToByteArray());
}

await s3.send(new CreateBucketCommand({ Bucket }));

// A body in memory: the checksum is a header.
await s3.send(new PutObjectCommand({ Bucket, Key: "in memory/ü+", Body: body, Metadata: { who: "js" } }));
assert.ok((await content("in memory/ü+")).equals(body));

// A stream of known length: aws-chunked, unsigned, with the checksum in the trailer.
for (const ChecksumAlgorithm of ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"]) {
  const chunks = [body.subarray(0, 70_000), body.subarray(70_000, 70_001), body.subarray(70_001)];
  const put = await s3.send(new PutObjectCommand({
    Bucket, Key: ChecksumAlgorithm, Body: Readable.from(chunks, { objectMode: false }), ContentLength: body.length, ChecksumAlgorithm,
  }));
  assert.ok(put.ETag, `${ChecksumAlgorithm}: no ETag`);
  const head = await s3.send(new HeadObjectCommand({ Bucket, Key: ChecksumAlgorithm }));
  assert.equal(head.ContentLength, body.length);
  assert.notEqual(head.ContentEncoding, "aws-chunked");
  assert.ok((await content(ChecksumAlgorithm)).equals(body), `${ChecksumAlgorithm}: other bytes came back`);
}

const listed = await s3.send(new ListObjectsV2Command({ Bucket }));
assert.deepEqual(listed.Contents.map((o) => o.Key), ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256", "in memory/ü+"]);
await s3.send(new DeleteObjectCommand({ Bucket, Key: "SHA1" }));
await assert.rejects(s3.send(new GetObjectCommand({ Bucket, Key: "SHA1" })), { name: "NoSuchKey" });

await assert.rejects(transcribe.send(new GetTranscriptionJobCommand({ TranscriptionJobName: "none" })), {
  name: "BadRequestException",
  message: "The requested job couldn't be found. Check the job name and try your request again.",
});
assert.deepEqual((await transcribe.send(new ListTranscriptionJobsCommand({}))).TranscriptionJobSummaries, []);
