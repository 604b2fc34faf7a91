#!/usr/bin/env bash
# Diarization error and speaker counts of Dictum and of its peer on the same recordings.
#
# usage: run.sh DIR PYTHON   DIR has recordings (*.wav) with reference turns (*.rttm); PYTHON has what peer.py needs, and scipy.
set -euo pipefail
cd "$(dirname "$0")/../.."
recordings=$1 python=$2
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
go build -o "$out/speakers" ./bench/speakers
mkdir "$out/dictum"
echo "== Dictum"
"$out/speakers" -max 10 -out "$out/dictum" "$recordings"/*.wav
"$python" bench/speakers/score.py "$recordings" "$out/dictum"
echo "== Resemblyzer and spectral clustering"
"$python" bench/speakers/peer.py "$out/peer" "$recordings"/*.wav
"$python" bench/speakers/score.py "$recordings" "$out/peer"
