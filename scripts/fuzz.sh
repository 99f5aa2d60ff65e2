#!/usr/bin/env bash
# Fuzzes each target for SECONDS seconds (default 10): scripts/fuzz.sh [SECONDS [TARGET...]]
#
# Targets start from fuzz/seeds/TARGET, if it exists, and save new inputs in fuzz/corpus/TARGET.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../fuzz"

seconds=${1:-10}
targets=("${@:2}")
if [ ${#targets[@]} -eq 0 ]; then targets=(token filter expression endpoint); fi

# Coverage by rustc flags only, so that the stable toolchain suffices. `--target` keeps them from build scripts.
host=$(rustc -vV | sed -n 's/^host: //p')
export RUSTFLAGS="-Ccodegen-units=1 -Cpasses=sancov-module \
-Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
-Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares \
-Cllvm-args=-simplifycfg-branch-fold-threshold=0"
cargo build --release --locked --target "$host" --target-dir target

for target in "${targets[@]}"; do
    printf '\nfuzzing %s for %s s\n' "$target" "$seconds"
    mkdir -p "corpus/$target" "artifacts/$target"
    inputs=("corpus/$target")
    if [ -d "seeds/$target" ]; then inputs+=("seeds/$target"); fi
    if ! "target/$host/release/$target" -seed=1 -max_total_time="$seconds" -timeout=5 -use_value_profile=1 \
        -verbosity=0 -print_final_stats=1 -artifact_prefix="artifacts/$target/" "${inputs[@]}" </dev/null; then
        echo "fuzzing $target found a fault: the input is in fuzz/artifacts/$target/" >&2
        exit 1
    fi
done
