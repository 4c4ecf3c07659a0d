# shellcheck shell=bash disable=SC2154,SC2016 # variables of bench.sh; columns are for awk
# bench.sh, rows "accepted" and "decided": what is taken in and confirmed, and what is decided from a full queue.
#
# Needs bench.sh's variables and functions, and workers_… of bench_workers.sh. One turn fills the queue through one front
# end while inventory is stopped, and then inventory empties it.

ACCEPTED=seckill_order_orders_confirmed_total DECIDED=seckill_order_decisions_total
BATCHES='seckill_order_batches_total{outcome="confirmed"}'

answers_for() { # URL [SKU [keyed]] → "RATE P99_MS"; fails if anything but 202 was answered; wrk's CPU time into D/wrk.cpu
  local TIMEFORMAT='%U %S'
  { time wrk -t1 -c256 -d"${seconds}s" -s "$HERE/post_orders.lua" "$1/v1/orders" -- "${2:-bench-1}" 1000000 "${3:-}" \
    >"$D/wrk.out"; } 2>"$D/wrk.cpu"
  awk '
    /^(202|rate|p99) / { v[$1] = $2 } /^[1-5][0-9][0-9] / && $1 != 202 { bad = bad " " $0 } /^lost / { bad = bad " " $0 }
    END { if (bad != "") { print "unexpected answers:" bad > "/dev/stderr"; exit 1 } print v["rate"], v["p99"] }' "$D/wrk.out"
}

accept_for() { # URL [SKU [keyed]] → "RATE P99_MS ACCEPTED", by a front end with a confirmed order for each
  local before answers
  before=$(metric "$1" "$ACCEPTED")
  answers=$(answers_for "$@")
  echo "$answers $(($(metric "$1" "$ACCEPTED") - before))"
}

# Twice as much once more, so that the drain lasts: what happens in its first and last moments is then little.
fill_further() { # URL [SKU [keyed]] → ACCEPTED
  local seconds=$((${#quick} > 0 ? seconds : 2 * seconds)) accepted
  read -r _ _ accepted <<<"$(accept_for "$@")"
  echo "$accepted"
}

drain() { # URL: starts inventory, waits for every decision → orders a second from the first that is seen to the last
  # CPU time in ms of inventory, broker and front end meanwhile into D/drain.cpu.
  local url=$1 watcher rate broker order
  broker=$(unit_cpu_ms broker) order=$(unit_cpu_ms order)
  exec {watcher}< <(exec python3 "$HERE/lib/watch_counter.py" "$url" "$DECIDED" "$(metric "$url" "$ACCEPTED")")
  read -r _ <&"$watcher"
  "$STACK" start inventory --dir "$D" --no-wait >/dev/null
  read -r rate <&"$watcher" || { echo "bench.sh: not everything was decided" >&2; return 1; }
  exec {watcher}<&-
  echo "$(unit_cpu_ms inventory) $(($(unit_cpu_ms broker) - broker)) $(($(unit_cpu_ms order) - order))" >"$D/drain.cpu"
  "$STACK" stop inventory --dir "$D" >/dev/null
  echo "$rate"
}

orders_prepare() {
  "$SECKILL_BIN/seckillctl" --config "$D/seckill.conf" item put bench-1 --unit-price 100 --stock 1000000000 >/dev/null
  one_url=$(start_front_end order@2 --set publisher.max_batch=1 --set publisher.window=1000)
  "$SECKILL_BIN/http_suspend" >"$D/suspend.port" &
  helper_pids+=($!)
  await_file "$D/suspend.port"
  suspend_url=http://127.0.0.1:$(<"$D/suspend.port")
}

# CPU time of all who take part, over orders or answers → µs for each.
cpu_us() { # COUNT MS…
  awk -v count="$1" -v ms="${*:2}" 'BEGIN { n = split(ms, v); for (i = 1; i <= n; i++) t += v[i]; printf "%.2f\n", t * 1000 / count }'
}

wrk_cpu_ms() {
  awk '{ printf "%d\n", ($1 + $2) * 1000 }' "$D/wrk.cpu"
}

# Appends "PAIR RATE P99 ONE_RATE ONE_P99 DECIDED SQL_ALONE ORDERS ORDERS_A_MESSAGE LOAD FLOOR P99 WRK_US FRONT_END_US
# BROKER_US FLOOR_WRK_US FLOOR_US DRAIN_INVENTORY_US DRAIN_BROKER_US DRAIN_FRONT_END_US".
orders_measure() {
  local i rate p99 orders batches accepted decided alone one_rate one_p99 floor floor_p99 answers broker order server cpu drained
  local start_ms
  workers_stop # it is about inventory
  "$STACK" stop inventory --dir "$D" >/dev/null
  "$STACK" start inventory --dir "$D" >/dev/null
  start_ms=$(unit_cpu_ms inventory) # what its start costs is not the orders'
  "$STACK" stop inventory --dir "$D" >/dev/null
  for i in $(seq "$pairs"); do
    broker=$(unit_cpu_ms broker) order=$(unit_cpu_ms order)
    read -r rate p99 orders <<<"$(accept_for "$SECKILL_URL")"
    cpu="$(cpu_us "$orders" "$(wrk_cpu_ms)") $(cpu_us "$orders" $(($(unit_cpu_ms order) - order)))"
    cpu="$cpu $(cpu_us "$orders" $(($(unit_cpu_ms broker) - broker)))"
    ! selected decided || orders=$((orders + $(fill_further "$SECKILL_URL")))
    batches=$(metric "$SECKILL_URL" "$BATCHES")
    accepted=$(metric "$SECKILL_URL" "$ACCEPTED")
    decided=$(drain "$SECKILL_URL")
    read -r -a drained <"$D/drain.cpu"
    mkdir "$D/floor"
    alone=$("$SECKILL_BIN/sql_alone" "$D/floor" "$orders" $((accepted / batches > 0 ? accepted / batches : 1)) |
      awk '{ print $2 }')
    rm -rf "$D/floor"
    server=$(cpu_ticks "$suspend_url")
    read -r floor floor_p99 <<<"$(answers_for "$suspend_url")"
    server=$((($(cpu_ticks "$suspend_url") - server) * 1000 / $(getconf CLK_TCK)))
    answers=$((floor * seconds))
    cpu="$cpu $(cpu_us "$answers" "$(wrk_cpu_ms)") $(cpu_us "$answers" "$server")"
    cpu="$cpu $(cpu_us "$orders" $((drained[0] - start_ms))) $(cpu_us "$orders" "${drained[1]}") $(cpu_us "$orders" "${drained[2]}")"
    read -r one_rate one_p99 _ <<<"$(accept_for "$one_url")"
    drain "$one_url" >/dev/null
    workers_purge
    echo "$i $rate $p99 $one_rate $one_p99 $decided $alone $orders $((accepted / batches)) $(machine_load) $floor $floor_p99 $cpu" >>"$D/orders"
    awk -v r="$(tail -n 1 "$D/orders")" 'BEGIN { split(r, v)
      printf "pair %d: accepted %d/s (p99 %.1f ms, %d orders a message) against %d/s (p99 %.1f ms) with one, %d/s (p99 %.1f ms) by HTTP alone; decided %d/s of %d orders, SQL alone %d/s\n",
        v[1], v[2], v[3], v[9], v[4], v[5], v[11], v[12], v[6], v[8], v[7] }'
  done
  "$STACK" start inventory --dir "$D" >/dev/null
  workers_start
}

orders_report() {
  if selected accepted; then
    row orders "accepted/s, 256 connections" '$2'
    row orders "HTTP suspend and resume alone, answers/s" '$11'
    ratio accepted orders "  ratio" '$2 / $11' at_least 0.75
    row orders "accepted/s, one order a message" '$4'
    ratio accepted_one orders "  ratio" '$2 / $4' at_least 2.5
    row orders "p99 ms" '$3'
    row orders "p99 ms, HTTP alone" '$12'
    row orders "p99 ms, one order a message" '$5'
    ratio accepted_p99 orders "  ratio" '$3 / $5' at_most 1
    row orders "CPU µs an order: wrk" '$13'
    row orders "CPU µs an order: front end" '$14'
    row orders "CPU µs an order: broker" '$15'
    row orders "CPU µs an answer by HTTP alone: wrk" '$16'
    row orders "CPU µs an answer by HTTP alone: server" '$17'
    ratio accepted_cpu orders "  accepted ÷ HTTP alone if no core ever waited" "$(nproc) * 1e6 / (\$13 + \$14 + \$15) / \$11"
  fi
  if selected decided; then
    row orders "decided/s from a full queue" '$6'
    row orders "SQL alone, orders/s" '$7'
    ratio decided orders "  ratio" '$6 / $7' at_least 0.75
    row orders "CPU µs an order: inventory" '$18'
    row orders "CPU µs an order: broker" '$19'
    row orders "CPU µs an order: front end" '$20'
    # One thread of inventory does it all, and all together have the cores.
    ratio decided_cpu orders "  decided ÷ SQL alone if none of them ever waited" \
      "(\$18 > (\$18 + \$19 + \$20) / $(nproc) ? 1e6 / \$18 : $(nproc) * 1e6 / (\$18 + \$19 + \$20)) / \$7"
  fi
}

orders_json() {
  jq -Rn '[inputs | split(" ") | map(tonumber) | {pair: .[0], accepted_per_s: .[1], p99_ms: .[2], one_accepted_per_s: .[3],
    one_p99_ms: .[4], decided_per_s: .[5], sql_alone_per_s: .[6], orders: .[7], orders_a_message: .[8], load: .[9], http_alone_per_s: .[10],
    http_alone_p99_ms: .[11], cpu_us: {accepted: {wrk: .[12], front_end: .[13], broker: .[14]}, http_alone: {wrk: .[15], server: .[16]},
    decided: {inventory: .[17], broker: .[18], front_end: .[19]}}}]' "$D/orders"
}
