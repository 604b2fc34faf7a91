"""Recordings with known texts.

The prompts are human telephone recordings at 8 kHz from Debian's packages
asterisk-core-sounds-{en,es,fr,it,ru}-wav (CC-BY-SA 3.0, CC-BY 3.0). Half of them, told by a hash of
their name, is kept for acceptance and is never read here, so that nothing gets tuned to it.
"""
import gzip
import hashlib
import json
import pathlib
import re
import subprocess
import wave
from dataclasses import asdict, dataclass

LANGUAGES = ("en", "es", "fr", "it", "ru")
SOUNDS = pathlib.Path("/usr/share/asterisk/sounds")
DOCS = pathlib.Path("/usr/share/doc")
MIN_WORDS = 5
GAP_SECONDS = 0.6


@dataclass(frozen=True)
class Prompt:
    """One recording of one text."""

    audio: str
    language: str
    text: str

    @property
    def name(self) -> str:
        """Unique among the prompts, and fit for a file name."""
        path = pathlib.Path(self.audio)
        return f"{self.language}-{path.parent.name}-{path.stem}"


def _held_out(name: str) -> bool:
    return hashlib.sha1(name.encode()).digest()[-1] % 2 == 1


def debian_prompts(language: str) -> list[Prompt]:
    """The development half of one language's prompts that have at least MIN_WORDS words."""
    texts = DOCS / f"asterisk-core-sounds-{language}" / f"core-sounds-{language}.txt.gz"
    if not texts.exists():
        raise SystemExit(f"bench: {texts} is missing; run: sudo apt-get install asterisk-core-sounds-{language}-wav")
    found = []
    with gzip.open(texts, "rt", encoding="utf-8", errors="replace") as lines:
        for line in lines:
            name, colon, text = line.partition(":")
            if not colon or not re.fullmatch(r"[\w./-]+", name) or _held_out(name):
                continue
            # Remarks such as "[this is a beep]" are not spoken.
            spoken = re.sub(r"[\[(<].*?[\])>]", " ", text).strip()
            audio = SOUNDS / language / f"{name}.wav"
            if len(spoken.split()) >= MIN_WORDS and audio.exists():
                found.append(Prompt(str(audio), language, spoken))
    return found


def listed_prompts(path: str) -> list[Prompt]:
    """Prompts from a file of JSON lines with the keys audio, language and text."""
    with open(path, encoding="utf-8") as lines:
        return [Prompt(**{k: row[k] for k in ("audio", "language", "text")}) for row in map(json.loads, lines)]


def seconds(path: str) -> float:
    """Length of a WAV file."""
    with wave.open(path) as w:
        return w.getnframes() / w.getframerate()


def _pcm(path: str, rate: int) -> bytes:
    out = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", path, "-ac", "1", "-ar", str(rate), "-f", "s16le", "-"],
        check=True, capture_output=True)
    return out.stdout


def join(parts: list[str], rate: int, out: pathlib.Path, gap: float = GAP_SECONDS) -> pathlib.Path:
    """Writes the recordings one after the other, with a pause after each, as a mono WAV file."""
    with wave.open(str(out), "wb") as w:
        w.setnchannels(1)
        w.setsampwidth(2)
        w.setframerate(rate)
        for part in parts:
            w.writeframes(_pcm(part, rate))
            w.writeframes(bytes(2 * int(rate * gap)))
    return out


def _shuffled(prompts: list[Prompt]) -> list[Prompt]:
    """A fixed order that does not follow the alphabet."""
    return sorted(prompts, key=lambda p: hashlib.sha256(p.name.encode()).digest())


def _take(pool: list[Prompt], at_least: float) -> list[Prompt]:
    """Removes prompts from the pool until they last that many seconds with their pauses."""
    taken, total = [], 0.0
    while total < at_least:
        if not pool:
            raise SystemExit("bench: too few prompts for the recordings")
        prompt = pool.pop(0)
        taken.append(prompt)
        total += seconds(prompt.audio) + GAP_SECONDS
    return taken


@dataclass
class Recordings:
    """What the speed measurements listen to."""

    three_minutes: str
    queue: list[tuple[str, str]]  # (path, language), 16 different ones
    long: str  # all of the queue's English ones and more, for load that must last
    clip: str  # one short prompt, for jobs by the thousand

    def save(self, path: pathlib.Path) -> None:
        path.write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")


def recordings(prompts: list[Prompt], readings: list[str], out: pathlib.Path) -> Recordings:
    """Builds the recordings in a folder: a three minute file of different readings at 16 kHz and
    16 telephone recordings of about 75 s in five languages at 8 kHz; no prompt is used twice."""
    out.mkdir(parents=True, exist_ok=True)
    pools = {language: _shuffled([p for p in prompts if p.language == language]) for language in LANGUAGES}
    clip = min((p for p in pools["en"]), key=lambda p: seconds(p.audio))
    rest = 180.0 - sum(seconds(r) + GAP_SECONDS for r in readings)
    parts = readings + [p.audio for p in _take(pools["en"], rest)]
    three = join(parts, 16000, out / "three-minutes.wav")
    queue = []
    for i in range(16):
        language = LANGUAGES[i % len(LANGUAGES)]
        parts = [p.audio for p in _take(pools[language], 75.0)]
        queue.append((str(join(parts, 8000, out / f"queue-{i:02d}-{language}.wav")), language))
    long = join([path for path, _ in queue], 8000, out / "long.wav")
    return Recordings(str(three), queue, str(long), clip.audio)
