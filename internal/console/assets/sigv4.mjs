// Signature Version 4 of a URL, with the browser's own cryptography (AWS's "Create a signed AWS API request"; for
// streams "Setting up a WebSocket stream").

const utf8 = new TextEncoder();
const hex = (bytes) => Array.from(new Uint8Array(bytes), (b) => b.toString(16).padStart(2, "0")).join("");
const sha256 = async (text) => hex(await crypto.subtle.digest("SHA-256", utf8.encode(text)));

function hmacKey(bytes) {
  return crypto.subtle.importKey("raw", bytes, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
}

async function hmac(key, text) {
  return crypto.subtle.sign("HMAC", key instanceof CryptoKey ? key : await hmacKey(key), utf8.encode(text));
}

/** An access key. Its secret is a key of the browser's that signs and can't be read. */
export class AccessKey {
  #secret;

  constructor(id, secret, sessionToken) {
    this.id = id;
    this.sessionToken = sessionToken;
    this.#secret = secret;
  }

  /** Takes the parts as they are typed; the session token is "" for a long-term key. */
  static async from(id, secret, sessionToken) {
    return new AccessKey(id, await hmacKey(utf8.encode("AWS4" + secret)), sessionToken);
  }

  /** The signature of a text within a scope: [day, region, service, "aws4_request"]. */
  async sign(scope, text) {
    let key = this.#secret;
    for (const part of scope) key = await hmac(key, part);
    return hex(await hmac(key, text));
  }
}

/** Percent-encodes as RFC 3986 §2.3 has it: all but letters, digits and -._~ */
function escape(text) {
  return encodeURIComponent(text).replace(/[!'()*]/g, (c) => "%" + c.charCodeAt(0).toString(16).toUpperCase());
}

/**
 * Signs a URL for a GET without a body.
 * @param {object} request origin ("wss://host:port"), path, parameters (an object), accessKey, region, service, the time
 *   now (a Date) and for how many seconds the URL is good
 */
export async function presign({ origin, path, parameters, accessKey, region, service, now, expires }) {
  const time = now.toISOString().replace(/[-:]|\.\d+/g, "");
  const scope = [time.slice(0, 8), region, service, "aws4_request"];
  const query = {
    ...parameters,
    "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
    "X-Amz-Credential": [accessKey.id, ...scope].join("/"),
    "X-Amz-Date": time,
    "X-Amz-Expires": String(expires),
    "X-Amz-SignedHeaders": "host",
  };
  if (accessKey.sessionToken) query["X-Amz-Security-Token"] = accessKey.sessionToken;
  const pairs = Object.entries(query).map(([name, value]) => `${escape(name)}=${escape(value)}`);
  const sorted = pairs.sort().join("&"); // JavaScript's order of these strings is that of their bytes
  // Browsers leave a scheme's own port out of the Host header, and so does URL.host.
  const canonical = ["GET", path, sorted, `host:${new URL(origin).host}`, "", "host", await sha256("")].join("\n");
  const text = ["AWS4-HMAC-SHA256", time, scope.join("/"), await sha256(canonical)].join("\n");
  return `${origin}${path}?${sorted}&X-Amz-Signature=${await accessKey.sign(scope, text)}`;
}
