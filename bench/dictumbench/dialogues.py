"""Dialogues of two to four people, made of recordings of one person each, with the turns that are in them.

The voices are Debian's prompts in French, Italian, Russian and English, one speaker each, and the two readings that come
with the models: these two sound all but alike. Turns last 2 to 6 s, pauses 0.1 to 0.8 s. What is said does not matter
here, so the prompts that the error rates leave out are used too.
"""
import pathlib
import random
import subprocess
import wave
from dataclasses import dataclass

import numpy as np

from .corpus import SOUNDS

RATE = 16_000
CONDITIONS = ("clean", "mulaw", "noise", "overlap")
LENGTHS = {"20 s": 5, "75 s": 18}  # turns
OVERLAP = 0.1  # of the turns begin before the last one has ended
NOISE_DB = 12
READINGS = ("two_cities", "beckett")
MIN_BYTES, MAX_BYTES = 40_000, 100_000  # 2.5 to 6 s at 8 kHz

Turn = tuple[float, float, str]  # start and end in seconds, and who


@dataclass(frozen=True)
class Dialogue:
    path: str
    condition: str
    length: str
    turns: list[Turn]


def _pcm(path: str, *options: str) -> np.ndarray:
    out = subprocess.run(["ffmpeg", "-v", "error", *options, "-i", path, "-ac", "1", "-ar", str(RATE), "-f", "s16le", "-"],
                         check=True, capture_output=True)
    return np.frombuffer(out.stdout, "<i2").astype(np.int32)


def _voices(samples: pathlib.Path) -> dict[str, list[str]]:
    voices = {language: sorted(str(p) for p in (SOUNDS / language).glob("*.wav") if MIN_BYTES < p.stat().st_size < MAX_BYTES)
              for language in ("fr", "it", "ru", "en")}
    return voices | {name: [str(samples / f"{name}.wav")] for name in READINGS}


def _talk(voices: dict[str, list[str]], seed: int, speakers: int, turns: int, overlap: float) -> tuple[np.ndarray, list[Turn]]:
    rng = random.Random(seed)
    cast = rng.sample(sorted(voices), speakers)
    track, spoken, at, last = np.zeros(0, np.int32), [], 0.2, None
    for _ in range(turns):
        last = rng.choice([c for c in cast if c != last])
        said = _pcm(rng.choice(voices[last]))
        if len(said) > 6 * RATE:  # a stretch of a reading
            n = int(rng.uniform(2, 6) * RATE)
            first = rng.randrange(len(said) - n)
            said = said[first:first + n]
        start = int(at * RATE)
        track = np.pad(track, (0, max(0, start + len(said) - len(track))))
        track[start:start + len(said)] += said
        spoken.append((at, at + len(said) / RATE, last))
        at = spoken[-1][1] + (-rng.uniform(0.2, 1.0) if rng.random() < overlap else rng.uniform(0.1, 0.8))
    return np.clip(track, -32768, 32767), spoken


def _noisy(track: np.ndarray, seed: int) -> np.ndarray:
    """Adds pink noise NOISE_DB below the mean power of what is not silence."""
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(len(track)))
    noise = np.fft.irfft(spectrum / np.sqrt(np.maximum(1, np.arange(len(spectrum)))), len(track))
    speech = track[np.abs(track) > 50].astype(float)
    power = np.mean(speech ** 2) / 10 ** (NOISE_DB / 10)
    return np.clip(track + noise * np.sqrt(power / np.mean(noise ** 2)), -32768, 32767).astype(np.int32)


def _write(path: pathlib.Path, track: np.ndarray) -> None:
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(track.astype("<i2").tobytes())


def build(samples: pathlib.Path, seeds: range, out: pathlib.Path) -> list[Dialogue]:
    """One dialogue a seed and condition; two, three and four people, and the two lengths, take turns."""
    out.mkdir(parents=True, exist_ok=True)
    voices, dialogues = _voices(samples), []
    for seed in seeds:
        for i, condition in enumerate(CONDITIONS):
            length = tuple(LENGTHS)[(seed // 3 + i) % 2]
            track, turns = _talk(voices, seed, 2 + seed % 3, LENGTHS[length], OVERLAP if condition == "overlap" else 0.0)
            path = out / f"{seed:03d}-{condition}.wav"
            _write(path, _noisy(track, seed) if condition == "noise" else track)
            if condition == "mulaw":
                telephone = path.with_suffix(".8k.wav")
                subprocess.run(["ffmpeg", "-v", "error", "-y", "-i", str(path), "-ar", "8000", "-c:a", "pcm_mulaw", str(telephone)], check=True)
                telephone.rename(path)
            dialogues.append(Dialogue(str(path), condition, length, turns))
    return dialogues
