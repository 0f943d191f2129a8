#!/bin/sh
# Builds the example and runs it on ranks of this machine: one rank's losses on two, the same bits twice, and
# a rank that dies. Open MPI and libclang must be there: apt-get install libopenmpi-dev openmpi-bin libclang-dev
#   sh examples/mpi/test.sh [RANKS]
set -eu
cd "$(dirname "$0")"
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}"
cargo build --quiet --profile "${PROFILE:-dev}"
case "${PROFILE:-dev}" in dev) folder=debug ;; *) folder=$PROFILE ;; esac
run="$(cd "$CARGO_TARGET_DIR/$folder" && pwd)/mpi"
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT INT TERM
ranks=${1:-2}
steps=${STEPS:-200}

on() { # RANKS NAME [OPTIONS]: trains, and leaves the losses in $out/NAME
    count=$1 name=$2
    shift 2
    mpirun --oversubscribe -n "$count" "$run" --checkpoint "$out/$name.safetensors" "$@" >"$out/$name.log" 2>&1 || return 1
    grep '^step' "$out/$name.log" >"$out/$name"
}
fail() {
    echo "FAILED: $*" >&2
    exit 1
}

for network in w3 hash; do
    on 1 "$network-one" --network "$network" --steps "$steps" --rows 2048 || fail "$(cat "$out/$network-one.log")"
    on "$ranks" "$network-a" --network "$network" --steps "$steps" --rows 2048
    on "$ranks" "$network-b" --network "$network" --steps "$steps" --rows 2048
    # The same bits twice.
    cmp "$out/$network-a.safetensors" "$out/$network-b.safetensors"
    # The losses of one rank, to 1e-5 of each.
    paste "$out/$network-one" "$out/$network-a" | awk -v name="$network on $ranks ranks" '
        BEGIN { worst = 0 }
        { error = ($4 - $8) / $4; if (error < 0) error = -error; if (!(error <= worst)) worst = error; lines++ }
        END { print name ": largest difference of a loss " worst; exit !(lines > 0 && worst <= 1e-5) }' ||
        fail "the losses of one rank and of $ranks"
done

# A rank dies: the run ends with a message, and goes on from its checkpoint to the same end.
steps=60
on "$ranks" whole --steps "$steps" --rows 2048 --every 20
mpirun --oversubscribe -n "$ranks" "$run" --checkpoint "$out/cut.safetensors" --steps "$steps" --rows 2048 \
    --every 20 --pause 100 >"$out/cut.log" 2>&1 &
waits=0
until grep -q '^step *20 ' "$out/cut.log"; do
    waits=$((waits + 1))
    [ "$waits" -lt 1200 ] || fail "no step 20: $(cat "$out/cut.log")"
    sleep 0.1
done
sleep 0.5
kill -9 "$(pgrep -n -f "$run --checkpoint $out/cut.safetensors")"
if wait $!; then fail "a run without one of its ranks"; fi
grep -q "killed\|signal 9" "$out/cut.log" || fail "no message: $(cat "$out/cut.log")"
on "$ranks" cut --resume --steps "$steps" --rows 2048 --every 20
cmp "$out/whole.safetensors" "$out/cut.safetensors" || fail "the run that went on ended elsewhere"
echo "a rank that died: the run went on to the same bits"
