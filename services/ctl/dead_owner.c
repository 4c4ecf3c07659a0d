/* See dead_owner.h. */
#include "services/ctl/dead_owner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/number.h"
#include "common/pipeline/answer_dead_settle.h"
#include "common/pipeline/names.h"

static void set_way(struct dead_way *way, const char *exchange, const char *key, const char *rpc_key,
                    const char *whom)
{
    *way = (struct dead_way){.exchange = exchange};
    snprintf(way->key, sizeof(way->key), "%s", key);
    snprintf(way->rpc_key, sizeof(way->rpc_key), "%s", rpc_key);
    snprintf(way->whom, sizeof(way->whom), "%s", whom);
}

static void set_way_to_shard(struct dead_way *way, int shard)
{
    *way = (struct dead_way){.exchange = EXCHANGE_ORDERS};
    snprintf(way->key, sizeof(way->key), "%d", shard);
    snprintf(way->rpc_key, sizeof(way->rpc_key), KEY_RPC_INVENTORY_PREFIX "%d", shard);
    snprintf(way->whom, sizeof(way->whom), "inventory of shard %d", shard);
}

static void set_way_to_notification(struct dead_way *way)
{
    set_way(way, EXCHANGE_RETRY, KEY_RETRY_NOTIFICATION, KEY_RPC_NOTIFICATION, "notification");
}

static void set_way_to_redpacket(struct dead_way *way)
{
    set_way(way, EXCHANGE_RETRY, KEY_RETRY_REDPACKET, KEY_RPC_REDPACKET, "redpacket");
}

bool dead_way_find(const struct letter *l, struct dead_way *out)
{
    const size_t prefix = strlen(QUEUE_ORDERS_PREFIX);
    int64_t shard;
    if (!l->is_ours)
        return false;
    if (strcmp(l->queue, QUEUE_NOTIFICATION) == 0)
        set_way_to_notification(out);
    else if (strcmp(l->queue, QUEUE_REDPACKET) == 0)
        set_way_to_redpacket(out);
    else if (strncmp(l->queue, QUEUE_ORDERS_PREFIX, prefix) == 0 &&
             number_parse(l->queue + prefix, 0, MAX_SHARDS - 1, &shard) == 0)
        set_way_to_shard(out, (int)shard);
    else
        return false;
    return true;
}

#define OWNERS_MAX (MAX_SHARDS + 2)

struct owner {
    struct dead_way way;
    bool answers;
};

struct dead_owners {
    struct rpc_caller *rpc;
    struct owner owners[OWNERS_MAX]; /* that were asked */
    int count;
};

int dead_owners_open(const struct ctl *ctl, struct dead_owners **out)
{
    struct rpc_caller *rpc = NULL;
    int status = ctl_caller(ctl, &rpc);
    if (status)
        return status;
    *out = xcalloc(1, sizeof(**out));
    (*out)->rpc = rpc;
    return EXIT_OK;
}

void dead_owners_close(struct dead_owners *o)
{
    if (!o)
        return;
    rpc_caller_free(o->rpc);
    free(o);
}

/* Takes the letters over. How many the owner knows; -1: it does not answer. */
static int settle(struct dead_owners *o, const struct dead_way *way, const char *how, json_t *letters)
{
    json_t *result = NULL, *body = json_pack("{s:s, s:o}", "how", how, "letters", letters);
    const struct ctl_question question = {
        .whom = way->whom, .routing_key = way->rpc_key, .method = RPC_DEAD_SETTLE, .body = body};
    int status = ctl_ask(o->rpc, &question, &result, NULL);
    int known = (int)json_integer_value(json_object_get(result, "settled"));
    json_decref(result);
    json_decref(body);
    return status == EXIT_OK ? known : -1;
}

static struct owner *find_owner(struct dead_owners *o, const struct dead_way *way)
{
    for (int i = 0; i < o->count; i++)
        if (strcmp(o->owners[i].way.rpc_key, way->rpc_key) == 0)
            return &o->owners[i];
    struct owner *owner = &o->owners[o->count++];
    owner->way = *way;
    owner->answers = settle(o, way, "replayed", json_array()) >= 0;
    return owner;
}

bool dead_owner_answers(struct dead_owners *o, const struct letter *l)
{
    struct dead_way way;
    return !dead_way_find(l, &way) || find_owner(o, &way)->answers;
}

static json_t *name_letter(const struct letter *l)
{
    json_t *name = json_pack("{s:s, s:I}", "message", l->key, "line", (json_int_t)l->line);
    if (l->times > 0)
        json_object_set_new(name, "times", json_integer(l->times));
    return name;
}

static bool is_of(const struct owner *owner, const struct letter *l)
{
    struct dead_way way;
    return dead_way_find(l, &way) && strcmp(way.rpc_key, owner->way.rpc_key) == 0;
}

/* As many of the owner's letters from *from on as one question takes. */
static void tell(struct dead_owners *o, struct owner *owner, const struct letter *letters, size_t count,
                 size_t *from, const char *how, bool *told)
{
    json_t *names = json_array();
    size_t first = *from, i = first;
    for (; i < count && json_array_size(names) < DEAD_SETTLE_MAX; i++)
        if (is_of(owner, &letters[i]))
            json_array_append_new(names, name_letter(&letters[i]));
    *from = i;
    if (json_array_size(names) > 0 && owner->answers)
        owner->answers = settle(o, &owner->way, how, json_incref(names)) >= 0;
    json_decref(names);
    for (size_t k = first; k < i; k++)
        if (is_of(owner, &letters[k]))
            told[k] = owner->answers;
}

void dead_owners_tell(struct dead_owners *o, const struct letter *letters, size_t count, const char *how,
                      bool *told)
{
    struct dead_way way;
    for (size_t i = 0; i < count; i++) {
        told[i] = !dead_way_find(&letters[i], &way);
        if (!told[i])
            find_owner(o, &way);
    }
    for (int n = 0; n < o->count; n++)
        for (size_t from = 0; from < count;)
            tell(o, &o->owners[n], letters, count, &from, how, told);
}

int dead_owners_tell_any(struct dead_owners *o, int shards, const char *id, const char *how)
{
    struct letter l = {.line = 0};
    int known = 0;
    if (!dead_id_parse(slice_of(id), l.key, &l.line))
        return 0;
    for (int i = 0; i < shards + 2; i++) {
        struct dead_way way;
        if (i < shards)
            set_way_to_shard(&way, i);
        else if (i == shards)
            set_way_to_redpacket(&way);
        else
            set_way_to_notification(&way);
        int told = settle(o, &way, how, json_pack("[o]", name_letter(&l)));
        if (told < 0)
            return -1;
        known += told;
    }
    return known;
}
