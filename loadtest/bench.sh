#!/bin/bash
# Ratios of speed on this machine, each measured in turns in one run. See usage() below.
set -euo pipefail

HERE=$(cd -P -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(dirname -- "$HERE")
STACK=$ROOT/deploy/stack.sh
# shellcheck source=loadtest/lib/bench_orders.sh
. "$HERE/lib/bench_orders.sh"
# shellcheck source=loadtest/lib/bench_keyed.sh
. "$HERE/lib/bench_keyed.sh"
# shellcheck source=loadtest/lib/bench_refusals.sh
. "$HERE/lib/bench_refusals.sh"
# shellcheck source=loadtest/lib/bench_status.sh
. "$HERE/lib/bench_status.sh"
# shellcheck source=loadtest/lib/bench_replay.sh
. "$HERE/lib/bench_replay.sh"
# shellcheck source=loadtest/lib/bench_workers.sh
. "$HERE/lib/bench_workers.sh"
# shellcheck source=loadtest/lib/bench_whole.sh
. "$HERE/lib/bench_whole.sh"
# shellcheck source=loadtest/lib/bench_sustained.sh
. "$HERE/lib/bench_sustained.sh"
# shellcheck source=loadtest/lib/bench_large.sh
. "$HERE/lib/bench_large.sh"
# shellcheck source=loadtest/lib/bench_publish.sh
. "$HERE/lib/bench_publish.sh"
# shellcheck source=loadtest/lib/bench_memory.sh
. "$HERE/lib/bench_memory.sh"

# Each row, with the part that measures it (lib/bench_PART.sh): part_prepare, part_measure, part_report and part_json.
ROWS=(
  accepted:orders
  decided:orders
  decided-keyed:keyed
  refusals:refusals
  status:status
  redpacket:workers
  notification:workers
  replay:replay
  whole:whole
  sustained:sustained
  large:large
  publish:publish
  memory:memory
)

usage() {
  cat <<'USAGE'
Usage: loadtest/bench.sh [--only ROW,…] [--pairs N] [--seconds S] [--build-dir B] [--json FILE] [--quick]

Brings up a stack of its own on the loopback and measures, in turns:

  accepted   POST → 202 at 256 connections, as it is ÷ HTTP alone with suspend and resume (floors/http_suspend.c), and
             ÷ with one order a message (publisher.max_batch=1, publisher.window=1000); inventory is stopped meanwhile
  decided    orders a second by one inventory worker from the queue that was filled so ÷ the same SQL alone
             (floors/sql_alone.c), on the same folder's file system
  decided-keyed   the same of orders with an Idempotency-Key each, whose ids are random; the file is empty before each
  refusals   429 rate_limited, and 409 sold_out, which needs the parsed body, each ÷ an answer of libmicrohttpd alone
             (floors/http_bare.c), at 128 connections with the same request
  status     POST → 202 at 128 connections beside 5 000 GET /v1/orders/{id} a second ÷ without: of orders that the front
             end has in memory, and of another front end's, which inventory is asked about
  redpacket  events a second by the red packets' worker from a full queue ÷ the same SQL alone
             (floors/redpacket_sql_alone.c)
  notification   the same of the notifications' worker, which writes the messages to a file
             (floors/notification_sql_alone.c)
  replay     what seckill-replay can send ÷ what wrk can, each with one thread over 128 connections, to libmicrohttpd alone
             (floors/http_bare.c)
  whole      POST → 202 at 256 connections while all four services work ÷ with inventory alone behind the front end
  sustained  orders decided a second while 256 connections go on posting for twelve turns (60 s), with a backlog of a
             fraction of a second at most ÷ accepted with inventory stopped
  large      decided from a full queue with 5 million orders in the file ÷ with none
  publish    POST → 202 ÷ confirmed publishes of the broker alone (floors/publish_raw.c); for information
  memory     of the front end at 10 000 connections and 200 000 undecided orders, and of the workers when they have
             decided these and sent what follows

Ratios hold on another machine, the single figures do not. wrk drives the load and shares the machine's cores; other
load on the machine moves the ratios too: each pair notes it.

  --only ROW,…  these rows only
  --pairs N     turns of each (default 5)
  --seconds S   how long each turn takes (default 5)
  --json FILE   every ratio with its spread, and every single figure, as JSON
  --quick       one short pair of less of everything: that it runs, never a speed
USAGE
}

rows='' pairs=5 seconds=5 build=$ROOT/build/release json='' quick=''
while [ $# -gt 0 ]; do
  case $1 in
    --only | --pairs | --seconds | --build-dir | --json)
      [ $# -gt 1 ] || { echo "bench.sh: $1 needs a value (see --help)" >&2; exit 64; }
      ;;&
    --only) rows=$2; shift ;;
    --pairs) pairs=$2; shift ;;
    --seconds) seconds=$2; shift ;;
    --build-dir) build=$2; shift ;;
    --json) json=$2; shift ;;
    --quick) pairs=1 seconds=1 quick=yes ;;
    --help) usage; exit 0 ;;
    *) echo "bench.sh: unknown option $1 (see --help)" >&2; exit 64 ;;
  esac
  shift
done
[ -n "$rows" ] || rows=$(printf '%s\n' "${ROWS[@]%:*}" | paste -sd,)
for r in ${rows//,/ }; do
  [[ " ${ROWS[*]%:*} " == *" $r "* ]] || { echo "bench.sh: there is no row $r (see --help)" >&2; exit 64; }
done

selected() { # ROW
  [[ ,$rows, == *,"$1",* ]]
}

for program in wrk jq; do
  command -v "$program" >/dev/null || {
    echo "bench.sh: $program is missing: sudo apt-get install --no-install-recommends wrk jq" >&2
    exit 69
  }
done

parts=()
for r in "${ROWS[@]}"; do
  if selected "${r%:*}" && [[ " ${parts[*]} " != *" ${r#*:} "* ]]; then parts+=("${r#*:}"); fi
done

D=$(mktemp -d "${TMPDIR:-/tmp}/seckill-bench.XXXXXX")
bare_pid=
helper_pids=() # what runs beside the stack: floors, idle clients
clean_up() {
  [ -z "$bare_pid" ] || kill "$bare_pid" 2>/dev/null || true
  (( ${#helper_pids[@]} == 0 )) || kill "${helper_pids[@]}" 2>/dev/null || true
  "$STACK" down --dir "$D" >/dev/null 2>&1 || true
  rm -rf "$D"
}
trap clean_up EXIT

metric() { # URL NAME: the value of a counter
  curl -fsS "$1/metrics" | awk -v n="$2" '$1 == n { print $2 }'
}

machine_load() { # of the last minute
  cut -d' ' -f1 /proc/loadavg
}

unit_cpu_ms() { # UNIT…: what all their processes have used so far
  local unit session
  for unit in "$@"; do
    read -r session _ <"$D/run/$unit.pid"
    pgrep -s "$session" | sed 's,.*,/proc/&/stat,' | xargs cat 2>/dev/null || true
  done | awk -v hz="$(getconf CLK_TCK)" '{ sub(/^.*\) /, ""); t += $12 + $13 } END { printf "%d\n", t * 1000 / hz }'
}

start_bare() { # libmicrohttpd alone, once: sets bare_url
  [ -z "$bare_pid" ] || return 0
  "$SECKILL_BIN/http_bare" >"$D/bare.port" &
  bare_pid=$!
  await_file "$D/bare.port"
  bare_url=http://127.0.0.1:$(<"$D/bare.port")
}

start_front_end() { # INSTANCE [OPTION]…: with a port of its own → its address
  local instance=$1 port
  shift
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  "$STACK" start "$instance" --dir "$D" --http-port "$port" "$@" >/dev/null
  echo "http://127.0.0.1:$port"
}

await_file() { # FILE: until something is in it, for five seconds at most
  for _ in $(seq 500); do
    [ -s "$1" ] && return
    sleep 0.01
  done
  echo "bench.sh: nothing comes into $1" >&2
  return 1
}

await_item() { # URL SKU: until the front end has it in its catalogue
  for _ in $(seq 500); do
    [ "$(curl -sS -o "$D/item.out" -w '%{http_code}' "$1/v1/items/$2")" = 200 ] && return
    sleep 0.02
  done
  echo "bench.sh: the item $2 does not appear in the catalogue" >&2
  return 1
}

stats() { # numbers on standard input → "MEDIAN MIN MAX"
  sort -g | awk '{ v[NR] = $1 } END { m = NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2; print m, v[1], v[NR] }'
}

row() { # PART LABEL COLUMN_EXPRESSION
  local m
  m=$(awk "{ print $3 }" "$D/$1" | stats)
  awk -v l="$2" -v m="$m" 'BEGIN { split(m, v); printf "%-58s %10.2f %10.2f %10.2f\n", l, v[1], v[2], v[3] }'
}

# A row that is aimed at something, and goes into the JSON as .ratios.NAME. Whether its median gets there is said, but
# not after a turn too short to mean anything.
ratio() { # NAME PART LABEL COLUMN_EXPRESSION [at_least|at_most TARGET]
  local m word='' bound=${5:-} target=${6:-}
  m=$(awk "{ print $4 }" "$D/$2" | stats)
  echo "$1 $m $bound $target" >>"$D/ratios"
  [ -z "$bound" ] || word=" (${bound/_/ } $target)"
  awk -v l="$3$word" -v m="$m" -v bound="$bound" -v target="$target" -v quick="$quick" 'BEGIN { split(m, v)
    missed = bound == "at_least" ? v[1] < target : bound == "at_most" ? v[1] > target : 0
    printf "%-58s %10.2f %10.2f %10.2f%s\n", l, v[1], v[2], v[3], missed && !quick ? "  missed" : "" }'
}

ratios_json() {
  jq -Rn '[inputs | split(" ") | {(.[0]): ({median: (.[1] | tonumber), min: (.[2] | tonumber), max: (.[3] | tonumber)}
    + if (.[5] // "") != "" then {(.[4]): (.[5] | tonumber)} else {} end)}] | add // {}' "$D/ratios"
}

"$STACK" up --dir "$D" --build-dir "$build" --set admission.max_pending=0 --set admission.max_rate=0 \
  --set admission.user_rate=0 --set order.keep_decided=1000 >"$D/up.out" || { cat "$D/up.out"; exit 1; }
# shellcheck source=/dev/null
. "$D/env"

for part in "${parts[@]}"; do "${part}_prepare"; done
for part in "${parts[@]}"; do "${part}_measure"; done
{
  printf '%-58s %10s %10s %10s\n' "$pairs pairs" median min max
  for part in "${parts[@]}"; do "${part}_report"; done
}
if [ -n "$json" ]; then
  for part in "${parts[@]}"; do
    "${part}_json" | jq --arg part "$part" '{($part): .}'
  done | jq -s --argjson ratios "$(ratios_json)" '{ratios: $ratios} + add' >"$json"
fi
