"""Streams a recording at the pace of speech into faster-whisper under whisper_streaming's policy (LocalAgreement-2, arXiv
2307.14743), and prints events as dictumbench.latency takes them.

As that project does it with its defaults, without VAD: a run over the buffer whenever another second of audio is there,
or later when the run before lasted longer; words are confirmed when two runs agree on them, after up to five words that
repeat what was confirmed are dropped; a buffer over 15 s is cut at the end of a segment that is confirmed; the last 200
characters before the buffer are the prompt; segments that are likely no speech (0.9) are left out.
To the peer's favour: greedy search instead of a beam of five, and what a run shows beyond what is confirmed counts as shown.
"""
import argparse
import json
import sys
import time

from faster_whisper import WhisperModel, decode_audio

RATE = 16_000
CHUNK, TRIM = 1.0, 15.0  # seconds
Word = tuple[float, float, str]


class Policy:
    """What is confirmed and what is not, of audio that grows."""

    def __init__(self, model: WhisperModel, language: str, beam: int):
        self.model, self.language, self.beam = model, language, beam
        self.offset = 0.0  # where the buffer begins
        self.confirmed: list[Word] = []
        self.open: list[Word] = []  # of the last run

    def run(self, audio, end: float) -> list[Word]:
        """Recognises what the buffer holds up to end, and returns what is confirmed by it."""
        prompt = "".join(t for _, e, t in self.confirmed if e <= self.offset)[-200:]
        segments, _ = self.model.transcribe(audio[int(self.offset * RATE):int(end * RATE)], language=self.language, beam_size=self.beam,
                                            word_timestamps=True, condition_on_previous_text=True, initial_prompt=prompt)
        segments = list(segments)
        words = [(self.offset + w.start, self.offset + w.end, w.word) for s in segments if s.no_speech_prob <= 0.9 for w in s.words]
        news = self._agree(self._new(words))
        if end - self.offset > TRIM and self.confirmed:
            done = [self.offset + s.end for s in segments[:-1] if self.offset + s.end <= self.confirmed[-1][1]]
            if done:
                self.offset = done[-1]
        return news

    def _new(self, words: list[Word]) -> list[Word]:
        last = self.confirmed[-1][1] if self.confirmed else 0.0
        words = [w for w in words if w[0] > last - 0.1]
        inside = [t for _, e, t in self.confirmed if e > self.offset]
        if words and abs(words[0][0] - last) < 1:
            for n in range(1, min(len(inside), len(words), 5) + 1):
                if inside[-n:] == [t for _, _, t in words[:n]]:
                    return words[n:]
        return words

    def _agree(self, words: list[Word]) -> list[Word]:
        agreed = 0
        while agreed < min(len(words), len(self.open)) and words[agreed][2] == self.open[agreed][2]:
            agreed += 1
        self.confirmed += words[:agreed]
        self.open = words[agreed:]
        return words[:agreed]


def event(partial: bool, at: float, words: list[Word]) -> None:
    if words:
        print(json.dumps({"at": at, "id": "", "partial": partial, "start": float(words[0][0]), "end": float(words[-1][1]),
                          "words": [{"text": t.strip(), "start": float(s), "end": float(e)} for s, e, t in words]}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--language", required=True)
    parser.add_argument("--beam", type=int, default=1)
    parser.add_argument("file")
    args = parser.parse_args()
    audio = decode_audio(args.file, sampling_rate=RATE)
    length = len(audio) / RATE
    model = WhisperModel(args.weights, device="cpu", compute_type="int8", cpu_threads=args.threads)
    list(model.transcribe(audio[: 2 * RATE], language=args.language, beam_size=args.beam)[0])
    print("ready", flush=True)
    sys.stdin.readline()
    policy = Policy(model, args.language, args.beam)
    began, end = time.monotonic(), 0.0
    while end < length:
        time.sleep(max(0.0, end + CHUNK - (time.monotonic() - began)))
        end = min(time.monotonic() - began, length)
        news = policy.run(audio, end)
        now = time.monotonic() - began
        event(False, now, news)
        event(True, now, policy.open)
    event(False, time.monotonic() - began, policy.open)  # at the end all is confirmed


if __name__ == "__main__":
    main()
