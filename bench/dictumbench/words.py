"""Word times: ours beside the peer's aligned times, and rules that every document must keep."""
import difflib
import re

import numpy as np


def _plain(word: str) -> str:
    return re.sub(r"[^\w']", "", word.lower())


def differences(ours: list[list], theirs: list[list]) -> tuple[list[float], list[float]]:
    """Absolute differences, in seconds, of the starts and of the ends of those words that both
    heard alike, matched in order."""
    matcher = difflib.SequenceMatcher(None, [_plain(w[0]) for w in ours], [_plain(w[0]) for w in theirs], autojunk=False)
    starts, ends = [], []
    for block in matcher.get_matching_blocks():
        for k in range(block.size):
            mine, other = ours[block.a + k], theirs[block.b + k]
            starts.append(abs(mine[1] - other[1]))
            ends.append(abs(mine[2] - other[2]))
    return starts, ends


def faults(words: list[list]) -> dict[str, int]:
    """How many words last no time or less, and how many begin before the one before them."""
    return {
        "zero": sum(end == start for _, start, end in words),
        "negative": sum(end < start for _, start, end in words),
        "out of order": sum(b[1] < a[1] for a, b in zip(words, words[1:])),
    }


def summary(values: list[float]) -> tuple[float, float]:
    """Median and 95th percentile in milliseconds."""
    median, high = np.percentile(values, [50, 95])
    return 1000 * median, 1000 * high
