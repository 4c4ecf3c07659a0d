/* See order_life.h. */
#include "services/ctl/order_life.h"

#include <stdio.h>
#include <string.h>

#include "common/pipeline/json_read.h"
#include "common/pipeline/names.h"
#include "services/ctl/ask.h"
#include "services/ctl/dead_queue.h"
#include "services/ctl/order_file.h"

#define BESIDE_TIMEOUT_MS 2000 /* for what is worth less than the decision */
#define LETTERS_MAX       10000

static int unreadable(const char *whose, const struct detail *why)
{
    return ctl_fail(EXIT_SOFTWARE, "the answer of %s cannot be read: %s", whose, why->text);
}

/* ---- the decision ---- */

static int take_decision(const json_t *answer, struct order_life *out)
{
    struct detail why = {""};
    if (decision_decode_json(answer, &out->decision, &why) ||
        json_read_int(answer, "accepted_ms", INT64_MIN, INT64_MAX, &out->accepted_ms, &why) ||
        json_read_int(answer, "limit_per_user", 0, INT64_MAX, &out->limit_per_user, &why))
        return unreadable("inventory", &why);
    out->archived = json_is_true(json_object_get(answer, "archived"));
    out->is_decided = true;
    return EXIT_OK;
}

/* Every shard, that of the id first: an item may have been put up when there were fewer. */
static int ask_inventory(const struct ctl *ctl, struct rpc_caller *rpc, const char *id,
                         struct order_life *out)
{
    int shards = (int)ctl->settings->topology.shards, status = EXIT_OK;
    int first = order_id_shard(id) % shards;
    json_t *body = json_pack("{s:s}", "order_id", id), *answer = NULL;
    for (int n = 0; n < shards && status == EXIT_OK && !out->is_decided; n++) {
        char whom[64], key[64];
        bool not_found = false;
        out->shard = (first + n) % shards;
        snprintf(whom, sizeof(whom), "inventory of shard %d", out->shard);
        snprintf(key, sizeof(key), KEY_RPC_INVENTORY_PREFIX "%d", out->shard);
        const struct ctl_question question = {
            .whom = whom, .routing_key = key, .method = RPC_ORDER_SHOW, .body = body};
        status = ctl_ask(rpc, &question, &answer, &not_found);
        if (status == EXIT_OK)
            status = take_decision(answer, out);
        else if (not_found)
            status = EXIT_OK;
        json_decref(answer);
        answer = NULL;
    }
    json_decref(body);
    return status;
}

static int read_files(const struct ctl *ctl, const char *id, struct order_life *out)
{
    fprintf(stderr, "seckillctl: looking into the inventory files of this host instead\n");
    out->from_file = true;
    return order_file_find(ctl, id, out);
}

/* ---- what followed it; without an answer it is left out, and ctl_ask has said so ---- */

static int ask_packet(struct rpc_caller *rpc, const json_t *body, struct order_life *out)
{
    json_t *answer = NULL;
    bool not_found = false;
    struct detail why = {""};
    const struct ctl_question question = {.whom = "the red packets' service",
                                          .routing_key = KEY_RPC_REDPACKET,
                                          .method = RPC_PACKET_SHOW,
                                          .body = (json_t *)body,
                                          .timeout_ms = BESIDE_TIMEOUT_MS};
    int status = ctl_ask(rpc, &question, &answer, &not_found);
    if (not_found)
        snprintf(out->packet, sizeof(out->packet), "unknown");
    if (status == EXIT_OK && (json_read_text(answer, "status", out->packet, sizeof(out->packet), &why) ||
                              json_read_int(answer, "amount", 0, INT64_MAX, &out->packet_amount, &why) ||
                              json_read_int(answer, "at_ms", 0, INT64_MAX, &out->packet_ms, &why)))
        status = unreadable("the red packets' service", &why);
    json_decref(answer);
    return status == EXIT_SOFTWARE ? status : EXIT_OK;
}

static void ask_records(struct rpc_caller *rpc, const json_t *body, struct order_life *out)
{
    json_t *answer = NULL;
    const struct ctl_question question = {.whom = "the notifications' service",
                                          .routing_key = KEY_RPC_NOTIFICATION,
                                          .method = RPC_NOTIFICATION_SHOW,
                                          .body = (json_t *)body,
                                          .timeout_ms = BESIDE_TIMEOUT_MS};
    if (ctl_ask(rpc, &question, &answer, NULL) == EXIT_OK)
        out->records = json_incref(json_object_get(answer, "records"));
    json_decref(answer);
}

/* ---- dead letters ---- */

/* A letter is looked for only where something is missing that it would explain: to look takes every letter
 * into the hand for a moment. */
static bool may_have_letters(const struct order_life *o)
{
    size_t i;
    const json_t *record;
    if (!o->is_decided)
        return true;
    json_array_foreach(o->records, i, record)
    {
        const char *state = json_string_value(json_object_get(record, "state"));
        if (state && strcmp(state, "failed") == 0)
            return true;
    }
    return strcmp(o->packet, "unknown") == 0 || (o->records && json_array_size(o->records) == 0);
}

static int find_letters(const struct ctl *ctl, const char *id, struct order_life *out)
{
    struct dead_queue *q = NULL;
    struct letter l;
    int more = 0, seen = 0, status = dead_queue_open(ctl, &q);
    if (status)
        return status;
    out->letters = json_array();
    while (seen++ < LETTERS_MAX && (more = dead_queue_next(q, true, &l)) == 1) {
        if (memmem(l.body, l.body_len, id, strlen(id)))
            json_array_append_new(out->letters, letter_json(&l, true));
        letter_free(&l);
    }
    if (more == 1)
        fprintf(stderr, "seckillctl: only the first %d of %lld dead letters were looked at\n", LETTERS_MAX,
                (long long)dead_queue_count(q));
    dead_queue_close(q);
    return more < 0 ? EXIT_UNAVAILABLE : EXIT_OK;
}

int order_life_read(const struct ctl *ctl, const char *id, const struct order_life_wants *wants,
                    struct order_life *out)
{
    struct rpc_caller *rpc = NULL;
    *out = (struct order_life){.shard = -1};
    int status = ctl_caller(ctl, &rpc);
    if (status == EXIT_OK)
        status = ask_inventory(ctl, rpc, id, out);
    if (status == EXIT_UNAVAILABLE) {
        rpc_caller_free(rpc);
        return read_files(ctl, id, out);
    }
    json_t *body = json_pack("{s:s}", "order_id", id);
    if (status == EXIT_OK && out->is_decided && out->decision.status == ORDER_CONFIRMED)
        status = ask_packet(rpc, body, out);
    if (status == EXIT_OK && out->is_decided && wants->records)
        ask_records(rpc, body, out);
    rpc_caller_free(rpc);
    json_decref(body);
    if (status == EXIT_OK && wants->letters && may_have_letters(out))
        status = find_letters(ctl, id, out);
    return status;
}

void order_life_free(struct order_life *o)
{
    json_decref(o->records);
    json_decref(o->letters);
    *o = (struct order_life){.shard = -1};
}
