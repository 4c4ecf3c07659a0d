/*
 * seckill-inventory: the authority over the stock of one shard. It takes accepted orders from the shard's
 * queue, decides each once, and tells who asked, the rest of the pipeline (events) and the front ends
 * (snapshots).
 */
#include <stdio.h>
#include <string.h>

#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/program.h"
#include "common/base/signals.h"
#include "common/pipeline/names.h"
#include "common/pipeline/settings.h"
#include "common/pipeline/worker.h"
#include "services/inventory/answer_query.h"
#include "services/inventory/broadcast_stock.h"
#include "services/inventory/order_trail.h"
#include "services/inventory/reserve_stock.h"

struct inventory {
    struct settings settings;
    struct config *config;
    struct stock_store *stock;
    struct answer_query query; /* first what the methods need */
    struct reserve_stock reserve;
    struct broadcast_stock broadcast;
    struct order_trail trail;
    int64_t confirmed_before; /* the open transaction */
};

static int open_stock(void *context, struct store *store, struct detail *why)
{
    struct inventory *v = context;
    int shard = (int)v->settings.inventory.shard;
    int error = stock_store_new(&v->stock, store, shard, why);
    if (error)
        return error;
    v->query = (struct answer_query){
        .stock = v->stock, .shards = (int)v->settings.topology.shards, .changed = &v->broadcast.changed};
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
    order_trail_free(&v->trail);
    stock_store_free(v->stock);
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
    order_trail_committed(&v->trail);
    v->broadcast.changed |= v->reserve.confirmed != v->confirmed_before;
    v->confirmed_before = v->reserve.confirmed;
}

static int on_rolled_back(void *context)
{
    struct inventory *v = context;
    v->reserve.confirmed = v->confirmed_before;
    order_trail_rolled_back(&v->trail);
    return stock_store_load(v->stock);
}

static int64_t on_tick(void *context, struct broker_connection *publish, int64_t now_ns)
{
    struct inventory *v = context;
    return broadcast_stock(&v->broadcast, publish, now_ns);
}

static void on_reload(void *context)
{
    struct inventory *v = context;
    struct detail why;
    char quoted[512];
    if (config_reload(v->config, &v->settings, &why) != 0)
        log_error("reload_failed", "why=%s", log_quote(why.text, quoted, sizeof quoted));
    else
        log_info("reloaded", "log_level=%d", v->settings.log.level);
    log_set_level((enum log_level)v->settings.log.level);
    v->trail.is_on = v->settings.log.orders;
}

static const struct rpc_method methods[] = {
    {RPC_ITEM_PUT, answer_item_put},
    {RPC_ITEM_SHOW, answer_item_show},
    {RPC_ITEM_LIST, answer_item_list},
    {RPC_ORDER_STATUS, answer_order_status},
    {NULL, NULL},
};

static const char *const exchanges[] = {EXCHANGE_EVENTS, EXCHANGE_DEAD, EXCHANGE_STOCK, EXCHANGE_REPLY, NULL};
static const char *const outbox_exchanges[] = {EXCHANGE_EVENTS, EXCHANGE_DEAD, NULL};

static int run(struct inventory *v, bool init, int signal_fd)
{
    const struct settings *s = &v->settings;
    const int shard = (int)s->inventory.shard;
    char service[32], queue[64], rpc_queue[64], database[STORE_PATH_SIZE], quoted[512];
    struct broker_addresses addresses;
    struct detail why;
    if (broker_addresses_parse(s->broker.url, &addresses, &why) != 0)
        log_fatal(EXIT_CONFIG, "config_invalid", "key=broker.url why=%s",
                  log_quote(why.text, quoted, sizeof quoted));
    if (dir_make(s->store.dir, &why) != 0)
        log_fatal(EXIT_DISK, "store_dir_failed", "why=%s", log_quote(why.text, quoted, sizeof quoted));
    snprintf(service, sizeof service, "inventory.%d", shard);
    snprintf(queue, sizeof queue, QUEUE_ORDERS_PREFIX "%d", shard);
    snprintf(rpc_queue, sizeof rpc_queue, QUEUE_RPC_INVENTORY_PREFIX "%d", shard);

    const struct worker_spec spec = {
        .service = service,
        .database = settings_inventory_path(s, shard, database),
        .init = init,
        .migrations = inventory_migrations,
        .addresses = &addresses,
        .heartbeat_s = (int)s->broker.heartbeat_s,
        .timeout_ms = (int)s->broker.timeout_ms,
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
                    .reload = on_reload},
        .context = v,
        .methods = methods,
        .methods_context = &v->query,
    };
    int code = worker_run(&spec, signal_fd);
    broker_addresses_free(&addresses);
    return code;
}

int main(int argc, char **argv)
{
    struct inventory v = {.stock = NULL};
    bool init = false;
    const struct program_flag flags[] = {
        {"init", &init, "make the database if it is missing; without this a missing one is an error"},
        {NULL, NULL, NULL},
    };
    const struct program_spec spec = {
        .name = "seckill-inventory",
        .summary = "Decides the orders of one shard and keeps its stock.",
        .usage = "",
        .flags = flags,
        .config = {.options = settings_table},
        .check = settings_check,
    };
    v.config = program_start(&spec, argc, argv, &v.settings, NULL);
    v.trail.is_on = v.settings.log.orders;
    log_set_level((enum log_level)v.settings.log.level);
    int signal_fd = signals_start();
    int code = signal_fd < 0 ? EXIT_DISK : run(&v, init, signal_fd);
    config_free(v.config);
    return code;
}
