/* What an audit found: kept, and shown to people and programs. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "common/base/alloc.h"
#include "services/ctl/audit.h"
#include "services/ctl/table.h"

static const struct audit_invariant blank[AUDIT_INVARIANTS] = {
    [AUDIT_DECIDED_ONCE] = {.number = 1, .title = "every accepted order is decided once", .unit = "orders"},
    [AUDIT_STOCK] = {.number = 2, .title = "confirmed + left = stocked", .unit = "items"},
    [AUDIT_LIMIT] = {.number = 3, .title = "no user beyond the limit", .unit = "confirmed orders"},
    [AUDIT_EVENTS] = {.number = 4, .title = "told once, red packets within budget", .unit = "events"},
    [AUDIT_BATCHES] = {.number = 5, .title = "published = decided + queued + dead", .unit = "batches"},
};

void audit_report_start(struct audit_report *report)
{
    *report = (struct audit_report){.settled = true};
    memcpy(report->invariants, blank, sizeof(blank));
}

void audit_invariant_clear(struct audit_invariant *v)
{
    for (int k = 0; k < v->kept; k++)
        free(v->findings[k]);
    v->kept = 0;
    v->broken = v->checked = 0;
}

void audit_report_free(struct audit_report *report)
{
    for (int i = 0; i < AUDIT_INVARIANTS; i++)
        audit_invariant_clear(&report->invariants[i]);
    *report = (struct audit_report){0};
}

void audit_invariant_found(struct audit_invariant *v, int64_t times, const char *format, va_list args)
{
    v->broken += times;
    if (v->kept == AUDIT_FINDINGS_KEPT)
        return;
    char text[512];
    vsnprintf(text, sizeof(text), format, args);
    v->findings[v->kept++] = xstrdup(text);
}

void audit_found(struct audit_report *report, int invariant, int64_t times, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    audit_invariant_found(&report->invariants[invariant], times, format, args);
    va_end(args);
}

static bool any_broken(const struct audit_report *report)
{
    for (int i = 0; i < AUDIT_INVARIANTS; i++)
        if (report->invariants[i].broken > 0)
            return true;
    return false;
}

bool audit_holds(const struct audit_report *report)
{
    return report->settled && !any_broken(report);
}

/* What is lost can only be told apart from what moves when nothing moves: the invariants about that wait. */
static const char *verdict(const struct audit_report *report, int invariant)
{
    if (report->invariants[invariant].broken > 0)
        return "BROKEN";
    if (report->invariants[invariant].unchecked)
        return "not checked";
    if (!report->settled && invariant != AUDIT_STOCK && invariant != AUDIT_LIMIT)
        return "not settled";
    return "holds";
}

static void print_letters(const struct audit_report *r, FILE *out)
{
    const struct audit_letters *l = &r->letters;
    fprintf(out, "dead      %" PRId64 " letters", r->queues.dead);
    if (l->made > 0)
        fprintf(out,
                "; of %" PRId64 " that were made, %" PRId64 " were replayed, %" PRId64 " dropped, %" PRId64
                " neither",
                l->made, l->replayed, l->dropped, l->unsettled);
    fputc('\n', out);
}

static void print_events(const struct audit_report *r, FILE *out)
{
    if (r->has_redpacket)
        fprintf(out, "packets   %" PRId64 " granted, for %" PRId64 " confirmed orders\n", r->granted,
                r->packets);
    if (r->has_notification)
        fprintf(out, "notified  %" PRId64 " records, of which %" PRId64 " failed for good\n", r->records,
                r->failed);
    if (!r->has_redpacket || !r->has_notification)
        fprintf(out, "unchecked %s: there is no file of %s, which was never set up here\n",
                r->has_redpacket || r->has_notification ? "half of invariant 4" : "invariant 4",
                r->has_redpacket      ? "seckill-notification"
                : r->has_notification ? "seckill-redpacket"
                                      : "seckill-notification and seckill-redpacket");
}

static void print_facts(const struct audit_report *r, FILE *out)
{
    fprintf(out, "\naccepted  %" PRId64 " orders in %" PRId64 " batches, by %" PRId64 " ledgers\n", r->orders,
            r->batches, r->ledgers);
    fprintf(out, "decided   %" PRId64 " orders: %" PRId64 " confirmed, %" PRId64 " rejected\n", r->decided,
            r->confirmed, r->rejected);
    fprintf(out, "queued    %" PRId64 " messages\n", r->queues.ready);
    if (r->unseen_batches > 0)
        fprintf(out,
                "unseen    %" PRId64 " accepted orders in %" PRId64
                " batches, by inventory; taken to be among the"
                " queued messages, which only an empty queue can prove\n",
                r->unseen_orders, r->unseen_batches);
    print_letters(r, out);
    print_events(r, out);
    if (r->outbox > 0)
        fprintf(out, "outbox    %" PRId64 " messages that inventory has still to publish\n", r->outbox);
}

void audit_print(const struct audit_report *r, FILE *out)
{
    static const char *const columns[] = {">", "INVARIANT", ">CHECKED", "OF", "VERDICT", NULL};
    struct table *t = table_new(columns);
    for (int i = 0; i < AUDIT_INVARIANTS; i++) {
        table_addf(t, "%d", r->invariants[i].number);
        table_add(t, r->invariants[i].title);
        table_addf(t, "%" PRId64, r->invariants[i].checked);
        table_add(t, r->invariants[i].unit);
        table_add(t, verdict(r, i));
    }
    table_print(t, out);
    table_free(t);
    print_facts(r, out);

    for (int i = 0; i < AUDIT_INVARIANTS; i++) {
        const struct audit_invariant *v = &r->invariants[i];
        if (v->broken == 0)
            continue;
        fprintf(out, "\ninvariant %d is broken, %" PRId64 " times:\n", v->number, v->broken);
        for (int k = 0; k < v->kept; k++)
            fprintf(out, "  %s\n", v->findings[k]);
        if (v->kept == AUDIT_FINDINGS_KEPT)
            fprintf(out, "  (the first %d are shown)\n", AUDIT_FINDINGS_KEPT);
    }
    if (!r->settled)
        fprintf(out, "\nnot settled: %s\n", r->moving);
    fprintf(out, "\n%s\n",
            audit_holds(r)  ? r->invariants[AUDIT_EVENTS].unchecked
                                  ? "audit: every invariant that could be checked holds"
                                  : "audit: every invariant holds"
            : any_broken(r) ? "audit: FAILED"
                            : "audit: not proved, because something still moves; try a longer --wait");
}

void audit_print_json(const struct audit_report *r, FILE *out)
{
    json_t *list = json_array();
    for (int i = 0; i < AUDIT_INVARIANTS; i++) {
        const struct audit_invariant *v = &r->invariants[i];
        json_t *findings = json_array();
        for (int k = 0; k < v->kept; k++)
            json_array_append_new(findings, json_string(v->findings[k]));
        json_array_append_new(list, json_pack("{s:i, s:s, s:s, s:I, s:s, s:I, s:o}", "number", v->number,
                                              "title", v->title, "verdict", verdict(r, i), "checked",
                                              (json_int_t)v->checked, "unit", v->unit, "broken",
                                              (json_int_t)v->broken, "findings", findings));
    }
    json_t *all = json_pack(
        "{s:b, s:b, s:s, s:o, s:{s:I, s:I, s:I}, s:{s:I, s:I, s:I, s:I}, s:{s:I, s:I, s:I}, s:I, s:I}",
        "holds", audit_holds(r), "settled", r->settled, "moving", r->moving, "invariants", list, "accepted",
        "orders", (json_int_t)r->orders, "batches", (json_int_t)r->batches, "ledgers", (json_int_t)r->ledgers,
        "decided", "orders", (json_int_t)r->decided, "confirmed", (json_int_t)r->confirmed, "rejected",
        (json_int_t)r->rejected, "items", (json_int_t)r->items, "queued", "messages",
        (json_int_t)r->queues.ready, "unseen_batches", (json_int_t)r->unseen_batches, "unseen_orders",
        (json_int_t)r->unseen_orders, "dead", (json_int_t)r->queues.dead, "outbox", (json_int_t)r->outbox);
    const struct audit_letters *l = &r->letters;
    json_object_set_new(all, "letters",
                        json_pack("{s:I, s:I, s:I, s:I}", "made", (json_int_t)l->made, "replayed",
                                  (json_int_t)l->replayed, "dropped", (json_int_t)l->dropped, "unsettled",
                                  (json_int_t)l->unsettled));
    if (r->has_notification)
        json_object_set_new(
            all, "notifications",
            json_pack("{s:I, s:I}", "records", (json_int_t)r->records, "failed", (json_int_t)r->failed));
    if (r->has_redpacket)
        json_object_set_new(
            all, "red_packets",
            json_pack("{s:I, s:I}", "orders", (json_int_t)r->packets, "granted", (json_int_t)r->granted));
    json_dumpf(all, out, JSON_INDENT(2));
    fputc('\n', out);
    json_decref(all);
}
