// The live page's modules, without a browser: node modules.mjs FOLDER VECTORS. The vectors are the AWS SDK for Go's.
import assert from "node:assert/strict";
import fs from "node:fs";
import { pathToFileURL } from "node:url";

const load = (name) => import(pathToFileURL(`${process.argv[2]}/${name}.mjs`));
const { audioEvent, crc32, decode, encode } = await load("eventstream");
const { AccessKey, presign } = await load("sigv4");
const { level, Resampler, toPCM16 } = await load("pcm");
const { clock, Transcript } = await load("transcript");
const vectors = JSON.parse(fs.readFileSync(process.argv[3]));
const hex = (bytes) => Buffer.from(bytes).toString("hex");

{ // Messages are those of the SDK, both ways.
  assert.equal(crc32(Buffer.from("123456789")), 0xcbf43926);
  for (const { name, bytes, texts, all, payload } of vectors.messages) {
    const message = decode(new Uint8Array(Buffer.from(bytes, "hex")));
    assert.equal(hex(message.payload), payload, name);
    assert.equal(Object.keys(message.headers).length, all, name);
    for (const [header, value] of Object.entries(texts)) assert.equal(message.headers[header], value, name);
    if (Object.keys(texts).length === all) assert.equal(decode(encode(texts, message.payload)).headers[":event-type"], texts[":event-type"]);
    if (name === "no audio" || name === "audio") assert.equal(hex(audioEvent(message.payload)), bytes, name);
  }
}

{ // A message with any bit changed, or cut anywhere, is refused.
  const good = audioEvent(Uint8Array.from({ length: 40 }, (_, i) => i));
  for (let bit = 0; bit < good.length * 8; bit++) {
    const bad = good.slice();
    bad[bit >> 3] ^= 1 << (bit & 7);
    assert.throws(() => decode(bad), `bit ${bit}`);
  }
  for (let size = 0; size < good.length; size++) assert.throws(() => decode(good.subarray(0, size)), `${size} bytes`);
}

{ // Headers that lie about their lengths are refused, with right checksums too.
  const framed = (headers) => {
    const bytes = new Uint8Array(16 + headers.length), view = new DataView(bytes.buffer);
    view.setUint32(0, bytes.length);
    view.setUint32(4, headers.length);
    view.setUint32(8, crc32(bytes.subarray(0, 8)));
    bytes.set(headers, 12);
    view.setUint32(bytes.length - 4, crc32(bytes.subarray(0, bytes.length - 4)));
    return bytes;
  };
  for (const headers of [[9, 97], [1, 97], [1, 97, 7], [1, 97, 7, 0], [1, 97, 7, 0, 9, 98], [1, 97, 10], [1, 97, 0, 1, 97, 0], [1, 97, 5, 0]]) {
    assert.throws(() => decode(framed(headers)), /header/, String(headers));
  }
}

{ // URLs are signed as the SDK signs them.
  for (const { id, secret, token, now, signature, ...request } of vectors.signatures) {
    const accessKey = await AccessKey.from(id, secret, token);
    const url = await presign({ ...request, accessKey, service: "transcribe", now: new Date(now), expires: 60 });
    assert.equal(new URL(url).searchParams.get("X-Amz-Signature"), signature);
    for (const [name, value] of Object.entries(request.parameters)) assert.equal(new URL(url).searchParams.get(name), value);
    assert.ok(!JSON.stringify(accessKey).includes(secret) && !url.includes(secret));
  }
}

{ // A tone keeps its pitch and its loudness at another rate, in pieces of any size; what the new rate can't have goes.
  const tone = (hertz, rate, seconds) => Float32Array.from({ length: rate * seconds }, (_, i) => 0.5 * Math.sin((2 * Math.PI * hertz * i) / rate));
  const changed = (samples, from) => {
    const resampler = new Resampler(from, 16000), out = [];
    for (let at = 0, size = 1; at < samples.length; at += size, size = (size * 7) % 997) out.push(...resampler.push(samples.subarray(at, at + size)));
    return out;
  };
  const loudness = (samples) => Math.sqrt(samples.reduce((sum, s) => sum + s * s, 0) / samples.length);
  for (const rate of [8000, 22050, 44100, 48000, 96000]) {
    const out = changed(tone(1000, rate, 0.5), rate);
    assert.ok(Math.abs(out.length - 8000) < 100, `${rate}: ${out.length} samples`);
    const want = tone(1000, 16000, 0.5);
    const off = loudness(out.slice(200, -200).map((s, i) => s - want[200 + i])) / loudness(want);
    assert.ok(off < 0.01, `${rate}: off by ${off}`);
    if (rate > 24000) assert.ok(loudness(changed(tone(11000, rate, 0.5), rate).slice(200)) < 0.005, `${rate}: an alias is heard`);
  }
  const same = tone(440, 16000, 0.1);
  assert.deepEqual(new Resampler(16000, 16000).push(same), same);
  assert.equal(hex(toPCM16(Float32Array.of(0, 1, -1, 2, -2, 0.5))), "0000ff7f0180ff7f01800040");
  assert.equal(level(new Float32Array(100)), 0);
  assert.ok(level(tone(440, 16000, 0.1)) > 0.8 && level(new Float32Array(0)) === 0);
}

{ // A transcript has speakers' turns, finals in the place of their partials, streams one behind the other.
  const word = (Content, StartTime, EndTime, more) => ({ Type: "pronunciation", Content, StartTime, EndTime, ...more });
  const mark = (Content, at) => ({ Type: "punctuation", Content, StartTime: at, EndTime: at });
  const result = (ResultId, IsPartial, ...Items) => ({ ResultId, IsPartial, Alternatives: [{ Items }] });
  const t = new Transcript();
  assert.ok(t.empty);
  t.begin({ id: "one", parameters: {} }, 0);
  t.add(result("a", true, word("Hell", 0, 0.4)));
  t.add(result("b", true, word("later", 9, 9.5)));
  t.add(result("a", false, word("Hello", 0, 0.5, { Speaker: "0" }), mark(",", 0.5), word("you", 0.6, 0.9, { Speaker: "0" }), mark(".", 0.9), word("<Hi>", 1, 1.4, { Speaker: "1" })));
  t.begin({ id: "two", parameters: {} }, 10);
  t.add(result("a", false, word("Again", 0.5, 1)));
  assert.equal(t.text(), "Speaker 1: Hello, you.\nSpeaker 2: <Hi>\nlater\nAgain\n");
  assert.equal(t.vtt(), "WEBVTT\n\n00:00:00.000 --> 00:00:00.900\n<v Speaker 1>Hello, you.\n\n00:00:01.000 --> 00:00:01.400\n<v Speaker 2>&lt;Hi&gt;\n\n" +
    "00:00:10.500 --> 00:00:11.000\nAgain\n");
  const { Streams } = JSON.parse(t.json());
  assert.deepEqual(Streams.map(({ SessionId, Offset, Results }) => [SessionId, Offset, Results.length]), [["one", 0, 2], ["two", 10, 1]]);
  t.clear();
  assert.ok(t.empty && t.text() === "");
  assert.deepEqual([clock(0), clock(59.9), clock(3723), clock(3723.0456, true)], ["0:00", "0:59", "1:02:03", "01:02:03.046"]);
}

{ // Captions are of some words, cut behind marks where they can be.
  const t = new Transcript();
  t.begin({ id: "one", parameters: {} }, 0);
  const Items = Array.from({ length: 60 }, (_, i) => [{ Type: "pronunciation", Content: "word", StartTime: i, EndTime: i + 0.5 }, ...(i % 9 === 8 ? [{ Type: "punctuation", Content: ".", StartTime: i, EndTime: i }] : [])]).flat();
  t.add({ ResultId: "a", IsPartial: false, Alternatives: [{ Items }] });
  const texts = t.vtt().split("\n\n").slice(1).map((cue) => cue.split("\n")[1]);
  assert.ok(texts.length > 3 && texts.slice(0, -1).every((text) => text.length <= 81 && text.endsWith(".")), texts.join("\n"));
}
