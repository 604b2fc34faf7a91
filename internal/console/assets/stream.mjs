// One stream of StartStreamTranscriptionWebSocket: audio out, results in.
import { audioEvent, decode } from "./eventstream.mjs";

const path = "/stream-transcription-websocket";
export { path };

// How much may wait in the browser's socket, in bytes: more would only be older when it arrives.
const inFlight = 32 * 1024;
// How many pieces of 100 ms wait here when the connection is slow. Beyond that the oldest go.
const mostQueued = 300;
// For how long a connection may take nothing, in ms, before it is given up.
const patience = 20_000;

export class Stream {
  #socket;
  #queue = [];
  #finishing = false;
  #ended = false;
  #exception;
  #moved = performance.now(); // when the connection took something last
  #waiting = 0; // bytes in the socket when that was looked at last
  #timer;
  #on;

  /** Pieces of audio that were given up because the connection was too slow. */
  dropped = 0;

  /**
   * Opens a presigned URL.
   * @param {object} on opened(), results(list of AWS's Result), ended({exception?: {name, message}, broken?: string}): the
   *   last of these, once, with neither when all audio was answered
   */
  constructor(url, on) {
    this.#on = on;
    this.#socket = new WebSocket(url);
    this.#socket.binaryType = "arraybuffer";
    this.#socket.onopen = () => {
      on.opened();
      this.#pump();
    };
    this.#socket.onmessage = ({ data }) => this.#receive(data);
    this.#socket.onclose = ({ code }) => this.#closed(code);
    this.#timer = setInterval(() => this.#pump(), 50);
  }

  /** Sends a piece of audio, now or when the connection takes it. */
  send(bytes) {
    if (this.#finishing || this.#ended) return;
    this.#queue.push(bytes);
    if (this.#queue.length > mostQueued) {
      this.#queue.shift();
      this.dropped++;
    }
    this.#pump();
  }

  /** Says that there is no more audio; results of what was sent still come. */
  finish() {
    if (this.#finishing) return;
    this.#queue.push(new Uint8Array(0));
    this.#finishing = true;
    this.#pump();
  }

  #pump() {
    if (this.#ended) return;
    const open = this.#socket.readyState === WebSocket.OPEN;
    while (open && this.#queue.length > 0 && this.#socket.bufferedAmount < inFlight) {
      this.#socket.send(audioEvent(this.#queue.shift()));
      this.#moved = performance.now();
    }
    const waiting = this.#socket.bufferedAmount;
    if (open && waiting < this.#waiting) this.#moved = performance.now();
    this.#waiting = waiting;
    if (performance.now() - this.#moved > patience) this.#end({ broken: "The server doesn't answer." });
  }

  #receive(data) {
    this.#moved = performance.now();
    if (this.#ended) return;
    try {
      if (!(data instanceof ArrayBuffer)) throw new Error("a text came instead of a message");
      const { headers, payload } = decode(new Uint8Array(data));
      const body = JSON.parse(new TextDecoder().decode(payload));
      switch (headers[":message-type"]) {
        case "event":
          if (headers[":event-type"] === "TranscriptEvent") this.#on.results(body.Transcript.Results);
          return;
        case "exception":
          this.#exception = { name: headers[":exception-type"], message: body.Message ?? body.message ?? "" };
          return; // the server closes the connection
        case "error":
          this.#exception = { name: headers[":error-code"], message: headers[":error-message"] ?? "" };
          return;
      }
      throw new Error(`a message of an unknown kind came: ${headers[":message-type"]}`);
    } catch (error) {
      this.#end({ broken: `What the server sent can't be read: ${error.message}.` });
    }
  }

  #closed(code) {
    if (this.#exception) this.#end({ exception: this.#exception });
    else if (this.#finishing && this.#queue.length === 0 && code === 1000) this.#end({});
    else this.#end({ broken: code === 1006 ? "The connection to the server broke." : `The server closed the connection (${code}).` });
  }

  #end(how) {
    if (this.#ended) return;
    this.#ended = true;
    this.#queue = [];
    clearInterval(this.#timer);
    this.#socket.onmessage = this.#socket.onclose = null;
    if (this.#socket.readyState < WebSocket.CLOSING) this.#socket.close();
    this.#on.ended(how);
  }
}
