#!/usr/bin/env bash
# `make test`: the packages are checked and tested, most of them under the race
# detector, then the black-box suites drive the built program. Each part says how long it took.
source "$(dirname "$0")/common.sh"
export PATH=$venv/bin:$PATH CGO_ENABLED=1

part() {
	say "$1"
	local began=$SECONDS
	shift
	"$@"
	printf '(%d s)\n' $((SECONDS - began))
}

# Packages whose tests are hours of arithmetic in Go under the race detector; the scheduler above
# them (speech/engine) and all that is concurrent stays under it.
slow='/internal/(inference|models|speech/(whisper|vad))(/|$)'
mapfile -t raced < <(go list ./internal/... ./cmd/... | grep -vE "$slow")
mapfile -t plain < <(go list ./internal/... | grep -E "$slow" || true; go list ./bench/...)

# All of go vet is part of each go test, which has compiled what it needs.
part "Packages, under the race detector" go test -vet=all -race -timeout 10m "${raced[@]}"
if ((${#plain[@]})); then
	part "Packages of the models and the bench" go test -vet=all -timeout 10m "${plain[@]}"
fi
# Each server's log is kept, and searched for secrets when the server ends; see test/harness/logs.go.
rm -rf test/out/logs
# One suite at a time: each runs servers that use all cores.
part "Black box" go test -vet=all -count 1 -timeout 12m -p 1 ./test/...
