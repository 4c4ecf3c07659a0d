/*
 * The floor for the notifications' worker: its SQL, alone, as with a local sink. The same schema and
 * statements (notification_store.h, notification_sql.h), the same rows in the same transactions, but no
 * broker, no JSON, no template and no sink. What the worker handles a second from a full queue is held
 * against this.
 *
 *   notification_sql_alone DIR EVENTS EVENTS_A_MESSAGE       prints "events_per_second N"
 *
 * DIR must be empty; the database stays there.
 */
#include <stdio.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/number.h"
#include "loadtest/floors/sql_floor.h"
#include "services/notification/notification_store.h"

#define EVENTS_A_TRANSACTION 16000 /* notification.max_batch */
#define SKU                  "bench-events"

struct floor_run {
    struct sql_floor sql;
    struct notification_store *notifications;
    struct decision *orders;
    int64_t count, per_message;
};

static void one_transaction(struct floor_run *f, int64_t first, int64_t last)
{
    const struct notification sent = {.state = NOTIFICATION_SENT, .attempts = 1};
    struct store *store = f->sql.store;
    bool is_new;
    floor_must(store_begin(store), "begin", store_error(store));
    for (int64_t i = first; i < last; i++) {
        floor_must(notification_add(f->notifications, f->orders[i].order_id, EVENT_KIND_CONFIRMED, &sent,
                                    f->orders[i].at_ms, &is_new),
                   "add", store_error(store));
        if ((i - first) % f->per_message == 0)
            sql_floor_record(&f->sql, last - i < f->per_message ? last - i : f->per_message);
    }
    floor_must(store_commit(store), "commit", store_error(store));
    floor_must(store_checkpoint_if_large(store), "checkpoint", store_error(store));
}

int main(int argc, char **argv)
{
    struct floor_run f = {.count = 0};
    struct detail why = {.text = ""};
    log_start("notification_sql_alone");
    if (argc != 4 || number_parse(argv[2], 1, 100000000, &f.count) ||
        number_parse(argv[3], 1, 100000, &f.per_message)) {
        fprintf(stderr, "usage: notification_sql_alone DIR EVENTS EVENTS_A_MESSAGE\n");
        return EXIT_USAGE;
    }
    sql_floor_open(&f.sql, argv[1], notification_migrations);
    floor_must(notification_store_new(&f.notifications, f.sql.store, &why), "notifications", why.text);
    f.orders = floor_confirmed_orders(f.count, SKU);
    int64_t start_ns = clock_mono_ns();
    for (int64_t i = 0; i < f.count; i += EVENTS_A_TRANSACTION)
        one_transaction(&f, i, i + EVENTS_A_TRANSACTION < f.count ? i + EVENTS_A_TRANSACTION : f.count);
    double seconds = (double)(clock_mono_ns() - start_ns) / (double)NS_PER_S;
    printf("events_per_second %.0f\n", (double)f.count / seconds);
    notification_store_free(f.notifications);
    sql_floor_close(&f.sql);
    free(f.orders);
    return EXIT_OK;
}
