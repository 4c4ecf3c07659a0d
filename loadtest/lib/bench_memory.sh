# shellcheck shell=bash disable=SC2154,SC2016 # variables of bench.sh; columns are for awk
# bench.sh, row "memory": resident memory, in MiB. Of a front end that holds many connections (idle_connections.c) and
# as many undecided orders as its threshold lets in, and remembers as many decided ones as it does by default; of the
# workers the most that each ever had, when they have decided these orders and sent what follows of them. The same
# processes go on through all pairs (inventory begins anew): what grows with time shows.
#
# Needs bench.sh's variables and functions, and workers_… of bench_workers.sh.

MEMORY_SKU=bench-memory

memory_prepare() {
  local ctl=("$SECKILL_BIN/seckillctl" --config "$D/seckill.conf")
  memory_connections=10000 memory_orders=200000
  [ -z "$quick" ] || memory_connections=500 memory_orders=5000
  "${ctl[@]}" item put "$MEMORY_SKU" --unit-price 100 --stock 1000000000 >/dev/null
  "${ctl[@]}" campaign put "$MEMORY_SKU" --budget 1000000000000000 --packets 1000000000 >/dev/null
}

pid_of() { # UNIT
  "$STACK" status --dir "$D" | sed -n "s/^$1 .*pid \([0-9]*\).*/\1/p"
}

memory_of() { # PID VmRSS|VmHWM → MiB
  awk -v n="$2:" '$1 == n { printf "%.1f", $2 / 1024 }' "/proc/$1/status"
}

memory_fill() { # until as many orders are undecided as are let in
  local _
  for _ in $(seq 120); do
    [ "$(metric "$memory_url" seckill_order_undecided)" -lt "$memory_orders" ] || return 0
    wrk -t1 -c64 -d1s -s "$HERE/post_orders.lua" "$memory_url/v1/orders" -- "$MEMORY_SKU" >"$D/wrk.out"
  done
  echo "bench.sh: not so many orders are let in" >&2
  return 1
}

memory_rest() { # until everything that follows of the orders was sent
  local queue
  workers_settle "$memory_url"
  for queue in seckill.redpacket seckill.notification; do
    until [ "$(queue_messages "$queue")" = 0 ]; do sleep 0.5; done
  done
}

memory_measure() { # appends "PAIR FRONT_END INVENTORY REDPACKET NOTIFICATION" to D/memory
  local i r idle service
  workers_stop
  workers_purge
  memory_url=$(start_front_end order@6 --set admission.max_pending="$memory_orders" --set order.keep_decided=100000)
  await_item "$memory_url" "$MEMORY_SKU"
  "$STACK" start redpacket --dir "$D" >/dev/null
  "$STACK" start notification --dir "$D" --set notification.sink=file >/dev/null
  for i in $(seq "$pairs"); do
    "$STACK" stop inventory --dir "$D" >/dev/null
    : >"$D/idle.out"
    "$SECKILL_BIN/idle_connections" "${memory_url##*:}" "$memory_connections" 0 600 >"$D/idle.out" &
    idle=$!
    helper_pids+=("$idle")
    await_file "$D/idle.out"
    memory_fill
    r="$i $(memory_of "$(pid_of order@6)" VmRSS)"
    kill "$idle"
    wait "$idle" 2>/dev/null || true
    "$STACK" start inventory --dir "$D" >/dev/null
    memory_rest
    for service in inventory redpacket notification; do
      r="$r $(memory_of "$(pid_of "$service")" VmHWM)"
    done
    echo "$r" >>"$D/memory"
    awk -v r="$r" 'BEGIN { split(r, v); printf "pair %d: front end %.1f MiB; at most inventory %.1f, redpacket %.1f, notification %.1f\n",
      v[1], v[2], v[3], v[4], v[5] }'
  done
  "$STACK" stop order@6 --dir "$D" >/dev/null
}

memory_report() {
  local i=3 service
  ratio memory_front_end memory "front end, MiB, $memory_connections connections, $memory_orders orders" '$2' at_most 144
  for service in inventory redpacket notification; do
    ratio "memory_$service" memory "$service, MiB" "\$$i" at_most 128
    i=$((i + 1))
  done
}

memory_json() {
  jq -Rn --argjson connections "$memory_connections" --argjson orders "$memory_orders" '[inputs | split(" ") |
    map(tonumber) | {pair: .[0], connections: $connections, undecided: $orders, front_end_mib: .[1], inventory_mib: .[2],
      redpacket_mib: .[3], notification_mib: .[4]}]' "$D/memory"
}
