/*
 * Makes an old database: confirmed orders in the file of an inventory worker that is not running, with what
 * the worker writes beside them (the stock taken, the batches seen), by its own statements (stock_store.h).
 * So a sale can be measured after five million others.
 *
 *   fill_orders DATABASE SKU ORDERS       prints "filled N"
 *
 * SKU must be there with enough stock. The ids are of the time before now, in its order. The
 * producer of their batches is "fill", of which there is no ledger.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/number.h"
#include "common/pipeline/order_id.h"
#include "common/store/statement.h"
#include "loadtest/floors/sql_floor.h"
#include "services/inventory/stock_store.h"

#define ORDERS_A_TRANSACTION 20000
#define ORDERS_A_MESSAGE     50
#define ORDERS_A_MS          100
#define USERS                1000000

#define SQL_RECORD                                                                                           \
    "INSERT INTO batch_seen (producer, seq, orders, decided, duplicates, dead, deliveries)"                  \
    " VALUES ('fill', (SELECT coalesce(max(seq), 0) + 1 FROM batch_seen WHERE producer = 'fill'),"           \
    " ?1, ?1, 0, 0, 1)"

struct fill {
    struct store *store;
    struct stock_store *stock;
    struct statement *record;
    struct order_id_key *key;
    const char *sku;
    int64_t begin_ms;
};

static void add_order(struct fill *f, struct stock_item *item, int64_t number)
{
    struct order o = {.quantity = 1, .accepted_ms = f->begin_ms + number / ORDERS_A_MS};
    bool is_new = false;
    order_id_make(f->key, o.accepted_ms, 0, o.order_id);
    snprintf(o.user_id, sizeof o.user_id, "u%ld", random() % USERS + 1);
    snprintf(o.sku, sizeof o.sku, "%s", f->sku);
    struct decision d = {.status = ORDER_CONFIRMED,
                         .quantity = 1,
                         .at_ms = o.accepted_ms,
                         .unit_price = item->item.unit_price,
                         .total = item->item.unit_price,
                         .receipt_no = stock_next_receipt(f->stock)};
    floor_must(stock_add_order(f->stock, &o, &d, item->item.limit_per_user, &is_new), "order",
               stock_store_error(f->stock));
    floor_must(is_new ? 0 : E_INVALID, "order", "its id is there already");
    stock_take(f->stock, item, 1);
}

static void one_transaction(struct fill *f, int64_t first, int64_t last)
{
    struct stock_item *item = stock_find(f->stock, f->sku);
    floor_must(item && item->item.stock_left >= last - first ? 0 : E_NOT_FOUND, "item",
               "it is not there, or has too few left");
    floor_must(store_begin(f->store), "begin", store_error(f->store));
    for (int64_t i = first; i < last; i++) {
        add_order(f, item, i);
        if ((i - first) % ORDERS_A_MESSAGE == 0) {
            statement_bind_int(f->record, 1, last - i < ORDERS_A_MESSAGE ? last - i : ORDERS_A_MESSAGE);
            floor_must(statement_run(f->record), "batch", store_error(f->store));
        }
    }
    floor_must(stock_store_flush(f->stock), "flush", store_error(f->store));
    floor_must(store_commit(f->store), "commit", store_error(f->store));
    stock_store_committed(f->stock);
    floor_must(store_checkpoint_if_large(f->store), "checkpoint", store_error(f->store));
}

int main(int argc, char **argv)
{
    struct fill f = {.store = NULL};
    struct detail why = {.text = ""};
    int64_t count = 0;
    log_start("fill_orders");
    if (argc != 4 || strlen(argv[2]) >= NAME_SIZE || number_parse(argv[3], 1, 100000000, &count)) {
        fprintf(stderr, "usage: fill_orders DATABASE SKU ORDERS\n");
        return EXIT_USAGE;
    }
    f.sku = argv[2];
    f.begin_ms = clock_wall_ms() - count / ORDERS_A_MS - 1;
    floor_must(order_id_key_new(&f.key, "a floor needs no secret", 23, &why), "key", why.text);
    floor_must(store_open(&f.store, argv[1], STORE_OWNER, &why), "open", why.text);
    floor_must(stock_store_new(&f.stock, f.store, 0, &why), "stock", why.text);
    floor_must(statement_prepare(&f.record, f.store, SQL_RECORD, &why), "prepare", why.text);
    for (int64_t i = 0; i < count; i += ORDERS_A_TRANSACTION)
        one_transaction(&f, i, i + ORDERS_A_TRANSACTION < count ? i + ORDERS_A_TRANSACTION : count);
    printf("filled %" PRId64 "\n", count);
    statement_free(f.record);
    stock_store_free(f.stock);
    store_close(f.store);
    order_id_key_free(f.key);
    return EXIT_OK;
}
