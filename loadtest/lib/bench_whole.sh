# shellcheck shell=bash disable=SC2154,SC2016 # variables of bench.sh; columns are for awk
# bench.sh, row "whole": what is accepted a second while all four services work ÷ while inventory alone works behind the
# front end. Every order gets a red packet and two messages, which notification writes to a file.
#
# Needs bench.sh's variables and functions, accept_for of bench_orders.sh, and workers_… of bench_workers.sh.

WHOLE_SKU=bench-whole

whole_prepare() {
  local ctl=("$SECKILL_BIN/seckillctl" --config "$D/seckill.conf")
  "${ctl[@]}" item put "$WHOLE_SKU" --unit-price 100 --stock 1000000000 >/dev/null
  "${ctl[@]}" campaign put "$WHOLE_SKU" --budget 1000000000000000 --packets 1000000000 >/dev/null
}

# The next turn begins with nothing left of the last one: no order, no event, no red packet.
whole_rest() {
  local queue
  workers_settle
  for queue in seckill.redpacket seckill.notification; do
    until [ "$(queue_messages "$queue")" = 0 ]; do sleep 0.5; done
  done
}

whole_turn() { # alone|all → orders accepted a second
  local rate
  if [ "$1" = all ]; then
    "$STACK" start redpacket --dir "$D" >/dev/null
    "$STACK" start notification --dir "$D" --set notification.sink=file >/dev/null
  fi
  read -r rate _ <<<"$(accept_for "$SECKILL_URL" "$WHOLE_SKU")"
  if [ "$1" = all ]; then
    whole_rest
    workers_stop
  else
    workers_settle
    workers_purge
  fi
  echo "$rate"
}

whole_measure() { # appends "PAIR ALL ALONE LOAD" to D/whole
  local i all alone
  workers_stop
  for i in $(seq "$pairs"); do
    # In turns: what comes second has a broker that is warmer, and a longer database.
    if (( i % 2 )); then
      alone=$(whole_turn alone)
      all=$(whole_turn all)
    else
      all=$(whole_turn all)
      alone=$(whole_turn alone)
    fi
    echo "$i $all $alone $(machine_load)" >>"$D/whole"
    awk -v r="$(tail -n 1 "$D/whole")" 'BEGIN { split(r, v)
      printf "pair %d: accepted %d/s with all four services, %d/s with inventory alone (%.2f); load %.1f\n",
        v[1], v[2], v[3], v[2] / v[3], v[4] }'
  done
  workers_start
}

whole_report() {
  row whole "accepted/s, 256 connections, all four services" '$2'
  row whole "accepted/s, inventory alone behind the front end" '$3'
  ratio whole whole "  ratio" '$2 / $3' at_least 0.7
}

whole_json() {
  jq -Rn '[inputs | split(" ") | map(tonumber) | {pair: .[0], all_accepted_per_s: .[1], alone_accepted_per_s: .[2],
    load: .[3]}]' "$D/whole"
}
