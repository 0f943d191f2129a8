#!/usr/bin/env bash
# Runs all tests; first installs a software Vulkan driver where the machine has none.
#   bash tests/run.sh [ARGUMENTS OF CARGO TEST]
set -euo pipefail
cd "$(dirname "$0")/.."

has_vulkan() {
    [ -n "${VK_DRIVER_FILES:-}${VK_ICD_FILENAMES:-}" ] && return 0
    # `ls` fails where one of the folders has none: what it prints counts.
    [ -n "$(ls /usr/share/vulkan/icd.d/*.json /etc/vulkan/icd.d/*.json "$HOME"/.local/share/vulkan/icd.d/*.json 2>/dev/null)" ] &&
        ldconfig -p 2>/dev/null | grep libvulkan.so.1 >/dev/null
}

if [ "$(uname -s)" = Linux ] && ! has_vulkan; then
    echo "no Vulkan driver found: installing Mesa's lavapipe, which runs on the CPU"
    as_root=""
    if [ "$(id -u)" != 0 ]; then as_root=sudo; fi
    if command -v apt-get >/dev/null; then
        $as_root apt-get update -qq
        $as_root apt-get install -y -qq mesa-vulkan-drivers libvulkan1
    elif command -v dnf >/dev/null; then
        $as_root dnf install -y -q mesa-vulkan-drivers vulkan-loader
    elif command -v pacman >/dev/null; then
        $as_root pacman -Sy --noconfirm vulkan-swrast vulkan-icd-loader
    else
        echo "no apt-get, dnf or pacman here: please install a Vulkan driver by hand" >&2
        exit 1
    fi
fi
cargo test "$@"
