#!/usr/bin/env bash
# Builds the tests for wasm32 and runs them in headless Chromium, on its software device.
#   bash tests/web/run.sh [chromium|dawn]...
# `dawn` runs them in Node on Chrome's WebGPU and a Vulkan driver of this machine instead.
# A toolchain without rustup's target can be named: WASM_CARGO (cargo) builds with the arguments
# WASM_ARGS (--target wasm32-unknown-unknown).
set -euo pipefail
cd "$(dirname "$0")"
target=$(realpath -m ../../target/web)
export CARGO_TARGET_DIR=$target

for program in cargo node npm; do
    command -v $program >/dev/null || { echo "$program is missing" >&2; exit 1; }
done
if [ -z "${WASM_CARGO:-}" ] && command -v rustup >/dev/null; then
    rustup target add wasm32-unknown-unknown
fi
if [ -z "${CHROMIUM:-}" ] && ! command -v chromium chromium-browser google-chrome >/dev/null; then
    echo "no Chromium found: installing it"
    as_root=""
    if [ "$(id -u)" != 0 ]; then as_root=sudo; fi
    $as_root apt-get update -qq
    $as_root apt-get install -y -qq chromium
fi

echo "== tests of the browser: built for wasm32"
site=$target/site
mkdir -p "$site"
${WASM_CARGO:-cargo} build --locked --lib ${WASM_ARGS:---target wasm32-unknown-unknown}
cargo run --quiet --locked --bin glue -- "$target/wasm32-unknown-unknown/debug/wgrad_web_tests.wasm" "$site"
cp index.html tests.mjs export.mjs "$site"
echo '{ "type": "module" }' >"$site/package.json"
# The exported functions, with what they return: of a run before this one, where that is said, or of one now.
if [ -f "${WGRAD_EXPORT_DIR:-}/cases.json" ]; then
    cp "$WGRAD_EXPORT_DIR/cases.json" "$site"
else
    (cd ../.. && unset CARGO_TARGET_DIR && WGRAD_EXPORT_DIR="$site" cargo test --quiet --test export -- --nocapture >/dev/null)
fi

for where in "${@:-chromium}"; do
    echo "== tests in $where"
    if [ "$where" = dawn ]; then (cd dawn && npm ci --silent --no-audit --no-fund); fi
    node run.mjs "$site" "$where"
done
