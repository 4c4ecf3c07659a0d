#include "services/inventory/broadcast_stock.h"

#include <stdlib.h>

#include "common/base/alloc.h"
#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/broker/publish.h"
#include "common/pipeline/names.h"

#define AT_MOST_EVERY_NS  (NS_PER_S / 10)
#define AT_LEAST_EVERY_NS (1 * NS_PER_S)

static void send_snapshot(struct broadcast_stock *b, struct broker_connection *publish)
{
    size_t count;
    const struct stock_item *cached = stock_items(b->stock, &count);
    if (count > b->cap) {
        b->items = xrealloc(b->items, count * sizeof *b->items);
        b->cap = count;
    }
    for (size_t i = 0; i < count; i++)
        b->items[i] = cached[i].item;
    const struct snapshot snapshot = {.shard = b->shard,
                                      .epoch = stock_store_epoch(b->stock),
                                      .seq = ++b->seq,
                                      .at_ms = clock_wall_ms(),
                                      .items = b->items,
                                      .count = count};
    buffer_clear(&b->body);
    snapshot_encode(&b->body, &snapshot);
    const struct broker_message message = {
        .exchange = EXCHANGE_STOCK,
        .routing_key = "",
        .properties = {.content_type = slice_of(TYPE_JSON)},
        .body = {.data = b->body.data, .len = b->body.len},
    };
    FAULT_POINT("stock.before_broadcast");
    (void)!broker_publish(publish, &message, NULL); /* a front end that misses one gets the next */
    FAULT_POINT("stock.broadcast");
}

int64_t broadcast_stock(struct broadcast_stock *b, struct broker_connection *publish, int64_t now_ns)
{
    int64_t due_ns = b->sent_ns + (b->changed ? AT_MOST_EVERY_NS : AT_LEAST_EVERY_NS);
    if (b->sent_ns && now_ns < due_ns)
        return due_ns;
    send_snapshot(b, publish);
    b->sent_ns = now_ns;
    b->changed = false;
    return now_ns + AT_LEAST_EVERY_NS;
}

void broadcast_stock_free(struct broadcast_stock *b)
{
    free(b->items);
    buffer_free(&b->body);
}
