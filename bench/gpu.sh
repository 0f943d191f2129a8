#!/bin/sh
# Tests and measures a machine with a real GPU; a Markdown report goes to stdout, progress to stderr.
#   sh bench/gpu.sh [ROUNDS] > report.md
# CARGO_FLAGS=--offline fetches nothing; SKIP_TESTS=1 leaves the tests out.
set -eu
cd "$(dirname "$0")/.."
rounds=${1:-5}
flags=${CARGO_FLAGS:-}
rows=$(mktemp)
trap 'rm -f "$rows"' EXIT INT TERM

say() { echo "$*" >&2; }

say "building"
# shellcheck disable=SC2086 # several flags
cargo build --release $flags --workspace --bin peer --example self_check \
    --example embed_headless --example learn_image >&2
target=${CARGO_TARGET_DIR:-target}
peer=$target/release/peer

echo "# wgrad on $("$peer" floor 0 2>&1 >/dev/null | grep -v "^error:" | head -n 1)"
echo
echo "$(uname -srm), $(rustc --version), $(git rev-parse --short HEAD 2>/dev/null || echo 'no git')"

if [ -z "${SKIP_TESTS:-}" ]; then
    say "tests"
    # shellcheck disable=SC2086
    if cargo test --release $flags >&2; then tests=passed; else tests="**FAILED**"; fi
    echo
    echo "Tests: $tests"
fi

echo
echo "## self_check"
echo
echo '```'
say "self_check"
"$target/release/examples/self_check" || echo "FAILED"
echo '```'

echo
echo "## Inside an application"
echo
echo '```'
say "embedding"
films=$(mktemp -d)
"$target/release/examples/embed_headless" --out "$films" || echo "FAILED"
"$target/release/examples/embed_headless" --no-timestamps --out "$films" || echo "FAILED"
# shellcheck disable=SC2086
cargo bench $flags -p wgrad-bench --bench embed 2>/dev/null | grep -E '^[a-z0-9_]+/|time:' || echo "FAILED"
echo '```'

echo
echo "## A picture"
echo
echo '```'
say "a picture"
"$target/release/examples/learn_image" --device gpu --profile --out "$films" || echo "FAILED"
rm -rf "$films"
echo '```'

echo
echo "## What each dispatch of a step costs"
say "profiles"
for work in w1 w2 w3 w4 hash; do
    echo
    echo '```'
    echo "$work: kernel, workgroups, time, operations, bytes"
    "$peer" profile "$work" 2>/dev/null || echo "FAILED"
    echo '```'
done

# All measurements of a round one after another, then the next round.
measure() { # LABEL, then the arguments of peer; rows of label:name, value, the rest
    label=$1
    shift
    say "  $label $*"
    "$peer" "$@" 2>"$rows.err" | awk -F '\t' -v label="$label" \
        '$2 > 0 || kept[$1] { print label "\t" $1 "\t" $3 "\t" $4; kept[$1] = 1 }' >>"$rows" || true
    if [ -s "$rows.err" ] && [ "$1" != floor ]; then
        say "    $(tail -n 1 "$rows.err")"
        printf '%s\t%s\tnote\t%s\n' "$label" "$1" "$(tail -n 1 "$rows.err" | cut -c 8-)" >>"$rows"
    fi
    rm -f "$rows.err"
}

round=1
while [ "$round" -le "$rounds" ]; do
    say "round $round of $rounds"
    measure floor floor 1
    for work in w1 w2 w3 w4 hash; do
        for plan in resident fused layered auto cpu; do
            export PEER_PLAN="$plan"
            measure "$plan" "$work" 1
        done
    done
    # A population: 256 models of w1 at once.
    for plan in auto cpu; do
        export PEER_PLAN="$plan" PEER_MODELS=256
        measure "$plan x256" w1 1 200
    done
    unset PEER_PLAN PEER_MODELS
    for product in mm1024 mm2048 mm4096 mm1024f16 mm2048f16 mm4096f16; do
        measure product "$product" 1
    done
    round=$((round + 1))
done
say "cold start"
"$peer" cold w1 3 | awk -F '\t' '{ print "cold\t" $1 "\t" $3 "\t" $4 }' >>"$rows"

# The medians, spreads and tables.
sort -t "$(printf '\t')" -k1,1 -k2,2 -k3,3g "$rows" | awk -F '\t' '
function key(label, name) { return label SUBSEP name }
function median(k,    n) {
    n = count[k]
    return n % 2 ? value[k, (n + 1) / 2] : (value[k, n / 2] + value[k, n / 2 + 1]) / 2
}
function cell(k, factor) {
    if (!(k in count)) return note[k] == "" ? "-" : "no: " note[k]
    return sprintf("%.4g (%.4g .. %.4g)", factor * median(k), factor * value[k, 1], factor * value[k, count[k]])
}
$3 == "note" { note[key($1, $2)] = $4; next }
{ k = key($1, $2); value[k, ++count[k]] = $3; last[k] = $4; if ($1 == "cold") cold[++colds] = $2 }
END {
    print "\n## The device\n\n| | median (min .. max) | |\n|---|---|---|"
    n = split("device_to_first_result multiply_add copy dispatch_in_a_pass submit round_trip_4_bytes", names, " ")
    for (i = 1; i <= n; i++) { k = key("floor", names[i]); print "| " names[i] " | " cell(k, 1) " | " last[k] " |" }
    peak = median(key("floor", "multiply_add"))

    print "\n## Trainings, µs a step\n"
    print "Median (min .. max) of whole runs, from the first step to the last loss on the CPU.\n"
    plans = split("resident fused layered auto cpu", plan, " ")
    line = "| |"; rule = "|---|"
    for (j = 1; j <= plans; j++) { line = line " " plan[j] " |"; rule = rule "---|" }
    print line " loss, by auto and cpu |\n" rule "---|"
    works = split("w1 2000 w2 1000 w3 100 w4 200 hash 40", work, " ")
    for (i = 1; i <= works; i += 2) {
        line = "| " work[i] " |"
        for (j = 1; j <= plans; j++) line = line " " cell(key(plan[j], work[i]), 1e6 / work[i + 1]) " |"
        print line " " last[key("auto", work[i])] ", " last[key("cpu", work[i])] " |"
    }
    print "| 256 x w1 | - | - | - | " cell(key("auto x256", "w1"), 1e6 / 200) " | " cell(key("cpu x256", "w1"), 1e6 / 200) " | " last[key("auto x256", "w1")] ", " last[key("cpu x256", "w1")] " |"

    print "\n## Products\n\nA and B in f32, and in f16 with sums in f32.\n"
    print "| | ms | GFLOP/s by the median | share of the f32 multiply-add peak |\n|---|---|---|---|"
    sizes = split("1024 2048 4096 1024f16 2048f16 4096f16", size, " ")
    for (i = 1; i <= sizes; i++) {
        k = key("product", "mm" size[i])
        if (!(k in count)) { print "| " size[i] " | " cell(k, 1) " | - | - |"; continue }
        rate = 2 * (size[i] + 0) ^ 3 / median(k) / 1e9
        printf "| %s | %s | %.0f | %.1f %% |\n", size[i], cell(k, 1e3), rate, 100 * rate / peak
    }

    print "\n## From nothing to a first result\n\n| | | |\n|---|---|---|"
    for (i = 1; i <= colds; i++) { k = key("cold", cold[i]); print "| " cold[i] " | " median(k) " | " last[k] " |" }
}'
