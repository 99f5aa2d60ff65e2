#!/usr/bin/env bash
# Checks the freshness rule under every interleaving, with loom: scripts/loom.sh [ARGUMENTS FOR CARGO TEST...]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Its own target directory: another cfg would rebuild everything else.
RUSTFLAGS="--cfg loom" cargo test --release --locked -p keystile-domain --test freshness --target-dir target/loom "$@"
