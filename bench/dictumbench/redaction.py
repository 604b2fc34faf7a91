"""Personal information: `dictum redact --spans` and presidio on the same labelled turns, counted by bench/pii/score.py."""
import collections
import dataclasses
import json
import pathlib
import subprocess
import sys
import time

from pii import score

PEER = pathlib.Path(__file__).resolve().parents[1] / "pii" / "peer.py"

RESAMPLES = 1000


@dataclasses.dataclass
class Found:
    """What one side found: spans for each turn, how long it took, and what it is made of."""
    spans: list[list[dict]]
    seconds: float
    facts: dict


class Counts:
    """The characters that one side found in the turns of a style."""

    def __init__(self, rows: list[dict], found: Found, style: str):
        self.rows = [score.count(row["text"], row["spans"], spans) for row, spans in zip(rows, found.spans) if row["style"] == style]
        self.total = sum(self.rows, collections.Counter())

    @property
    def kinds(self) -> list[str]:
        """The types that are labelled."""
        return sorted({kind for kind, what in self.total if what == "want"} - {"ALL", "CORE"})

    def characters(self, kind: str) -> int:
        return self.total[kind, "want"]

    def figure(self, kind: str, name: str) -> float:
        """A ratio of score.RATIOS; 0 where there is nothing to count."""
        above, below = next((above, below) for n, above, below in score.RATIOS if n == name)
        return score.ratio(self.total, kind, above, below) or 0

    def cells(self, kind: str) -> list[str]:
        """Recall and precision, each with the bootstrap's 95 % interval over turns, and recall with the right type."""
        cells = []
        for name in ("recall", "precision"):
            above, below = next((above, below) for n, above, below in score.RATIOS if n == name)
            low, high = score.interval(self.rows, kind, above, below, RESAMPLES, 1) or (0, 0)
            cells += [f"{self.figure(kind, name):.3f}", f"{low:.3f}..{high:.3f}"]
        return [*cells, f"{self.figure(kind, 'typed'):.3f}"]


def turns(path: pathlib.Path) -> list[dict]:
    """Reads JSON lines with a text, a style and spans (start and end in characters, type)."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def ours(binary: str, rows: list[dict]) -> Found:
    """Runs the program on the turns, each by itself: they are of different calls."""
    if any("\n" in row["text"] for row in rows):
        raise SystemExit("a turn has more than one line")
    start = time.perf_counter()
    done = subprocess.run([binary, "redact", "--spans", "-"], input="".join(row["text"] + "\n" for row in rows),
                          stdout=subprocess.PIPE, text=True, check=True, encoding="utf-8")
    seconds = time.perf_counter() - start
    spans = [json.loads(line)["spans"] for line in done.stdout.splitlines()]
    if len(spans) != len(rows):
        raise SystemExit(f"dictum redact answered {len(spans)} lines to {len(rows)}")
    return Found(spans, seconds, {})


def peer(python: str, model: str, rows: list[dict]) -> Found:
    """Runs presidio, in an environment of its own, with one spaCy model: a package's name or a folder."""
    done = subprocess.run([python, str(PEER), model], input="".join(json.dumps(row) + "\n" for row in rows),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8")
    if done.returncode:
        sys.stderr.write(done.stderr)
        raise SystemExit("presidio failed")
    result = json.loads(done.stdout)
    return Found(result.pop("spans"), result.pop("seconds"), result)
