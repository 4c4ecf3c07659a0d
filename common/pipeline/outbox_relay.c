#include "common/pipeline/outbox_relay.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/broker/publish.h"
#include "common/pipeline/names.h"
#include "common/pipeline/outbox.h"
#include "common/pipeline/outbox_bundles.h"
#include "common/store/statement.h"

#define BACKOFF_FIRST_NS (1 * NS_PER_S)
#define BACKOFF_MAX_NS   (30 * NS_PER_S)
#define SWEEP_AFTER_NS   (200 * NS_PER_MS) /* confirmed rows wait so long for a transaction to ride in */
#define SWEEP_COUNT      256               /* and at most so many of them */
#define MESSAGE_ID_SIZE  128
#define LOOK_MAX_NS      (1 * NS_PER_S) /* between two looks more than that is not the broker's time */
#define NOT_YET          (-1)

/* A lane begins no row while this much of it is in flight. Events can wait, orders cannot: in a backlog each
 * event that the broker takes costs it time that the orders which it delivers, and their decisions, could
 * have. */
#define FLIGHT_BYTES_MAX OUTBOX_BODY_MAX

enum { NEXT, LAST, REMOVE, STATEMENTS };

static const char *const sql[STATEMENTS] = {
    [NEXT] = ("SELECT id, routing_key, message_id, headers, body FROM outbox"
              " WHERE exchange = ?1 AND id > ?2 ORDER BY id LIMIT 1"),
    [LAST] = "SELECT max(id) FROM outbox",
    [REMOVE] = "DELETE FROM outbox WHERE id = ?1",
};

struct lane {
    const char *exchange;
    int64_t cursor;     /* the last row that was published or passed */
    bool more;          /* there may be rows behind the cursor */
    bool again;         /* rows before the cursor stayed: begin again once nothing of the lane is in flight */
    int64_t paused_ns;  /* not before this moment; 0: now */
    int64_t backoff_ns; /* the next pause; 0: none yet */
    int in_flight, lines_in_flight; /* messages; of those, the ones made of rows of lines */
    size_t bytes_in_flight;
};

struct flight {   /* in the order of their tags */
    int64_t *ids; /* its rows; owned */
    int count;
    uint64_t tag;
    int64_t waited_ns; /* for its confirm; NOT_YET before the first look */
    struct lane *lane;
    size_t bytes;
    bool is_lines, returned;
    char message_id[MESSAGE_ID_SIZE];
};

struct outbox_relay {
    struct store *store;
    const char *name;
    int window;
    int64_t confirm_timeout_ns;
    struct statement *st[STATEMENTS];
    struct lane lanes[RELAY_LANES_MAX];
    int lane_count;
    struct bundles bundles; /* of the lane that is being run */
    struct flight *flights;
    int flight_count;
    int64_t looked_ns;  /* when outbox_relay_is_overdue was asked last */
    int64_t *confirmed; /* ids to delete */
    size_t confirmed_count, confirmed_cap;
    size_t swept; /* how many of them the open transaction deleted */
    int64_t confirmed_since_ns;
};

int outbox_relay_new(struct outbox_relay **out, struct store *store,
                     const struct outbox_relay_options *options, struct detail *why)
{
    struct outbox_relay *r = xcalloc(1, sizeof *r);
    r->store = store;
    r->name = options->name;
    r->window = options->window;
    r->confirm_timeout_ns = options->confirm_timeout_ms * NS_PER_MS;
    for (; options->exchanges[r->lane_count]; r->lane_count++)
        r->lanes[r->lane_count] = (struct lane){.exchange = options->exchanges[r->lane_count], .more = true};
    int error = statements_prepare(r->st, store, sql, STATEMENTS, why);
    if (error) {
        free(r);
        return error;
    }
    r->flights = xcalloc((size_t)r->lane_count * (size_t)r->window, sizeof *r->flights);
    *out = r;
    return 0;
}

static void flights_drop(struct outbox_relay *r)
{
    for (int i = 0; i < r->flight_count; i++)
        free(r->flights[i].ids);
    r->flight_count = 0;
}

void outbox_relay_free(struct outbox_relay *r)
{
    if (!r)
        return;
    statements_free(r->st, STATEMENTS);
    bundles_free(&r->bundles);
    flights_drop(r);
    free(r->flights);
    free(r->confirmed);
    free(r);
}

void outbox_relay_wake(struct outbox_relay *r)
{
    for (int i = 0; i < r->lane_count; i++)
        r->lanes[i].more = true;
}

/* Headers are stored as a JSON object; their bytes live in *json as long as the message is being published.
 */
static void read_headers(json_t *json, struct broker_properties *p)
{
    const char *name;
    json_t *value;
    json_object_foreach(json, name, value)
    {
        if (p->header_count == BROKER_MAX_HEADERS)
            return;
        struct broker_header *h = &p->headers[p->header_count++];
        h->name = slice_of(name);
        h->is_text = json_is_string(value);
        if (h->is_text)
            h->text = (struct slice){.data = json_string_value(value), .len = json_string_length(value)};
        else
            h->number = json_integer_value(value);
    }
}

static void publish_message(struct outbox_relay *r, const struct flight *flight, const char *routing_key,
                            struct slice body, json_t *headers, struct broker_connection *publish)
{
    struct flight *f = &r->flights[r->flight_count];
    *f = *flight;
    f->bytes = body.len;
    f->waited_ns = NOT_YET;
    struct broker_message message = {
        .exchange = f->lane->exchange,
        .routing_key = routing_key,
        .mandatory = true,
        .properties = {.content_type = slice_of(TYPE_LINES),
                       .message_id = slice_of(f->message_id),
                       .persistent = true},
        .body = body,
    };
    if (headers)
        read_headers(headers, &message.properties);
    FAULT_POINT("relay.before_publish");
    if (broker_publish(publish, &message, &f->tag) != 0) {
        free(f->ids); /* the lane begins anew when the connection's end is noticed */
        return;
    }
    r->flight_count++;
    f->lane->in_flight++;
    f->lane->lines_in_flight += f->is_lines;
    f->lane->bytes_in_flight += f->bytes;
    FAULT_POINT("relay.published");
}

/* The row that the statement stands on is a message of its own. */
static void send_row(struct outbox_relay *r, struct lane *lane, struct statement *row,
                     struct broker_connection *publish)
{
    struct flight f = {.lane = lane, .ids = xmalloc(sizeof *f.ids), .count = 1};
    f.ids[0] = statement_int(row, 0);
    if (statement_is_null(row, 2))
        snprintf(f.message_id, sizeof f.message_id, "%s-%" PRId64, r->name, f.ids[0]);
    else
        statement_copy_text(row, 2, f.message_id, sizeof f.message_id);
    char routing_key[ROUTING_KEY_SIZE];
    statement_copy_text(row, 1, routing_key, sizeof routing_key);
    struct slice headers = statement_text(row, 3);
    json_t *json = headers.len ? json_loadb(headers.data, headers.len, 0, NULL) : NULL;
    publish_message(r, &f, routing_key, statement_blob(row, 4), json, publish);
    json_decref(json);
}

static void send_bundle(struct outbox_relay *r, struct lane *lane, const struct bundle *b,
                        struct broker_connection *publish)
{
    struct flight f = {.lane = lane, .count = b->count, .is_lines = true};
    int64_t first = b->ids[0], last = b->ids[b->count - 1];
    f.ids = xmalloc((size_t)b->count * sizeof *f.ids);
    memcpy(f.ids, b->ids, (size_t)b->count * sizeof *f.ids);
    if (b->count == 1)
        snprintf(f.message_id, sizeof f.message_id, "%s-%" PRId64, r->name, first);
    else /* never the id of other rows: after a crash others may come together */
        snprintf(f.message_id, sizeof f.message_id, "%s-%" PRId64 "-%" PRId64, r->name, first, last);
    publish_message(r, &f, b->routing_key, (struct slice){.data = b->body.data, .len = b->body.len}, NULL,
                    publish);
}

/* Adds the row that the statement stands on to its bundle. false: it has no room in this round. */
static bool bundle_row(struct outbox_relay *r, const struct lane *lane, struct statement *row)
{
    char routing_key[ROUTING_KEY_SIZE];
    statement_copy_text(row, 1, routing_key, sizeof routing_key);
    return bundles_add(&r->bundles, routing_key, statement_int(row, 0), statement_blob(row, 4),
                       r->window - lane->in_flight);
}

static bool is_of_lines(struct statement *row)
{
    return statement_is_null(row, 2) && statement_is_null(row, 3);
}

/* Nothing is left behind the cursor: the next search begins behind all that is there now, so that a short
 * lane does not walk over a long one's rows each time. */
static int pass_all(struct outbox_relay *r, struct lane *lane)
{
    lane->more = false;
    int row = statement_next(r->st[LAST]);
    if (row == 1 && statement_int(r->st[LAST], 0) > lane->cursor)
        lane->cursor = statement_int(r->st[LAST], 0);
    statement_reset(r->st[LAST]);
    return row < 0 ? row : 0;
}

static bool lane_has_room(const struct outbox_relay *r, const struct lane *lane)
{
    return lane->in_flight < r->window && lane->bytes_in_flight < FLIGHT_BYTES_MAX &&
           lane->lines_in_flight == 0;
}

/* The next row. 1: more may go out in this round; 0: no more; or an error. */
static int take_row(struct outbox_relay *r, struct lane *lane, struct broker_connection *publish)
{
    struct statement *next = r->st[NEXT];
    statement_bind_text(next, 1, slice_of(lane->exchange));
    statement_bind_int(next, 2, lane->cursor);
    int row = statement_next(next);
    bool taken = false;
    if (row == 1 && is_of_lines(next)) {
        taken = bundle_row(r, lane, next);
    } else if (row == 1 && r->bundles.count == 0) { /* else in the next round */
        send_row(r, lane, next, publish);
        taken = true;
    }
    if (taken)
        lane->cursor = statement_int(next, 0);
    statement_reset(next);
    if (row == 0)
        return pass_all(r, lane);
    return row < 0 ? row : taken;
}

static int run_lane(struct outbox_relay *r, struct lane *lane, struct broker_connection *publish,
                    int64_t now_ns)
{
    if (lane->again) { /* what was confirmed must be deleted first, else it would be published again */
        if (lane->in_flight > 0 || r->confirmed_count > 0 || now_ns < lane->paused_ns)
            return 0;
        lane->again = false;
        lane->cursor = 0;
        lane->more = true;
    }
    int more = 1;
    bundles_clear(&r->bundles);
    while (more == 1 && lane->more && !lane->again && lane_has_room(r, lane) &&
           bundles_bytes(&r->bundles) < FLIGHT_BYTES_MAX && !broker_connection_blocked(publish))
        more = take_row(r, lane, publish);
    for (int i = 0; i < r->bundles.count && more >= 0; i++)
        send_bundle(r, lane, &r->bundles.list[i], publish);
    return more < 0 ? more : 0;
}

int outbox_relay_run(struct outbox_relay *r, struct broker_connection *publish, int64_t now_ns)
{
    int error = 0;
    for (int i = 0; i < r->lane_count && !error; i++)
        error = run_lane(r, &r->lanes[i], publish, now_ns);
    return error;
}

bool outbox_relay_is_overdue(struct outbox_relay *r, const struct broker_connection *publish, int64_t now_ns)
{
    int64_t step_ns = now_ns - r->looked_ns < LOOK_MAX_NS ? now_ns - r->looked_ns : LOOK_MAX_NS;
    bool is_overdue = false;
    r->looked_ns = now_ns;
    for (int i = 0; i < r->flight_count && !broker_connection_blocked(publish); i++) {
        struct flight *f = &r->flights[i];
        f->waited_ns = f->waited_ns == NOT_YET ? 0 : f->waited_ns + step_ns;
        is_overdue |= f->waited_ns >= r->confirm_timeout_ns;
    }
    return is_overdue;
}

static void add_confirmed(struct outbox_relay *r, int64_t id, int64_t now_ns)
{
    if (r->confirmed_count == r->confirmed_cap) {
        r->confirmed_cap = r->confirmed_cap ? 2 * r->confirmed_cap : 64;
        r->confirmed = xrealloc(r->confirmed, r->confirmed_cap * sizeof *r->confirmed);
    }
    if (r->confirmed_count == 0)
        r->confirmed_since_ns = now_ns;
    r->confirmed[r->confirmed_count++] = id;
}

static void pause_lane(struct lane *lane, const struct flight *f, int64_t now_ns)
{
    if (lane->again && now_ns < lane->paused_ns) /* one pause for all that were in flight together */
        return;
    lane->backoff_ns = lane->backoff_ns ? 2 * lane->backoff_ns : BACKOFF_FIRST_NS;
    if (lane->backoff_ns > BACKOFF_MAX_NS)
        lane->backoff_ns = BACKOFF_MAX_NS;
    lane->again = true;
    lane->paused_ns = now_ns + lane->backoff_ns;
    log_warn("outbox_refused", "exchange=%s message_id=%s how=%s retry_ms=%lld", lane->exchange,
             f->message_id, f->returned ? "returned" : "nack", (long long)(lane->backoff_ns / NS_PER_MS));
    FAULT_POINT("relay.refused");
}

static void settle(struct outbox_relay *r, const struct flight *f, bool ack, int64_t now_ns)
{
    f->lane->in_flight--;
    f->lane->lines_in_flight -= f->is_lines;
    f->lane->bytes_in_flight -= f->bytes;
    if (!ack || f->returned) {
        pause_lane(f->lane, f, now_ns);
        return;
    }
    if (!f->lane->again)
        f->lane->backoff_ns = 0;
    for (int i = 0; i < f->count; i++)
        add_confirmed(r, f->ids[i], now_ns);
    FAULT_POINT("relay.confirmed");
}

void outbox_relay_confirmed(struct outbox_relay *r, uint64_t tag, bool multiple, bool ack, int64_t now_ns)
{
    int kept = 0;
    for (int i = 0; i < r->flight_count; i++) {
        struct flight *f = &r->flights[i];
        if (f->tag == tag || (multiple && f->tag < tag)) {
            settle(r, f, ack, now_ns);
            free(f->ids);
        } else if (kept++ != i) {
            r->flights[kept - 1] = *f;
        }
    }
    r->flight_count = kept;
}

void outbox_relay_returned(struct outbox_relay *r, const struct broker_returned *returned)
{
    for (int i = 0; i < r->flight_count; i++)
        if (slice_is(returned->properties.message_id, r->flights[i].message_id))
            r->flights[i].returned = true; /* its confirm follows, and says "ack" */
}

void outbox_relay_lost(struct outbox_relay *r)
{
    flights_drop(r);
    for (int i = 0; i < r->lane_count; i++) {
        r->lanes[i].in_flight = r->lanes[i].lines_in_flight = 0;
        r->lanes[i].bytes_in_flight = 0;
        r->lanes[i].again = true;
        r->lanes[i].paused_ns = 0;
    }
}

int outbox_relay_sweep(struct outbox_relay *r)
{
    r->swept = 0;
    for (size_t i = 0; i < r->confirmed_count; i++) {
        statement_bind_int(r->st[REMOVE], 1, r->confirmed[i]);
        int error = statement_run(r->st[REMOVE]);
        if (error)
            return error;
    }
    r->swept = r->confirmed_count;
    return 0;
}

void outbox_relay_swept(struct outbox_relay *r)
{
    if (r->swept == 0)
        return;
    r->confirmed_count -= r->swept;
    memmove(r->confirmed, r->confirmed + r->swept, r->confirmed_count * sizeof *r->confirmed);
    r->swept = 0;
}

static bool lane_waits_for_sweep(const struct outbox_relay *r)
{
    for (int i = 0; i < r->lane_count; i++)
        if (r->lanes[i].again && r->lanes[i].in_flight == 0)
            return true;
    return false;
}

static int64_t sweep_due_ns(const struct outbox_relay *r)
{
    if (r->confirmed_count == 0)
        return INT64_MAX;
    if (r->confirmed_count >= SWEEP_COUNT || lane_waits_for_sweep(r))
        return 0;
    return r->confirmed_since_ns + SWEEP_AFTER_NS;
}

int outbox_relay_tidy(struct outbox_relay *r, int64_t now_ns, bool at_once)
{
    if (r->confirmed_count == 0 || (!at_once && now_ns < sweep_due_ns(r)))
        return 0;
    int error = store_begin(r->store);
    if (!error)
        error = outbox_relay_sweep(r);
    if (!error)
        error = store_commit(r->store);
    if (error) {
        store_rollback(r->store);
        return error;
    }
    FAULT_POINT("relay.tidied");
    outbox_relay_swept(r);
    return 0;
}

int64_t outbox_relay_due_ns(const struct outbox_relay *r)
{
    int64_t due = sweep_due_ns(r);
    for (int i = 0; i < r->lane_count; i++) {
        const struct lane *lane = &r->lanes[i];
        if (lane->again && lane->in_flight == 0 && lane->paused_ns < due)
            due = lane->paused_ns;
    }
    return due;
}

bool outbox_relay_is_done(const struct outbox_relay *r)
{
    for (int i = 0; i < r->lane_count; i++)
        if (r->lanes[i].in_flight > 0 || (r->lanes[i].more && !r->lanes[i].again))
            return false;
    return true;
}
