#include "loadtest/floors/sql_floor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/pipeline/names.h"
#include "common/store/page_cache.h"

#define USERS       1000000
#define USERS_DRAWN 20000

#define SQL_RECORD                                                                                           \
    "INSERT INTO batch_seen (producer, seq, orders, decided, duplicates, dead, deliveries)"                  \
    " VALUES ('', 0, ?1, ?1, 0, 0, 1) ON CONFLICT DO UPDATE SET orders = orders + excluded.orders,"          \
    " decided = decided + excluded.decided, deliveries = deliveries + 1"
#define SQL_SWEEP "DELETE FROM outbox WHERE id <= ?1"

void floor_must(int error, const char *what, const char *why)
{
    if (error)
        log_fatal(EXIT_DISK, "floor_failed", "what=%s why=\"%s\"", what, why);
}

void sql_floor_open(struct sql_floor *f, const char *dir, const struct migration *migrations)
{
    char path[4096];
    struct detail why = {.text = ""};
    int applied;
    *f = (struct sql_floor){.rows_written = 0};
    snprintf(path, sizeof path, "%s/floor.db", dir);
    page_cache_reserve();
    floor_must(store_open(&f->store, path, STORE_CREATE, &why), "open", why.text);
    floor_must(migrate_apply(f->store, migrations, &applied, &why), "migrate", why.text);
    floor_must(outbox_new(&f->outbox, f->store, &why), "outbox", why.text);
    floor_must(statement_prepare(&f->record, f->store, SQL_RECORD, &why), "prepare", why.text);
    floor_must(statement_prepare(&f->sweep, f->store, SQL_SWEEP, &why), "prepare", why.text);
}

void sql_floor_close(struct sql_floor *f)
{
    statement_free(f->record);
    statement_free(f->sweep);
    outbox_free(f->outbox);
    store_close(f->store);
}

void sql_floor_record(struct sql_floor *f, int64_t lines)
{
    statement_bind_int(f->record, 1, lines);
    floor_must(statement_run(f->record), "record", store_error(f->store));
}

void sql_floor_emit(struct sql_floor *f, const char *routing_key, const struct buffer *body, size_t line_len,
                    int64_t lines)
{
    const int64_t full = (int64_t)body->len;
    statement_bind_int(f->sweep, 1, f->rows_written);
    floor_must(statement_run(f->sweep), "sweep", store_error(f->store));
    for (int64_t left = lines * (int64_t)line_len; left > 0; left -= full) {
        struct slice row = {.data = body->data, .len = (size_t)(left < full ? left : full)};
        floor_must(outbox_add_message(f->outbox, &(struct outbox_message){.exchange = EXCHANGE_EVENTS,
                                                                          .routing_key = routing_key,
                                                                          .body = row}),
                   "outbox", store_error(f->store));
        f->rows_written++;
    }
}

struct decision *floor_confirmed_orders(int64_t count, const char *sku)
{
    static long users[USERS_DRAWN];
    struct order_id_key *key;
    struct detail why;
    struct decision *orders = xcalloc((size_t)count, sizeof *orders);
    for (int i = 0; i < USERS_DRAWN; i++)
        users[i] = random() % USERS + 1;
    floor_must(order_id_key_new(&key, "a floor needs no secret", 23, &why), "key", why.text);
    for (int64_t i = 0; i < count; i++) {
        struct decision *d = &orders[i];
        *d = (struct decision){.status = ORDER_CONFIRMED,
                               .quantity = 1,
                               .at_ms = clock_wall_ms(),
                               .unit_price = 100,
                               .total = 100,
                               .receipt_no = i + 1};
        order_id_make(key, d->at_ms, 0, d->order_id);
        snprintf(d->user_id, sizeof d->user_id, "u%ld", users[random() % USERS_DRAWN]);
        snprintf(d->sku, sizeof d->sku, "%s", sku);
    }
    order_id_key_free(key);
    return orders;
}
