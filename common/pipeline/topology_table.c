/* What the system lives on in the broker, as one table. See topology_table.h. */
#include "common/pipeline/topology_table.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/alloc.h"
#include "common/pipeline/names.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#define MIB (INT64_C(1) << 20)
#define GIB (INT64_C(1) << 30)

static const struct topology_exchange exchanges[] = {
    {EXCHANGE_ORDERS, "direct"},
    {EXCHANGE_EVENTS, "topic"},
    /* A topic, for keys of delay and consumer ("5s.notification"). */
    {EXCHANGE_RETRY, "topic"},
    /* Whatever its key, a dead letter has one place to go. */
    {EXCHANGE_DEAD, "fanout"},
    {EXCHANGE_STOCK, "fanout"},
    {EXCHANGE_RPC, "direct"},
    {EXCHANGE_REPLY, "direct"},
};

static const struct topology_queue fixed_queues[] = {
    {.name = QUEUE_NOTIFICATION, .quorum = true},
    {.name = QUEUE_REDPACKET, .quorum = true},
    {.name = QUEUE_DEAD, .quorum = true},
    {.name = QUEUE_RPC_REDPACKET, .quorum = true},
    {.name = QUEUE_RPC_NOTIFICATION, .quorum = true},
    /* One queue for each delay: a message's time is over only at the head of its queue. */
    {.name = QUEUE_RETRY_PREFIX KEY_RETRY_1S_NOTIFICATION, .quorum = true},
    {.name = QUEUE_RETRY_PREFIX KEY_RETRY_5S_NOTIFICATION, .quorum = true},
    {.name = QUEUE_RETRY_PREFIX KEY_RETRY_30S_NOTIFICATION, .quorum = true},
    {.name = QUEUE_RETRY_PREFIX KEY_RETRY_5M_NOTIFICATION, .quorum = true},
};

static const struct topology_binding fixed_bindings[] = {
    {EXCHANGE_EVENTS, QUEUE_NOTIFICATION, "order.*"},
    {EXCHANGE_EVENTS, QUEUE_NOTIFICATION, "redpacket.*"},
    {EXCHANGE_EVENTS, QUEUE_REDPACKET, EVENT_ORDER_CONFIRMED},
    {EXCHANGE_DEAD, QUEUE_DEAD, ""},
    {EXCHANGE_RPC, QUEUE_RPC_REDPACKET, KEY_RPC_REDPACKET},
    {EXCHANGE_RPC, QUEUE_RPC_NOTIFICATION, KEY_RPC_NOTIFICATION},
    {EXCHANGE_RETRY, QUEUE_RETRY_PREFIX KEY_RETRY_1S_NOTIFICATION, KEY_RETRY_1S_NOTIFICATION},
    {EXCHANGE_RETRY, QUEUE_RETRY_PREFIX KEY_RETRY_5S_NOTIFICATION, KEY_RETRY_5S_NOTIFICATION},
    {EXCHANGE_RETRY, QUEUE_RETRY_PREFIX KEY_RETRY_30S_NOTIFICATION, KEY_RETRY_30S_NOTIFICATION},
    {EXCHANGE_RETRY, QUEUE_RETRY_PREFIX KEY_RETRY_5M_NOTIFICATION, KEY_RETRY_5M_NOTIFICATION},
    {EXCHANGE_RETRY, QUEUE_NOTIFICATION, KEY_RETRY_NOTIFICATION},
    {EXCHANGE_RETRY, QUEUE_REDPACKET, KEY_RETRY_REDPACKET},
};

#define DELAY(delay, ms)                                                                                     \
    {                                                                                                        \
        .name = "seckill-retry-" delay, .pattern = "^seckill\\.retry\\." delay "\\.notification$",           \
        .max_length_bytes = 1 * GIB, .message_ttl_ms = (ms), .reject_publish = true,                         \
        .dead_letter_exchange = EXCHANGE_RETRY, .dead_letter_routing_key = KEY_RETRY_NOTIFICATION,           \
    }

/*
 * What may change without declaring a queue anew. The bounds are a last line, far behind
 * admission.max_pending (200 000 orders are about 30 MB): what is refused at the bound is a 503 at the front
 * end or waits in an outbox, and nothing that was confirmed is dropped. Questions are worth nothing after
 * their deadline, so theirs drop the oldest.
 */
static const struct topology_policy policies[] = {
    {
        .name = "seckill-orders",
        .pattern = "^seckill\\.orders\\.[0-9]+$",
        .max_length_bytes = 4 * GIB,
        .reject_publish = true,
    },
    {
        .name = "seckill-events",
        .pattern = "^seckill\\.(notification|redpacket)$",
        .max_length_bytes = 1 * GIB,
        .reject_publish = true,
    },
    {
        .name = "seckill-dead",
        .pattern = "^seckill\\.dead$",
        .max_length_bytes = 1 * GIB,
        .reject_publish = true,
    },
    {
        .name = "seckill-rpc",
        .pattern = "^seckill\\.rpc\\.(inventory\\.[0-9]+|redpacket|notification)$",
        .max_length_bytes = 64 * MIB,
        .message_ttl_ms = 30000,
        .reject_publish = false,
    },
    DELAY("1s", 1000),
    DELAY("5s", 5000),
    DELAY("30s", 30000),
    DELAY("5m", 300000),
};

/* What one shard adds. */
enum { QUEUES_PER_SHARD = 2, BINDINGS_PER_SHARD = 2, NAMES_PER_SHARD = 4 };

typedef char name_text[48];

struct table {
    struct topology topology; /* first: what the caller holds */
    struct topology_queue *queues;
    struct topology_binding *bindings;
    name_text *names;
};

static const char *shard_name(struct table *t, size_t *next, const char *prefix, int shard)
{
    char *name = t->names[(*next)++];
    snprintf(name, sizeof(name_text), "%s%d", prefix, shard);
    return name;
}

const struct topology *topology_table_new(int shards)
{
    size_t queues = 0, bindings = 0, names = 0, count = (size_t)shards;
    struct table *t = xcalloc(1, sizeof(*t));
    t->queues = xcalloc(count * QUEUES_PER_SHARD + COUNT_OF(fixed_queues), sizeof(t->queues[0]));
    t->bindings = xcalloc(count * BINDINGS_PER_SHARD + COUNT_OF(fixed_bindings), sizeof(t->bindings[0]));
    t->names = xcalloc(count * NAMES_PER_SHARD, sizeof(t->names[0]));

    for (int shard = 0; shard < shards; shard++) {
        const char *orders = shard_name(t, &names, QUEUE_ORDERS_PREFIX, shard);
        const char *orders_key = shard_name(t, &names, "", shard);
        const char *rpc = shard_name(t, &names, QUEUE_RPC_INVENTORY_PREFIX, shard);
        const char *rpc_key = shard_name(t, &names, KEY_RPC_INVENTORY_PREFIX, shard);
        t->queues[queues++] =
            (struct topology_queue){.name = orders, .quorum = true, .single_active_consumer = true};
        t->queues[queues++] = (struct topology_queue){.name = rpc, .quorum = true};
        t->bindings[bindings++] = (struct topology_binding){EXCHANGE_ORDERS, orders, orders_key};
        t->bindings[bindings++] = (struct topology_binding){EXCHANGE_RPC, rpc, rpc_key};
    }
    for (size_t i = 0; i < COUNT_OF(fixed_queues); i++)
        t->queues[queues++] = fixed_queues[i];
    for (size_t i = 0; i < COUNT_OF(fixed_bindings); i++)
        t->bindings[bindings++] = fixed_bindings[i];

    t->topology = (struct topology){
        .exchanges = exchanges,
        .exchange_count = COUNT_OF(exchanges),
        .queues = t->queues,
        .queue_count = queues,
        .bindings = t->bindings,
        .binding_count = bindings,
        .policies = policies,
        .policy_count = COUNT_OF(policies),
    };
    return &t->topology;
}

void topology_table_free(const struct topology *topology)
{
    struct table *t = (struct table *)topology;
    if (!t)
        return;
    free(t->queues);
    free(t->bindings);
    free(t->names);
    free(t);
}
