#!/usr/bin/env bash
# Checks licences, duplicates, sources and advisories of the dependencies against deny.toml, with cargo-deny.
#
# cargo-deny is built once, into target/tools, without optimisation: its build takes longer than its check. The advisories
# come from a git repository on GitHub: where that cannot be reached, they are not checked, and the script says so.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

version=0.20.2
PATH=$PWD/target/tools/bin:$PATH
if [ "$(cargo-deny --version 2>/dev/null)" != "cargo-deny $version" ]; then
    cargo install cargo-deny --version "$version" --locked --debug --root target/tools
fi

# An exception that is no longer needed is a fault too.
cargo-deny check --deny unmatched-skip --deny unnecessary-skip licenses bans sources
if timeout 120 cargo-deny fetch db; then
    cargo-deny check --disable-fetch advisories
else
    echo "deny.sh: ADVISORIES NOT CHECKED: https://github.com/RustSec/advisory-db cannot be fetched" >&2
fi
