"""Personal information: `dictum redact --spans` and presidio on the same labelled turns.

A turn is a JSON line with text, style and spans (start and end in characters, type). What counts is characters: recall
is the share of labelled characters that were found, whatever they were taken for, precision that of found characters
that are labelled. Spaces inside a span count like the rest of it."""
import dataclasses
import json
import pathlib
import random
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]

# The types on which the issue sets its targets.
CORE = ("NAME", "PHONE", "EMAIL", "SSN", "CREDIT_DEBIT_NUMBER", "BANK_ACCOUNT_NUMBER")

RESAMPLES = 1000


@dataclasses.dataclass
class Found:
    """What one side found: spans for each turn, and how long it took."""
    spans: list[list[dict]]
    seconds: float
    facts: dict


@dataclasses.dataclass
class Count:
    """Characters: labelled, found of them, found of them with the right type, and found in all."""
    labelled: int = 0
    hit: int = 0
    typed: int = 0
    found: int = 0

    def __add__(self, other: "Count") -> "Count":
        return Count(self.labelled + other.labelled, self.hit + other.hit, self.typed + other.typed, self.found + other.found)

    @property
    def recall(self) -> float:
        return self.hit / self.labelled if self.labelled else float("nan")

    @property
    def right_type(self) -> float:
        return self.typed / self.labelled if self.labelled else float("nan")

    @property
    def precision(self) -> float:
        return self.hit / self.found if self.found else float("nan")


def turns(path: pathlib.Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def ours(binary: str, rows: list[dict]) -> Found:
    """Runs the program on the turns, each by itself: they are of different calls."""
    if any("\n" in row["text"] for row in rows):
        raise SystemExit("a turn has more than one line")
    start = time.perf_counter()
    done = subprocess.run([binary, "redact", "--spans", "-"], input="".join(row["text"] + "\n" for row in rows),
                          stdout=subprocess.PIPE, text=True, check=True, encoding="utf-8")
    seconds = time.perf_counter() - start
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    if len(lines) != len(rows):
        raise SystemExit(f"dictum redact answered {len(lines)} lines to {len(rows)}")
    return Found([line["spans"] if isinstance(line, dict) else line for line in lines], seconds, {})


def peer(python: str, model: str, rows: list[dict]) -> Found:
    done = subprocess.run([python, str(ROOT / "bench" / "pii" / "peer.py"), model], input="".join(json.dumps(row) + "\n" for row in rows),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8")
    if done.returncode:
        sys.stderr.write(done.stderr)
        raise SystemExit("presidio failed")
    result = json.loads(done.stdout)
    return Found(result.pop("spans"), result.pop("seconds"), result)


def count(row: dict, spans: list[dict], types: tuple[str, ...] | None = None) -> Count:
    """Compares one turn. With types, only labels of these count for recall."""
    labels = {i: s["type"] for s in row["spans"] for i in range(s["start"], s["end"])}
    found: dict[int, set[str]] = {}
    for s in spans:
        for i in range(s["start"], s["end"]):
            found.setdefault(i, set()).add(s["type"])
    wanted = {i: t for i, t in labels.items() if types is None or t in types}
    if types is not None:  # precision within these types: what was called one of them, or hit one of them
        found = {i: f for i, f in found.items() if f & set(types) or i in wanted}
        hit = sum(i in labels for i in found)
        inside = sum(i in found for i in wanted)
        return Count(len(wanted), inside, sum(t in found.get(i, ()) for i, t in wanted.items()), len(found) - hit + inside)
    return Count(len(wanted), sum(i in found for i in wanted), sum(t in found.get(i, ()) for i, t in wanted.items()), len(found))


def total(rows: list[dict], found: Found, types: tuple[str, ...] | None = None) -> Count:
    return sum((count(row, spans, types) for row, spans in zip(rows, found.spans)), Count())


def interval(rows: list[dict], found: Found, figure: str, types: tuple[str, ...] | None = None) -> tuple[float, float]:
    """The bootstrap's 95 % interval of a figure, over turns."""
    counts = [count(row, spans, types) for row, spans in zip(rows, found.spans)]
    generator = random.Random(5)
    values = sorted(getattr(sum(generator.choices(counts, k=len(counts)), Count()), figure) for _ in range(RESAMPLES))
    return values[int(0.025 * RESAMPLES)], values[int(0.975 * RESAMPLES) - 1]


def subset(rows: list[dict], found: Found, style: str) -> tuple[list[dict], Found]:
    kept = [(row, spans) for row, spans in zip(rows, found.spans) if row["style"] == style]
    return [row for row, _ in kept], Found([spans for _, spans in kept], found.seconds, found.facts)
