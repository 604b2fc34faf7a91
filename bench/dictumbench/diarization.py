"""Diarization error rates.

The rate is NIST's (md-eval, RT-09): speech missed, falsely alarmed and given to the wrong speaker, over all speech of
the references, under the mapping of speakers that is best for each file. A quarter of a second at both sides of each
reference boundary does not count; speech of two at once does. Intervals are 95 %, by bootstrap over files.
"""
import pathlib
from dataclasses import dataclass

import numpy as np

from .dialogues import Turn

COLLAR, STEP = 0.25, 0.01  # seconds
RESAMPLES = 10_000


def read(path: pathlib.Path) -> list[Turn]:
    """The turns of an RTTM file."""
    rows = (line.split() for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("SPEAKER"))
    return [(float(r[3]), float(r[3]) + float(r[4]), r[7]) for r in rows]


def _grid(turns: list[Turn], size: int) -> np.ndarray:
    names = sorted({name for *_, name in turns})
    active = np.zeros((len(names), size), bool)
    for start, end, name in turns:
        active[names.index(name), round(start / STEP):round(end / STEP)] = True
    return active


def _best(shared: np.ndarray) -> float:
    """The largest sum of cells of which no two are in one row or column."""
    if min(shared.shape) == 0:
        return 0.0
    if shared.shape[0] > shared.shape[1]:
        shared = shared.T
    best = {0: 0.0}  # by the set of columns taken
    for row in shared:
        following = dict(best)
        for taken, total in best.items():
            for column, value in enumerate(row):
                if not taken >> column & 1:
                    key = taken | 1 << column
                    following[key] = max(following.get(key, 0.0), total + value)
        best = following
    return max(best.values())


@dataclass(frozen=True)
class Score:
    """Seconds missed, falsely alarmed, confused and scored, and whether the number of speakers is right."""

    missed: float
    false: float
    wrong: float
    scored: float
    right: bool

    @property
    def errors(self) -> float:
        return self.missed + self.false + self.wrong


def score(reference: list[Turn], hypothesis: list[Turn]) -> Score:
    size = int(max(end for _, end, _ in reference + hypothesis) / STEP) + 2
    counted = np.ones(size, bool)
    for start, end, _ in reference:
        for edge in (start, end):
            counted[max(0, round((edge - COLLAR) / STEP)):round((edge + COLLAR) / STEP)] = False
    ref, hyp = _grid(reference, size)[:, counted], _grid(hypothesis, size)[:, counted]
    correct = _best(ref.astype(float) @ hyp.T.astype(float))
    spoken, heard = ref.sum(0), hyp.sum(0)
    return Score(*(STEP * float(v) for v in (
        np.maximum(0, spoken - heard).sum(), np.maximum(0, heard - spoken).sum(),
        np.minimum(spoken, heard).sum() - correct, spoken.sum())), right=len(ref) == len(hyp))


@dataclass(frozen=True)
class Rates:
    """In percent, with 95 % intervals: ours, theirs, and ours minus theirs."""

    ours: tuple[float, float, float]
    theirs: tuple[float, float, float]
    difference: tuple[float, float, float]


def compare(ours: list[Score], theirs: list[Score]) -> Rates:
    """Error rates of two on the same files, in the same order."""
    return _rates(*(np.array([[s.errors, s.scored] for s in side]) for side in (ours, theirs)))


def compare_counts(ours: list[Score], theirs: list[Score]) -> Rates:
    """How often each finds the right number of speakers."""
    return _rates(*(np.array([[float(s.right), 1.0] for s in side]) for side in (ours, theirs)))


def _rates(ours: np.ndarray, theirs: np.ndarray) -> Rates:
    picks = np.random.default_rng(20261123).integers(0, len(ours), (RESAMPLES, len(ours)))
    a, b = (100 * side[:, 0][picks].sum(axis=1) / side[:, 1][picks].sum(axis=1) for side in (ours, theirs))
    x, y = (100 * side[:, 0].sum() / side[:, 1].sum() for side in (ours, theirs))
    return Rates(*((value, *(float(v) for v in np.percentile(draws, [2.5, 97.5]))) for value, draws in ((x, a), (y, b), (x - y, a - b))))
