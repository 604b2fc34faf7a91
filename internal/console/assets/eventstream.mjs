// Messages of application/vnd.amazon.eventstream (Smithy's event stream specification): two lengths and their checksum,
// headers, a payload, and a checksum of all. Only headers that are texts are written; of those that are read, all types.

const table = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let bit = 0; bit < 8; bit++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  return n;
});

/** CRC-32 as gzip has it (RFC 1952 §8). */
export function crc32(bytes) {
  let sum = 0xffffffff;
  for (const b of bytes) sum = table[(sum ^ b) & 0xff] ^ (sum >>> 8);
  return (sum ^ 0xffffffff) >>> 0;
}

const preludeSize = 12, overhead = 16;
const utf8 = new TextEncoder();

/** Encodes one message. Headers are an object of names and texts. */
export function encode(headers, payload) {
  const names = Object.entries(headers).map(([name, value]) => [utf8.encode(name), utf8.encode(value)]);
  const headersSize = names.reduce((sum, [name, value]) => sum + 1 + name.length + 3 + value.length, 0);
  const bytes = new Uint8Array(overhead + headersSize + payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, bytes.length);
  view.setUint32(4, headersSize);
  view.setUint32(8, crc32(bytes.subarray(0, 8)));
  let at = preludeSize;
  for (const [name, value] of names) {
    view.setUint8(at, name.length);
    bytes.set(name, at + 1);
    at += 1 + name.length;
    view.setUint8(at, 7); // a text
    view.setUint16(at + 1, value.length);
    bytes.set(value, at + 3);
    at += 3 + value.length;
  }
  bytes.set(payload, at);
  view.setUint32(bytes.length - 4, crc32(bytes.subarray(0, bytes.length - 4)));
  return bytes;
}

/** Encodes audio; none at all is the end of the audio. */
export function audioEvent(bytes) {
  return encode({ ":message-type": "event", ":event-type": "AudioEvent", ":content-type": "application/octet-stream" }, bytes);
}

/** Decodes bytes that are exactly one message: {headers, payload}. Throws when they are not. */
export function decode(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < overhead) throw new Error("the message is too short");
  if (crc32(bytes.subarray(0, 8)) !== view.getUint32(8)) throw new Error("the checksum of the message's prelude is wrong");
  if (view.getUint32(0) !== bytes.length) throw new Error("the message's length is wrong");
  if (crc32(bytes.subarray(0, bytes.length - 4)) !== view.getUint32(bytes.length - 4)) throw new Error("the message's checksum is wrong");
  const end = preludeSize + view.getUint32(4);
  if (end > bytes.length - 4) throw new Error("the message's headers are longer than the message");
  return { headers: decodeHeaders(bytes.subarray(preludeSize, end)), payload: bytes.subarray(end, bytes.length - 4) };
}

// How long values of a type are, -1 for those that say so themselves.
const sizes = [0, 0, 1, 2, 4, 8, -1, -1, 8, 16];

function decodeHeaders(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = new TextDecoder("utf-8", { fatal: true });
  const headers = {};
  let at = 0;
  const take = (size) => {
    if (at + size > bytes.length) throw new Error("a header of the message is cut");
    at += size;
    return at - size;
  };
  while (at < bytes.length) {
    const nameSize = view.getUint8(take(1));
    const name = text.decode(bytes.subarray(take(nameSize), at));
    const type = view.getUint8(take(1));
    if (type >= sizes.length) throw new Error(`header ${name} has the unknown type ${type}`);
    const size = sizes[type] < 0 ? view.getUint16(take(2)) : sizes[type];
    const value = bytes.subarray(take(size), at);
    if (Object.hasOwn(headers, name)) throw new Error(`header ${name} occurs twice`);
    headers[name] = type === 7 ? text.decode(value) : type < 2 ? type === 0 : value;
  }
  return headers;
}
