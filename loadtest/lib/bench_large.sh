# shellcheck shell=bash disable=SC2154,SC2016 # variables of bench.sh; columns are for awk
# bench.sh, row "large": what is decided from a full queue with millions of orders in inventory's file ÷ with none. Two
# files take turns in inventory's folder: one is emptied before each turn, the other filled (floors/fill_orders.c) once.
#
# Needs bench.sh's variables and functions, accept_for and drain of bench_orders.sh, store_epoch and empty_inventory of
# bench_keyed.sh, and workers_… of bench_workers.sh.

LARGE_ORDERS=5000000 LARGE_ORDERS_QUICK=50000

large_prepare() {
  "$SECKILL_BIN/seckillctl" --config "$D/seckill.conf" item put bench-large --unit-price 100 --stock 1000000000 >/dev/null
  await_item "$SECKILL_URL" bench-large
}

# Inventory does not run. What it was to send does not matter to any turn but the one before.
large_turn() { # none|full EPOCH → orders decided a second
  local file=$D/store/inventory.0.db
  if [ "$1" = full ]; then
    mv "$file" "$D/large/none.db"
    mv "$D/large/full.db" "$file"
    python3 "$HERE/lib/empty_store.py" --epoch "$2" --keep-size "$file" outbox
  else
    empty_inventory "$2"
  fi
  accept_for "$SECKILL_URL" bench-large >/dev/null
  drain "$SECKILL_URL"
  workers_purge
  [ ! -s "$file-wal" ] || { echo "bench.sh: inventory has left its database's log" >&2; return 1; }
  if [ "$1" = full ]; then
    mv "$file" "$D/large/full.db"
    mv "$D/large/none.db" "$file"
  fi
}

large_measure() { # appends "PAIR FULL NONE ORDERS LOAD" to D/large.rows
  local i full none orders=$LARGE_ORDERS
  [ -z "$quick" ] || orders=$LARGE_ORDERS_QUICK
  workers_stop
  "$STACK" stop inventory --dir "$D" >/dev/null
  mkdir "$D/large"
  empty_inventory "$store_epoch"
  cp "$D/store/inventory.0.db" "$D/large/full.db"
  "$SECKILL_BIN/fill_orders" "$D/large/full.db" bench-large "$orders" >/dev/null
  for i in $(seq "$pairs"); do
    store_epoch=$((store_epoch + 2000))
    none=$(large_turn none "$store_epoch")
    full=$(large_turn full $((store_epoch + 1000)))
    echo "$i $full $none $orders $(machine_load)" >>"$D/large.rows"
    awk -v r="$(tail -n 1 "$D/large.rows")" 'BEGIN { split(r, v)
      printf "pair %d: decided %d/s with %d orders in the file, %d/s with none (%.2f); load %.1f\n",
        v[1], v[2], v[4], v[3], v[2] / v[3], v[5] }'
  done
  empty_inventory $((store_epoch + 2000))
  rm -rf "$D/large"
  "$STACK" start inventory --dir "$D" >/dev/null
  workers_start
}

large_report() {
  row large.rows "decided/s with $(awk '{ n = $4 } END { print n }' "$D/large.rows") orders in the file" '$2'
  row large.rows "decided/s with none" '$3'
  ratio large large.rows "  ratio" '$2 / $3' at_least 0.8
}

large_json() {
  jq -Rn '[inputs | split(" ") | map(tonumber) | {pair: .[0], full_decided_per_s: .[1], none_decided_per_s: .[2],
    orders_in_file: .[3], load: .[4]}]' "$D/large.rows"
}
