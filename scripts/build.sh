#!/usr/bin/env bash
# Builds bin/dictum.
source "$(dirname "$0")/common.sh"
have go || die "Go is missing; run: make setup"
# A checkout of another owner hides its history from git; build without the commit's name then.
flags=()
git rev-parse HEAD >/dev/null 2>&1 || flags+=(-buildvcs=false)
CGO_ENABLED=1 go build -trimpath "${flags[@]}" -o bin/dictum ./cmd/dictum
