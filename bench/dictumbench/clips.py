"""Speech whose words, pauses and text are known, and recordings laid out of it, for streams.

When words end is what Whisper base (faster-whisper, beam 5) aligns in each clip by itself. Where speech ends is what
Silero VAD, as faster-whisper has it, says: neither is Dictum's. A word lasts no longer than the speech it is in, since Whisper's
words beside a pause run into it.
"""
import argparse
import hashlib
import itertools
import json
import pathlib
import re
import subprocess
import sys
import wave
from dataclasses import dataclass, field

from . import corpus

RATE = 16_000
BEAM = 5
PAUSE = 0.6  # seconds without speech that end an utterance
UNSURE = 0.04  # seconds on both sides of a pause that a word has, when nobody knows on which it was said
# The opening of "A Tale of Two Cities", which the reader of two_cities.wav reads.
READING = (
    "It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of foolishness, it was the epoch of "
    "belief, it was the epoch of incredulity, it was the season of Light, it was the season of Darkness, it was the spring of hope, it "
    "was the winter of despair, we had everything before us, we had nothing before us, we were all going direct to Heaven, we were all "
    "going direct the other way. In short, the period was so far like the present period, that some of its noisiest authorities "
    "insisted on its being received, for good or for evil, in the superlative degree of comparison only.")
_DIGITS = {word: str(n) for n, word in enumerate("zero one two three four five six seven eight nine".split())}


def plain(word: str) -> str:
    """A word without case and punctuation, so that recognisers can be compared."""
    word = re.sub(r"[^\w']", "", word.lower())
    return _DIGITS.get(word, word)


@dataclass
class Word:
    text: str
    start: float
    end: float
    sure: bool = True  # that these are its times


@dataclass
class Clip:
    """A prompt or a reading as a WAV file of RATE."""

    path: str
    language: str
    text: str
    seconds: float
    words: list[Word] = field(default_factory=list)
    ends: list[float] = field(default_factory=list)  # of speech: a pause or the end of the clip follows
    pieces: list[tuple[float, float]] = field(default_factory=list)  # of speech, between pauses
    whisper: str = ""  # what Whisper hears in it


@dataclass
class Recording:
    """Clips one after the other, with corpus.GAP_SECONDS after each."""

    path: str
    language: str
    clips: list[Clip]
    words: list[Word]
    ends: list[float]

    @property
    def text(self) -> str:
        return " ".join(c.text for c in self.clips)

    @property
    def seconds(self) -> float:
        return corpus.seconds(self.path)


def load(prompts: list[corpus.Prompt], language: str, reading: str | None, work: pathlib.Path) -> list[Clip]:
    """The prompts of a language, and before them a reading if there is one; their words are not known yet."""
    folder = work / f"clips-{language}"
    folder.mkdir(parents=True)
    sources = [(p.audio, p.text, p.name) for p in prompts if p.language == language]
    if reading:
        sources.insert(0, (reading, READING, "reading"))
    clips = []
    for audio, text, name in sources:
        path = corpus.join([audio], RATE, folder / f"{name}.wav", gap=0)
        clips.append(Clip(str(path), language, text, corpus.seconds(str(path))))
    return clips


def align(clips: list[Clip], weights: pathlib.Path, threads: int, cache: pathlib.Path) -> None:
    """Finds words and pauses of clips, unless they are known. What was found is kept in a folder, by the hash of audio and settings."""
    cache.mkdir(parents=True, exist_ok=True)
    settings = f"base int8 beam {BEAM} pause {PAUSE}"
    places = {c.path: cache / f"{hashlib.sha256(pathlib.Path(c.path).read_bytes() + f'{c.language} {settings}'.encode()).hexdigest()}.json" for c in clips}
    for language in sorted({c.language for c in clips}):
        unknown = sorted({c.path for c in clips if c.language == language and not places[c.path].exists()})
        if not unknown:
            continue
        command = [sys.executable, "-m", "dictumbench.clips", "--weights", str(weights), "--threads", str(threads), "--language", language]
        done = subprocess.run(command, input=json.dumps(unknown), stdout=subprocess.PIPE, text=True, check=True)
        for path, found in zip(unknown, json.loads(done.stdout)):
            places[path].write_text(json.dumps(found), encoding="utf-8")
    from .latency import matches  # which needs these words
    for clip in clips:
        found = json.loads(places[clip.path].read_text(encoding="utf-8"))
        clip.whisper, clip.pieces = found["text"], [tuple(p) for p in found["pieces"]]
        clip.ends, clip.words = [end for _, end in clip.pieces], []
        for text, start, end in found["words"]:
            if plain(text):
                clip.words.append(_within(plain(text), start, end, found["speech"]))
        # What Whisper hears otherwise than the clip's text says, nobody can be late with.
        said = {i for i, _ in matches([w.text for w in clip.words], [plain(w) for w in re.sub("[-\u2010-\u2015]", " ", clip.text).split()])}
        for i, word in enumerate(clip.words):
            word.sure = word.sure and i in said


def _within(word: str, start: float, end: float, speech: list[tuple[float, float]]) -> Word:
    """The part of a word that is speech: in the stretch that it has most of. A word with a pause in it is not sure."""
    parts = [(min(end, e) - max(start, s), max(start, s), min(end, e)) for s, e in speech]
    parts = [part for part in parts if part[0] > 0]
    if not parts:
        return Word(word, start, end)
    _, a, b = max(parts)
    return Word(word, a, b, sure=sum(length >= UNSURE for length, *_ in parts) < 2)


def endless(clips: list[Clip]):
    """All clips, then all again in another order, and so on. A reading that comes first stays first, once."""
    yield from clips[:1]
    for turn in itertools.count():
        skip = 1 if turn == 0 else 0
        yield from sorted(clips[skip:], key=lambda c: hashlib.sha256(f"{turn} {pathlib.Path(c.path).stem}".encode()).digest())


def choose(clips: list[Clip], count: int, seconds: float) -> list[list[Clip]]:
    """Clips for so many recordings that last so long at least. Clips come again, in another order, after all have been used:
    no two recordings say the same at the same time."""
    source, chosen = endless(clips), []
    for _ in range(count):
        taken, length = [], 0.0
        while length < seconds:
            taken.append(next(source))
            length += taken[-1].seconds + corpus.GAP_SECONDS
        chosen.append(taken)
    return chosen


def lay(chosen: list[list[Clip]], out: pathlib.Path) -> list[Recording]:
    """Writes recordings of clips that have been aligned."""
    out.mkdir(parents=True, exist_ok=True)
    gap, made = int(RATE * corpus.GAP_SECONDS), []
    for n, taken in enumerate(chosen):
        path = out / f"{taken[0].language}-{n}.wav"
        words: list[Word] = []
        ends: list[float] = []
        frames = 0
        with _wave(path) as w:
            for c in taken:
                at = frames / RATE
                words += [Word(x.text, at + x.start, at + x.end, x.sure) for x in c.words]
                ends += [at + e for e in c.ends]
                with wave.open(c.path) as part:
                    w.writeframes(part.readframes(part.getnframes()) + bytes(2 * gap))
                    frames += part.getnframes() + gap
        made.append(Recording(str(path), taken[0].language, taken, words, ends))
    return made


def _wave(path: pathlib.Path) -> wave.Wave_write:
    w = wave.open(str(path), "wb")
    w.setnchannels(1)
    w.setsampwidth(2)
    w.setframerate(RATE)
    return w


def cut(clip: Clip, longest: float, out: pathlib.Path) -> list[str]:
    """The clip, or when it lasts longer than some seconds its parts, cut in pauses or else between words, as WAV files."""
    if clip.seconds <= longest:
        return [clip.path]
    def between(stretches: list[tuple[float, float]]) -> list[float]:
        return [(a[1] + b[0]) / 2 for a, b in zip(stretches, stretches[1:]) if b[0] > a[1]]

    pauses, gaps, bounds = between(clip.pieces), between([(w.start, w.end) for w in clip.words]), [0.0]
    while clip.seconds - bounds[-1] > longest:
        low, high = bounds[-1], bounds[-1] + longest
        fitting = [[x for x in places if low < x <= high] for places in (pauses, gaps)]
        bounds.append(next((places[-1] for places in fitting if places), high))
    paths = []
    with wave.open(clip.path) as w:
        for k, (a, b) in enumerate(zip(bounds, [*bounds[1:], clip.seconds])):
            path = out / f"{pathlib.Path(clip.path).stem}-{k}.wav"
            w.setpos(int(a * RATE))
            with _wave(path) as part:
                part.writeframes(w.readframes(int(b * RATE) - int(a * RATE)))
            paths.append(str(path))
    return paths


def main() -> None:
    """Reads paths and prints for each its text, words, the speech in it (finely), and its pieces between pauses."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--weights", required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--language", required=True)
    args = parser.parse_args()
    from faster_whisper import WhisperModel, decode_audio
    from faster_whisper.vad import VadOptions, get_speech_timestamps

    model = WhisperModel(args.weights, device="cpu", compute_type="int8", cpu_threads=args.threads)

    def speech(audio, pause: float) -> list[tuple[float, float]]:
        options = VadOptions(min_silence_duration_ms=int(1000 * pause), speech_pad_ms=0, min_speech_duration_ms=100)
        return [(s["start"] / RATE, s["end"] / RATE) for s in get_speech_timestamps(audio, options)]

    out = []
    for path in json.load(sys.stdin):
        audio = decode_audio(path, sampling_rate=RATE)
        segments = list(model.transcribe(audio, language=args.language, beam_size=BEAM, word_timestamps=True, condition_on_previous_text=False)[0])
        out.append({"text": "".join(s.text for s in segments).strip(), "speech": speech(audio, 0.1), "pieces": speech(audio, PAUSE),
                    "words": [[w.word, float(w.start), float(w.end)] for s in segments for w in s.words or ()]})
    json.dump(out, sys.stdout)


if __name__ == "__main__":
    main()
