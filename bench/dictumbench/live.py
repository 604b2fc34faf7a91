"""The parts live, beside and soak: streams at the pace of speech, by AWS's SDK for Go over HTTP/2 to `dictum serve`."""
import json
import os
import pathlib
import subprocess
import sys
import threading
import time

import numpy as np

from . import accuracy, clips, corpus, latency, product
from .latency import Measured, percentiles

COLUMNS = ("partial: median", "95 %", "99 %", "final: median", "95 %", "99 %")
MUSTS = {"partial_p95": 600, "final_median": 700, "final_p95": 1100}
HOLDS_MS = 1500  # 95 % of finals: what a machine holds
MOST_STREAMS = 64
WHOLE_SECONDS = 29.0  # the model takes 30 at once
SETTLE_SECONDS, SAMPLE_SECONDS = 300, 5  # of the soak


def events(lines: str) -> list[dict]:
    return [json.loads(line) for line in lines.splitlines() if line.startswith("{")]


class Live:
    """What the three parts share: clips, recordings, clients and peers."""

    def __init__(self, run):
        self.run, self.args, self.report, self.work = run, run.args, run.report, run.work
        self._clips: dict[str, list[clips.Clip]] = {}
        self._whole: dict[str, str] = {}

    def speech(self, language: str) -> list[clips.Clip]:
        if language not in self._clips:
            reading = self.run.reading if language == "en" else None
            self._clips[language] = clips.load(self.run.prompts, language, reading, self.work)
        return self._clips[language]

    def recordings(self, language: str, count: int, seconds: float) -> list[clips.Recording]:
        chosen = clips.choose(self.speech(language), count, seconds)
        clips.align([c for taken in chosen for c in taken], self.run.weights, self.args.threads, self.args.clips)
        return clips.lay(chosen, self.work / f"streams-{language}-{count}-{seconds:.0f}")

    def queue(self) -> list[tuple[str, str]]:
        """Short jobs, so that it is seen how far a queue came: (path, language) of telephone recordings of about 20 s."""
        jobs = []
        for language in corpus.LANGUAGES:
            prompts = [p for p in self.run.prompts if p.language == language]
            for n in range(4):
                parts = [p.audio for p in prompts[4 * n:4 * n + 4]]
                if parts:
                    jobs.append((str(corpus.join(parts, 8000, self.work / f"job-{language}-{n}.wav")), language))
        return jobs

    def server(self, name: str) -> product.Server:
        """A server that has recognised a clip already."""
        server = product.Server(self.args.binary, self.work / f"{name}-data", self.args.threads, "--max-streams", str(MOST_STREAMS))
        languages = ("en",) if name != "live" else self.args.live_languages
        for language in languages:
            self.play(server, clips.lay([self.speech(language)[-1:]], self.work / f"warm-{name}"))
        return server

    def play(self, server: product.Server, recordings: list[clips.Recording]) -> list[Measured]:
        """Plays each recording as a stream of its own; streams begin within three seconds, evenly spread."""
        plan = [{"path": r.path, "language": product.CODES[r.language], "begin": n * 0.618 % 1 * 3} for n, r in enumerate(recordings)]
        done = subprocess.run([str(self.work / "live")], input=json.dumps(plan), stdout=subprocess.PIPE, text=True, check=True,
                              env={**os.environ, **server.env})
        lines = events(done.stdout)
        late = {line["stream"]: line["late"] for line in lines if "late" in line}
        return [latency.measure(r, [line for line in lines if line["stream"] == n and "at" in line], late[n]) for n, r in enumerate(recordings)]

    def peer(self, module: str, recordings: list[clips.Recording], *options: str) -> list[Measured]:
        """Runs as many processes of a peer, each with a recording; their clocks start when all have loaded their models."""
        command = [sys.executable, "-W", "ignore", "-m", f"dictumbench.{module}", *options]
        processes = [subprocess.Popen([*command, r.path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for r in recordings]
        outputs = [""] * len(processes)

        def collect(n: int, process: subprocess.Popen) -> None:
            outputs[n] = process.communicate("go\n")[0]

        for process in processes:
            if process.stdout.readline().strip() != "ready":
                raise SystemExit(f"bench: {module} did not start")
        threads = [threading.Thread(target=collect, args=pair) for pair in enumerate(processes)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if any(process.returncode for process in processes):
            raise SystemExit(f"bench: {module} failed")
        return [latency.measure(r, events(output)) for r, output in zip(recordings, outputs)]

    def whole(self, language: str, used: list[clips.Clip]) -> dict[str, str]:
        """What the model of live results makes of each clip when it hears it whole: Moonshine for English, else Whisper."""
        if language != "en":
            return {c.path: c.whisper for c in used}
        # Clips are played again and again, and recognised once.
        fresh = list({c.path: c for c in used if c.path not in self._whole}.values())
        if fresh:
            folder = self.work / f"pieces-{len(self._whole)}"
            folder.mkdir()
            pieces = {c.path: clips.cut(c, WHOLE_SECONDS, folder) for c in fresh}
            files = [p for parts in pieces.values() for p in parts]
            done = subprocess.run([str(self.work / "live"), "-offline", "-threads", str(self.args.threads), *files],
                                  stdout=subprocess.PIPE, text=True, check=True)
            texts = json.loads(done.stdout)
            self._whole |= {path: " ".join(texts[p] for p in parts) for path, parts in pieces.items()}
        return self._whole

    def errors(self, recordings: list[clips.Recording], heard: list[str]) -> list[tuple[int, int]]:
        """Errors and words of each recording."""
        def same(text: str, language: str) -> str:
            return text if language == "en" else accuracy.numbers_as_digits(text, language)
        return [accuracy.errors(same(r.text, r.language), same(text, r.language)) for r, text in zip(recordings, heard)]

    def words_row(self, label: str, recordings: list[clips.Recording], heard: list[str], judged: bool = True) -> dict:
        """Word errors of finals beside those of the same model and of Whisper on whole clips."""
        language = recordings[0].language
        whole = self.whole(language, [c for r in recordings for c in r.clips])
        finals = self.errors(recordings, heard)
        same = accuracy.compare(finals, self.errors(recordings, [" ".join(whole[c.path] for c in r.clips) for r in recordings]))
        whisper = accuracy.compare(finals, self.errors(recordings, [" ".join(c.whisper for c in r.clips) for r in recordings]))
        must = {"must": "within 2 points of the model offline", "met": same.difference <= 2} if judged else {}
        self.report.row(label, str(sum(n for _, n in finals)), f"{same.ours:.2f}", f"{same.theirs:.2f}", f"{same.difference:+.2f}", f"{whisper.theirs:.2f}", **must)
        texts = [{"reference": r.text, "finals": text, "model_offline": " ".join(whole[c.path] for c in r.clips)} for r, text in zip(recordings, heard)]
        return {"texts": texts, "words": sum(n for _, n in finals), "finals": same.ours, "model_offline": same.theirs, "difference": same.difference,
                "difference_95": [same.low, same.high], "whisper_offline": whisper.theirs}

    def latency_row(self, label: str, m: Measured, musts: bool = False) -> dict:
        p, f = percentiles(m.partial), percentiles(m.final)
        must = {}
        if musts:
            met = p["p95"] <= MUSTS["partial_p95"] and f["median"] <= MUSTS["final_median"] and f["p95"] <= MUSTS["final_p95"]
            must = {"must": "{partial_p95} (95 %); {final_median}, {final_p95} (95 %)".format(**MUSTS), "met": met}
        self.report.row(label, *(f"{side[q]:.0f}" for side in (p, f) for q in ("median", "p95", "p99")), **must)
        return m.facts()

    def save(self, part: str, facts: dict) -> None:
        (self.args.out / f"{part}.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")


def together(measured: list[Measured]) -> Measured:
    total = Measured()
    for m in measured:
        total.add(m)
    return total


def live(run) -> None:
    """Latency by number of streams, how many the machine holds, peers, word errors."""
    shared = Live(run)
    args, report = shared.args, shared.report
    facts: dict = {"seconds_a_stream": args.live_seconds, "latency": {}, "peers": {}, "word_errors": {}}
    ours: dict[tuple[str, int], Measured] = {}
    heard: dict[tuple[str, int], tuple[list[clips.Recording], list[str]]] = {}

    def measure(language: str, n: int) -> Measured:
        recordings = shared.recordings(language, n, args.live_seconds)
        measured = shared.play(server, recordings)
        total = ours[language, n] = together(measured)
        heard[language, n] = recordings, [m.texts[0] for m in measured]
        facts["latency"][f"{n} x {language}"] = shared.latency_row(
            f"{n} x {language}", total, musts=language == "en" and n in (1, 4))
        return total

    for language in args.live_languages:  # what must be prepared, before the server runs
        shared.recordings(language, max(args.streams if language == "en" else args.streams_other, default=1), args.live_seconds)
    server = shared.server("live")
    try:
        report.section(f"Live: ms after the end of a word, and of speech; about {args.live_seconds:.0f} s a stream", "", *COLUMNS)
        for language in args.live_languages:
            counts = args.streams if language == "en" else args.streams_other
            for n in counts:
                measure(language, n)
        if "en" in args.live_languages and args.find_most:
            facts["holds"] = most(lambda n: measure("en", n), {n: m for (language, n), m in ours.items() if language == "en"})
    finally:
        server.stop()
    if "holds" in facts:
        report.section(f"Live: English streams held with 95 % of finals within {HOLDS_MS} ms", "", "streams")
        report.row("Dictum", str(facts["holds"]))
    report.section("Live: what was heard and answered, %", "", "words shown", "ends unanswered", "final: 95 % ms", "audio late ms")
    for (language, n), m in ours.items():
        report.row(f"{n} x {language}", f"{m.shown:.1f}", f"{m.unanswered:.1f}", f"{percentiles(m.every)['p95']:.0f}", f"{1000 * m.late:.0f}")
    report.section("Live: word errors of finals, %, beside models offline on whole utterances", "", "words", "finals", "same, offline", "difference", "Whisper, offline")
    for (language, n), (recordings, texts) in heard.items():
        facts["word_errors"][f"{n} x {language}"] = shared.words_row(f"{n} x {language}", recordings, texts)
    shared.save("live", facts)
    peers(shared, ours, facts)
    shared.save("live", facts)


def peers(shared: Live, ours: dict[tuple[str, int], Measured], facts: dict) -> None:
    """The peers, on what as many streams of Dictum heard."""
    report, args = shared.report, shared.args
    whisper = ("peerlive", "--weights", str(shared.run.weights), "--threads", str(args.threads), "--language")
    rows = []
    report.section("Live: peers on the same audio, ms", "", *COLUMNS)
    for language in args.live_languages:
        sides = {"LocalAgreement, faster-whisper": (*whisper, language)}
        if language == "en":
            sides["Moonshine Voice"] = ("peermoonshine",)
        for n in args.peer_streams:
            if (language, n) not in ours:
                continue
            recordings = shared.recordings(language, n, args.live_seconds)
            shared.latency_row(f"Dictum, {n} x {language}", ours[language, n])
            for name, (module, *options) in sides.items():
                measured = shared.peer(module, recordings, *options)
                total = together(measured)
                facts["peers"][f"{name}, {n} x {language}"] = shared.latency_row(f"{name}, {n} x {language}", total)
                rows.append((name, language, n, total, recordings, ours[language, n]))
    report.section("Live: peers' times as multiples of Dictum's, and their word errors", "", "partial: 95 %", "final: median", "final: 95 %", "words shown %", "peer's errors %", "Dictum's %")
    for name, language, n, total, recordings, mine in rows:
        theirs, dictum = ([percentiles(side.partial)["p95"], percentiles(side.final)["median"], percentiles(side.final)["p95"]] for side in (total, mine))
        c = accuracy.compare(shared.errors(recordings, mine.texts), shared.errors(recordings, total.texts))
        report.row(f"{name}, {n} x {language}", *(f"{a / b:.2f}" for a, b in zip(theirs, dictum)), f"{total.shown:.1f}", f"{c.theirs:.2f}", f"{c.ours:.2f}")
        facts["peers"][f"{name}, {n} x {language}"] |= {"word_errors": c.theirs, "word_errors_dictum": c.ours}


def most(measure, known: dict[int, Measured]) -> int:
    """The most streams at which 95 % of finals come in time. What lies between a number that is held and one that isn't is
    halved; above the largest that was asked for, numbers grow by half."""
    def holds(n: int, m: Measured) -> bool:
        return percentiles(m.final)["p95"] <= HOLDS_MS

    held = max((n for n, m in known.items() if holds(n, m) and all(holds(k, other) for k, other in known.items() if k < n)), default=0)
    broken = min((n for n in known if n > held), default=0)
    while not broken and held < MOST_STREAMS:
        n = min(MOST_STREAMS, held + max(1, held // 2))
        if holds(n, measure(n)):
            held = n
        else:
            broken = n
    while broken - held > 1:
        n = (held + broken) // 2
        if holds(n, measure(n)):
            held = n
        else:
            broken = n
    return held


def beside(run) -> None:
    """Four streams alone, then beside a queue of jobs that never ends."""
    shared = Live(run)
    report, queue = shared.report, shared.queue()
    recordings = shared.recordings("en", 4, shared.args.beside_seconds)
    server = shared.server("beside")
    try:
        product.upload(server, "bench-beside", [path for path, _ in queue])
        product.start(server, "bench-beside", "warm", pathlib.Path(queue[0][0]).name, queue[0][1])
        product.await_jobs(server, ["warm"])
        alone = together(shared.play(server, recordings))
        jobs = Jobs(server, queue)
        with jobs:
            loaded = together(shared.play(server, recordings))
        again = together(shared.play(server, recordings))
    finally:
        server.stop()
    report.section(f"Beside a batch queue: 4 English streams of {shared.args.beside_seconds:.0f} s, ms", "", *COLUMNS)
    before, after = Measured(), percentiles(loaded.final)["p95"]
    for m in (alone, again):
        before.add(m)
    base = percentiles(before.final)["p95"]
    growth = 100 * (after / base - 1)
    facts = {"alone": shared.latency_row("alone, before", alone), "beside": shared.latency_row("beside", loaded), "again": shared.latency_row("alone, after", again)}
    report.section("Beside a batch queue: finals, and batch work", "", "95 % alone", "95 % beside", "growth %", "batch: min done", "x real time")
    report.row("Dictum", f"{base:.0f}", f"{after:.0f}", f"{growth:+.0f}", f"{jobs.audio / 60:.1f}", f"{jobs.audio / jobs.seconds:.1f}",
               must="growth under 30 %, batch moves", met=growth < 30 and jobs.audio > 0)
    shared.save("beside", {**facts, "growth_percent": growth, "batch_audio_seconds": jobs.audio, "batch_wall_seconds": jobs.seconds, "batch_jobs": jobs.done})


class Jobs:
    """Keeps a number of jobs waiting while it lasts, and counts those that are done by then; what is left is waited for."""

    WAITING = 6

    def __init__(self, server: product.Server, queue: list[tuple[str, str]]):
        self.client, self.server, self.queue = server.client("transcribe"), server, queue
        self.audio = self.seconds = 0.0
        self.done = 0
        self.failed = ""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._go)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_) -> None:
        self._stop.set()
        self._thread.join()
        if self.failed:
            raise SystemExit(f"bench: {self.failed}")

    def _go(self) -> None:
        try:
            self._feed()
        except Exception as e:  # pylint: disable=broad-except  # it is raised where the jobs are waited for
            self.failed = f"the batch queue: {e}"

    def _feed(self) -> None:
        began, open_, started = time.monotonic(), {}, 0
        while not self._stop.wait(0.25):
            while len(open_) < self.WAITING:
                path, language = self.queue[started % len(self.queue)]
                name = f"beside-{started}"
                product.start(self.server, "bench-beside", name, pathlib.Path(path).name, language)
                open_[name] = corpus.seconds(path)
                started += 1
            for name in list(open_):
                status = self.client.get_transcription_job(TranscriptionJobName=name)["TranscriptionJob"]["TranscriptionJobStatus"]
                if status == "FAILED":
                    raise RuntimeError(f"{name} failed")
                if status == "COMPLETED":
                    self.audio += open_.pop(name)
                    self.done += 1
        self.seconds = time.monotonic() - began
        product.await_jobs(self.server, list(open_))


def soak(run) -> None:
    """Four streams for half an hour: memory, the audio clock, times as they go on."""
    shared = Live(run)
    report, length = shared.report, 60 * shared.args.soak_minutes
    recordings = shared.recordings("en", 4, length)
    server = shared.server("soak")
    try:
        memory = Memory(server)
        with memory:
            measured = shared.play(server, recordings)
    finally:
        server.stop()
    total = together(measured)
    settle = min(SETTLE_SECONDS, length / 3)
    report.section(f"Soak: resident memory of server and engine, 4 English streams of {length / 60:.1f} min, after {settle / 60:.1f} min", "", "least MiB", "most MiB", "growth %")
    kept = [sample for sample in memory.samples if settle <= sample[0] <= length]
    facts: dict = {"minutes": length / 60, "latency": total.facts(), "memory": memory.samples, "word_errors": {}}
    for name, column in (("server", 1), ("engine", 2), ("together", 3)):
        values = [sample[column] / 2**20 for sample in kept]
        if not max(values):
            continue
        spread = 100 * (max(values) / min(values) - 1)
        must = {"must": "within 5 %", "met": spread <= 5} if column == 3 else {}
        report.row(name, f"{min(values):.1f}", f"{max(values):.1f}", f"{spread:.1f}", **must)
        facts[f"memory_{name}_percent"] = spread
    report.section("Soak: latency as it goes on, ms; times of words beside the audio clock", "", "final: median", "95 %", "finals", "words' times off", "of words")
    bins = max(1, round(length / settle))
    facts["bins"] = []
    for k in range(bins):
        low, high = k * length / bins, (k + 1) * length / bins
        inside = [x for at, x in total.finals if low <= at < high]
        off = [x for at, x in total.clock if low <= at < high]
        f, middle = percentiles(inside), float(1000 * np.median(off)) if off else float("nan")
        report.row(f"{low / 60:.1f} to {high / 60:.1f} min", f"{f['median']:.0f}", f"{f['p95']:.0f}", str(len(inside)), f"{middle:+.0f}", str(len(off)))
        facts["bins"].append({"from": low, "to": high, "final_ms": f, "clock_ms": middle})
    slope = 1000 * np.polyfit(*zip(*total.clock), 1)[0] * length
    drift = facts["bins"][-1]["clock_ms"] - facts["bins"][0]["clock_ms"]
    facts |= {"clock_drift_ms": drift, "clock_slope_ms": float(slope)}
    report.section("Soak: drift of times from first to last, ms", "", "medians", "slope")
    report.row("Dictum", f"{drift:+.0f}", f"{slope:+.0f}", must="within 40 ms", met=abs(drift) <= 40)
    report.section("Soak: all of it, ms", "", *COLUMNS)
    shared.latency_row("4 x en", total, musts=True)
    report.section("Soak: word errors of finals, %, beside models offline on whole utterances", "", "words", "finals", "same, offline", "difference", "Whisper, offline")
    facts["word_errors"] = shared.words_row("4 x en", recordings, [m.texts[0] for m in measured])
    shared.save("soak", facts)


class Memory:
    """Samples the resident memory of the server, of its children, and of both, while it lasts."""

    def __init__(self, server: product.Server):
        self.server, self.samples = server, []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._go)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_) -> None:
        self._stop.set()
        self._thread.join()

    def _go(self) -> None:
        began = time.monotonic()
        while not self._stop.wait(SAMPLE_SECONDS):
            own, children = self.server.rss_bytes()
            self.samples.append((time.monotonic() - began, own, children, own + children))
