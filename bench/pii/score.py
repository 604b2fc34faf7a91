#!/usr/bin/env python3
"""Character-level recall and precision of redaction, by type and style, with bootstrap 95 % intervals.

    dictum redact --spans lines.txt > found.jsonl
    score.py --labels ../shared/eval/pii-dev.jsonl --found found.jsonl [--found presidio=other.jsonl ...]
    score.py --labels pii-dev.jsonl --lines > lines.txt       # the texts, for the detectors

A label file has {"id", "text", "style", "spans": [{"start", "end", "type"}]} a line, a found file {"spans": [...]} a line, in
the same order; offsets are code points. Recall is the share of labelled characters that something covers, of whatever type
("covered") or of the same type ("typed"). Precision is the share of found characters that a label covers. Rows are
resampled with replacement. Spaces do not count.
"""

import argparse
import collections
import json
import random
import sys

# The types of the goal: names, telephones, e-mails, and the numbers that cost money.
CORE = ("NAME", "PHONE", "EMAIL", "SSN", "CREDIT_DEBIT_NUMBER", "BANK_ACCOUNT_NUMBER")


def characters(text, spans):
    """Maps each labelled character, spaces left out, to its type."""
    return {i: s["type"] for s in spans for i in range(s["start"], s["end"]) if not text[i].isspace()}


def count(text, labels, found):
    """Counts by type: labelled, covered, covered with the same type; found, right, right with the same type."""
    out = collections.Counter()
    want, got = characters(text, labels), characters(text, found)
    for i, kind in want.items():
        keys = [kind, "ALL"] + (["CORE"] if kind in CORE else [])
        for k in keys:
            out[k, "want"] += 1
            out[k, "covered"] += i in got
            out[k, "typed"] += got.get(i) == kind
    for i, kind in got.items():
        keys = [kind, "ALL"] + (["CORE"] if kind in CORE else [])
        for k in keys:
            out[k, "got"] += 1
            out[k, "right"] += i in want
            out[k, "exact"] += want.get(i) == kind
    return out


RATIOS = (("recall", "covered", "want"), ("typed", "typed", "want"), ("precision", "right", "got"), ("exact", "exact", "got"))


def ratio(total, kind, above, below):
    return total[kind, above] / total[kind, below] if total[kind, below] else None


def interval(rows, kind, above, below, rounds, seed):
    """The 2.5th and 97.5th percentile of the ratio over resampled rows."""
    pairs = [(r[kind, above], r[kind, below]) for r in rows if r[kind, below] or r[kind, above]]
    if not pairs:
        return None
    draw, values, empty = random.Random(seed), [], len(rows) - len(pairs)
    for _ in range(rounds):
        sample = draw.choices(pairs, k=len(pairs))
        low = sum(b for _, b in sample)
        if low:
            values.append(sum(a for a, _ in sample) / low)
    values.sort()
    return values[int(0.025 * len(values))], values[min(int(0.975 * len(values)), len(values) - 1)]


def report(name, rows, rounds, out):
    total = sum(rows, collections.Counter())
    kinds = sorted({k for k, _ in total} - {"ALL", "CORE"})
    print(f"{name}: {len(rows)} rows", file=out)
    print(f"  {'type':28}{'chars':>6}  " + "".join(f"{n:>24}" for n, _, _ in RATIOS), file=out)
    result = {}
    for kind in ["ALL", "CORE", *kinds]:
        line = f"  {kind:28}{total[kind, 'want']:6}  "
        result[kind] = {"characters": total[kind, "want"]}
        for n, above, below in RATIOS:
            value = ratio(total, kind, above, below)
            if value is None:
                line += f"{'-':>24}"
                continue
            low, high = interval(rows, kind, above, below, rounds, 1) or (value, value)
            result[kind][n] = {"value": round(value, 4), "low": round(low, 4), "high": round(high, 4)}
            line += f"{value:10.3f} [{low:.3f}, {high:.3f}]"
        print(line, file=out)
    return result


def read(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.strip()]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--labels", required=True)
    p.add_argument("--found", action="append", default=[], metavar="[NAME=]FILE")
    p.add_argument("--lines", action="store_true", help="print the texts and stop")
    p.add_argument("--ids", choices=("all", "odd", "even"), default="all", help="rows by the parity of the number in their id")
    p.add_argument("--errors", action="store_true", help="print what was missed and what was found wrongly")
    p.add_argument("--rounds", type=int, default=2000)
    p.add_argument("--json", metavar="FILE")
    a = p.parse_args()
    labels = read(a.labels)
    if a.lines:
        for row in labels:
            print(row["text"].replace("\n", " "))
        return
    results = {}
    for spec in a.found:
        name, _, path = spec.rpartition("=")
        found = read(path)
        if len(found) != len(labels):
            sys.exit(f"{path}: {len(found)} lines for {len(labels)} texts")
        rows = []
        for want, got in zip(labels, found):
            odd = int(want["id"].rsplit("-", 1)[-1]) % 2
            if a.ids != "all" and odd != (a.ids == "odd"):
                continue
            rows.append((want["style"], count(want["text"], want["spans"], got["spans"])))
            if a.errors:
                w, g = characters(want["text"], want["spans"]), characters(want["text"], got["spans"])
                if w != g:
                    print(want["id"], want["text"])
                    print("    want", [(want["text"][s["start"]:s["end"]], s["type"]) for s in want["spans"]])
                    print("    got ", [(want["text"][s["start"]:s["end"]], s["type"], round(s.get("score", 1), 2)) for s in got["spans"]])
        name = name or "dictum"
        results[name] = {"all": report(f"{name}, all", [r for _, r in rows], a.rounds, sys.stdout)}
        for style in sorted({s for s, _ in rows}):
            results[name][style] = report(f"{name}, {style}", [r for s, r in rows if s == style], a.rounds, sys.stdout)
    if a.json:
        with open(a.json, "w", encoding="utf-8") as file:
            json.dump(results, file, indent=1)


if __name__ == "__main__":
    main()
