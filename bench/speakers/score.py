#!/usr/bin/env python3
"""Scores RTTM files against references: diarization error rate with a collar, and how often the count is right.

Usage: score.py REFERENCES HYPOTHESES [--collar 0.25] [--worst N]

The error rate is NIST's (md-eval): missed speech, false alarms and speech of the wrong speaker, over all
speech in the references, under the mapping of speakers that is best for each file; stretches within the
collar of a reference boundary do not count, overlapped speech does. Files group by the part of their name after
the last underscore (clean, mulaw, noise, overlap) and, before it, by length. Intervals are 95 %, by bootstrap
over files. Needs numpy and scipy.
"""
import argparse
import pathlib

import numpy as np
from scipy.optimize import linear_sum_assignment

STEP = 0.01  # seconds


def turns(path):
    rows = (line.split() for line in path.read_text().splitlines() if line.startswith("SPEAKER"))
    return [(float(r[3]), float(r[3]) + float(r[4]), r[7]) for r in rows]


def grid(spans, size):
    names = sorted({name for *_, name in spans})
    active = np.zeros((len(names), size), bool)
    for start, end, name in spans:
        active[names.index(name), round(start / STEP):round(end / STEP)] = True
    return active


def errors(reference, hypothesis, collar):
    """Seconds missed, falsely alarmed, confused, and scored."""
    size = int(max(end for _, end, _ in reference + hypothesis) / STEP) + 2
    counted = np.ones(size, bool)
    for start, end, _ in reference:
        for edge in (start, end):
            counted[max(0, round((edge - collar) / STEP)):round((edge + collar) / STEP)] = False
    ref, hyp = grid(reference, size)[:, counted], grid(hypothesis, size)[:, counted]
    shared = ref.astype(np.float64) @ hyp.T.astype(np.float64)
    correct = shared[linear_sum_assignment(-shared)].sum()
    spoken, heard = ref.sum(0), hyp.sum(0)
    return STEP * np.array([
        np.maximum(0, spoken - heard).sum(), np.maximum(0, heard - spoken).sum(),
        np.minimum(spoken, heard).sum() - correct, spoken.sum(),
    ])


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("references", type=pathlib.Path)
    p.add_argument("hypotheses", type=pathlib.Path)
    p.add_argument("--collar", type=float, default=0.25)
    p.add_argument("--worst", type=int, default=0)
    a = p.parse_args()
    groups, files = {}, []
    for path in sorted(a.hypotheses.glob("*.rttm")):
        ref, hyp = turns(a.references / path.name), turns(path)
        e = errors(ref, hyp, a.collar)
        counts = len({n for *_, n in ref}), len({n for *_, n in hyp})
        row = np.append(e, counts[0] == counts[1])
        files.append((e[:3].sum() / e[3], path.stem, counts))
        parts = path.stem.split("_")
        for key in {"all", parts[-1], " ".join(parts[-1:] + parts[1:2])}:
            groups.setdefault(key, []).append(row)
    random = np.random.default_rng(0)
    print(f"{'files':24} {'n':>4} {'error %':>8} {'95 %':>14} {'missed':>7} {'false':>6} {'wrong':>6} {'count right':>12}")
    for key, rows in sorted(groups.items()):
        rows = np.array(rows)
        rate = lambda r: 100 * r[:, :3].sum() / r[:, 3].sum()
        draws = [rate(rows[random.integers(len(rows), size=len(rows))]) for _ in range(1000)]
        low, high = np.percentile(draws, [2.5, 97.5])
        parts = 100 * rows[:, :3].sum(0) / rows[:, 3].sum()
        print(f"{key:24} {len(rows):4} {rate(rows):8.2f} {low:6.2f}-{high:6.2f}  {parts[0]:7.2f} {parts[1]:6.2f} {parts[2]:6.2f}"
              f" {100 * rows[:, 4].mean():10.1f} %")
    for rate, name, counts in sorted(files, reverse=True)[:a.worst]:
        print(f"{100 * rate:6.1f} %  {name}: {counts[0]} speakers, {counts[1]} found")


if __name__ == "__main__":
    main()
