"""Streams a recording at the pace of speech into Moonshine Voice, the streaming recogniser of Moonshine's makers, and
prints events as dictumbench.latency takes them. It has the weights that Dictum recognises English with (tiny), which
travel with its package; all settings are its defaults: a result every half second, lines cut by its own voice activity detection."""
import argparse
import json
import sys
import time
import wave

import moonshine_voice
import numpy as np
from moonshine_voice.transcriber import LineCompleted, LineTextChanged

STEP = 0.1  # seconds of audio at once


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file")
    args = parser.parse_args()
    with wave.open(args.file) as w:
        rate = w.getframerate()
        audio = np.frombuffer(w.readframes(w.getnframes()), "<i2").astype(np.float32) / 2**15
    transcriber = moonshine_voice.Transcriber(str(moonshine_voice.get_assets_path() / "tiny-en"), moonshine_voice.ModelArch.TINY)
    transcriber.transcribe_without_streaming(audio[: 2 * rate].tolist(), rate)
    print("ready", flush=True)
    sys.stdin.readline()
    began = time.monotonic()

    def listener(e) -> None:
        if isinstance(e, (LineTextChanged, LineCompleted)):
            line = e.line
            print(json.dumps({"at": time.monotonic() - began, "id": str(line.line_id), "partial": not isinstance(e, LineCompleted), "start": line.start_time,
                              "end": line.start_time + line.duration, "words": [{"text": t} for t in line.text.split()]}))

    stream = transcriber.create_stream()
    stream.add_listener(listener)
    stream.start()
    size = int(STEP * rate)
    for at in range(0, len(audio), size):
        piece = audio[at:at + size]
        time.sleep(max(0.0, (at + len(piece)) / rate - (time.monotonic() - began)))
        stream.add_audio(piece.tolist(), rate)
    stream.stop()
    stream.close()


if __name__ == "__main__":
    main()
