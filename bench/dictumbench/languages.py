"""People who change their language: recordings spliced from prompts of several languages, what of the time was given
to the right one, and the words got right beside a pass over each stretch that was told its language."""
import json
import pathlib
import random
from dataclasses import dataclass, field

from . import accuracy, corpus, product

FILES = 10
STRETCHES = 6


@dataclass
class Stretch:
    """A few prompts in one language, from start to end in the recording."""

    language: str
    text: str
    audio: str
    start: float = 0.0
    end: float = 0.0


@dataclass
class Mixed:
    audio: str
    stretches: list[Stretch] = field(default_factory=list)


def mixed(prompts: list[corpus.Prompt], out: pathlib.Path) -> list[Mixed]:
    """Builds the recordings: stretches of 5 to 20 s, neighbours in different languages, no prompt used twice."""
    out.mkdir(parents=True, exist_ok=True)
    draw = random.Random(20261123)
    pools = {language: [p for p in prompts if p.language == language] for language in corpus.LANGUAGES}
    for pool in pools.values():
        draw.shuffle(pool)
    made = []
    for n in range(FILES):
        recording, last, at = Mixed(str(out / f"mixed-{n}.wav")), None, 0.0
        for k in range(STRETCHES):
            language = draw.choice([l for l in corpus.LANGUAGES if l != last])
            last, taken, length, wanted = language, [], 0.0, draw.uniform(5, 20)
            while pools[language] and length < wanted - 2.5:
                taken.append(pools[language].pop())
                length += corpus.seconds(taken[-1].audio) + corpus.GAP_SECONDS
            if not taken:
                continue
            audio = corpus.join([p.audio for p in taken], 8000, out / f"mixed-{n}-{k}.wav")
            recording.stretches.append(Stretch(language, " ".join(p.text for p in taken), str(audio), at, at + length))
            at += corpus.seconds(str(audio))
        corpus.join([s.audio for s in recording.stretches], 8000, pathlib.Path(recording.audio), gap=0)
        made.append(recording)
    return made


@dataclass
class Score:
    """Seconds of words, in all and with the right language, and errors and words by language."""

    total: float = 0.0
    right: float = 0.0
    errors: dict[str, list[tuple[int, int]]] = field(default_factory=dict)


def score(recordings: list[Mixed], folder: pathlib.Path) -> Score:
    """Scores documents of recognition in several languages."""
    s = Score()
    for r in recordings:
        doc = json.loads((folder / f"{pathlib.Path(r.audio).stem}.json").read_text(encoding="utf-8"))
        heard: list[list[str]] = [[] for _ in r.stretches]
        for item in doc["results"]["items"]:
            if item["type"] != "pronunciation":
                continue
            start, end = float(item["start_time"]), float(item["end_time"])
            middle = (start + end) / 2
            k = max((k for k, t in enumerate(r.stretches) if t.start <= middle), default=0)
            heard[k].append(item["alternatives"][0]["content"])
            s.total += end - start
            s.right += (end - start) * (item["language_code"].split("-")[0] == r.stretches[k].language)
        for t, words in zip(r.stretches, heard):
            s.errors.setdefault(t.language, []).append(accuracy.errors(t.text, " ".join(words)))
    return s


def told(recordings: list[Mixed], transcribe, work: pathlib.Path) -> dict[str, list[tuple[int, int]]]:
    """The errors of a pass over each stretch that was told its language, in the order of score."""
    stretches = [t for r in recordings for t in r.stretches]
    for language in corpus.LANGUAGES:
        transcribe([t.audio for t in stretches if t.language == language], language, "told")
    out: dict[str, list[tuple[int, int]]] = {}
    for t in stretches:
        doc = product.document(work / "told" / f"{pathlib.Path(t.audio).stem}.json")
        out.setdefault(t.language, []).append(accuracy.errors(t.text, product.text(doc)))
    return out
