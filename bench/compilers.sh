#!/bin/sh
# What the shader compilers of AMD, Intel and NVIDIA make of the kernels, without their hardware: a
# Markdown table of registers, spills or bytes of scratch, and waves.
#   GPU_STATS=FOLDER/stats.sh sh bench/compilers.sh [TARGET...] > table.md
# GPU_STATS is a program that compiles WGSL with a target's driver and prints its statistics, one
# shader a line: name, workgroups, wave, VGPR, SGPR, spilled, scratch, LDS, occupancy, instructions.
# MANIFEST=FILE takes shaders that lie there; otherwise `shaders` writes today's.
set -eu
cd "$(dirname "$0")/.."
stats=${GPU_STATS:?the program that asks the compilers}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
manifest=${MANIFEST:-$work/shaders/manifest.json}
if [ -z "${MANIFEST:-}" ]; then
    mkdir "$work/shaders"
    cargo run -q -p wgrad-bench --bin shaders -- "$work/shaders" >&2
fi
[ $# -gt 0 ] || set -- navi21 navi31 vega10 gfx1201 dg2 tgl turing ampere
plans="w1-none w2-none w3-none w3-layered w4-none hash-none w1x256-none w2x256-none mm1024-"
for target in "$@"; do
    # The smallest subgroup of the target, on which the resident kernel's text depends.
    case $target in
    dg2 | tgl | skl) lanes=8 ;;
    vega10) lanes=64 ;;
    *) lanes=32 ;;
    esac
    resident="w1-sg$lanes w2-sg$lanes w1x256-sg$lanes w2x256-sg$lanes"
    for plan in $plans $resident; do
        # One at a time: where a compiler crashes, the others are still asked.
        "$stats" "$target" --only "$plan" "$manifest" 2>"$work/log" | grep -E '^[a-z0-9]+-' || cat "$work/log" >&2
    done | sed "s/-sg$lanes-/-subgroups-/" | awk '{
        lost = $6 + 0 > 0 ? $6 + 0 : $7 + 0 > 0 ? $7 " B" : 0
        print $1 "\t" $4 (lost != 0 ? ", **" lost "**" : "") ($9 != "-" ? ", " $9 : "")
    }' > "$work/$target"
done
printf '| shader |'
for target in "$@"; do printf ' %s |' "$target"; done
printf '\n| --- |'
for target in "$@"; do printf ' --- |'; done
printf '\n'
cut -f 1 "$work/$1" | sort -u | grep -vE 'matmul_subgroup$' | while read -r name; do
    printf '| %s |' "$name"
    for target in "$@"; do printf ' %s |' "$(awk -F '\t' -v n="$name" '$1 == n { print $2; exit }' "$work/$target")"; done
    printf '\n'
done
