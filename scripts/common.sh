# Sourced by the other scripts: where things are, and how they speak.
# shellcheck shell=bash
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

# Python clients (AWS CLI v1, boto3) live in a private environment, not in the system's.
venv=$root/.cache/venv
# Debian's AWS CLI v2. `aws` in PATH may be another one.
export AWS_CLI_V2=/usr/bin/aws

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
die() { printf 'dictum: %s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# make_venv DIR REQUIREMENTS [OPTION…]: an environment with exactly the pinned, hashed packages; rebuilt
# only when the pins change.
make_venv() {
	local dir=$1 pins=$2 stamp
	shift 2
	stamp=$(sha256sum "$pins" | cut -d' ' -f1)
	[[ -f $dir/.pins && $(<"$dir/.pins") == "$stamp" ]] && return
	rm -rf "$dir"
	python3 -m venv "$dir"
	"$dir/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: "$@" --requirement "$pins"
	printf '%s\n' "$stamp" >"$dir/.pins"
}
