#!/usr/bin/env bash
# `make vulncheck`: whether a known vulnerability is in code that dictum calls. Fails on findings. Where the Go vulnerability
# database cannot be reached it says so and goes on: a build without a network is no finding. DICTUM_VULNDB
# names a mirror (https://… or file:///…); one that is named must work.
source "$(dirname "$0")/common.sh"
have go || die "Go is missing; run: make setup"
export CGO_ENABLED=1

# `go tool` makes every failure of the tool a 1; the tool itself ends with 3 on findings.
tool=.cache/govulncheck
go build -modfile=tools/go.mod -o "$tool" golang.org/x/vuln/cmd/govulncheck

mirror=()
[[ ${DICTUM_VULNDB-} ]] && mirror=(-db "$DICTUM_VULNDB")
status=0
report=$(timeout 300 "$tool" "${mirror[@]}" ./cmd/... 2>&1) || status=$?
case $status in
0) printf '%s\n' "$report" ;;
3) printf '%s\n' "$report" >&2; die "known vulnerabilities are in code that dictum calls" ;;
*)
	if [[ ! ${DICTUM_VULNDB-} && $report == *"fetching vulnerabilities"* ]]; then
		say "govulncheck: DATABASE NOT REACHABLE, nothing was checked"
		printf '%s\n' "$report"
		exit 0
	fi
	printf '%s\n' "$report" >&2
	die "govulncheck failed ($status)"
	;;
esac
