#!/usr/bin/env bash
# Runs buf, at the one version that the project uses.
set -euo pipefail

exec npx --yes @bufbuild/buf@1.75.0 "$@"
