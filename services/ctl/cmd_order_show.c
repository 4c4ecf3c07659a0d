/* order show: an order's whole life, as all services know it. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "services/ctl/commands.h"
#include "services/ctl/order_life.h"
#include "services/ctl/table.h"

const struct ctl_option cmd_order_show_options[] = {
    CTL_OPTION_JSON,
    {NULL, NULL, NULL},
};

/* ---- for programs: what GET /v1/orders/{id} answers ---- */

static void print_json(const struct order_life *o)
{
    const struct decision *d = &o->decision;
    char text[RFC3339_SIZE];
    json_t *value = json_pack("{s:s, s:s, s:s, s:s, s:i}", "order_id", d->order_id, "status",
                              order_status_name(d->status), "user_id", d->user_id, "sku", d->sku, "quantity",
                              (int)d->quantity);
    if (d->status == ORDER_CONFIRMED) {
        json_object_set_new(value, "unit_price", json_integer(d->unit_price));
        json_object_set_new(value, "total", json_integer(d->total));
        json_object_set_new(value, "receipt_no", json_integer(d->receipt_no));
        json_object_set_new(value, "decided_at", json_string(rfc3339_format(d->at_ms, text)));
    } else {
        json_object_set_new(value, "reason", json_string(reject_reason_name(d->reason)));
    }
    if (o->packet_amount > 0)
        json_object_set_new(value, "red_packet", json_pack("{s:I}", "amount", (json_int_t)o->packet_amount));
    json_dumpf(value, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(value);
}

/* ---- for people ---- */

static void print_terms(const struct order_life *o)
{
    static const char *const columns[] = {"", "", NULL};
    const struct decision *d = &o->decision;
    struct table *t = table_new(columns);
    table_add(t, "order");
    table_add(t, d->order_id);
    table_add(t, "status");
    table_add(t, order_status_name(d->status));
    if (d->status == ORDER_REJECTED) {
        table_add(t, "reason");
        table_add(t, reject_reason_name(d->reason));
    }
    table_add(t, "user");
    table_add(t, d->user_id);
    table_add(t, "item");
    table_add(t, d->sku);
    table_add(t, "quantity");
    table_addf(t, "%" PRId32, d->quantity);
    if (d->status == ORDER_CONFIRMED) {
        table_add(t, "total");
        table_addf(t, "%" PRId64 " (%" PRId32 " x %" PRId64 ")", d->total, d->quantity, d->unit_price);
        table_add(t, "receipt");
        table_addf(t, "%" PRId64, d->receipt_no);
    }
    table_print(t, stdout);
    table_free(t);
    putchar('\n');
}

static void add_moment(struct table *t, int64_t at_ms)
{
    char text[RFC3339_SIZE];
    table_add(t, at_ms > 0 ? rfc3339_format(at_ms, text) : "-");
}

static void add_step(struct table *t, int64_t at_ms, const char *who, const char *what)
{
    add_moment(t, at_ms);
    table_add(t, who);
    table_add(t, what);
}

static void add_decision(struct table *t, const struct order_life *o)
{
    const struct decision *d = &o->decision;
    char who[32], limit[64] = "";
    snprintf(who, sizeof(who), "inventory.%d", o->shard);
    if (o->limit_per_user > 0)
        snprintf(limit, sizeof(limit), ", within the limit of %" PRId64 " for each buyer", o->limit_per_user);
    add_moment(t, d->at_ms);
    table_add(t, who);
    table_addf(t, "%s%s%s%s%s", order_status_name(d->status), d->status == ORDER_REJECTED ? ": " : "",
               reject_reason_name(d->reason), limit, o->archived ? "; now in the archive" : "");
}

static void add_packet(struct table *t, const struct order_life *o)
{
    if (o->decision.status != ORDER_CONFIRMED)
        return;
    add_moment(t, o->packet_ms);
    table_add(t, "redpacket");
    if (o->packet_amount > 0)
        table_addf(t, "red packet of %" PRId64, o->packet_amount);
    else if (strcmp(o->packet, "none_left") == 0)
        table_add(t, "no red packet: none was left");
    else if (strcmp(o->packet, "no_campaign") == 0)
        table_add(t, "no red packet: the item had no campaign");
    else if (strcmp(o->packet, "unknown") == 0)
        table_add(t, "nothing yet: the event is on its way");
    else
        table_add(t, "not known: the service does not answer");
}

static void add_record(struct table *t, const json_t *record)
{
    const char *event = json_string_value(json_object_get(record, "event"));
    const char *state = json_string_value(json_object_get(record, "state"));
    const char *error = json_string_value(json_object_get(record, "last_error"));
    json_int_t attempts = json_integer_value(json_object_get(record, "attempts"));
    add_moment(t, json_integer_value(json_object_get(record, "changed_ms")));
    table_add(t, "notification");
    table_addf(t, "message of %s: %s, %" PRId64 " attempt%s%s%s", event ? event : "?", state ? state : "?",
               (int64_t)attempts, attempts == 1 ? "" : "s", error ? "; last error: " : "",
               error ? error : "");
}

static void add_records(struct table *t, const struct order_life *o)
{
    size_t i;
    const json_t *record;
    if (!o->records)
        add_step(t, 0, "notification", "not known: the service does not answer");
    else if (json_array_size(o->records) == 0)
        add_step(t, 0, "notification", "nothing yet: the event is on its way");
    json_array_foreach(o->records, i, record) add_record(t, record);
}

static void add_letters(struct table *t, const struct order_life *o)
{
    size_t i;
    const json_t *letter;
    json_array_foreach(o->letters, i, letter)
    {
        const char *at = json_string_value(json_object_get(letter, "at"));
        const char *queue = json_string_value(json_object_get(letter, "queue"));
        const char *reason = json_string_value(json_object_get(letter, "reason"));
        const char *detail = json_string_value(json_object_get(letter, "detail"));
        table_add(t, at ? at : "-");
        table_add(t, "dead letter");
        table_addf(t, "%s, from %s: %s%s%s", json_string_value(json_object_get(letter, "id")),
                   queue ? queue : "?", reason ? reason : "?", detail ? ": " : "", detail ? detail : "");
    }
}

static void print_steps(const struct order_life *o)
{
    static const char *const columns[] = {"AT", "BY", "WHAT", NULL};
    struct table *t = table_new(columns);
    if (o->is_decided) {
        add_step(t, o->accepted_ms, "order", "accepted");
        add_decision(t, o);
    }
    if (o->is_decided && !o->from_file) {
        add_packet(t, o);
        add_records(t, o);
    }
    add_letters(t, o);
    table_print(t, stdout);
    table_free(t);
}

static int print_undecided(const struct ctl *ctl, const struct order_life *o)
{
    if (ctl_json(ctl)) {
        printf("{\n  \"order_id\": \"%s\",\n  \"status\": \"unknown\"\n}\n", ctl->argument);
        return EXIT_FAILED;
    }
    if (json_array_size(o->letters) > 0)
        print_steps(o);
    return ctl_fail(EXIT_FAILED, "order %s is not decided: %s", ctl->argument,
                    json_array_size(o->letters) > 0 ? "see its dead letter" : "still queued, or never was");
}

int cmd_order_show(const struct ctl *ctl)
{
    if (!order_id_is_well_formed(ctl->argument, strlen(ctl->argument)))
        return ctl_bad_usage(ctl, "\"%s\" is no order id: %d characters of Crockford base32, upper case",
                             ctl->argument, ORDER_ID_CHARS);
    struct order_life order;
    const bool is_for_people = !ctl_json(ctl);
    const struct order_life_wants wants = {.records = is_for_people, .letters = is_for_people};
    int status = order_life_read(ctl, ctl->argument, &wants, &order);
    if (status == EXIT_OK && !order.is_decided) {
        status = print_undecided(ctl, &order);
    } else if (status == EXIT_OK && ctl_json(ctl)) {
        print_json(&order);
    } else if (status == EXIT_OK) {
        print_terms(&order);
        print_steps(&order);
    }
    order_life_free(&order);
    return status;
}
