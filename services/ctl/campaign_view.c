/* Campaigns for people and for programs. See campaign_view.h. */
#include "services/ctl/campaign_view.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/pipeline/json_read.h"
#include "common/pipeline/message.h"
#include "common/pipeline/names.h"
#include "services/ctl/ask.h"
#include "services/ctl/table.h"

struct campaign {
    char sku[NAME_SIZE];
    int64_t budget, packets, min_amount, budget_left, packets_left;
};

int redpacket_ask(const struct ctl *ctl, const char *method, json_t *body, json_t **result)
{
    struct rpc_caller *rpc = NULL;
    int status = ctl_caller(ctl, &rpc);
    if (status == EXIT_OK) {
        const struct ctl_question question = {.whom = "the red packets' service",
                                              .routing_key = KEY_RPC_REDPACKET,
                                              .method = method,
                                              .body = body};
        status = ctl_ask(rpc, &question, result, NULL);
    }
    rpc_caller_free(rpc);
    json_decref(body);
    return status;
}

static int read_campaign(const json_t *value, struct campaign *c)
{
    struct detail why;
    int rc;
    if ((rc = json_read_name(value, "sku", c->sku, &why)) ||
        (rc = json_read_int(value, "budget", 0, INT64_MAX, &c->budget, &why)) ||
        (rc = json_read_int(value, "packets", 0, INT64_MAX, &c->packets, &why)) ||
        (rc = json_read_int(value, "min_amount", 1, INT64_MAX, &c->min_amount, &why)) ||
        (rc = json_read_int(value, "budget_left", 0, c->budget, &c->budget_left, &why)) ||
        (rc = json_read_int(value, "packets_left", 0, c->packets, &c->packets_left, &why)))
        return ctl_fail(EXIT_SOFTWARE, "the red packets' answer cannot be read: %s", why.text);
    return EXIT_OK;
}

static int print_json(const json_t *value)
{
    json_dumpf(value, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    putchar('\n');
    return EXIT_OK;
}

int campaign_print(json_t *value, bool as_json)
{
    struct campaign c;
    int status = read_campaign(value, &c);
    if (status || as_json)
        return status ? status : print_json(value);
    static const char *const columns[] = {"", "", NULL};
    struct table *t = table_new(columns);
    table_add(t, "sku");
    table_add(t, c.sku);
    table_add(t, "budget");
    table_addf(t, "%" PRId64 " left of %" PRId64, c.budget_left, c.budget);
    table_add(t, "packets");
    table_addf(t, "%" PRId64 " left of %" PRId64, c.packets_left, c.packets);
    table_add(t, "minimum");
    table_addf(t, "%" PRId64, c.min_amount);
    table_print(t, stdout);
    table_free(t);
    return EXIT_OK;
}

int campaign_list_print(json_t *list, bool as_json)
{
    static const char *const columns[] = {"SKU",           ">BUDGET",  ">LEFT", ">PACKETS",
                                          ">PACKETS LEFT", ">MINIMUM", NULL};
    if (as_json)
        return print_json(list);
    struct table *t = table_new(columns);
    int status = EXIT_OK;
    size_t i;
    const json_t *value;
    json_array_foreach(json_object_get(list, "campaigns"), i, value)
    {
        struct campaign c;
        if ((status = read_campaign(value, &c)))
            break;
        table_add(t, c.sku);
        table_addf(t, "%" PRId64, c.budget);
        table_addf(t, "%" PRId64, c.budget_left);
        table_addf(t, "%" PRId64, c.packets);
        table_addf(t, "%" PRId64, c.packets_left);
        table_addf(t, "%" PRId64, c.min_amount);
    }
    if (status == EXIT_OK)
        table_print(t, stdout);
    table_free(t);
    return status;
}
