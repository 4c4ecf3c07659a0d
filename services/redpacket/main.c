/*
 * seckill-redpacket: a red packet for each confirmed order, from its item's campaign. It takes
 * order.confirmed from the events, decides once what each order gets, keeps the buyers' balances, and tells
 * of what it granted (events).
 */
#include "common/base/log.h"
#include "common/pipeline/names.h"
#include "common/pipeline/worker_main.h"
#include "services/redpacket/answer_packet.h"
#include "services/redpacket/grant_red_packet.h"
#include "services/redpacket/random_bits.h"

struct redpacket {
    struct answer_packet answer; /* first what the methods need */
    struct worker_main main;
    struct red_packet_store *store;
    struct grant_red_packet grant;
    struct random_bits bits;
};

static int open_packets(void *context, struct store *store, struct detail *why)
{
    struct redpacket *r = context;
    int error = random_bits_start(&r->bits);
    if (error) {
        detail_set(why, "the system has no random numbers to give");
        return error;
    }
    error = red_packet_store_new(&r->store, store, why);
    if (error)
        return error;
    r->answer.store = r->store;
    r->grant.store = r->store;
    r->grant.random = (struct random_source){.next = random_bits_next, .context = &r->bits};
    size_t count;
    campaigns(r->store, &count);
    log_info("campaigns_read", "campaigns=%zu", count);
    return 0;
}

static void close_packets(void *context)
{
    struct redpacket *r = context;
    grant_red_packet_free(&r->grant);
    red_packet_store_free(r->store);
}

static enum outcome on_line(void *context, struct task *task)
{
    struct redpacket *r = context;
    return grant_red_packet(&r->grant, task);
}

static int before_commit(void *context)
{
    struct redpacket *r = context;
    return red_packet_store_flush(r->store);
}

static void on_committed(void *context)
{
    struct redpacket *r = context;
    red_packet_store_committed(r->store);
    trail_committed(&r->grant.trail);
}

static int on_rolled_back(void *context)
{
    struct redpacket *r = context;
    trail_rolled_back(&r->grant.trail);
    return red_packet_store_load(r->store);
}

static void on_reload(void *context)
{
    struct redpacket *r = context;
    worker_main_reload(&r->main);
    r->grant.trail.is_on = r->main.settings.log.orders;
}

static const struct rpc_method methods[] = {
    {RPC_CAMPAIGN_PUT, answer_campaign_put},   {RPC_CAMPAIGN_SHOW, answer_campaign_show},
    {RPC_CAMPAIGN_LIST, answer_campaign_list}, {RPC_PACKET_SHOW, answer_packet_show},
    {RPC_BALANCE_SHOW, answer_balance_show},   {NULL, NULL},
};

static const char *const exchanges[] = {EXCHANGE_EVENTS, EXCHANGE_DEAD, EXCHANGE_STOCK, EXCHANGE_REPLY, NULL};
static const char *const outbox_exchanges[] = {EXCHANGE_EVENTS, EXCHANGE_DEAD, NULL};

static int run(struct redpacket *r)
{
    char database[STORE_PATH_SIZE];
    const struct worker_spec spec = {
        .service = "redpacket",
        .database = settings_redpacket_path(&r->main.settings, database),
        .migrations = redpacket_migrations,
        .queue = QUEUE_REDPACKET,
        .rpc_queue = QUEUE_RPC_REDPACKET,
        .exchanges = exchanges,
        .outbox_exchanges = outbox_exchanges,
        .prefetch = WORKER_PREFETCH,
        .max_batch = (int)r->main.settings.redpacket.max_batch,
        .linger_ms = WORKER_LINGER_MS,
        .relay_window = WORKER_RELAY_WINDOW,
        .max_attempts = WORKER_MAX_ATTEMPTS,
        .handler = {.open = open_packets,
                    .close = close_packets,
                    .line = on_line,
                    .before_commit = before_commit,
                    .committed = on_committed,
                    .rolled_back = on_rolled_back,
                    .reload = on_reload},
        .context = r,
        .methods = methods,
        .methods_context = &r->answer,
    };
    return worker_main_run(&r->main, &spec);
}

int main(int argc, char **argv)
{
    struct redpacket r = {.store = NULL};
    worker_main_start(&r.main, "seckill-redpacket", "Gives the buyers of confirmed orders their red packets.",
                      argc, argv);
    r.grant.trail.is_on = r.main.settings.log.orders;
    return run(&r);
}
