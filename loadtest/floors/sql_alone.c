/*
 * The floor for the inventory worker: its SQL, alone. The same file, schema and statements (stock_store.h,
 * stock_sql.h), the same rows of the same size in the same transactions, but no broker, no JSON, no replies.
 * What a worker decides a second from a full queue is held against this.
 *
 *   sql_alone DIR ORDERS ORDERS_A_MESSAGE [keyed]       prints "orders_per_second N"
 *
 * DIR must be empty; the database stays there. keyed: the ids are those of orders with an Idempotency-Key,
 * which are random; otherwise they grow with time.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/number.h"
#include "common/pipeline/names.h"
#include "common/pipeline/order_id.h"
#include "common/pipeline/outbox.h"
#include "common/store/migrate.h"
#include "common/store/page_cache.h"
#include "common/store/statement.h"
#include "services/inventory/stock_store.h"

#define ORDERS_A_TRANSACTION 8000 /* inventory.max_batch */
#define USERS                1000000
#define SKU                  "phone-1"

#define SQL_RECORD_BATCH                                                                                     \
    "INSERT INTO batch_seen (producer, seq, orders, decided, duplicates, dead, deliveries)"                  \
    " VALUES ('floor-1-abcdef-0123456789', ?1, ?2, ?2, 0, 0, 1)"
#define SQL_SWEEP "DELETE FROM outbox WHERE id <= ?1"

struct floor_run {
    struct store *store;
    struct stock_store *stock;
    struct outbox *outbox;
    struct statement *record, *sweep;
    struct order *orders;
    int64_t count, per_message, seq, rows_written;
    struct buffer body; /* OUTBOX_BODY_MAX bytes of event lines, the same again and again */
    size_t line_len;
};

static void must(int error, const char *what, const char *why)
{
    if (error)
        log_fatal(EXIT_DISK, "floor_failed", "what=%s why=\"%s\"", what, why);
}

/* Orders as the front end makes them, of random users. */
static void make_orders(struct floor_run *f, bool keyed)
{
    struct order_id_key *key;
    struct detail why;
    must(order_id_key_new(&key, "a floor needs no secret", 23, &why), "key", why.text);
    f->orders = xcalloc((size_t)f->count, sizeof *f->orders);
    for (int64_t i = 0; i < f->count; i++) {
        struct order *o = &f->orders[i];
        o->accepted_ms = clock_wall_ms();
        o->quantity = 1;
        snprintf(o->user_id, sizeof o->user_id, "u%ld", random() % USERS + 1);
        strcpy(o->sku, SKU);
        if (keyed) {
            char idempotency_key[32];
            snprintf(idempotency_key, sizeof idempotency_key, "floor-%" PRId64, i);
            order_id_make_keyed(key, o->user_id, o->sku, idempotency_key, 0, o->order_id);
        } else {
            order_id_make(key, o->accepted_ms, 0, o->order_id);
        }
    }
    order_id_key_free(key);
}

static void make_body(struct floor_run *f)
{
    struct decision d = {.status = ORDER_CONFIRMED,
                         .quantity = 1,
                         .at_ms = clock_wall_ms(),
                         .unit_price = 100,
                         .total = 100,
                         .receipt_no = 100000,
                         .user_id = "u500000",
                         .sku = SKU};
    memcpy(d.order_id, f->orders[0].order_id, sizeof d.order_id);
    decision_encode(&f->body, &d);
    f->line_len = f->body.len;
    while (f->body.len + f->line_len <= OUTBOX_BODY_MAX)
        decision_encode(&f->body, &d);
}

static void decide(struct floor_run *f, struct stock_item *item, const struct order *o)
{
    struct decision d = {.status = ORDER_CONFIRMED,
                         .quantity = o->quantity,
                         .at_ms = o->accepted_ms,
                         .unit_price = 100,
                         .total = 100,
                         .receipt_no = stock_next_receipt(f->stock)};
    bool is_new = false;
    must(stock_add_order(f->stock, o, &d, 0, &is_new), "order", stock_store_error(f->stock));
    stock_take(f->stock, item, o->quantity);
}

/* The events of this many orders, as rows of the outbox; the rows of the transaction before go. */
static void write_outbox(struct floor_run *f, int64_t orders)
{
    statement_bind_int(f->sweep, 1, f->rows_written);
    must(statement_run(f->sweep), "sweep", store_error(f->store));
    for (int64_t left = orders * (int64_t)f->line_len; left > 0; left -= (int64_t)f->body.len) {
        size_t len = left < (int64_t)f->body.len ? (size_t)left : f->body.len;
        must(outbox_add_message(f->outbox,
                                &(struct outbox_message){.exchange = EXCHANGE_EVENTS,
                                                         .routing_key = EVENT_ORDER_CONFIRMED,
                                                         .body = {.data = f->body.data, .len = len}}),
             "outbox", store_error(f->store));
        f->rows_written++;
    }
}

static void one_transaction(struct floor_run *f, int64_t first, int64_t last)
{
    struct stock_item *item = stock_find(f->stock, SKU);
    must(store_begin(f->store), "begin", store_error(f->store));
    for (int64_t i = first; i < last; i++) {
        decide(f, item, &f->orders[i]);
        if ((i - first) % f->per_message == 0) {
            int64_t in_message = last - i < f->per_message ? last - i : f->per_message;
            statement_bind_int(f->record, 1, ++f->seq);
            statement_bind_int(f->record, 2, in_message);
            must(statement_run(f->record), "batch", store_error(f->store));
        }
    }
    must(stock_store_flush(f->stock), "flush", store_error(f->store));
    write_outbox(f, last - first);
    must(store_commit(f->store), "commit", store_error(f->store));
    stock_store_committed(f->stock);
    must(store_checkpoint_if_large(f->store), "checkpoint", store_error(f->store));
}

static void open_all(struct floor_run *f, const char *dir)
{
    char path[4096];
    struct detail why = {.text = ""};
    int applied;
    snprintf(path, sizeof path, "%s/inventory.0.db", dir);
    page_cache_reserve();
    must(store_open(&f->store, path, STORE_CREATE, &why), "open", why.text);
    must(migrate_apply(f->store, inventory_migrations, &applied, &why), "migrate", why.text);
    must(stock_store_new(&f->stock, f->store, 0, &why), "stock", why.text);
    must(outbox_new(&f->outbox, f->store, &why), "outbox", why.text);
    must(statement_prepare(&f->record, f->store, SQL_RECORD_BATCH, &why), "prepare", why.text);
    must(statement_prepare(&f->sweep, f->store, SQL_SWEEP, &why), "prepare", why.text);
    struct item item = {
        .sku = SKU, .name = SKU, .unit_price = 100, .stock_total = 1000000000, .stock_left = 1000000000};
    must(stock_put_item(f->stock, &item, clock_wall_ms()), "item", stock_store_error(f->stock));
}

static void close_all(struct floor_run *f)
{
    statement_free(f->record);
    statement_free(f->sweep);
    outbox_free(f->outbox);
    stock_store_free(f->stock);
    store_close(f->store);
    free(f->orders);
    buffer_free(&f->body);
}

int main(int argc, char **argv)
{
    struct floor_run f = {0};
    log_start("sql_alone");
    bool keyed = argc == 5 && strcmp(argv[4], "keyed") == 0;
    if ((argc != 4 && !keyed) || number_parse(argv[2], 1, 100000000, &f.count) ||
        number_parse(argv[3], 1, 500, &f.per_message)) {
        fprintf(stderr, "usage: sql_alone DIR ORDERS ORDERS_A_MESSAGE(1-500) [keyed]\n");
        return EXIT_USAGE;
    }
    open_all(&f, argv[1]);
    make_orders(&f, keyed);
    make_body(&f);
    int64_t start_ns = clock_mono_ns();
    for (int64_t i = 0; i < f.count; i += ORDERS_A_TRANSACTION)
        one_transaction(&f, i, i + ORDERS_A_TRANSACTION < f.count ? i + ORDERS_A_TRANSACTION : f.count);
    double seconds = (double)(clock_mono_ns() - start_ns) / (double)NS_PER_S;
    printf("orders_per_second %.0f\n", (double)f.count / seconds);
    close_all(&f);
    return EXIT_OK;
}
