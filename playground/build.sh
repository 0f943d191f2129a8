#!/usr/bin/env bash
# Builds the playground into playground/site: the page's files, and its engine in site/pkg.
#   bash playground/build.sh
# wasm-opt makes the module smaller where it is found (npm install binaryen, or WASM_OPT).
set -euo pipefail
cd "$(dirname "$0")"

for program in cargo node; do
    command -v $program >/dev/null || { echo "$program is missing" >&2; exit 1; }
done
if command -v rustup >/dev/null; then
    rustup --quiet target add wasm32-unknown-unknown
fi

target=${CARGO_TARGET_DIR:-$PWD/target}
export CARGO_TARGET_DIR=$target
# The program that makes the glue needs no optimization of its own.
cargo build --quiet --locked --package wgrad-playground-glue
optimizer=${WASM_OPT:-$(command -v wasm-opt || echo "$PWD/node_modules/.bin/wasm-opt")}
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT

# Two modules: what a page loads first, and all of it.
for name in first whole; do
    features=()
    if [ $name = first ]; then features=(--no-default-features); fi
    cargo build --locked --release --lib --target wasm32-unknown-unknown "${features[@]}"
    "$target/debug/wgrad-playground-glue" \
        "$target/wasm32-unknown-unknown/release/wgrad_playground.wasm" "$made" $name
    if command -v "$optimizer" >/dev/null; then
        "$optimizer" -Oz --all-features "$made/${name}_bg.wasm" -o "$made/smaller.wasm"
        mv "$made/smaller.wasm" "$made/${name}_bg.wasm"
    fi
done

mkdir -p site/pkg
find site -mindepth 1 -maxdepth 1 ! -name pkg -exec rm -rf {} +
rm -rf site/pkg/*
cp "$made"/* engine.js engine.d.ts site/pkg/
# The page: all but what builds, serves and tests it.
for file in *; do
    case $file in
        *.html | *.css | *.js | *.mjs | *.svg | *.png | *.jpg | *.webp | *.ico | *.json | *.webmanifest) ;;
        *) [ -d "$file" ] || continue ;;
    esac
    case $file in
        engine.js | serve.mjs | test.mjs | units.mjs | browser.mjs | package.json | package-lock.json | src | glue | target | site | node_modules | tests | proptest-regressions) ;;
        *) cp -r "$file" site/ ;;
    esac
done

# What a browser downloads, compressed.
all=0 later=0
echo "== bytes, as they are and compressed"
while IFS= read -r file; do
    size=$(wc -c <"$file")
    packed=$(gzip -9 <"$file" | wc -c)
    case $file in
        site/pkg/whole*) later=$((later + packed)) ;;
        *) all=$((all + packed)) ;;
    esac
    printf '%9d %8d  %s\n' "$size" "$packed" "${file#site/}"
done < <(find site -type f ! -name '*.d.ts' | sort)
echo "$all bytes compressed at first; $later later, for the GPU, files, the self-check and the picture"
