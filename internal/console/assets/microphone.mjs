// The microphone, as pieces of 100 ms of 16-bit audio at 16 kHz.
import { level, Resampler, toPCM16 } from "./pcm.mjs";

export const sampleRate = 16000;

/** Why there is no microphone, for people; null where there may be one. */
export function unavailable() {
  if (!isSecureContext) {
    return `Browsers give the microphone to secure pages only, and ${location.origin} is none. Open this page with https:// (run “dictum tls init” on the server), or on the server itself at http://localhost.`;
  }
  if (!navigator.mediaDevices?.getUserMedia || !globalThis.AudioWorkletNode) return "This browser gives web pages no microphone.";
  return null;
}

const reasons = {
  NotAllowedError: "The microphone is blocked for this page. Allow it in the browser's settings for this site, then start again.",
  NotFoundError: "No microphone was found. Connect one, then start again.",
  NotReadableError: "The microphone can't be opened. Another program may be using it.",
};

export class Microphone {
  #stream;
  #context;

  /**
   * Asks for the microphone and opens it. Throws errors that people can read.
   * @param {(bytes: Uint8Array, loudness: number) => void} hears takes each piece and how loud it is, 0 to 1
   * @param {() => void} lost is called when the microphone is unplugged or taken away
   */
  static async open(hears, lost) {
    const mic = new Microphone();
    try {
      // Recognition was trained on sound as it comes: what makes calls pleasant takes parts of words away.
      const audio = { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: true };
      mic.#stream = await navigator.mediaDevices.getUserMedia({ audio });
      await mic.#connect(hears);
      mic.#stream.getAudioTracks()[0].addEventListener("ended", lost);
      return mic;
    } catch (error) {
      mic.close();
      throw new Error(reasons[error.name] ?? `The microphone can't be opened: ${error.message}`, { cause: error });
    }
  }

  async #connect(hears) {
    let source;
    try {
      this.#context = new AudioContext({ sampleRate });
      source = this.#context.createMediaStreamSource(this.#stream);
    } catch {
      // Some browsers join only what has one rate: it is changed here then.
      await this.#context?.close();
      this.#context = new AudioContext();
      source = this.#context.createMediaStreamSource(this.#stream);
    }
    await this.#context.audioWorklet.addModule(new URL("worklet.mjs", import.meta.url));
    const node = new AudioWorkletNode(this.#context, "collector", { numberOfOutputs: 0, channelCount: 1, channelCountMode: "explicit" });
    const resampler = new Resampler(this.#context.sampleRate, sampleRate);
    node.port.onmessage = ({ data }) => hears(toPCM16(resampler.push(data)), level(data));
    source.connect(node);
    await this.#context.resume();
  }

  /** Lets the microphone go; its light goes out. */
  close() {
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    if (this.#context && this.#context.state !== "closed") this.#context.close();
    this.#context = this.#stream = undefined;
  }
}
