#!/usr/bin/env bash
# Compares the ONNX files that the crate writes with ONNX Runtime, and reads them back as onnx's own
# tools have rewritten them. For developers: it installs onnx and onnxruntime by pip.
#   bash tests/onnx/run.sh [PYTHON OF AN ENVIRONMENT THAT HAS BOTH]
set -euo pipefail
cd "$(dirname "$0")/../.."
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
python=${1:-}
if [ -z "$python" ]; then
    python3 -m venv "$out/venv"
    "$out/venv/bin/pip" install --quiet numpy onnx onnxruntime safetensors
    python=$out/venv/bin/python
fi
mkdir "$out/files"
export WGRAD_ONNX=$out/files
cargo test --features onnx --test onnx -- --ignored --exact writes_files_for_a_runtime
cp -r "$out/files" "$out/written"
"$python" tests/onnx/check.py "$out/files"
# What a runtime has checked is what CI compares with.
for name in gelu silu exponential squareplus sharp_softplus frequency triangle_wave one_blob scaled composite; do
    cp "$out/written/$name.onnx" tests/files/onnx/written/
done
cargo test --features onnx --test onnx -- --ignored --exact reads_the_files_of_a_folder
