/* See audit_events.h. */
#include "services/ctl/audit_events.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/pipeline/event_message.h"
#include "common/store/statement.h"
#include "services/ctl/audit_packets.h"
#include "services/ctl/service_file.h"

#define ID_SIZE 64 /* an order id, or whatever stands in its place in a damaged file */

enum { PENDING = 1, SENT = 2, WAITING = 3, FAILED = 4 }; /* notification.state */
enum { GRANTED = 1 };                                    /* packet.status */
enum { KINDS = EVENT_KIND_GRANTED + 1 };                 /* from 1 */
enum { ORDER_USER = 1, ORDER_SKU, ORDER_REASON };        /* columns */
enum { PACKET_USER = 1, PACKET_SKU, PACKET_STATUS };
enum { RECORD_KIND = 1, RECORD_STATE };

struct walk { /* through one table, by order_id */
    struct store *store;
    struct statement *rows;
    bool more;
    char id[ID_SIZE];
};

struct events {
    struct walk *shards;
    int shard_count;
    struct walk notification, redpacket; /* no store: there is no file */
    struct statement *letter;            /* of a notification that failed */
    struct audit_report *report;
    struct audit_invariant *missing;
};

/* What the files have of one order. */
struct case_file {
    const char *id;
    struct walk *order;  /* NULL: no shard has it */
    struct walk *packet; /* NULL: there is none */
    int states[KINDS];   /* of its records; 0: there is none */
};

static void found(struct events *e, const char *format, ...) PRINTF_LIKE(2, 3);
static void found(struct events *e, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    audit_invariant_found(&e->report->invariants[AUDIT_EVENTS], 1, format, args);
    va_end(args);
}

static void missed(struct events *e, const char *format, ...) PRINTF_LIKE(2, 3);
static void missed(struct events *e, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    audit_invariant_found(e->missing, 1, format, args);
    va_end(args);
}

/* ---- walking ---- */

static int step(struct walk *w, struct detail *why)
{
    int row = statement_next(w->rows);
    w->more = row == 1;
    if (row == 1)
        statement_copy_text(w->rows, 0, w->id, sizeof(w->id));
    else if (row < 0)
        detail_set(why, "%s", store_error(w->store));
    return row < 0 ? row : 0;
}

/* The file, opened with this result, as of this moment, before its first row. */
static int begin(struct walk *w, int rc, const char *path, const char *sql, struct detail *why)
{
    if (rc == 0 && (rc = store_execute(w->store, "BEGIN")))
        detail_set(why, "%s: %s", path, store_error(w->store));
    if (rc == 0)
        rc = statement_prepare(&w->rows, w->store, sql, why);
    return rc ? rc : step(w, why);
}

static void end(struct walk *w)
{
    statement_free(w->rows);
    store_close(w->store);
    *w = (struct walk){0};
}

static bool is_at(const struct walk *w, const char *id)
{
    return w->more && strcmp(w->id, id) == 0;
}

static void look_for_least(const struct walk *w, const char **least)
{
    if (w->more && (!*least || strcmp(w->id, *least) < 0))
        *least = w->id;
}

/* ---- judging one order ---- */

/* Whether its letter was made, and what became of it. */
static int judge_failed(struct events *e, const char *id, int kind, struct detail *why)
{
    char key[ID_SIZE + 16];
    snprintf(key, sizeof(key), "%s-%d", id, kind);
    statement_bind_text(e->letter, 1, slice_of(key));
    int row = statement_next(e->letter);
    if (row < 0) {
        detail_set(why, "%s", store_error(e->notification.store));
        return row;
    }
    if (row == 0)
        found(e, "order %s: its message of %s failed, and there is no dead letter of it", id,
              event_kind_name((enum event_kind)kind));
    else if (slice_is(statement_text(e->letter, 0), "replayed"))
        missed(e,
               "order %s: its message of %s failed, was replayed from the dead letters, and is still failed",
               id, event_kind_name((enum event_kind)kind));
    statement_reset(e->letter);
    e->report->failed++;
    return 0;
}

static int judge_state(struct events *e, const struct case_file *c, int kind, struct detail *why)
{
    const char *name = event_kind_name((enum event_kind)kind);
    switch (c->states[kind]) {
    case PENDING:
        missed(e, "order %s: its message of %s is recorded as pending, and nothing is there to be sent",
               c->id, name);
        return 0;
    case WAITING:
        missed(e, "order %s: its message of %s waits for its next attempt, and no queue has it", c->id, name);
        return 0;
    case FAILED:
        return judge_failed(e, c->id, kind, why);
    default:
        return 0;
    }
}

static int decision_of(const struct case_file *c)
{
    if (!c->order)
        return 0;
    return statement_int(c->order->rows, ORDER_REASON) == 0 ? EVENT_KIND_CONFIRMED : EVENT_KIND_REJECTED;
}

/* A record for each event, and no other. */
static int judge_records(struct events *e, const struct case_file *c, struct detail *why)
{
    bool granted = c->packet && statement_int(c->packet->rows, PACKET_STATUS) == GRANTED;
    int decided = decision_of(c), rc = 0;
    for (int kind = 1; kind < KINDS && rc == 0; kind++) {
        const char *name = event_kind_name((enum event_kind)kind);
        bool is_event = kind == EVENT_KIND_GRANTED ? granted : kind == decided;
        bool can_tell = kind != EVENT_KIND_GRANTED || e->redpacket.store;
        if (is_event)
            e->report->invariants[AUDIT_EVENTS].checked++;
        if (is_event && c->states[kind] == 0)
            missed(e, "order %s has no notification record of %s", c->id, name);
        else if (!is_event && c->states[kind] != 0 && can_tell)
            found(e, "order %s has a notification record of %s, which never happened%s", c->id, name,
                  c->order ? "" : ": no inventory file has the order");
        if (c->states[kind] != 0)
            rc = judge_state(e, c, kind, why);
    }
    return rc;
}

static bool is_same(struct statement *a, int column_a, struct statement *b, int column_b)
{
    struct slice x = statement_text(a, column_a), y = statement_text(b, column_b);
    return x.len == y.len && memcmp(x.data, y.data, x.len) == 0;
}

static void judge_packet(struct events *e, const struct case_file *c)
{
    bool is_confirmed = decision_of(c) == EVENT_KIND_CONFIRMED;
    if (is_confirmed)
        e->report->invariants[AUDIT_EVENTS].checked++;
    if (is_confirmed && !c->packet)
        missed(e, "order %s is confirmed, and no red packet was decided for it", c->id);
    else if (c->packet && !is_confirmed)
        found(e, "order %s has a red packet, and is %s", c->id,
              c->order ? "rejected" : "in no inventory file");
    else if (c->packet && (!is_same(c->order->rows, ORDER_USER, c->packet->rows, PACKET_USER) ||
                           !is_same(c->order->rows, ORDER_SKU, c->packet->rows, PACKET_SKU)))
        found(e, "order %s: its red packet names another user or item than the order", c->id);
}

/* The order of the least id among those that are next, and steps beyond it. 1: there was one. */
static int judge_next(struct events *e, struct detail *why)
{
    const char *least = NULL;
    char id[ID_SIZE];
    struct case_file c = {.id = id};
    for (int i = 0; i < e->shard_count; i++)
        look_for_least(&e->shards[i], &least);
    look_for_least(&e->notification, &least);
    look_for_least(&e->redpacket, &least);
    if (!least)
        return 0;
    memcpy(id, least, sizeof(id));
    for (int i = 0; i < e->shard_count; i++)
        if (is_at(&e->shards[i], id))
            c.order = &e->shards[i];
    if (is_at(&e->redpacket, id))
        c.packet = &e->redpacket;
    int rc = 0;
    while (rc == 0 && is_at(&e->notification, id)) {
        int64_t kind = statement_int(e->notification.rows, RECORD_KIND);
        if (kind >= 1 && kind < KINDS)
            c.states[kind] = (int)statement_int(e->notification.rows, RECORD_STATE);
        e->report->records++;
        rc = step(&e->notification, why);
    }
    if (rc == 0 && e->notification.store)
        rc = judge_records(e, &c, why);
    if (rc == 0 && e->redpacket.store)
        judge_packet(e, &c);
    if (rc == 0 && c.packet)
        rc = step(&e->redpacket, why);
    for (int i = 0; i < e->shard_count && rc == 0; i++)
        if (is_at(&e->shards[i], id))
            rc = step(&e->shards[i], why);
    return rc ? rc : 1;
}

/* ---- all of them ---- */

static int open_all(struct events *e, const struct audit_options *files, struct detail *why)
{
    int rc = 0;
    if (files->notification) {
        rc = begin(&e->notification,
                   store_open(&e->notification.store, files->notification, STORE_READER, why),
                   files->notification,
                   "SELECT order_id, kind, state FROM notification ORDER BY order_id, kind", why);
        if (rc == 0)
            rc = statement_prepare(&e->letter, e->notification.store,
                                   "SELECT coalesce(settled, '') FROM dead_letter WHERE message = ?1", why);
    }
    if (rc == 0 && files->redpacket)
        rc = begin(&e->redpacket, store_open(&e->redpacket.store, files->redpacket, STORE_READER, why),
                   files->redpacket, "SELECT order_id, user_id, sku, status FROM packet ORDER BY order_id",
                   why);
    for (int i = 0; i < e->shard_count && rc == 0; i++)
        rc = begin(&e->shards[i], inventory_file_open(&e->shards[i].store, files->stores[i], why),
                   files->stores[i], "SELECT order_id, user_id, sku, reason FROM orders ORDER BY order_id",
                   why);
    return rc;
}

int events_check(const struct audit_options *files, struct audit_report *report,
                 struct audit_invariant *missing, struct detail *why)
{
    struct events e = {.shards = xcalloc((size_t)files->store_count, sizeof(struct walk)),
                       .shard_count = files->store_count,
                       .report = report,
                       .missing = missing};
    audit_invariant_clear(&report->invariants[AUDIT_EVENTS]);
    audit_invariant_clear(missing);
    report->records = report->failed = 0;
    int rc = open_all(&e, files, why);
    if (rc == 0 && files->redpacket)
        rc = packets_check(e.redpacket.store, report, why);
    while (rc == 0 && (rc = judge_next(&e, why)) == 1)
        rc = 0;
    statement_free(e.letter);
    end(&e.notification);
    end(&e.redpacket);
    for (int i = 0; i < e.shard_count; i++)
        end(&e.shards[i]);
    free(e.shards);
    return rc;
}
