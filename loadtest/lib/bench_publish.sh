# shellcheck shell=bash disable=SC2154,SC2016 # variables of bench.sh; columns are for awk
# bench.sh, row "publish": what the front end accepts a second beside what the broker confirms to a program that does
# nothing but publish (floors/publish_raw.c): messages of an order's size, and messages of a batch's. For information:
# by coalescing the front end accepts more orders than the broker takes such messages.
#
# Needs bench.sh's variables and functions, accept_for and drain of bench_orders.sh, and workers_… of bench_workers.sh.

PUBLISH_ONE=(200 1000)   # bytes, window
PUBLISH_BATCH=(8000 200) # 40 orders' worth

publish_prepare() {
  "$SECKILL_BIN/seckillctl" --config "$D/seckill.conf" item put bench-publish --unit-price 100 --stock 1000000000 >/dev/null
  await_item "$SECKILL_URL" bench-publish
}

publish_for() { # BYTES WINDOW → messages a second
  "$SECKILL_BIN/publish_raw" "$SECKILL_AMQP_URL" "$seconds" "$@" | awk '$1 == "messages_per_second" { print $2 }'
}

publish_measure() { # appends "PAIR ACCEPTED ONE BATCH LOAD" to D/publish
  local i accepted one batch
  workers_stop
  "$STACK" stop inventory --dir "$D" >/dev/null
  for i in $(seq "$pairs"); do
    read -r accepted _ <<<"$(accept_for "$SECKILL_URL" bench-publish)"
    drain "$SECKILL_URL" >/dev/null
    workers_purge
    one=$(publish_for "${PUBLISH_ONE[@]}")
    batch=$(publish_for "${PUBLISH_BATCH[@]}")
    echo "$i $accepted $one $batch $(machine_load)" >>"$D/publish"
    awk -v r="$(tail -n 1 "$D/publish")" 'BEGIN { split(r, v)
      printf "pair %d: accepted %d/s; raw publishes %d/s of 200 bytes, %d/s of 8000; load %.1f\n", v[1], v[2], v[3], v[4], v[5] }'
  done
  "$STACK" start inventory --dir "$D" >/dev/null
  workers_start
}

publish_report() {
  row publish "accepted/s, 256 connections" '$2'
  row publish "raw confirmed publishes/s, ${PUBLISH_ONE[0]} bytes, window ${PUBLISH_ONE[1]}" '$3'
  row publish "raw confirmed publishes/s, ${PUBLISH_BATCH[0]} bytes, window ${PUBLISH_BATCH[1]}" '$4'
  ratio publish publish "  orders accepted ÷ raw publishes of one" '$2 / $3'
}

publish_json() {
  jq -Rn '[inputs | split(" ") | map(tonumber) | {pair: .[0], accepted_per_s: .[1], raw_publishes_per_s: .[2],
    raw_batches_per_s: .[3], load: .[4]}]' "$D/publish"
}
