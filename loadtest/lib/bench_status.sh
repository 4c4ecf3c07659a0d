# shellcheck shell=bash disable=SC2154,SC2016 # variables of bench.sh; columns are for awk
# bench.sh, row "status": what 5 000 questions a second about orders (status_load.c) leave of POST → 202 at 128
# connections. Once for orders that this front end holds in memory, with inventory stopped; once for orders of
# another front end, about which inventory is asked, while it decides what comes in.
#
# Needs bench.sh's variables and functions.

STATUS_RATE=5000 STATUS_IDS=500

status_prepare() {
  "$SECKILL_BIN/seckillctl" --config "$D/seckill.conf" item put bench-status --unit-price 100 --stock 1000000000 >/dev/null
  other_url=$(start_front_end order@4)
  local url
  for url in "$SECKILL_URL" "$other_url"; do
    for _ in $(seq 500); do
      [ "$(curl -sS -o "$D/item.out" -w '%{http_code}' "$url/v1/items/bench-status")" = 200 ] && break
      sleep 0.02
    done
  done
}

post_for() { # IDS or nothing → "RATE P99_MS ASKED_RATE ASKED_P99_MS"; with ids: asks for them meanwhile
  local ids=${1:-} asker='' asked_rate=0 asked_p99=0
  if [ -n "$ids" ]; then
    "$SECKILL_BIN/status_load" ask "${SECKILL_URL##*:}" "$STATUS_RATE" "$((seconds + 1))" 64 <"$ids" >"$D/asked.out" &
    asker=$!
  fi
  wrk -t1 -c128 -d"${seconds}s" -s "$HERE/post_orders.lua" "$SECKILL_URL/v1/orders" -- bench-status >"$D/wrk.out"
  if [ -n "$asker" ]; then
    wait "$asker"
    if awk '/^[1-5][0-9][0-9] / && $1 != 200 { bad = 1 } END { exit !bad }' "$D/asked.out"; then
      echo "bench.sh: not every question was answered: $(tr '\n' ' ' <"$D/asked.out")" >&2
      return 1
    fi
    asked_rate=$(awk '$1 == "rate" { print $2 }' "$D/asked.out")
    asked_p99=$(awk '$1 == "p99" { print $2 }' "$D/asked.out")
  fi
  awk -v ar="$asked_rate" -v ap="$asked_p99" '
    /^(rate|p99) / { v[$1] = $2 } /^[1-5][0-9][0-9] / && $1 != 202 { bad = bad " " $0 } /^lost / { bad = bad " " $0 }
    END { if (bad != "") { print "unexpected answers:" bad > "/dev/stderr"; exit 1 } print v["rate"], v["p99"], ar, ap }' "$D/wrk.out"
}

status_settle() { # until everything is decided
  local url
  for url in "$SECKILL_URL" "$other_url"; do
    for _ in $(seq 6000); do
      [ "$(metric "$url" seckill_order_undecided)" = 0 ] && break
      sleep 0.02
    done
  done
}

status_measure() { # appends "PAIR ALONE P99 0 0 KNOWN P99 RATE P99 ALONE P99 0 0 ELSEWHERE P99 RATE P99 LOAD" to D/status
  local i r
  "$SECKILL_BIN/status_load" order "${other_url##*:}" bench-status "$STATUS_IDS" >"$D/ids.elsewhere"
  for i in $(seq "$pairs"); do
    status_settle
    "$STACK" stop inventory --dir "$D" >/dev/null
    "$SECKILL_BIN/status_load" order "${SECKILL_URL##*:}" bench-status "$STATUS_IDS" >"$D/ids.known"
    r="$i $(post_for) $(post_for "$D/ids.known")"
    "$STACK" start inventory --dir "$D" --no-wait >/dev/null
    status_settle
    r="$r $(post_for)"
    status_settle
    r="$r $(post_for "$D/ids.elsewhere")"
    echo "$r $(machine_load)" >>"$D/status"
    awk -v r="$(tail -n 1 "$D/status")" 'BEGIN { split(r, v)
      printf "pair %d: accepted %d/s beside %d questions/s from memory, %d/s without (%.2f); %d/s beside %d/s by inventory, %d/s without (%.2f); load %.1f\n",
        v[1], v[6], v[8], v[2], v[6] / v[2], v[14], v[16], v[10], v[14] / v[10], v[18] }'
  done
}

status_report() {
  row status "accepted/s, 128 connections, inventory stopped" '$2'
  row status "  beside questions answered from memory" '$6'
  ratio status_memory status "  ratio" '$6 / $2' at_least 0.8
  row status "  questions/s" '$8'
  row status "  their p99 ms" '$9'
  row status "accepted/s, 128 connections, inventory deciding" '$10'
  row status "  beside questions answered by inventory" '$14'
  ratio status_inventory status "  ratio" '$14 / $10' at_least 0.8
  row status "  questions/s" '$16'
  row status "  their p99 ms" '$17'
}

status_json() {
  jq -Rn '[inputs | split(" ") | map(tonumber) | {pair: .[0], accepted_per_s: .[1], beside_memory_per_s: .[5],
    asked_memory_per_s: .[7], asked_memory_p99_ms: .[8], deciding_per_s: .[9], beside_inventory_per_s: .[13],
    asked_inventory_per_s: .[15], asked_inventory_p99_ms: .[16], load: .[17]}]' "$D/status"
}
