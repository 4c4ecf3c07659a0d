/*
 * seckill-inventory: the authority over the stock of one shard. It takes accepted orders from the shard's
 * queue, decides each once, and tells who asked, the rest of the pipeline (events) and the front ends
 * (snapshots).
 */
#include <stdio.h>
#include <string.h>

#include "common/base/log.h"
#include "common/pipeline/names.h"
#include "common/pipeline/worker_main.h"
#include "services/inventory/answer_order.h"
#include "services/inventory/answer_query.h"
#include "services/inventory/archive_orders.h"
#include "services/inventory/broadcast_stock.h"
#include "services/inventory/reserve_stock.h"

struct inventory {
    struct worker_main main;
    struct stock_store *stock;
    struct archive_orders *archiver;
    struct archive_store *archive;
    struct answer_query query; /* first what the methods need */
    struct reserve_stock reserve;
    struct broadcast_stock broadcast;
    struct trail trail;
    int64_t confirmed_before; /* the open transaction */
};

/* Before anything is decided: an order that comes again may be in it. */
static int open_archive(struct inventory *v, struct store *store, int shard, struct detail *why)
{
    char database[STORE_PATH_SIZE], path[STORE_PATH_SIZE];
    settings_archive_of(settings_inventory_path(&v->main.settings, shard, database), path);
    int error = archive_orders_new(&v->archiver, store, why);
    if (!error)
        error = archive_open(&v->archive, path, shard, archive_orders_moved(v->archiver), why);
    if (error)
        return error;
    stock_store_use_archive(v->stock, v->archive);
    error = archive_orders_finish(v->archiver, v->archive);
    if (error)
        detail_set(why, "the archiving that was broken off cannot be finished: %s", store_error(store));
    return error;
}

static int open_stock(void *context, struct store *store, struct detail *why)
{
    struct inventory *v = context;
    int shard = (int)v->main.settings.inventory.shard;
    int error = stock_store_new(&v->stock, store, shard, why);
    if (!error)
        error = open_archive(v, store, shard, why);
    if (error)
        return error;
    v->query = (struct answer_query){.stock = v->stock,
                                     .shards = (int)v->main.settings.topology.shards,
                                     .changed = &v->broadcast.changed,
                                     .archiver = v->archiver,
                                     .archive = v->archive};
    v->reserve.stock = v->stock;
    v->reserve.trail = &v->trail;
    v->broadcast.stock = v->stock;
    v->broadcast.shard = (uint8_t)shard;
    size_t items;
    stock_items(v->stock, &items);
    log_info("shard_taken", "shard=%d epoch=%lld items=%zu", shard, (long long)stock_store_epoch(v->stock),
             items);
    return 0;
}

static void close_stock(void *context)
{
    struct inventory *v = context;
    broadcast_stock_free(&v->broadcast);
    buffer_free(&v->reserve.line);
    trail_free(&v->trail);
    stock_store_free(v->stock);
    archive_orders_free(v->archiver);
    archive_close(v->archive);
}

static enum outcome on_line(void *context, struct task *task)
{
    struct inventory *v = context;
    return reserve_stock(&v->reserve, task);
}

static int before_commit(void *context)
{
    struct inventory *v = context;
    return stock_store_flush(v->stock);
}

static void on_committed(void *context)
{
    struct inventory *v = context;
    stock_store_committed(v->stock);
    trail_committed(&v->trail);
    v->broadcast.changed |= v->reserve.confirmed != v->confirmed_before;
    v->confirmed_before = v->reserve.confirmed;
}

static int on_rolled_back(void *context)
{
    struct inventory *v = context;
    v->reserve.confirmed = v->confirmed_before;
    trail_rolled_back(&v->trail);
    return stock_store_load(v->stock);
}

static int64_t on_tick(void *context, struct broker_connection *publish, int64_t now_ns)
{
    struct inventory *v = context;
    return broadcast_stock(&v->broadcast, publish, now_ns);
}

static struct store *other_file(void *context, const char **path)
{
    struct inventory *v = context;
    return archive_file(v->archive, path);
}

static void on_reload(void *context)
{
    struct inventory *v = context;
    worker_main_reload(&v->main);
    v->trail.is_on = v->main.settings.log.orders;
}

static const struct rpc_method methods[] = {
    {RPC_ITEM_PUT, answer_item_put},
    {RPC_ITEM_RESTOCK, answer_item_restock},
    {RPC_ITEM_SHOW, answer_item_show},
    {RPC_ITEM_LIST, answer_item_list},
    {RPC_ORDER_STATUS, answer_order_status},
    {RPC_ORDER_SHOW, answer_order_show},
    {RPC_ORDERS_ARCHIVE, answer_orders_archive},
    {NULL, NULL},
};

static const char *const exchanges[] = {EXCHANGE_EVENTS, EXCHANGE_DEAD, EXCHANGE_STOCK, EXCHANGE_REPLY, NULL};
static const char *const outbox_exchanges[] = {EXCHANGE_EVENTS, EXCHANGE_DEAD, NULL};

static int run(struct inventory *v)
{
    const struct settings *s = &v->main.settings;
    const int shard = (int)s->inventory.shard;
    char service[32], queue[64], rpc_queue[64], database[STORE_PATH_SIZE];
    snprintf(service, sizeof service, "inventory.%d", shard);
    snprintf(queue, sizeof queue, QUEUE_ORDERS_PREFIX "%d", shard);
    snprintf(rpc_queue, sizeof rpc_queue, QUEUE_RPC_INVENTORY_PREFIX "%d", shard);

    const struct worker_spec spec = {
        .service = service,
        .database = settings_inventory_path(s, shard, database),
        .migrations = inventory_migrations,
        .queue = queue,
        .rpc_queue = rpc_queue,
        .exchanges = exchanges,
        .outbox_exchanges = outbox_exchanges,
        .prefetch = (int)s->inventory.prefetch,
        .max_batch = (int)s->inventory.max_batch,
        .relay_window = (int)s->inventory.relay_window,
        .max_attempts = (int)s->inventory.max_attempts,
        .handler = {.open = open_stock,
                    .close = close_stock,
                    .line = on_line,
                    .before_commit = before_commit,
                    .committed = on_committed,
                    .rolled_back = on_rolled_back,
                    .tick = on_tick,
                    .reload = on_reload,
                    .other_file = other_file},
        .context = v,
        .methods = methods,
        .methods_context = &v->query,
    };
    return worker_main_run(&v->main, &spec);
}

int main(int argc, char **argv)
{
    struct inventory v = {.stock = NULL};
    worker_main_start(&v.main, "seckill-inventory", "Decides the orders of one shard and keeps its stock.",
                      argc, argv);
    v.trail.is_on = v.main.settings.log.orders;
    return run(&v);
}
