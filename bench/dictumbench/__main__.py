"""The driver of `make bench`. Every figure is a ratio of two measurements made minutes apart on the
same machine; run it on a machine that does nothing else."""
import argparse
import json
import os
import pathlib
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile

from . import accuracy, corpus, dialogues, diarization, languages, live, peer, product, redaction, words
from .accuracy import Comparison
from .report import Report

ROOT = pathlib.Path(__file__).resolve().parents[2]
PARTS = ("speed", "queue", "accuracy", "languages", "features", "hours", "api", "crash", "live", "beside", "soak", "speakers", "pii")
ASKED = ("soak", "speakers", "pii")  # run when named
TOOLS = ("live", "load", "speakers", "survive")  # bench's Go programs


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench/run.sh", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="parts to run (default: all but soak, which takes half an hour, speakers and pii, whose peers are large)")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--prompts", metavar="FILE", help="JSON lines with audio, language, text, instead of Debian's prompts")
    parser.add_argument("--turns", type=pathlib.Path, metavar="FILE", help="JSON lines with text, style, spans: labelled turns for the part pii")
    parser.add_argument("--presidio", metavar="PYTHON", help="the Python that has presidio (bench/run.sh gives it)")
    parser.add_argument("--presidio-models", nargs="+", default=[], metavar="MODEL", help="its spaCy models (bench/run.sh gives them)")
    parser.add_argument("--binary", default=str(ROOT / "bin" / "dictum"))
    parser.add_argument("--weights", default=str(ROOT / ".cache" / "bench-weights"), help="where the peer's weights are put together")
    parser.add_argument("--seeds", nargs=2, type=int, default=(21, 40), metavar=("FIRST", "LAST"), help="dialogues of the part speakers")
    parser.add_argument("--voices-python", default=str(ROOT / ".cache" / "bench-speakers-venv" / "bin" / "python"), help="Python with the peer of the part speakers")
    parser.add_argument("--clips", type=pathlib.Path, default=ROOT / ".cache" / "bench-clips", help="where the words and pauses of recordings are kept")
    parser.add_argument("--streams", nargs="+", type=int, default=[1, 4, 8, 16], metavar="N", help="English streams at once, of the part live")
    parser.add_argument("--streams-other", nargs="*", type=int, default=[1, 4], metavar="N", help="streams at once in its other languages")
    parser.add_argument("--live-languages", nargs="+", choices=corpus.LANGUAGES, default=["en", "fr"], help="languages of the part live")
    parser.add_argument("--live-seconds", type=float, default=60, metavar="S", help="how long its streams last at least")
    parser.add_argument("--no-find-most", dest="find_most", action="store_false", help="do not look for how many streams the machine holds")
    parser.add_argument("--peer-streams", nargs="*", type=int, default=[1, 4], metavar="N", help="streams at once of the peers; those of --streams among them")
    parser.add_argument("--beside-seconds", type=float, default=180, metavar="S", help="how long the streams of the part beside last at least")
    parser.add_argument("--soak-minutes", type=float, default=30, metavar="M", help="how long the part soak lasts at least")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "bench" / "out")
    args = parser.parse_args()
    if args.only is PARTS:
        args.only = tuple(part for part in PARTS if part not in ASKED)
    if "pii" in args.only and not args.turns:
        parser.error("the part pii needs --turns FILE")
    return args


class Run:
    """One run: its settings, recordings, peer and report."""

    def __init__(self, args: argparse.Namespace):
        self.args = args
        self.report = Report()
        self.work = pathlib.Path(tempfile.mkdtemp(prefix="dictum-bench-"))
        if set(args.only) == {"pii"}:
            return  # text only: no recordings, no weights
        if args.prompts:
            self.prompts = corpus.listed_prompts(args.prompts)
        else:
            self.prompts = [p for language in corpus.LANGUAGES for p in corpus.debian_prompts(language)]
        samples = subprocess.run([args.binary, "models", "path", "speech-samples"], check=True, capture_output=True, text=True)
        self.reading = str(pathlib.Path(samples.stdout.strip()) / "two_cities.wav")
        self.recordings = corpus.recordings(self.prompts, [self.reading], self.work / "recordings")
        for tool in TOOLS:
            subprocess.run(["go", "build", "-o", str(self.work / tool), f"./bench/{tool}"], cwd=ROOT, check=True)
        self.weights = peer.assemble_weights(pathlib.Path(args.weights))

    def peer(self, mode: str, files: list[tuple[str, str]]) -> dict:
        return peer.run(self.weights, mode, self.args.threads, files, self.recordings.clip)

    def dictum(self, files: list[str], language: str, name: str, *options: str) -> dict:
        return product.transcribe(self.args.binary, files, language, self.args.threads, self.work / name, *options)

    def rows(self, audio: float, ours: dict, unbatched: dict, batched: dict, against: str, factor: float) -> None:
        """Three rows of speed and memory; ours must be factor times the one called against."""
        speeds = {n: audio / r["wall_seconds"] for n, r in (("ours", ours), ("unbatched", unbatched), ("batched", batched))}
        for label, key, r in (("faster-whisper, unbatched", "unbatched", unbatched), ("faster-whisper, batched", "batched", batched)):
            self.report.row(label, f"{speeds[key]:.1f}", f"{speeds['ours'] / speeds[key]:.2f}", f"{r['peak_rss_bytes'] / 2**20:.0f}", "", "")
        self.report.row("Dictum", f"{speeds['ours']:.1f}", "1.00", f"{ours['peak_rss_bytes'] / 2**20:.0f}", "", "",
                        must=f"{factor} x {against}", met=speeds["ours"] >= factor * speeds[against])

    def speed(self) -> None:
        three = self.recordings.three_minutes
        audio = corpus.seconds(three)
        unbatched, batched = (self.peer(mode, [(three, "en")]) for mode in ("unbatched", "batched"))
        ours = self.dictum([three], "en", "three")
        self.report.section(f"Speed: one file of {audio:.0f} s, different readings, `dictum transcribe`", "", "x real time", "Dictum is x", "peak MiB", "", "")
        self.rows(audio, ours, unbatched, batched, "unbatched", 1.5)
        self.word_times("three minute file", [(product.words(product.document(self.work / "three" / "three-minutes.json")), unbatched["files"][0]["words"])])

    def word_times(self, name: str, pairs: list[tuple[list, list]]) -> None:
        self.report.section(f"Word times: {name}, beside faster-whisper's aligned ones", "", "words", "median ms", "95 % ms", "", "")
        starts, ends, bad, total = [], [], {"zero": 0, "negative": 0, "out of order": 0}, 0
        for ours, theirs in pairs:
            s, e = words.differences(ours, theirs)
            starts, ends, total = starts + s, ends + e, total + len(ours)
            bad = {kind: bad[kind] + n for kind, n in words.faults(ours).items()}
        for label, values in (("start", starts), ("end", ends)):
            median, high = words.summary(values)
            self.report.row(label, str(len(values)), f"{median:.0f}", f"{high:.0f}", "", "", must="median under 80 ms", met=median < 80)
        self.report.row("zero, negative, out of order", str(total), *(str(n) for n in bad.values()), "", must="none", met=not any(bad.values()))

    def queue(self) -> None:
        recordings = self.recordings.queue
        audio = sum(corpus.seconds(path) for path, _ in recordings)
        unbatched, batched = (self.peer(mode, recordings) for mode in ("unbatched", "batched"))
        server = product.Server(self.args.binary, self.work / "queue", self.args.threads)
        try:
            wall = product.queue(server, recordings)
            ours = {"wall_seconds": wall, "peak_rss_bytes": server.peak_rss_bytes()}
        finally:
            server.stop()
        self.report.section(f"Queue: 16 jobs of different recordings, {audio:.0f} s, through the API", "", "x real time", "Dictum is x", "peak MiB", "", "")
        self.rows(audio, ours, unbatched, batched, "batched", 1.2)
        centre = 10_000 * 6 * 60 / 86_400
        self.report.row("10,000 calls of 6 min a day", f"{centre:.1f}", "", "", "", "", must=f"{centre:.1f} x real time", met=audio / wall >= centre)

    def accuracy(self) -> None:
        results = {}
        for language in corpus.LANGUAGES:
            prompts = [p for p in self.prompts if p.language == language]
            inputs = self.work / f"prompts-{language}"
            inputs.mkdir()
            for p in prompts:
                (inputs / f"{p.name}.wav").symlink_to(p.audio)
            theirs = self.peer("unbatched", [(p.audio, language) for p in prompts])
            out = f"accuracy-{language}"
            self.dictum([str(inputs / f"{p.name}.wav") for p in prompts], language, out)
            ours = [product.document(self.work / out / f"{p.name}.json") for p in prompts]
            results[language] = prompts, ours, theirs["files"]
        self.report.section("Word error rate on development prompts, % (8 kHz telephone)", "", "prompts", "faster-whisper", "Dictum", "difference", "95 %")
        plain, digits, pairs = ([], []), ([], []), []
        for language, (prompts, ours, theirs) in results.items():
            texts = [(p.text, product.text(doc), f["text"]) for p, doc, f in zip(prompts, ours, theirs)]
            a, b = ([accuracy.errors(reference, t[side]) for reference, *t in texts] for side in (0, 1))
            self._accuracy_row(language, accuracy.compare(a, b), judged=True)
            plain[0].extend(a)
            plain[1].extend(b)
            alike = [[accuracy.numbers_as_digits(t, language) for t in row] for row in texts]
            digits[0].extend(accuracy.errors(reference, t) for reference, t, _ in alike)
            digits[1].extend(accuracy.errors(reference, t) for reference, _, t in alike)
            pairs += [(product.words(doc), f["words"]) for doc, f in zip(ours, theirs)]
            rows = [{"audio": p.audio, "reference": t[0], "dictum": t[1], "peer": t[2].strip(), "errors": [x[0], y[0], x[1]]}
                    for p, t, x, y in zip(prompts, texts, a, b)]
            (self.args.out / f"accuracy-{language}.json").write_text(json.dumps(rows, ensure_ascii=False, indent=1), encoding="utf-8")
        self._accuracy_row("all", accuracy.compare(*plain), judged=True)
        self._accuracy_row("all, number words as digits", accuracy.compare(*digits), judged=False)
        self.word_times("the prompts", pairs)

    def _accuracy_row(self, name: str, c: Comparison, judged: bool) -> None:
        self.report.row(name, str(c.prompts), f"{c.theirs:.2f}", f"{c.ours:.2f}", f"{c.difference:+.2f}", f"{c.low:+.2f}..{c.high:+.2f}",
                        must="not worse, nor by 0.5 points", met=c.not_worse if judged else None)

    def languages(self) -> None:
        recordings = languages.mixed(self.prompts, self.work / "mixed")
        told = languages.told(recordings, self.dictum, self.work)
        for label, options in (("five options", ("--among", ",".join(corpus.LANGUAGES))), ("no options", ())):
            name = "multi-" + label.replace(" ", "-")
            self.dictum([r.audio for r in recordings], "multi", name, *options)
            found = languages.score(recordings, self.work / name)
            share = 100 * found.right / found.total
            length = sum(corpus.seconds(r.audio) for r in recordings)
            self.report.section(f"Several languages in one file, {label}: {length:.0f} s, word error rate, %", "", "stretches", "told", "found", "difference", "95 %")
            for language in corpus.LANGUAGES:
                self._told_row(language, found.errors[language], told[language])
            self._told_row("all", [e for l in corpus.LANGUAGES for e in found.errors[l]], [e for l in corpus.LANGUAGES for e in told[l]])
            self.report.row("time with the right language", "", "", f"{share:.1f}", "", "", must="95 %", met=share >= 95)

    def _told_row(self, name: str, found: list, told: list) -> None:
        c = accuracy.compare(found, told)
        self.report.row(name, str(c.prompts), f"{c.theirs:.2f}", f"{c.ours:.2f}", f"{c.difference:+.2f}", f"{c.low:+.2f}..{c.high:+.2f}")

    def features(self) -> None:
        three = self.recordings.three_minutes
        audio, rounds = corpus.seconds(three), 3
        asked = {
            "plain": ({}, None),
            "speakers": ({"Settings": {"ShowSpeakerLabels": True, "MaxSpeakerLabels": 10}}, 0.4),
            "redaction": ({"ContentRedaction": {"RedactionType": "PII", "RedactionOutput": "redacted"}}, 0.9),
            "five alternatives": ({"Settings": {"ShowAlternatives": True, "MaxAlternatives": 5}}, None),
        }
        server = product.Server(self.args.binary, self.work / "features", self.args.threads)
        times: dict[str, list[float]] = {name: [] for name in asked}
        try:
            product.upload(server, "bench-features", [three])
            for n in range(rounds + 1):  # the first round loads models
                for name, (request, _) in asked.items():
                    job = f"{name.replace(' ', '-')}-{n}"
                    product.start(server, "bench-features", job, pathlib.Path(three).name, "en", **request)
                    product.await_jobs(server, [job])
                    if n:
                        times[name].append(product.seconds(server, job))
        finally:
            server.stop()
        self.report.section(f"What features cost: jobs of {audio:.0f} s through the API, medians of {rounds}", "", "x real time", "of the plain job's speed", "", "", "")
        middle = {name: statistics.median(t) for name, t in times.items()}
        for name, (_, least) in asked.items():
            share = middle["plain"] / middle[name]
            must = {} if least is None else {"must": f"{least} x", "met": share >= least}
            self.report.row(name, f"{audio / middle[name]:.1f}", f"{share:.2f}", "", "", "", **must)

    def hours(self) -> None:
        long, two = self.recordings.long, self.work / "two-hours.wav"
        corpus.join([long] * round(7200 / corpus.seconds(long)), 8000, two, gap=0)
        server = product.Server(self.args.binary, self.work / "hours", self.args.threads)
        peaks = []
        try:
            product.upload(server, "bench-hours", [long, str(two)])
            for name, path in (("short", pathlib.Path(long)), ("long", two)):
                product.start(server, "bench-hours", name, path.name, "en", Settings={"ShowSpeakerLabels": True, "MaxSpeakerLabels": 10},
                              ContentRedaction={"RedactionType": "PII", "RedactionOutput": "redacted_and_unredacted"})
                product.await_jobs(server, [name])
                peaks.append(server.peak_rss_bytes())
        finally:
            server.stop()
        self.report.section("Memory of one long job with speakers and redaction", "", "seconds", "peak MiB", "", "", "")
        for path, peak in zip((long, str(two)), peaks):
            self.report.row(pathlib.Path(path).stem, f"{corpus.seconds(path):.0f}", f"{peak / 2**20:.0f}", "", "", "",
                            must="within 15 %", met=peak <= 1.15 * peaks[0])

    def speakers(self) -> None:
        first, last = self.args.seeds
        made = dialogues.build(pathlib.Path(self.reading).parent, range(first, last + 1), self.work / "dialogues")
        files, audio = [d.path for d in made], sum(d.turns[-1][1] for d in made)
        ours, theirs = self.work / "speakers-ours", self.work / "speakers-theirs"
        ours.mkdir()
        cost = self._go("speakers", "--out", str(ours), "--threads", str(self.args.threads), *files)
        peers = self._voices(ours, theirs, files)
        scores = {side: [diarization.score(d.turns, diarization.read(side / f"{pathlib.Path(d.path).stem}.rttm")) for d in made] for side in (ours, theirs)}
        groups = [("without overlap", [d.condition != "overlap" for d in made])]
        groups += [(c, [d.condition == c for d in made]) for c in dialogues.CONDITIONS]
        groups += [(f"{n}, without overlap", [d.length == n and d.condition != "overlap" for d in made]) for n in dialogues.LENGTHS]
        for title, compare, musts, better in (
            ("Speakers: diarization error, %, collar 0.25 s", diarization.compare, "3 % at most", lambda x: x <= 3),
            ("Speakers: right number found, % of files", diarization.compare_counts, "90 % at least", lambda x: x >= 90),
        ):
            self.report.section(f"{title} (seeds {first} to {last})", "", "files", "Resemblyzer", "Dictum", "95 %", "difference 95 %")
            for i, (name, chosen) in enumerate(groups):
                a, b = ([s for s, c in zip(scores[side], chosen) if c] for side in (ours, theirs))
                r = compare(a, b)
                worse = r.difference[1] > 0 if compare is diarization.compare else r.difference[2] < 0
                must = f"{musts}, not worse than the peer" if i == 0 else "not worse than the peer"
                self.report.row(name, str(len(a)), f"{r.theirs[0]:.1f}", f"{r.ours[0]:.1f}", f"{r.ours[1]:.1f}..{r.ours[2]:.1f}",
                                f"{r.difference[1]:+.1f}..{r.difference[2]:+.1f}", must=must, met=not worse and (i > 0 or better(r.ours[0])))
        self.report.section(f"Speakers: cost on {audio:.0f} s, without recognition", "", "x real time", "cpu s a second")
        self.report.row("Resemblyzer, spectral clustering", f"{audio / peers['wall_seconds']:.1f}", f"{peers['cpu_seconds'] / audio:.3f}")
        self.report.row("Dictum", f"{audio / cost['wall_s']:.1f}", f"{cost['cpu_s'] / audio:.3f}", must="0.09 cpu s a second", met=cost["cpu_s"] <= 0.09 * audio)

    def live(self) -> None:
        live.live(self)

    def beside(self) -> None:
        live.beside(self)

    def soak(self) -> None:
        live.soak(self)

    def _voices(self, speech: pathlib.Path, out: pathlib.Path, files: list[str]) -> dict:
        """Runs the peer of the part speakers; what is speech it takes from the RTTM files in a folder."""
        script = str(pathlib.Path(__file__).parent / "peervoices.py")
        done = subprocess.run([self.args.voices_python, "-W", "ignore", script, "--speech", str(speech), "--out", str(out),
                               "--threads", str(self.args.threads), *files], stdout=subprocess.PIPE, text=True, check=True)
        return json.loads(done.stdout.splitlines()[-1])

    def api(self) -> None:
        server = product.Server(self.args.binary, self.work / "api", self.args.threads)
        try:
            product.upload(server, "bench-api", [self.recordings.long, self.recordings.clip])
            access = {k: v for k, v in server.env.items() if k.endswith(("KEY_ID", "ACCESS_KEY"))}
            product.start(server, "bench-api", "short", pathlib.Path(self.recordings.clip).name, "en")
            product.await_jobs(server, ["short"])
            alone = self._go("load", "--endpoint", server.env["AWS_ENDPOINT_URL"], "--job", "short", "--rate", "500", "--seconds", "10", env=access)
            control = server.quantile("dictum_request_control_seconds", 'service="transcribe",action="GetTranscriptionJob"', 0.99)
            names = [f"load-{n}" for n in range(2)]
            for name in names:
                product.start(server, "bench-api", name, pathlib.Path(self.recordings.long).name, "en")
            load = self._go("load", "--endpoint", server.env["AWS_ENDPOINT_URL"], "--job", names[0], "--rate", "500", "--seconds", "15",
                            env=access)
            client = server.client("transcribe")
            running = [client.get_transcription_job(TranscriptionJobName=n)["TranscriptionJob"]["TranscriptionJobStatus"] for n in names]
        finally:
            server.stop()
        self.report.section("API: GetTranscriptionJob, 500 a second, while two jobs run", "", "a second", "median ms", "99 % ms", "largest ms", "errors")
        kept = running == ["IN_PROGRESS"] * 2
        met = kept and load["errors"] == 0 and load["p99_ms"] < 20 and load["rate"] >= 495
        self.report.row("Dictum" if kept else "Dictum (the jobs ended too early)", f"{load['rate']:.0f}", f"{load['p50_ms']:.1f}", f"{load['p99_ms']:.1f}",
                        f"{load['max_ms']:.1f}", str(load["errors"]), must="99 % under 20 ms", met=met)
        self.report.section("API: the same without jobs, and what of it authorisation and audit take", "", "99 % ms", "of it, within ms")
        self.report.row("Dictum", f"{alone['p99_ms']:.1f}", f"{1000 * control:.1f}", must="99 % within 1 ms", met=control <= 0.001)

    def crash(self) -> None:
        out = self._go("survive", "--binary", self.args.binary, "--clip", self.recordings.clip, "--jobs", "1000", "--kills", "5")
        self.report.section("Crash: 1,000 acknowledged jobs, 5 kill -9", "", "acknowledged", "completed", "lost", "not one result", "seconds")
        met = out["acknowledged"] == 1000 and out["completed"] == 1000 and not out["lost"] and not out["not_one_result"]
        self.report.row("Dictum", *(str(out[k]) for k in ("acknowledged", "completed", "lost", "not_one_result")), f"{out['seconds']:.0f}", must="none lost, one result each", met=met)

    def pii(self) -> None:
        rows = redaction.turns(self.args.turns)
        sides = {}
        for model in self.args.presidio_models:
            found = redaction.peer(self.args.presidio, model, rows)
            sides[found.facts["model"]] = found
            print(f"\nPresidio with spaCy's {found.facts['model']} {found.facts['version']} has: {', '.join(found.facts['recognisers'])}")
        sides["Dictum"] = redaction.ours(self.args.binary, rows)
        for style, least in (("written", 0.95), ("lower", 0.90)):
            counts = {name: redaction.Counts(rows, found, style) for name, found in sides.items()}
            ours, theirs = counts["Dictum"], [c for name, c in counts.items() if name != "Dictum"]
            self.report.section(f"Personal information, {style} turns: characters found by presidio with each spaCy model, and by Dictum",
                                "", "recall", "95 %", "precision", "95 %", "right type")
            for name, c in counts.items():
                best = max(t.figure("ALL", "recall") for t in theirs)
                self.report.row(name, *c.cells("ALL"), must="recall not below presidio's",
                                met=c.figure("ALL", "recall") >= best if c is ours else None)
                met = c.figure("CORE", "recall") >= least and c.figure("CORE", "precision") >= 0.85
                self.report.row("  names, contacts, accounts", *c.cells("CORE"), must=f"recall {least}, precision 0.85", met=met if c is ours else None)
            self.report.section(f"Recall by type, {style} turns", "", "characters", *sides)
            for kind in ours.kinds:
                below = ours.figure(kind, "recall") < max(t.figure(kind, "recall") for t in theirs)
                self.report.row(kind, str(ours.characters(kind)), *(f"{c.figure(kind, 'recall'):.3f}" for c in counts.values()), "below" if below else "")
        self.report.section("Time for all turns, s; Dictum's with the start of the program and the loading of its model", "", "seconds")
        for name, found in sides.items():
            self.report.row(name, f"{found.seconds:.2f}")
        (self.args.out / "pii.json").write_text(json.dumps([{**row, **{name: found.spans[i] for name, found in sides.items()}}
                                                            for i, row in enumerate(rows)], ensure_ascii=False, indent=1), encoding="utf-8")

    def _go(self, tool: str, *args: str, env: dict | None = None) -> dict:
        """Runs one of bench's Go programs and returns the JSON it prints."""
        done = subprocess.run([str(self.work / tool), *args], env={**os.environ, **(env or {})},
                              stdout=subprocess.PIPE, text=True, check=True)
        return json.loads(done.stdout)


def processor() -> str:
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def main() -> None:
    args = arguments()
    args.out.mkdir(parents=True, exist_ok=True)
    run = Run(args)
    facts = {"processor": processor(), "cores": os.cpu_count(), "threads": args.threads}
    print(f"{facts['processor']}, {facts['cores']} cores, {args.threads} threads for each side")
    try:
        for part in args.only:
            getattr(run, part)()
    finally:
        run.report.save(args.out / "report.json", **facts)
        shutil.rmtree(run.work, ignore_errors=True)
    print(f"\nKept in {args.out / 'report.json'}")
    if run.report.missed:
        raise SystemExit("missed: " + "; ".join(run.report.missed))


if __name__ == "__main__":
    main()
