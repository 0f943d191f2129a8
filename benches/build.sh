#!/bin/sh
# What depending on the crate costs: crates, time of a clean build, size of a stripped program.
#   sh benches/build.sh
set -eu
cd "$(dirname "$0")/.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT INT TERM
export CARGO_TARGET_DIR="$folder"

count() { cargo tree --edges normal --prefix none "$@" | sed 's/ (\*)$//' | sort -u | wc -l | tr -d ' '; }
seconds() { date +%s; }

echo "crates without default features: $(count --no-default-features)"
echo "crates with the GPU back ends: $(count --no-default-features --features backends)"
echo "crates with all default features: $(count)"
cargo fetch --quiet
start=$(seconds)
cargo build --release --quiet --no-default-features --lib
echo "clean release build without default features: $(($(seconds) - start)) s on $(getconf _NPROCESSORS_ONLN) cores"
cargo rustc --release --quiet --no-default-features --features backends --example self_check -- -C strip=symbols
echo "the example self_check, back ends only, stripped: $(wc -c <"$folder/release/examples/self_check" | tr -d ' ') bytes"
