// What the JavaScript SDK's streaming client does with the endpoint that `dictum env` prints. Run by streaming_test.go with a
// file of PCM at 16 kHz, and another in which a telephone number is read out; any failed assertion ends it with an error.
import assert from "node:assert/strict";
import fs from "node:fs";
import { StartStreamTranscriptionCommand, TranscribeStreamingClient } from "@aws-sdk/client-transcribe-streaming";

const pcm = fs.readFileSync(process.argv[2]), call = fs.readFileSync(process.argv[3]);
const options = { maxAttempts: 1, endpoint: process.env.AWS_ENDPOINT_URL };
const request = { LanguageCode: "en-US", MediaEncoding: "pcm", MediaSampleRateHertz: 16000 };

async function* audio(bytes = pcm) {
  for (let i = 0; i < bytes.length; i += 3201) yield { AudioEvent: { AudioChunk: bytes.subarray(i, i + 3201) } }; // odd on purpose
}

async function transcribe(more, stream = audio()) {
  const client = new TranscribeStreamingClient(options);
  const answer = await client.send(new StartStreamTranscriptionCommand({ ...request, ...more, AudioStream: stream }));
  const results = [];
  for await (const event of answer.TranscriptResultStream) results.push(...event.TranscriptEvent.Transcript.Results);
  client.destroy();
  return { answer, results };
}

const text = (results) => results.filter((r) => !r.IsPartial).map((r) => r.Alternatives[0].Transcript).join(" ").toLowerCase();

{ // Results grow, settle and end.
  const { answer, results } = await transcribe({ EnablePartialResultsStabilization: true, PartialResultsStability: "high" });
  assert.equal(answer.LanguageCode, "en-US");
  assert.equal(answer.MediaSampleRateHertz, 16000);
  assert.match(answer.SessionId, /^[0-9a-f-]{36}$/);
  assert.match(text(results), /best of times.*worst of times.*age of wisdom/);
  const settled = new Map(), ended = new Set();
  let before = 0;
  for (const r of results) {
    assert.ok(!ended.has(r.ResultId), "a result after its final");
    assert.equal(r.Alternatives.length, 1);
    const items = r.Alternatives[0].Items;
    const stable = settled.get(r.ResultId) ?? [];
    stable.forEach((content, i) => assert.equal(items[i].Content, content, "a stable item changed"));
    settled.set(r.ResultId, items.filter((i) => i.Stable).map((i) => i.Content));
    if (r.IsPartial) {
      assert.ok(items.every((i) => i.Confidence === undefined));
      continue;
    }
    ended.add(r.ResultId);
    assert.ok(items.every((i) => i.Stable));
    for (const i of items.filter((i) => i.Type === "pronunciation")) {
      assert.ok(i.Confidence > 0 && i.Confidence <= 1);
      assert.ok(i.StartTime >= before && i.EndTime > i.StartTime, `times of ${i.Content}`);
      before = i.StartTime;
    }
  }
  assert.deepEqual([...settled.keys()].sort(), [...ended].sort(), "each result has one final");
}

{ // Without stabilisation there is no Stable; the client's session id comes back.
  const SessionId = "11111111-2222-3333-4444-555555555555";
  const { answer, results } = await transcribe({ SessionId, ShowSpeakerLabel: true });
  assert.equal(answer.SessionId, SessionId);
  assert.equal(answer.ShowSpeakerLabel, true);
  const final = results.find((r) => !r.IsPartial);
  assert.equal(final.Alternatives[0].Items[0].Stable, undefined);
  assert.equal(final.Alternatives[0].Items[0].Speaker, "0");
}

{ // Another language is another model's.
  const { results } = await transcribe({ LanguageCode: undefined, IdentifyLanguage: true, LanguageOptions: "en-GB,es-US" });
  const final = results.find((r) => !r.IsPartial);
  assert.equal(final.LanguageCode, "en-GB");
  assert.ok(final.LanguageIdentification[0].Score > 0.5);
}

{ // Two channels, of which the second is silent.
  const stereo = Buffer.alloc(2 * pcm.length);
  for (let i = 0; i + 1 < pcm.length; i += 2) pcm.copy(stereo, 2 * i, i, i + 2);
  const { results } = await transcribe({ EnableChannelIdentification: true, NumberOfChannels: 2 }, audio(stereo));
  assert.match(text(results), /best of times/);
  assert.ok(results.every((r) => r.ChannelId === "ch_0"));
}

{ // Personal information is named, or taken out of all that is shown.
  const named = await transcribe({ ContentIdentificationType: "PII" }, audio(call));
  assert.match(text(named.results), /area code.*(two|2)/);
  const entities = named.results.flatMap((r) => r.Alternatives[0].Entities ?? []);
  assert.ok(entities.some((e) => e.Type === "PHONE" && e.Category === "PII" && /two|2/i.test(e.Content) && e.EndTime > e.StartTime));
  const redacted = await transcribe({ ContentRedactionType: "PII", PiiEntityTypes: "PHONE,NAME" }, audio(call));
  assert.match(text(redacted.results), /area code,? \[phone\]/);
  assert.ok(!redacted.results.some((r) => /two|five|\d/i.test(r.Alternatives[0].Transcript)), "a digit is shown");
}

for (const [more, name, message] of [
  [{ LanguageCode: "xx-YY" }, "BadRequestException", /'xx-YY' at 'languageCode' failed to satisfy constraint: Member must satisfy enum value set/],
  [{ MediaSampleRateHertz: 4000 }, "BadRequestException", /'mediaSampleRateHertz'.*greater than or equal to 8000/],
  [{ LanguageCode: undefined }, "BadRequestException", /LanguageCode/],
  [{ VocabularyName: "words" }, "BadRequestException", /vocabular/i],
  [{ PartialResultsStability: "high" }, "BadRequestException", /EnablePartialResultsStabilization/],
]) {
  await assert.rejects(transcribe(more), (e) => e.name === name && message.test(e.message), JSON.stringify(more));
}

{ // A wrong key.
  const client = new TranscribeStreamingClient({ ...options, credentials: { accessKeyId: process.env.AWS_ACCESS_KEY_ID, secretAccessKey: "wrong" } });
  await assert.rejects(client.send(new StartStreamTranscriptionCommand({ ...request, AudioStream: audio() })), (e) => e.name === "InvalidSignatureException");
}
