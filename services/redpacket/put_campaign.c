#include "services/redpacket/put_campaign.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "common/base/log.h"
#include "common/pipeline/json_read.h"

static const char *const members[] = {"v", "sku", "budget", "packets", "min_amount", NULL};

/* Lays what the question says over what the campaign is. */
static int read_change(const json_t *question, bool is_new, struct campaign *c, struct detail *why)
{
    int error = 0;
    if (is_new || json_object_get(question, "budget"))
        error = json_read_int(question, "budget", 0, BUDGET_MAX, &c->budget, why);
    if (!error && (is_new || json_object_get(question, "packets")))
        error = json_read_int(question, "packets", 0, PACKETS_MAX, &c->packets, why);
    if (!error)
        error = json_read_optional_int(question, "min_amount", 1, BUDGET_MAX, &c->min_amount, why);
    return error;
}

/* Works out what is left now. */
static int take_off_granted(struct campaign *c, const struct campaign *old, struct rpc_refusal *refusal)
{
    const int64_t amount = old ? old->budget - old->budget_left : 0;
    const int64_t packets = old ? old->packets - old->packets_left : 0;
    if (c->budget < amount)
        return rpc_refuse(refusal, "conflict", "budget must be at least %" PRId64 ": so much is granted",
                          amount);
    if (c->packets < packets)
        return rpc_refuse(refusal, "conflict", "packets must be at least %" PRId64 ": so many are granted",
                          packets);
    c->budget_left = c->budget - amount;
    c->packets_left = c->packets - packets;
    if (c->packets_left > 0 && c->budget_left / c->packets_left < c->min_amount)
        return rpc_refuse(refusal, "conflict",
                          "%" PRId64 " packets of at least %" PRId64 " each need more than the %" PRId64
                          " that would be left of the budget",
                          c->packets_left, c->min_amount, c->budget_left);
    return 0;
}

int put_campaign(struct red_packet_store *store, const struct json_t *question, int64_t now_ms,
                 struct campaign *out, struct rpc_refusal *refusal)
{
    struct campaign c = {.min_amount = 1};
    char sku[NAME_SIZE];
    struct detail why = {.text = ""};
    int error = json_read_known_members(question, members, &why);
    if (!error)
        error = json_read_name(question, "sku", sku, &why);
    if (error)
        return rpc_refuse(refusal, "invalid", "%s", why.text);

    const struct campaign *old = campaign_find(store, sku);
    if (old)
        c = *old;
    else
        memcpy(c.sku, sku, sizeof c.sku);
    error = read_change(question, !old, &c, &why);
    if (error)
        return rpc_refuse(refusal, "invalid", "%s", why.text);
    error = take_off_granted(&c, old, refusal);
    if (error)
        return error;

    const bool is_new = !old;
    error = campaign_put(store, &c, now_ms);
    if (error)
        return error;
    *out = *campaign_find(store, sku);
    char quoted[4 * NAME_SIZE];
    log_info(is_new ? "campaign_created" : "campaign_changed",
             "sku=%s budget=%" PRId64 " packets=%" PRId64 " min_amount=%" PRId64 " budget_left=%" PRId64
             " packets_left=%" PRId64,
             log_quote(sku, quoted, sizeof quoted), out->budget, out->packets, out->min_amount,
             out->budget_left, out->packets_left);
    return 0;
}
