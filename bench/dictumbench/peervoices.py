"""Runs Resemblyzer with spectral clustering on some files, in an environment of its own, and writes RTTM files.

Settings: partial embeddings of 1.6 s, two a second; the clusterer is spectralcluster's for this model (ICASSP 2018), two
to seven speakers. What is speech is given, in an RTTM file of the same name: it is the speech that Dictum found, so that
only the speakers are compared. This file imports nothing of this package: the other environment has no need of it.
"""
import argparse
import json
import pathlib
import resource
import sys
import time

import librosa
import numpy as np
import torch
from resemblyzer import VoiceEncoder
from resemblyzer.audio import normalize_volume
from resemblyzer.hparams import audio_norm_target_dBFS, sampling_rate
from spectralcluster import configs

PARTIALS_A_SECOND = 2  # of 1, 2 and 4 the best for the peer
STEP = 0.05  # seconds
JOIN = 2.0  # the longest pause within a turn, in seconds, as in Dictum


def speech(path: pathlib.Path) -> list[tuple[float, float]]:
    """What is spoken, whoever speaks, in order and without overlap."""
    rows = (line.split() for line in path.read_text(encoding="utf-8").splitlines())
    spans: list[tuple[float, float]] = []
    for start, end in sorted((float(r[3]), float(r[3]) + float(r[4])) for r in rows):
        if spans and start <= spans[-1][1]:
            spans[-1] = spans[-1][0], max(end, spans[-1][1])
        else:
            spans.append((start, end))
    return spans


def turns(encoder: VoiceEncoder, path: pathlib.Path, spans: list[tuple[float, float]]) -> list[list]:
    samples = normalize_volume(librosa.load(path, sr=sampling_rate)[0], audio_norm_target_dBFS, increase_only=True)
    _, partials, slices = encoder.embed_utterance(samples, return_partials=True, rate=PARTIALS_A_SECOND)
    middles = np.array([(s.start + s.stop) / 2 / sampling_rate for s in slices])
    heard = np.array([2 * sum(max(0.0, min(b, s.stop / sampling_rate) - max(a, s.start / sampling_rate)) for a, b in spans) > (s.stop - s.start) / sampling_rate
                      for s in slices])
    if heard.sum() < 3:
        heard[:] = True
    labels = configs.icassp2018_clusterer.predict(partials[heard]) if heard.sum() > 2 else np.zeros(heard.sum(), int)
    found: list[list] = []
    for start, end in spans:
        for at in np.arange(start, end, STEP):
            to, who = min(at + STEP, end), int(labels[np.abs(middles[heard] - at - STEP / 2).argmin()])
            if found and found[-1][2] == who and at - found[-1][1] < JOIN:
                found[-1][1] = to
            else:
                found.append([at, to, who])
    return found


def main() -> None:
    """Prints {"wall_seconds", "cpu_seconds"}."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--speech", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("files", nargs="+", type=pathlib.Path)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(args.threads)
    encoder = VoiceEncoder("cpu", verbose=False)
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
    for path in args.files:
        rows = turns(encoder, path, speech(args.speech / f"{path.stem}.rttm"))
        (args.out / f"{path.stem}.rttm").write_text("".join(
            f"SPEAKER {path.stem} 1 {a:.3f} {b - a:.3f} <NA> <NA> spk_{who} <NA> <NA>\n" for a, b, who in rows), encoding="utf-8")
    after = resource.getrusage(resource.RUSAGE_SELF)
    json.dump({"wall_seconds": time.perf_counter() - began,
               "cpu_seconds": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime}, sys.stdout)


if __name__ == "__main__":
    main()
