#!/usr/bin/env bash
# `make bench`: prepares the peer in an environment of its own, then runs the driver. Its options:
# bench/run.sh --help.
source "$(dirname "$0")/../scripts/common.sh"

packages=()
for language in en es fr it ru; do
	[[ -d /usr/share/asterisk/sounds/$language ]] || packages+=("asterisk-core-sounds-$language-wav")
done
if ((${#packages[@]})); then
	say "Recordings: ${packages[*]}"
	have apt-get || die "the recordings are Debian packages: ${packages[*]}; or give --prompts FILE"
	sudo=()
	((EUID == 0)) || sudo=(sudo)
	"${sudo[@]}" apt-get update -qq
	"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${packages[@]}" >/dev/null
fi
say "The peer: faster-whisper"
make_venv "$root/.cache/bench-venv" bench/requirements.txt
if [[ " $* " != *" --only "* || " $* " == *" speakers "* ]]; then
	say "The peer of the part speakers: Resemblyzer (several GB, since its PyTorch brings CUDA)"
	make_venv "$root/.cache/bench-speakers-venv" bench/requirements-speakers.txt --no-deps
fi
PYTHONPATH=$root/bench exec "$root/.cache/bench-venv/bin/python" -m dictumbench "$@"
