"""What streams are measured by: when results came, beside when words were said. All recognisers are scored alike, from events:
{at, id, partial, start, end, words: [{text, start, end}]}, in seconds of the audio; at is when the event came."""
import bisect
from dataclasses import dataclass, field

import numpy as np

from .clips import Recording, plain

SLACK = 1.0  # seconds by which a recogniser's times may be off


def matches(reference: list[str], text: list[str]) -> list[tuple[int, int]]:
    """Pairs of places of the same word, by the longest common subsequence."""
    n, m = len(reference), len(text)
    table = [[0] * (m + 1) for _ in range(n + 1)]
    for i in range(n - 1, -1, -1):
        row, below = table[i], table[i + 1]
        for j in range(m - 1, -1, -1):
            row[j] = below[j + 1] + 1 if reference[i] == text[j] else max(below[j], row[j + 1])
    pairs, i, j = [], 0, 0
    while i < n and j < m:
        if reference[i] == text[j]:
            pairs.append((i, j))
            i, j = i + 1, j + 1
        elif table[i][j + 1] > table[i + 1][j]:
            j += 1
        else:
            i += 1
    return pairs


@dataclass
class Measured:
    """Seconds, of one stream or of several together."""

    words: int = 0
    partial: list[float] = field(default_factory=list)  # after a word's end, to the first result that has it
    ends: int = 0
    final: list[float] = field(default_factory=list)  # after the end of speech, to the final with one of the last two words before it
    every: list[float] = field(default_factory=list)  # after the last word of each final, to the final
    finals: list[tuple[float, float]] = field(default_factory=list)  # the same as final, with when speech ended
    clock: list[tuple[float, float]] = field(default_factory=list)  # when a word ended, and by how much its final's time is later
    texts: list[str] = field(default_factory=list)
    late: float = 0.0  # audio left late, at most

    def add(self, other: "Measured") -> None:
        self.words, self.ends, self.late = self.words + other.words, self.ends + other.ends, max(self.late, other.late)
        for name in ("partial", "final", "every", "finals", "clock", "texts"):
            getattr(self, name).extend(getattr(other, name))

    @property
    def shown(self) -> float:
        """Percent of words that were shown."""
        return 100 * len(self.partial) / max(1, self.words)

    @property
    def unanswered(self) -> float:
        """Percent of ends of speech that no final could be told for: no word before was right, or all were final before."""
        return 100 * (1 - len(self.final) / max(1, self.ends))

    def facts(self) -> dict:
        """For the report's JSON."""
        return {"words": self.words, "words_shown_percent": self.shown, "partial_ms": percentiles(self.partial), "ends_of_speech": self.ends,
                "unanswered_percent": self.unanswered, "final_ms": percentiles(self.final), "every_final_ms": percentiles(self.every),
                "audio_late_ms": 1000 * self.late}


def percentiles(values: list[float]) -> dict[str, float]:
    """Milliseconds."""
    if not values:
        return {"median": float("nan"), "p95": float("nan"), "p99": float("nan")}
    return {name: float(1000 * np.percentile(values, q)) for name, q in (("median", 50), ("p95", 95), ("p99", 99))}


def measure(recording: Recording, events: list[dict], late: float = 0.0) -> Measured:
    """Scores what came of one recording. A word counts from when a result first has it at its place, be it corrected
    later, and a word that is shown before it ends counts with a time below zero. A final doesn't answer an end of speech it came before."""
    words = recording.words
    texts, starts, ends = [w.text for w in words], [w.start for w in words], [w.end for w in words]
    shown: list[float | None] = [None] * len(words)
    final: list[float | None] = [None] * len(words)
    m = Measured(words=sum(w.sure for w in words), ends=len(recording.ends), late=late)
    said = []
    for e in events:
        heard = [(plain(w["text"]), w) for w in e["words"]]
        heard = [(text, w) for text, w in heard if text]
        first = bisect.bisect_left(ends, e["start"] - SLACK)
        last = bisect.bisect_right(starts, min(e["at"], e["end"] + SLACK))
        pairs = [(first + i, j) for i, j in matches(texts[first:last], [text for text, _ in heard])]
        for i, j in pairs:
            if shown[i] is None:
                shown[i] = e["at"]
            if not e["partial"] and final[i] is None:
                final[i] = e["at"]
                if words[i].sure and heard[j][1].get("end") is not None:
                    m.clock.append((ends[i], heard[j][1]["end"] - ends[i]))
        if not e["partial"]:
            said += [w["text"] for w in e["words"]]
            if pairs and pairs[-1][1] == len(heard) - 1:
                m.every.append(e["at"] - ends[pairs[-1][0]])
    m.partial = [at - w.end for at, w in zip(shown, words) if at is not None and w.sure]
    m.texts = [" ".join(said)]
    before = 0
    for end in recording.ends:
        after = bisect.bisect_left(starts, end)
        # The aligner gives a word beside a pause to the wrong side now and then: one of the last two that were heard answers.
        lasts = [final[i] for i in range(before, after) if final[i] is not None][-2:]
        answers = [at for at in lasts if at >= end]
        if answers:
            m.final.append(min(answers) - end)
            m.finals.append((end, min(answers) - end))
        before = after
    return m
