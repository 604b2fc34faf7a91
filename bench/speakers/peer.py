#!/usr/bin/env python3
"""The peer of bench/speakers: Resemblyzer's embeddings (GE2E, 1.6 s windows, two a second) and spectral clustering
(spectralcluster, the configuration of arXiv 1710.10468, up to ten speakers) over speech found by WebRTC's detector.

Usage: peer.py OUT FILE...   Writes an RTTM file for each and prints seconds of audio and of processor time.
Needs: pip install Resemblyzer==0.1.4 spectralcluster==0.2.22 webrtcvad-wheels librosa
"""
import json
import pathlib
import sys
import time
import warnings

warnings.filterwarnings("ignore")
import librosa  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
import webrtcvad  # noqa: E402
from resemblyzer import VoiceEncoder  # noqa: E402
from resemblyzer.audio import normalize_volume  # noqa: E402
from spectralcluster import configs  # noqa: E402

RATE, FRAME, JOIN = 16000, 0.03, 2.0


def speech(wav):
    """One truth a frame."""
    detector, n = webrtcvad.Vad(2), int(RATE * FRAME)
    pcm = (np.clip(wav, -1, 1) * 32767).astype("<i2")
    return np.array([detector.is_speech(pcm[i:i + n].tobytes(), RATE) for i in range(0, len(pcm) - n + 1, n)])


def turns(wav, encoder):
    voiced = speech(wav)
    _, partials, slices = encoder.embed_utterance(normalize_volume(wav, -30, increase_only=True), return_partials=True, rate=2)
    middles = np.array([(s.start + s.stop) / 2 / RATE for s in slices])
    heard = np.array([voiced[int(s.start / RATE / FRAME):int(s.stop / RATE / FRAME)].mean() > 0.5 for s in slices])
    if heard.sum() < 2:
        return []
    clusterer = configs.icassp2018_clusterer
    clusterer.max_clusters = 10
    labels = clusterer.predict(partials[heard].astype(np.float64))
    found = []
    for i in np.flatnonzero(voiced):
        at = i * FRAME
        label = labels[np.argmin(np.abs(middles[heard] - at))]
        if found and found[-1][2] == label and at - found[-1][1] < JOIN:
            found[-1][1] = at + FRAME
        else:
            found.append([at, at + FRAME, label])
    return found


def main():
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(2)
    encoder = VoiceEncoder("cpu", verbose=False)
    audio = cpu = 0.0
    for path in map(pathlib.Path, sys.argv[2:]):
        wav = librosa.load(path, sr=RATE)[0]
        start = time.process_time()
        found = turns(wav, encoder)
        audio, cpu = audio + len(wav) / RATE, cpu + time.process_time() - start
        (out / f"{path.stem}.rttm").write_text("".join(
            f"SPEAKER {path.stem} 1 {a:.3f} {b - a:.3f} <NA> <NA> {k} <NA> <NA>\n" for a, b, k in found))
    print(json.dumps({"audio_s": audio, "cpu_s": cpu}))


if __name__ == "__main__":
    main()
