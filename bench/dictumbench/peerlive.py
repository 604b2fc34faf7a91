"""Streams a recording at the pace of speech into faster-whisper under whisper_streaming's policy (LocalAgreement-2, arXiv
2307.14743), and prints how long after the end of a word it was first shown, and how long after the last word before a
pause it was confirmed, as JSON.

Settings are that project's defaults: a second of new audio between two runs, words confirmed when two runs agree, the buffer cut
after confirmed words from 15 s on; int8, greedy. Runs that last longer than a second make the next one later, as there. What a run
shows beyond what is confirmed counts as shown, which that project does not do: it is to the peer's favour.
"""
import argparse
import json
import sys
import time

import numpy as np
from faster_whisper import WhisperModel, decode_audio

RATE = 16_000
CHUNK, TRIM = 1.0, 15.0  # seconds
PAUSE = 0.5  # before which a word ends an utterance


def matches(reference: list[str], text: list[str]) -> list[int]:
    """For each reference word the place of the same word in the text, by the longest common subsequence, or -1."""
    n, m = len(reference), len(text)
    table = np.zeros((n + 1, m + 1), int)
    for i in range(n - 1, -1, -1):
        for j in range(m - 1, -1, -1):
            table[i, j] = table[i + 1, j + 1] + 1 if reference[i] == text[j] else max(table[i + 1, j], table[i, j + 1])
    out, i, j = [-1] * n, 0, 0
    while i < n:
        if j < m and reference[i] == text[j]:
            out[i], i, j = j, i + 1, j + 1
        elif j < m and table[i, j + 1] > table[i + 1, j]:
            j += 1
        else:
            i += 1
    return out


def norm(word: str) -> str:
    return word.strip(" .,?!;:\"").lower()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--language", required=True)
    parser.add_argument("--length", type=float, required=True)
    parser.add_argument("--references", required=True)
    parser.add_argument("file")
    args = parser.parse_args()
    with open(args.references, encoding="utf-8") as f:
        reference = json.load(f)[0]
    texts, ends = [w["text"] for w in reference], [w["end"] for w in reference]
    audio = decode_audio(args.file, sampling_rate=RATE)[: int(args.length * RATE)]
    model = WhisperModel(args.weights, device="cpu", compute_type="int8", cpu_threads=args.threads)
    list(model.transcribe(audio[: 2 * RATE], language=args.language, beam_size=1)[0])
    shown, confirmed_at = [None] * len(texts), [None] * len(texts)
    confirmed: list[tuple[float, str]] = []  # end and text
    before: list[tuple[float, float, str]] = []
    start = heard = 0.0  # of the buffer, and what came
    began = time.monotonic()
    while heard < len(audio) / RATE:
        wait = heard + CHUNK - (time.monotonic() - began)
        if wait > 0:
            time.sleep(wait)
        heard = min(time.monotonic() - began, len(audio) / RATE)
        segments, _ = model.transcribe(audio[int(start * RATE):int(heard * RATE)], language=args.language, beam_size=1, word_timestamps=True,
                                       condition_on_previous_text=True, initial_prompt=" ".join(t for _, t in confirmed[-40:]))
        words = [(start + w.start, start + w.end, norm(w.word)) for s in segments for w in s.words]
        last = confirmed[-1][0] if confirmed else 0.0
        words = [w for w in words if w[0] > last - 0.1]
        now = time.monotonic() - began
        agreed = 0
        while agreed < min(len(words), len(before)) and words[agreed][2] == before[agreed][2]:
            agreed += 1
        confirmed += [(w[1], w[2]) for w in words[:agreed]]
        before = words[agreed:]
        for known, times in (([t for _, t in confirmed], confirmed_at), ([t for _, t in confirmed] + [w[2] for w in before], shown)):
            for i, j in enumerate(matches(texts, known)):
                if j >= 0 and times[i] is None and ends[i] <= now:
                    times[i] = now - ends[i]
        if heard - start > TRIM and confirmed:
            start = confirmed[-1][0]
    lasts = [i for i in range(len(texts)) if i + 1 == len(texts) or reference[i + 1]["start"] - ends[i] >= PAUSE]
    summary = lambda v: {"median": float(np.median(v) * 1000), "p95": float(np.percentile(v, 95) * 1000), "p99": float(np.percentile(v, 99) * 1000)} if v else None
    json.dump({"words": len(texts), "found": sum(t is not None for t in shown), "partial_ms": summary([t for t in shown if t is not None]),
               "final_ms": summary([confirmed_at[i] for i in lasts if confirmed_at[i] is not None])}, sys.stdout)


if __name__ == "__main__":
    main()
