#!/usr/bin/env bash
# Builds the playground and tests it in headless Chromium: `bash playground/test.sh [THEME]...`
# PLAYGROUND_BUILT=1 takes the build that is there; PLAYGROUND_MINUTES=10 plays so long in the test of memory.
set -euo pipefail
cd "$(dirname "$0")"

command -v node >/dev/null || { echo "node is missing" >&2; exit 1; }
if [ -z "${CHROMIUM:-}" ] && ! command -v chromium chromium-browser google-chrome >/dev/null; then
    echo "no Chromium found: installing it"
    as_root=""
    if [ "$(id -u)" != 0 ]; then as_root=sudo; fi
    $as_root apt-get update -qq
    $as_root apt-get install -y -qq chromium
fi

if [ "${PLAYGROUND_BUILT:-}" != 1 ]; then
    echo "== the page"
    bash build.sh
    echo "== the program whose losses the page's are held to"
    cargo build --quiet --locked --bin losses
fi

echo "== units"
node --test --test-reporter=dot units.mjs
node test.mjs "$@"
