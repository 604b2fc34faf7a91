#!/usr/bin/env bash
# `make demo`: starts a server in a folder of its own, lets the AWS CLI do the batch lab on a
# real reading, and removes everything again.
source "$(dirname "$0")/common.sh"

work=$(mktemp -d)
server=
cleanup() {
	if [[ $server ]]; then
		kill "$server" 2>/dev/null || true
		wait "$server" 2>/dev/null || true
	fi
	rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

say "Starting dictum serve in $work (the first job loads the models)"
bin/dictum serve --data "$work/data" --api 127.0.0.1:0 --console 127.0.0.1:0 --ops 127.0.0.1:0 2>"$work/server.log" &
server=$!
for _ in {1..300}; do
	if [[ -f $work/data/addresses.json ]]; then
		ops=$(jq -r .ops "$work/data/addresses.json")
		curl -fs -o /dev/null "$ops/readyz" && break
	fi
	if ! kill -0 "$server" 2>/dev/null; then
		cat "$work/server.log" >&2
		die "the server ended"
	fi
	sleep 0.1
done
curl -fs -o /dev/null "${ops:-http://127.0.0.1:0}/readyz" || { cat "$work/server.log" >&2; die "the server is not ready"; }

echo "eval \"\$(dictum env --data $work/data)\""
unset "${!AWS_@}"
eval "$(bin/dictum env --data "$work/data")"
export AWS_PAGER=

say "The recording: 44 s of a reading, as MP3"
reading=$(bin/dictum models path speech-samples)/two_cities.wav
ffmpeg -nostdin -v error -y -i "$reading" -b:a 64k "$work/two_cities.mp3"
ls -l "$work/two_cities.mp3"

mkdir "$work/lab"
(cd "$work/lab" && "$root/scripts/lab.sh" --aws "$venv/bin/aws" --region us-east-1 --bucket "dictum-demo-$RANDOM" \
	--job two-cities --sample "$work/two_cities.mp3" --output-key)

say "Done. To keep a server: bin/dictum serve, then: eval \"\$(bin/dictum env)\""
