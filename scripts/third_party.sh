#!/usr/bin/env bash
# Writes the table of linked Go modules in THIRD_PARTY.md, between its marks, from the modules'
# own licence files. Fails on a licence that it does not know: look at it, then teach it here.
source "$(dirname "$0")/common.sh"

# licence FILE: its SPDX name, told by sentences that only that licence has.
licence() {
	local text
	text=$(tr -s '[:space:]' ' ' <"$1")
	case $text in
	*"GNU AFFERO"* | *"GNU GENERAL PUBLIC"* | *"GNU LESSER"*) echo COPYLEFT ;;
	*"Apache License Version 2.0"*) echo Apache-2.0 ;;
	*"Mozilla Public License"*2.0*) echo MPL-2.0 ;;
	*"Permission is hereby granted, free of charge"*) echo MIT ;;
	*"Permission to use, copy, modify, and/or distribute this software for any purpose"* | *"Permission to use, copy, modify, and distribute this software for any purpose"*) echo ISC ;;
	*"Redistribution and use in source and binary forms"*"Neither the name"*) echo BSD-3-Clause ;;
	*"Redistribution and use in source and binary forms"*) echo BSD-2-Clause ;;
	*"free and unencumbered software released into the public domain"*) echo Unlicense ;;
	*"CC0 1.0 Universal"*) echo CC0-1.0 ;;
	*) echo UNKNOWN ;;
	esac
}

table=$(mktemp)
trap 'rm -f "$table"' EXIT
printf '| module | version | licence |\n|---|---|---|\n' >"$table"
while read -r path version dir; do
	file=$(find "$dir" -maxdepth 1 -type f \( -iname 'licen[cs]e*' -o -iname 'copying*' -o -iname 'unlicense*' \) | sort | head -n 1)
	# A module inside a repository may leave its licence at the root.
	[[ $file ]] || die "$path $version has no licence file in $dir"
	name=$(licence "$file")
	case $name in
	UNKNOWN) die "$path: unknown licence in $file" ;;
	COPYLEFT) die "$path: copyleft licence in $file; it must not be linked" ;;
	esac
	printf '| %s | %s | %s |\n' "$path" "$version" "$name" >>"$table"
done < <(go list -deps -f '{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}} {{.Dir}}{{end}}{{end}}' ./cmd/dictum | sort -u)

awk -v table="$table" '
	/<!-- modules: begin -->/ { print; while ((getline line < table) > 0) print line; skip = 1; next }
	/<!-- modules: end -->/ { skip = 0 }
	!skip { print }' THIRD_PARTY.md >THIRD_PARTY.md.new
mv THIRD_PARTY.md.new THIRD_PARTY.md
