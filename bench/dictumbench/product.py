"""Runs Dictum: `dictum transcribe` on files, and `dictum serve` as a child with boto3 as its client."""
import json
import os
import pathlib
import re
import signal
import subprocess
import time
import urllib.request

import boto3
from botocore.config import Config

READY_SECONDS = 60
# Whisper's language codes as the API takes them.
CODES = {"en": "en-US", "es": "es-US", "fr": "fr-FR", "it": "it-IT", "ru": "ru-RU"}


def transcribe(binary: str, files: list[str], language: str, threads: int, out: pathlib.Path, *options: str) -> dict:
    """Runs `dictum transcribe` over files; the transcripts are left in out as <stem>.json. Returns its
    --stats with the process's peak_rss_bytes."""
    out.mkdir(parents=True, exist_ok=True)
    command = [binary, "transcribe", "--quiet", "--stats", "--threads", str(threads), "--language", language,
               "--format", "json", "-o", str(out), *options, *files]
    with open(out / "stderr", "w+", encoding="utf-8") as stderr:
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=stderr) as process:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        stderr.seek(0)
        text = stderr.read()
    if process.returncode != 0:
        raise SystemExit(f"bench: dictum transcribe failed:\n{text}")
    stats = json.loads(next(line for line in reversed(text.splitlines()) if line.startswith("{")))
    return {**stats, "peak_rss_bytes": usage.ru_maxrss * 1024}


def document(path: pathlib.Path) -> dict:
    """A transcript document."""
    return json.loads(path.read_text(encoding="utf-8"))


def text(doc: dict) -> str:
    return doc["results"]["transcripts"][0]["transcript"]


def words(doc: dict) -> list[list]:
    """The document's words as [word, start, end]."""
    return [[item["alternatives"][0]["content"], float(item["start_time"]), float(item["end_time"])]
            for item in doc["results"]["items"] if item["type"] == "pronunciation"]


class Server:
    """A `dictum serve` in a data folder, with its models loaded."""

    def __init__(self, binary: str, data: pathlib.Path, threads: int, *options: str):
        data.mkdir(parents=True)
        self.log = open(data.parent / f"{data.name}.log", "w", encoding="utf-8")
        listeners = [flag for name in ("--api", "--console", "--ops") for flag in (name, "127.0.0.1:0")]
        self.process = subprocess.Popen(
            [binary, "serve", "--data", str(data), "--threads", str(threads), "--preload", *listeners, *options],
            stdout=self.log, stderr=subprocess.STDOUT)
        self.addresses = self._ready(data / "addresses.json")
        script = 'eval "$("$0" env --data "$1")" && env -0'
        out = subprocess.run(["sh", "-ec", script, binary, str(data)], check=True, capture_output=True, text=True).stdout
        self.env = dict(pair.split("=", 1) for pair in out.split("\0") if pair.startswith("AWS_"))

    def _ready(self, addresses: pathlib.Path) -> dict:
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                found = json.loads(addresses.read_text())
                with urllib.request.urlopen(found["ops"] + "/readyz", timeout=5):
                    return found
            except (OSError, ValueError):
                time.sleep(0.05)
        self.process.kill()
        raise SystemExit(f"bench: the server is not ready; see {self.log.name}")

    def client(self, service: str):
        return boto3.client(
            service, region_name="us-east-1", endpoint_url=self.env["AWS_ENDPOINT_URL"],
            aws_access_key_id=self.env["AWS_ACCESS_KEY_ID"], aws_secret_access_key=self.env["AWS_SECRET_ACCESS_KEY"],
            config=Config(s3={"addressing_style": "path"}))

    def quantile(self, histogram: str, labels: str, q: float) -> float:
        """The upper bound of the bucket that holds the q-quantile of a histogram of the server's metrics."""
        with urllib.request.urlopen(self.addresses["ops"] + "/metrics", timeout=10) as answer:
            text = answer.read().decode()
        found = re.findall(rf'^{histogram}_bucket{{([^}}]*)le="([^"]+)"}} ([0-9.e+]+)$', text, re.MULTILINE)
        wanted = set(labels.split(","))
        buckets = [(float(le), float(n)) for given, le, n in found if wanted == set(given.strip(",").split(","))]
        return next(le for le, n in buckets if n >= q * buckets[-1][1])

    def _processes(self) -> list[int]:
        """The server and its children."""
        pids = [self.process.pid]
        for task in pathlib.Path(f"/proc/{self.process.pid}/task").iterdir():
            try:
                pids += [int(pid) for pid in (task / "children").read_text().split()]
            except OSError:  # the thread has ended
                continue
        return pids

    def peak_rss_bytes(self) -> int:
        """The sum of the peaks of the server and its engine."""
        total = 0
        for pid in self._processes():
            try:
                status = pathlib.Path(f"/proc/{pid}/status").read_text()
            except OSError:  # a decoder that has ended
                continue
            total += next((int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM")), 0)
        return total

    def rss_bytes(self) -> tuple[int, int]:
        """What the server and its engine have resident now."""
        resident = {}
        for pid in self._processes():
            try:
                status = pathlib.Path(f"/proc/{pid}/status").read_text()
            except OSError:  # it has ended
                continue
            resident[pid] = next((int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS")), 0)
        own = resident.pop(self.process.pid, 0)
        return own, sum(resident.values())

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=40)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


def upload(server: Server, bucket: str, files: list[str]) -> None:
    s3 = server.client("s3")
    s3.create_bucket(Bucket=bucket)
    for path in files:
        s3.upload_file(path, bucket, pathlib.Path(path).name)


def start(server: Server, bucket: str, name: str, key: str, language: str, **more) -> None:
    server.client("transcribe").start_transcription_job(
        TranscriptionJobName=name, LanguageCode=CODES[language], Media={"MediaFileUri": f"s3://{bucket}/{key}"}, **more)


def seconds(server: Server, name: str) -> float:
    """How long a job took that has ended."""
    job = server.client("transcribe").get_transcription_job(TranscriptionJobName=name)["TranscriptionJob"]
    return (job["CompletionTime"] - job["StartTime"]).total_seconds()


def await_jobs(server: Server, names: list[str]) -> None:
    """Polls until all jobs are complete; ends the run when one fails."""
    client = server.client("transcribe")
    for name in names:
        while True:
            job = client.get_transcription_job(TranscriptionJobName=name)["TranscriptionJob"]
            if job["TranscriptionJobStatus"] == "COMPLETED":
                break
            if job["TranscriptionJobStatus"] == "FAILED":
                raise SystemExit(f"bench: {name} failed: {job['FailureReason']}")
            time.sleep(0.05)


def queue(server: Server, recordings: list[tuple[str, str]]) -> float:
    """Starts a job for each (path, language) at once and returns the seconds until all are complete."""
    upload(server, "bench-queue", [path for path, _ in recordings])
    began = time.perf_counter()
    names = []
    for path, language in recordings:
        key = pathlib.Path(path).name
        names.append(key.removesuffix(".wav"))
        start(server, "bench-queue", names[-1], key, language)
    await_jobs(server, names)
    return time.perf_counter() - began
