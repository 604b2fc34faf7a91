// Samples: from the rate of the sound card to that of the stream, and from numbers between -1 and 1 to 16 bits.

/**
 * Changes the rate of a signal that comes in pieces, with a sinc under a Hann window (Smith, "Digital Audio Resampling").
 * Each rate may be any; where both are the same, samples pass unchanged.
 */
export class Resampler {
  #step; // input samples from one output sample to the next
  #cutoff; // of the input's half rate, below both half rates
  #reach; // input samples on each side that an output sample is made of
  #kept = new Float32Array(0);
  #at; // where the next output sample lies in #kept

  constructor(from, to) {
    this.#step = from / to;
    this.#cutoff = Math.min(1, to / from) * 0.92;
    this.#reach = from === to ? 0 : Math.ceil(16 / Math.min(1, to / from));
    this.#kept = new Float32Array(this.#reach); // silence before the first sample
    this.#at = this.#reach;
  }

  /** Takes the next samples and returns those that they complete. */
  push(samples) {
    if (this.#reach === 0) return samples;
    const input = new Float32Array(this.#kept.length + samples.length);
    input.set(this.#kept);
    input.set(samples, this.#kept.length);
    const out = [];
    for (; this.#at + this.#reach < input.length; this.#at += this.#step) out.push(this.#sample(input));
    const drop = Math.floor(this.#at) - this.#reach;
    this.#kept = input.slice(drop);
    this.#at -= drop;
    return Float32Array.from(out);
  }

  #sample(input) {
    const center = this.#at, reach = this.#reach, cutoff = this.#cutoff;
    let sum = 0;
    for (let k = Math.max(0, Math.ceil(center - reach)); k <= center + reach; k++) {
      const x = k - center, angle = Math.PI * x * cutoff;
      const sinc = x === 0 ? 1 : Math.sin(angle) / angle;
      sum += input[k] * cutoff * sinc * (0.5 + 0.5 * Math.cos((Math.PI * x) / reach));
    }
    return sum;
  }
}

/** The samples as 16 bits, the low byte first. */
export function toPCM16(samples) {
  const bytes = new Uint8Array(2 * samples.length);
  const view = new DataView(bytes.buffer);
  samples.forEach((s, i) => view.setInt16(2 * i, Math.round(Math.max(-1, Math.min(1, s)) * 32767), true));
  return bytes;
}

/** How loud samples are, from 0 (60 dB below the loudest and less) to 1. */
export function level(samples) {
  let sum = 0;
  for (const s of samples) sum += s * s;
  const decibels = 10 * Math.log10(sum / Math.max(1, samples.length) + 1e-12);
  return Math.max(0, Math.min(1, 1 + decibels / 60));
}
