# shellcheck shell=bash disable=SC2154,SC2016 # variables of bench.sh; columns are for awk
# bench.sh, row "sustained": the whole way, HTTP to decided, for a minute (twelve turns) ÷ what is accepted alone, with
# inventory stopped. The clients send as fast as they are answered; the backlog cannot grow, because a front end of its
# own lets in no more than SUSTAINED_PENDING undecided orders. How many were refused for this (429) is told: without
# any, the clients and not the threshold were what held the rate.
#
# Needs bench.sh's variables and functions, accept_for and drain of bench_orders.sh, and workers_… of bench_workers.sh.

SUSTAINED_PENDING=10000

sustained_prepare() {
  long=$((seconds * (${#quick} > 0 ? 1 : 12)))
  "$SECKILL_BIN/seckillctl" --config "$D/seckill.conf" item put bench-long --unit-price 100 --stock 1000000000 >/dev/null
  long_url=$(start_front_end order@5 --set admission.max_pending="$SUSTAINED_PENDING")
  await_item "$SECKILL_URL" bench-long
  await_item "$long_url" bench-long
}

sustain_for() { # SECONDS → "DECIDED_PER_S P99_MS REFUSED_PER_S BACKLOG": the backlog at the end
  local before start_ns backlog after
  before=$(metric "$long_url" "$DECIDED")
  start_ns=$(date +%s%N)
  wrk -t1 -c256 -d"${1}s" -s "$HERE/post_orders.lua" "$long_url/v1/orders" -- bench-long >"$D/wrk.out"
  after=$(metric "$long_url" "$DECIDED")
  start_ns=$(($(date +%s%N) - start_ns))
  backlog=$(metric "$long_url" seckill_order_undecided)
  awk -v decided=$((after - before)) -v ns="$start_ns" -v backlog="$backlog" -v most="$SUSTAINED_PENDING" '
    /^(429|p99) / { v[$1] = $2 } /^[1-5][0-9][0-9] / && $1 != 202 && $1 != 429 { bad = bad " " $0 } /^lost / { bad = bad " " $0 }
    END { if (bad != "" || backlog > most) { print "unexpected answers:" bad ", backlog " backlog > "/dev/stderr"; exit 1 }
      printf "%d %s %d %d\n", decided / ns * 1e9, v["p99"], v[429] / ns * 1e9, backlog }' "$D/wrk.out"
}

sustained_measure() { # appends "PAIR DECIDED P99 REFUSED BACKLOG ALONE LOAD" to D/sustained
  local i r alone
  workers_stop
  "$STACK" stop inventory --dir "$D" >/dev/null
  for i in $(seq "$pairs"); do
    read -r alone _ <<<"$(accept_for "$SECKILL_URL" bench-long)"
    drain "$SECKILL_URL" >/dev/null
    "$STACK" start inventory --dir "$D" >/dev/null
    r=$(sustain_for "$long")
    workers_settle "$long_url"
    "$STACK" stop inventory --dir "$D" >/dev/null
    workers_purge
    echo "$i $r $alone $(machine_load)" >>"$D/sustained"
    awk -v s="$long" -v r="$(tail -n 1 "$D/sustained")" 'BEGIN { split(r, v)
      printf "pair %d: decided %d/s for %d s (p99 of 202 %.1f ms, refused %d/s, %d undecided at the end), accepted alone %d/s (%.2f); load %.1f\n",
        v[1], v[2], s, v[3], v[4], v[5], v[6], v[2] / v[6], v[7] }'
  done
  "$STACK" start inventory --dir "$D" >/dev/null
  workers_start
}

sustained_report() {
  row sustained "HTTP to decided, orders/s for $long s" '$2'
  row sustained "  p99 ms of the answers" '$3'
  row sustained "  refused/s, so that the backlog does not grow" '$4'
  row sustained "  undecided at the end" '$5'
  row sustained "accepted/s alone" '$6'
  ratio sustained sustained "  ratio" '$2 / $6' at_least 0.5
}

sustained_json() {
  jq -Rn --argjson s "$long" '[inputs | split(" ") | map(tonumber) | {pair: .[0], seconds: $s,
    decided_per_s: .[1], p99_ms: .[2], refused_per_s: .[3], undecided_at_end: .[4], accepted_alone_per_s: .[5],
    load: .[6]}]' "$D/sustained"
}
