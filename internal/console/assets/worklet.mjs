// Runs on the browser's audio thread: collects the first channel into pieces of a tenth of a second, and posts them.

class Collector extends AudioWorkletProcessor {
  #piece = new Float32Array(Math.round(sampleRate / 10));
  #filled = 0;

  process([[channel]]) {
    if (!channel) return true; // the microphone has nothing yet
    for (let from = 0; from < channel.length; ) {
      const part = channel.subarray(from, from + this.#piece.length - this.#filled);
      this.#piece.set(part, this.#filled);
      this.#filled += part.length;
      from += part.length;
      if (this.#filled === this.#piece.length) {
        this.port.postMessage(this.#piece, [this.#piece.buffer]);
        this.#piece = new Float32Array(Math.round(sampleRate / 10));
        this.#filled = 0;
      }
    }
    return true;
  }
}

registerProcessor("collector", Collector);
