# shellcheck shell=bash disable=SC2154,SC2016 # variables of bench.sh; columns are for awk
# bench.sh, row "replay": what seckill-replay can send ÷ what wrk can, against the bare server (floors/http_bare.c) and
# over as many connections. seckill-replay is offered far more than that, so that it sends as fast as answers come.
#
# Needs bench.sh's variables and functions.

REPLAY_CONNECTIONS=128

replay_prepare() { start_bare; }

replay_sent() { # requests → "RATE CPU_SECONDS_OF_ITS_OWN"
  "$SECKILL_BIN/seckill-replay" --config /dev/null --url "$bare_url" --generate constant --count "$1" --duration 1 \
    --connections "$REPLAY_CONNECTIONS" --sku bench-none --keyed=no --drain-timeout 0 --json "$D/replay.json" \
    >"$D/replay.out" 2>&1 || { cat "$D/replay.out" >&2; return 1; }
  jq -r 'if .counts.failed + .counts.not_sent > 0 then error("not all was answered") else
    "\(.per_s.sent) \(.machine.process_cores)" end' "$D/replay.json"
}

wrk_sent() { # → RATE
  wrk -t1 -c"$REPLAY_CONNECTIONS" -d"${seconds}s" -s "$HERE/post_same.lua" "$bare_url/v1/orders" -- bench-none >"$D/wrk.out"
  awk '$1 == "rate" { print $2 }' "$D/wrk.out"
}

replay_measure() { # appends "PAIR WRK REPLAY CORES LOAD" to D/replay
  local i wrk sent
  for i in $(seq "$pairs"); do
    wrk=$(wrk_sent)
    sent=$(replay_sent $((wrk * seconds)))
    echo "$i $wrk $sent $(machine_load)" >>"$D/replay"
    awk -v r="$(tail -n 1 "$D/replay")" 'BEGIN { split(r, v)
      printf "pair %d: seckill-replay sent %d/s, wrk %d/s (%.2f); load %.1f\n", v[1], v[3], v[2], v[3] / v[2], v[5] }'
  done
}

replay_report() {
  row replay "sent/s by wrk, 128 connections, one thread" '$2'
  row replay "sent/s by seckill-replay" '$3'
  ratio replay replay "  ratio" '$3 / $2' at_least 0.8
}

replay_json() {
  jq -Rn '[inputs | split(" ") | map(tonumber) | {pair: .[0], wrk_per_s: .[1], replay_per_s: .[2],
    replay_cores: .[3], load: .[4]}]' "$D/replay"
}
