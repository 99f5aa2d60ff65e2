#!/usr/bin/env bash
# Runs every test, the ones on real database servers included: ./test.sh [ARGUMENTS FOR CARGO TEST...]
#
# A server is the one at KEYSTILE_TEST_POSTGRES_URL or KEYSTILE_TEST_MYSQL_URL, else one that answers at its standard
# port on loopback, else a private one (KEYSTILE_TEST_PRIVATE=1: always), installed first if need be. With arguments
# only the tests that they choose run; the model checker and the fuzz targets do not.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
. scripts/need.sh
. scripts/servers/private.sh
. scripts/servers/postgres.sh
. scripts/servers/mariadb.sh

trap stop_private EXIT
have cargo || die "please install a Rust toolchain, then run this again"
need cc build-essential
need c++ build-essential
need npx npm
need jq jq
need curl curl
need openssl openssl
use_postgres
use_mariadb
scripts/buf.sh --version >/dev/null # fetched once, before tests ask for it side by side

cargo test --workspace --locked "$@"
if [ $# -eq 0 ]; then
    cargo test --locked -p keystile-client --features tls --lib
    scripts/loom.sh
    scripts/fuzz.sh
fi

echo "test.sh: all passed in $SECONDS s"
