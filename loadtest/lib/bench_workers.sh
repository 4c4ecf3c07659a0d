# shellcheck shell=bash disable=SC2154,SC2016,SC2119,SC2120 # variables of bench.sh; columns are for awk
# bench.sh, rows "redpacket" and "notification": the events that a worker after the decision handles a second from a
# full queue ÷ the same SQL alone. Orders fill its queue while it is stopped (inventory decides them), then it empties
# it. Both begin with an empty file each time. Notification writes its messages to a file (notification.sink=file).
#
# Needs bench.sh's variables and functions, and fill_further of bench_orders.sh.

WORKERS_SKU=bench-events

workers_prepare() {
  local ctl=("$SECKILL_BIN/seckillctl" --config "$D/seckill.conf")
  "${ctl[@]}" item put "$WORKERS_SKU" --unit-price 100 --stock 1000000000 >/dev/null
  # More packets than there will ever be orders: each event is handled to its end.
  "${ctl[@]}" campaign put "$WORKERS_SKU" --budget 1000000000000000 --packets 1000000000 >/dev/null
}

# Waits until every order is decided, and every event of it has left inventory.
workers_settle() { # [URL]
  local _ url=${1:-$SECKILL_URL}
  for _ in $(seq 6000); do
    [ "$(metric "$url" seckill_order_undecided)" = 0 ] && break
    sleep 0.02
  done
  python3 "$HERE/lib/watch_rows.py" "$D/store/inventory.0.db" 'SELECT -count(*) FROM outbox' 0 >/dev/null
}

queue_messages() { # QUEUE
  "$D/rabbitmqctl" list_queues -q --no-table-headers -p seckill name messages | awk -v q="$1" '$1 == q { print $2 }'
}

# Those of the services after the decision that are not to be measured now rest.
workers_stop() {
  local service
  for service in redpacket notification; do
    [ ! -x "$SECKILL_BIN/seckill-$service" ] || "$STACK" stop "$service" --dir "$D" >/dev/null
  done
}

workers_start() {
  local service
  for service in redpacket notification; do
    [ ! -x "$SECKILL_BIN/seckill-$service" ] || "$STACK" start "$service" --dir "$D" >/dev/null
  done
}

# While they rest: what has come for them is not to be handled later.
workers_purge() {
  local queue
  for queue in seckill.redpacket seckill.notification; do
    "$D/rabbitmqctl" purge_queue -q -p seckill "$queue" >/dev/null
  done
}

# The last events, fewer than max_batch, are no full transaction any more, and the worker waits a tenth of a second for
# others to come: they do not count.
LAST_EVENTS=18000

worker_drain() { # SERVICE SQL EVENTS [OPTION]…: starts it, waits until the number has risen by so many → events a second
  local service=$1 sql=$2 events=$3 database=$D/store/$1.db before watcher rate last
  shift 3
  last=$((events > 2 * LAST_EVENTS ? LAST_EVENTS : events / 2))
  before=$(python3 -c 'import sqlite3, sys; print(sqlite3.connect("file:" + sys.argv[1] + "?mode=ro", uri=True)
    .execute(sys.argv[2]).fetchone()[0])' "$database" "$sql")
  exec {watcher}< <(exec python3 "$HERE/lib/watch_rows.py" "$database" "$sql" $((before + events - last)))
  read -r _ <&"$watcher"
  "$STACK" start "$service" --dir "$D" --no-wait "$@" >/dev/null
  read -r rate <&"$watcher" || { echo "bench.sh: $service has not handled everything" >&2; return 1; }
  exec {watcher}<&-
  python3 "$HERE/lib/watch_rows.py" "$database" "$sql" $((before + events)) >/dev/null
  "$STACK" stop "$service" --dir "$D" >/dev/null
  echo "$rate"
}

worker_alone() { # PROGRAM EVENTS EVENTS_A_MESSAGE → events a second
  mkdir "$D/floor"
  "$SECKILL_BIN/$1" "$D/floor" "$2" "$3" | awk '{ print $2 }'
  rm -rf "$D/floor"
}

empty_worker() { # SERVICE
  local tables=(notification to_send)
  [ "$1" = notification ] || tables=(packet balance)
  python3 "$HERE/lib/empty_store.py" "$D/store/$1.db" "${tables[@]}" batch_seen outbox
}

worker_pair() { # PAIR SERVICE EVENTS SQL [OPTION]…: appends "PAIR RATE SQL_ALONE EVENTS EVENTS_A_MESSAGE LOAD" to D/SERVICE
  local pair=$1 service=$2 events=$3 sql=$4 messages batch rate alone
  shift 4
  messages=$(queue_messages "seckill.$service")
  batch=$((messages > 0 ? events / messages : 1))
  empty_worker "$service"
  rate=$(worker_drain "$service" "$sql" "$events" "$@")
  alone=$(worker_alone "${service}_sql_alone" "$events" "$batch")
  echo "$pair $rate $alone $events $batch $(machine_load)" >>"$D/$service"
  awk -v s="$service" -v r="$(tail -n 1 "$D/$service")" 'BEGIN { split(r, v)
    printf "pair %d: %s %d events/s of %d (%d a message), SQL alone %d/s (%.2f); load %.1f\n",
      v[1], s, v[2], v[4], v[5], v[3], v[2] / v[3], v[6] }'
}

workers_measure() {
  local i events
  workers_stop
  for i in $(seq "$pairs"); do
    # What earlier red packets have left there is not to be counted.
    "$D/rabbitmqctl" purge_queue -q -p seckill seckill.notification >/dev/null
    events=$(fill_further "$SECKILL_URL" "$WORKERS_SKU")
    [ -n "$quick" ] || events=$((events + $(fill_further "$SECKILL_URL" "$WORKERS_SKU"))) # half a second's worth else
    workers_settle
    ! selected notification ||
      worker_pair "$i" notification "$events" 'SELECT coalesce(sum(decided), 0) FROM batch_seen' --set notification.sink=file
    ! selected redpacket ||
      worker_pair "$i" redpacket "$events" "SELECT packets - packets_left FROM campaign WHERE sku = '$WORKERS_SKU'"
  done
  workers_start
}

workers_report() {
  local service
  for service in redpacket notification; do
    selected "$service" || continue
    row "$service" "$service events/s from a full queue$([ "$service" = redpacket ] || echo ", to a file")" '$2'
    row "$service" "  the same SQL alone, events/s" '$3'
    ratio "$service" "$service" "  ratio" '$2 / $3' at_least 0.6
  done
}

workers_json() {
  local service
  for service in redpacket notification; do
    ! selected "$service" || jq -Rn --arg s "$service" '{($s): [inputs | split(" ") | map(tonumber) | {pair: .[0],
      events_per_s: .[1], sql_alone_per_s: .[2], events: .[3], events_a_message: .[4], load: .[5]}]}' "$D/$service"
  done | jq -s add
}
