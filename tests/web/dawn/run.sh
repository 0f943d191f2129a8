#!/usr/bin/env bash
# Compiles the shaders of every workload and of a few hundred random trainings with Chrome's own
# WGSL compiler, in Node. Needs no GPU and no driver.
#   bash tests/web/dawn/run.sh [TRAININGS [SEED]]
set -euo pipefail
cd "$(dirname "$0")"

if ! command -v npm >/dev/null; then
    echo "npm is missing: install Node.js 20 or later from https://nodejs.org" >&2
    exit 1
fi
npm ci --silent --no-audit --no-fund
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
cargo run --quiet --manifest-path ../../../Cargo.toml -p wgrad-bench --bin shaders -- "$out" --random "${1:-600}" --seed "${2:-1}"
node check.mjs "$out"
