#!/bin/bash
# That the benchmark runs, in every row: bench_quick.sh ROOT BUILD_DIR. Looks for each ratio in its JSON, never at a speed.
set -euo pipefail
root=$1 build=$2

D=$(mktemp -d "${TMPDIR:-/tmp}/seckill-bench-quick.XXXXXX")
bench=
clean_up() {
  # It takes its stack down with it.
  if [ -n "$bench" ] && kill -TERM "$bench" 2>/dev/null; then wait "$bench" || true; fi
  rm -rf "$D"
}
trap clean_up EXIT
trap 'exit 143' TERM INT

faults=0
complain() {
  echo "$1"
  faults=$((faults + 1))
}

"$root/loadtest/bench.sh" --quick --build-dir "$build" --json "$D/bench.json" >"$D/bench.out" 2>&1 &
bench=$!
wait "$bench" || complain "bench.sh ended with $?"
bench=
cat "$D/bench.out"
[ -s "$D/bench.json" ] || { complain "there is no JSON"; exit 1; }

# NAME and what it is aimed at.
while read -r name aim; do
  jq -e --arg n "$name" '.ratios[$n] | .median > 0 and .min <= .median and .median <= .max' "$D/bench.json" >/dev/null ||
    complain "the JSON has no ratio $name: $(jq -c --arg n "$name" '.ratios[$n]' "$D/bench.json")"
  [ "$(jq -r --arg n "$name" '.ratios[$n] | [.at_least // empty, .at_most // empty] | join(" ")' "$D/bench.json")" = "$aim" ] ||
    complain "$name is not aimed at ${aim:-nothing}"
done <<'RATIOS'
accepted 0.75
accepted_one 2.5
accepted_p99 1
decided 0.75
decided_keyed 0.75
rate_limited 0.85
sold_out 0.7
status_memory 0.8
status_inventory 0.8
redpacket 0.6
notification 0.6
replay 0.8
whole 0.7
sustained 0.5
large 0.8
publish
memory_front_end 144
memory_inventory 128
memory_redpacket 128
memory_notification 128
RATIOS

# And the single figures of each part that measured.
jq -e '[del(.ratios) | .. | objects | select(has("pair"))] | length >= 10 and all(.[]; [.[] | numbers] | length >= 4)' \
  "$D/bench.json" >/dev/null || complain "the single figures are not all in the JSON"

# A row that there is not, and a folder without programs, are refused in words.
status=0
"$root/loadtest/bench.sh" --only nonsense >"$D/out" 2>&1 || status=$?
if [ "$status" != 64 ] || ! grep -q 'no row nonsense' "$D/out"; then
  complain "a row that there is not: status $status, $(<"$D/out")"
fi
(( faults == 0 ))
