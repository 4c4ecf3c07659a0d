/*
 * The floor for the red packets' worker: its SQL, alone. The same schema and statements (red_packet_store.h,
 * red_packet_sql.h), the same rows of the same size in the same transactions, but no broker, no JSON and no
 * draw. What the worker handles a second from a full queue is held against this.
 *
 *   redpacket_sql_alone DIR EVENTS EVENTS_A_MESSAGE       prints "events_per_second N"
 *
 * DIR must be empty; the database stays there.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/number.h"
#include "common/pipeline/names.h"
#include "loadtest/floors/sql_floor.h"
#include "services/redpacket/red_packet_store.h"

#define EVENTS_A_TRANSACTION 8000 /* redpacket.max_batch */
#define SKU                  "bench-events"
#define AMOUNT               1000000 /* about what the campaign of bench.sh gives */

struct floor_run {
    struct sql_floor sql;
    struct red_packet_store *packets;
    struct decision *orders;
    int64_t count, per_message;
    struct buffer body; /* OUTBOX_BODY_MAX bytes of event lines, the same again and again */
    size_t line_len;
};

static void make_body(struct floor_run *f)
{
    struct grant g = {.user_id = "u500000", .sku = SKU, .quantity = 1, .amount = AMOUNT};
    g.at_ms = clock_wall_ms();
    memcpy(g.order_id, f->orders[0].order_id, sizeof g.order_id);
    grant_encode(&f->body, &g);
    f->line_len = f->body.len;
    while (f->body.len + f->line_len <= OUTBOX_BODY_MAX)
        grant_encode(&f->body, &g);
}

static void give(struct floor_run *f, struct campaign *campaign, const struct decision *order)
{
    struct packet p = {.status = PACKET_GRANTED, .amount = AMOUNT, .at_ms = order->at_ms};
    bool is_new = false;
    memcpy(p.order_id, order->order_id, sizeof p.order_id);
    memcpy(p.user_id, order->user_id, sizeof p.user_id);
    memcpy(p.sku, order->sku, sizeof p.sku);
    floor_must(packet_add(f->packets, &p, &is_new), "packet", red_packet_store_error(f->packets));
    floor_must(balance_add(f->packets, p.user_id, p.amount), "balance", red_packet_store_error(f->packets));
    campaign_take(f->packets, campaign, p.amount);
}

static void one_transaction(struct floor_run *f, int64_t first, int64_t last)
{
    struct campaign *campaign = campaign_find(f->packets, SKU);
    struct store *store = f->sql.store;
    floor_must(store_begin(store), "begin", store_error(store));
    for (int64_t i = first; i < last; i++) {
        give(f, campaign, &f->orders[i]);
        if ((i - first) % f->per_message == 0)
            sql_floor_record(&f->sql, last - i < f->per_message ? last - i : f->per_message);
    }
    floor_must(red_packet_store_flush(f->packets), "flush", store_error(store));
    sql_floor_emit(&f->sql, EVENT_REDPACKET_GRANTED, &f->body, f->line_len, last - first);
    floor_must(store_commit(store), "commit", store_error(store));
    red_packet_store_committed(f->packets);
    floor_must(store_checkpoint_if_large(store), "checkpoint", store_error(store));
}

static void open_all(struct floor_run *f, const char *dir)
{
    struct detail why = {.text = ""};
    const struct campaign campaign = {.sku = SKU,
                                      .budget = f->count * AMOUNT,
                                      .packets = f->count,
                                      .min_amount = 1,
                                      .budget_left = f->count * AMOUNT,
                                      .packets_left = f->count};
    sql_floor_open(&f->sql, dir, redpacket_migrations);
    floor_must(red_packet_store_new(&f->packets, f->sql.store, &why), "packets", why.text);
    floor_must(campaign_put(f->packets, &campaign, clock_wall_ms()), "campaign",
               red_packet_store_error(f->packets));
}

int main(int argc, char **argv)
{
    struct floor_run f = {.count = 0};
    log_start("redpacket_sql_alone");
    if (argc != 4 || number_parse(argv[2], 1, 100000000, &f.count) ||
        number_parse(argv[3], 1, 100000, &f.per_message)) {
        fprintf(stderr, "usage: redpacket_sql_alone DIR EVENTS EVENTS_A_MESSAGE\n");
        return EXIT_USAGE;
    }
    open_all(&f, argv[1]);
    f.orders = floor_confirmed_orders(f.count, SKU);
    make_body(&f);
    int64_t start_ns = clock_mono_ns();
    for (int64_t i = 0; i < f.count; i += EVENTS_A_TRANSACTION)
        one_transaction(&f, i, i + EVENTS_A_TRANSACTION < f.count ? i + EVENTS_A_TRANSACTION : f.count);
    double seconds = (double)(clock_mono_ns() - start_ns) / (double)NS_PER_S;
    printf("events_per_second %.0f\n", (double)f.count / seconds);
    red_packet_store_free(f.packets);
    sql_floor_close(&f.sql);
    free(f.orders);
    buffer_free(&f.body);
    return EXIT_OK;
}
