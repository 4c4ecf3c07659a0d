/* Inventory's decision with everything that it needs but a broker: replies are caught here. */
#ifndef SECKILL_TESTS_STOCK_SUPPORT_H
#define SECKILL_TESTS_STOCK_SUPPORT_H

#include "tests/unit/transaction_support.h"

#include "common/broker/publish.h"
#include "common/pipeline/names.h"
#include "services/inventory/reserve_stock.h"

struct stock_fixture {
    struct place place;
    struct store *store;
    struct stock_store *stock;
    struct reserve_stock reserve;
    struct worker_handler handler;
    struct transaction t;
    int64_t next_seq;
};

/* The latest reply, as it went to the broker: this takes the place of the library's function. */
static struct {
    char queue[64];
    struct decision decision; /* of its last line */
    int lines;
} reply;

int broker_publish(struct broker_connection *c, const struct broker_message *message, uint64_t *tag)
{
    (void)c;
    (void)tag;
    struct slice rest = message->body, line;
    assert_string_equal(message->exchange, EXCHANGE_REPLY);
    snprintf(reply.queue, sizeof reply.queue, "%s", message->routing_key);
    while (line_next(&rest, &line)) {
        assert_int_equal(decision_decode(line, &reply.decision, NULL), 0);
        reply.lines++;
    }
    return 0;
}

static enum outcome on_line(void *context, struct task *task)
{
    return reserve_stock(&((struct stock_fixture *)context)->reserve, task);
}

static int on_end(void *context)
{
    return stock_store_flush(((struct stock_fixture *)context)->stock);
}

static void on_committed(void *context)
{
    struct stock_fixture *f = context;
    stock_store_committed(f->stock);
    replies_send(f->t.replies, NULL);
}

static int on_rolled_back(void *context)
{
    return stock_store_load(((struct stock_fixture *)context)->stock);
}

static inline void stock_open(struct stock_fixture *f)
{
    struct detail why = {.text = ""};
    f->store = open_or_fail(&f->place, STORE_CREATE);
    assert_int_equal(migrate_apply(f->store, inventory_migrations, NULL, NULL), 0);
    if (stock_store_new(&f->stock, f->store, 3, &why) != 0)
        fail_msg("%s", why.text);
    f->reserve = (struct reserve_stock){.stock = f->stock};
    f->handler = (struct worker_handler){
        .line = on_line, .before_commit = on_end, .committed = on_committed, .rolled_back = on_rolled_back};
    transaction_open(&f->t, f->store, "seckill.orders.3", &f->handler, f);
}

static inline void stock_close(struct stock_fixture *f)
{
    transaction_close(&f->t);
    buffer_free(&f->reserve.line);
    stock_store_free(f->stock);
    store_close(f->store);
}

static inline int stock_set_up(void **state)
{
    struct stock_fixture *f = calloc(1, sizeof *f);
    memset(&reply, 0, sizeof reply);
    place_make(&f->place);
    stock_open(f);
    *state = f;
    return 0;
}

static inline int stock_tear_down(void **state)
{
    struct stock_fixture *f = *state;
    stock_close(f);
    place_remove(&f->place);
    free(f);
    return 0;
}

#endif
