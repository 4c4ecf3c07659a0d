#!/bin/bash
# Ratios of speed on this machine, each measured in turns in one run. See usage() below.
set -euo pipefail

HERE=$(cd -P -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(dirname -- "$HERE")
STACK=$ROOT/deploy/stack.sh

usage() {
  cat <<'USAGE'
Usage: loadtest/bench.sh [--pairs N] [--seconds S] [--build-dir B] [--json FILE] [--quick]

Brings up a stack of its own on the loopback and measures, in turns:

  accepted   POST → 202 at 256 connections, as it is ÷ with one order a message (publisher.max_batch=1,
             publisher.window=1000); inventory is stopped meanwhile
  decided    orders a second by one inventory worker from the queue that was filled so ÷ the same SQL alone
             (floors/sql_alone.c), on the same folder's file system

Ratios hold on another machine, the single figures do not. wrk drives the load and shares the machine's cores.

  --pairs N     turns of each (default 5)
  --seconds S   how long each turn fills the queue (default 5)
  --quick       one short pair: that it runs, never a speed
USAGE
}

pairs=5 seconds=5 build=$ROOT/build/release json=
while [ $# -gt 0 ]; do
  case $1 in
    --pairs) pairs=$2; shift ;;
    --seconds) seconds=$2; shift ;;
    --build-dir) build=$2; shift ;;
    --json) json=$2; shift ;;
    --quick) pairs=1 seconds=1 ;;
    --help) usage; exit 0 ;;
    *) echo "bench.sh: unknown option $1 (see --help)" >&2; exit 64 ;;
  esac
  shift
done

D=$(mktemp -d "${TMPDIR:-/tmp}/seckill-bench.XXXXXX")
trap '"$STACK" down --dir "$D" >/dev/null 2>&1 || true; rm -rf "$D"' EXIT

metric() { # URL NAME: the value of a counter
  curl -fsS "$1/metrics" | awk -v n="$2" '$1 == n { print $2 }'
}

accept_for() { # URL → "RATE P99_MS ACCEPTED"; fails if anything but 202 was answered
  local url=$1 before after
  before=$(metric "$url" "$ACCEPTED")
  wrk -t1 -c256 -d"${seconds}s" -s "$HERE/post_orders.lua" "$url/v1/orders" -- bench-1 >"$D/wrk.out"
  after=$(metric "$url" "$ACCEPTED")
  awk -v n=$((after - before)) '
    /^(202|rate|p99) / { v[$1] = $2 } /^[1-5][0-9][0-9] / && $1 != 202 { bad = bad " " $0 } /^lost / { bad = bad " " $0 }
    END { if (bad != "") { print "unexpected answers:" bad > "/dev/stderr"; exit 1 } print v["rate"], v["p99"], n }' "$D/wrk.out"
}

drain() { # URL: starts inventory, waits for every decision → orders a second from the first that is seen to the last
  local url=$1 total
  total=$(metric "$url" "$ACCEPTED")
  "$STACK" start inventory --dir "$D" --no-wait >/dev/null
  local done_now=0 first_at=0 first_count=0 before now
  before=$(metric "$url" "$DECIDED")
  for _ in $(seq 6000); do
    done_now=$(metric "$url" "$DECIDED")
    now=$(date +%s%N)
    if [ "$first_at" = 0 ] && [ "$done_now" -gt "$before" ]; then first_at=$now first_count=$done_now; fi
    [ "$done_now" -ge "$total" ] && break
    sleep 0.02
  done
  [ "$done_now" -ge "$total" ] || { echo "bench.sh: not everything was decided" >&2; return 1; }
  "$STACK" stop inventory --dir "$D" >/dev/null
  awk -v n=$((done_now - first_count)) -v ns=$((now - first_at)) 'BEGIN { printf "%.0f\n", (ns > 0 ? n / ns * 1e9 : 0) }'
}

stats() { # numbers on standard input → "MEDIAN MIN MAX"
  sort -g | awk '{ v[NR] = $1 } END { m = NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2; print m, v[1], v[NR] }'
}

ACCEPTED=seckill_order_orders_confirmed_total DECIDED=seckill_order_decisions_total
BATCHES='seckill_order_batches_total{outcome="confirmed"}'

"$STACK" up --dir "$D" --build-dir "$build" --set admission.max_pending=0 --set admission.max_rate=0 \
  --set admission.user_rate=0 --set order.keep_decided=1000 >"$D/up.out" || { cat "$D/up.out"; exit 1; }
# shellcheck source=/dev/null
. "$D/env"
"$SECKILL_BIN/seckillctl" --config "$D/seckill.conf" item put bench-1 --unit-price 100 --stock 1000000000 >/dev/null
one_port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$STACK" start order@2 --dir "$D" --http-port "$one_port" --set publisher.max_batch=1 --set publisher.window=1000 >/dev/null
one_url=http://127.0.0.1:$one_port
"$STACK" stop inventory --dir "$D" >/dev/null

: >"$D/rows"
for i in $(seq "$pairs"); do
  read -r rate p99 orders <<<"$(accept_for "$SECKILL_URL")"
  batches=$(metric "$SECKILL_URL" "$BATCHES")
  accepted=$(metric "$SECKILL_URL" "$ACCEPTED")
  decided=$(drain "$SECKILL_URL")
  mkdir "$D/floor"
  alone=$("$SECKILL_BIN/sql_alone" "$D/floor" "$orders" $((accepted / batches > 0 ? accepted / batches : 1)) |
    awk '{ print $2 }')
  rm -rf "$D/floor"
  read -r one_rate one_p99 _ <<<"$(accept_for "$one_url")"
  drain "$one_url" >/dev/null
  echo "$i $rate $p99 $one_rate $one_p99 $decided $alone $orders $((accepted / batches))" >>"$D/rows"
  awk -v r="$(tail -n 1 "$D/rows")" 'BEGIN { split(r, v)
    printf "pair %d: accepted %d/s (p99 %.1f ms, %d orders a message) against %d/s (p99 %.1f ms) with one; decided %d/s of %d orders, SQL alone %d/s\n",
      v[1], v[2], v[3], v[9], v[4], v[5], v[6], v[8], v[7] }'
done

row() { # LABEL COLUMN_EXPRESSION
  local m
  m=$(awk "{ print $2 }" "$D/rows" | stats)
  awk -v l="$1" -v m="$m" 'BEGIN { split(m, v); printf "%-58s %10.2f %10.2f %10.2f\n", l, v[1], v[2], v[3] }'
}
{
  printf '%-58s %10s %10s %10s\n' "$pairs pairs" median min max
  row "accepted/s, 256 connections" '$2'
  row "accepted/s, one order a message" '$4'
  row "  ratio (at least 2.2)" '$2 / $4'
  row "p99 ms" '$3'
  row "p99 ms, one order a message" '$5'
  row "  ratio (at most 1)" '$3 / $5'
  row "decided/s from a full queue" '$6'
  row "SQL alone, orders/s" '$7'
  row "  ratio (at least 0.6)" '$6 / $7'
} | tee "$D/table"
if [ -n "$json" ]; then
  jq -Rn '[inputs | split(" ") | map(tonumber) | {pair: .[0], accepted_per_s: .[1], p99_ms: .[2], one_accepted_per_s: .[3],
    one_p99_ms: .[4], decided_per_s: .[5], sql_alone_per_s: .[6], orders: .[7], orders_a_message: .[8]}]' "$D/rows" >"$json"
fi
