# shellcheck shell=bash disable=SC2154,SC2016,SC2034,SC2153 # variables of bench.sh; columns are for awk
# bench.sh, row "decided-keyed": what is decided from a full queue of orders with an Idempotency-Key each ÷ the same SQL
# alone. Their ids are random, so each costs a page of the file, and more of it the longer the file is: both begin with
# an empty one.
#
# Needs bench.sh's variables and functions, accept_for and drain of bench_orders.sh, and workers_… of bench_workers.sh.

store_epoch=1000 # rises each time that a file is put in inventory's way

# Its items stay as they are, all else goes.
empty_inventory() { # EPOCH
  python3 "$HERE/lib/empty_store.py" --epoch "$1" "$D/store/inventory.0.db" orders batch_seen outbox
}

keyed_prepare() {
  "$SECKILL_BIN/seckillctl" --config "$D/seckill.conf" item put bench-keyed --unit-price 100 --stock 1000000000 >/dev/null
  await_item "$SECKILL_URL" bench-keyed
}

keyed_measure() { # appends "PAIR DECIDED SQL_ALONE ORDERS ORDERS_A_MESSAGE LOAD" to D/keyed
  local i orders batches batch decided alone
  workers_stop
  "$STACK" stop inventory --dir "$D" >/dev/null
  for i in $(seq "$pairs"); do
    store_epoch=$((store_epoch + 1000))
    empty_inventory "$store_epoch"
    batches=$(metric "$SECKILL_URL" "$BATCHES")
    read -r _ _ orders <<<"$(accept_for "$SECKILL_URL" bench-keyed keyed)"
    batches=$(($(metric "$SECKILL_URL" "$BATCHES") - batches))
    batch=$((batches > 0 && orders > batches ? orders / batches : 1))
    decided=$(drain "$SECKILL_URL")
    mkdir "$D/floor"
    alone=$("$SECKILL_BIN/sql_alone" "$D/floor" "$orders" "$batch" keyed | awk '{ print $2 }')
    rm -rf "$D/floor"
    workers_purge
    echo "$i $decided $alone $orders $batch $(machine_load)" >>"$D/keyed"
    awk -v r="$(tail -n 1 "$D/keyed")" 'BEGIN { split(r, v)
      printf "pair %d: keyed, decided %d/s of %d orders (%d a message), SQL alone %d/s (%.2f); load %.1f\n",
        v[1], v[2], v[4], v[5], v[3], v[2] / v[3], v[6] }'
  done
  "$STACK" start inventory --dir "$D" >/dev/null
  workers_start
}

keyed_report() {
  row keyed "decided/s from a full queue, keyed orders" '$2'
  row keyed "SQL alone, orders/s" '$3'
  ratio decided_keyed keyed "  ratio" '$2 / $3' at_least 0.75
}

keyed_json() {
  jq -Rn '[inputs | split(" ") | map(tonumber) | {pair: .[0], decided_per_s: .[1], sql_alone_per_s: .[2], orders: .[3],
    orders_a_message: .[4], load: .[5]}]' "$D/keyed"
}
