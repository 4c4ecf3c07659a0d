/* notify_buyer in a real transaction on a real file, with a sink that answers what it is told. */
#ifndef SECKILL_TESTS_NOTIFY_FIXTURE_H
#define SECKILL_TESTS_NOTIFY_FIXTURE_H

#include "tests/unit/transaction_support.h"

#include "common/pipeline/names.h"
#include "services/notification/notify_buyer.h"
#include "tests/unit/notification_support.h"

#define STARTED_MAX 4096

struct started {
    uint64_t token;
    int64_t attempt;
    char key[SINK_KEY_SIZE];
    char text[256];
    bool ended;
};

/* A gateway that answers what it is told, or a local sink; it remembers what it got. */
struct fake_sink {
    struct sink base;
    int room, in_flight;
    struct started started[STARTED_MAX]; /* of a local sink: what was written and not yet flushed */
    int started_count;
    struct sink_outcome ready[STARTED_MAX];
    int ready_count;
    int flushes, flushed; /* local */
    bool flush_fails;
};

struct fixture {
    struct place place;
    struct store *store;
    struct notification_store *notifications;
    struct templates *templates;
    struct trail trail;
    struct fake_sink *sink;
    struct notify_buyer *buyer;
    struct worker_handler handler;
    struct transaction t;
    uint64_t random;
};

/* ---- the fake ---- */

static inline struct fake_sink *fake(struct sink *s)
{
    return (struct fake_sink *)s;
}

static inline void fake_compose(const struct sink_message *m, struct buffer *out)
{
    struct started it = {.token = m->token, .attempt = m->attempt};
    sink_key(m->event, it.key);
    snprintf(it.text, sizeof it.text, "%.*s", (int)m->text.len, m->text.data);
    buffer_add(out, (const char *)&it, sizeof it);
}

static inline void fake_write(struct sink *s, struct slice composed)
{
    struct fake_sink *f = fake(s);
    assert_true(f->started_count < STARTED_MAX);
    assert_int_equal(composed.len, sizeof(struct started));
    memcpy(&f->started[f->started_count++], composed.data, composed.len);
}

static inline void fake_start(struct sink *s, const struct sink_message *m)
{
    struct buffer composed = {0};
    assert_true(fake(s)->room > fake(s)->in_flight);
    fake(s)->in_flight++;
    fake_compose(m, &composed);
    fake_write(s, (struct slice){.data = composed.data, .len = composed.len});
    buffer_free(&composed);
}

static inline int fake_room(struct sink *s)
{
    return fake(s)->room - fake(s)->in_flight;
}

static inline int fake_run(struct sink *s, int64_t now_ns, struct sink_outcome *outcomes, int max)
{
    struct fake_sink *f = fake(s);
    (void)now_ns;
    int count = f->ready_count < max ? f->ready_count : max;
    memcpy(outcomes, f->ready, (size_t)count * sizeof *outcomes);
    memmove(f->ready, f->ready + count, (size_t)(f->ready_count - count) * sizeof *outcomes);
    f->ready_count -= count;
    f->in_flight -= count;
    return count;
}

static inline int fake_wait_fd(struct sink *s)
{
    (void)s;
    return 7;
}

static inline int64_t fake_due_ns(struct sink *s)
{
    (void)s;
    return 77;
}

static inline int fake_in_flight(struct sink *s)
{
    return fake(s)->in_flight;
}

static inline int fake_flush(struct sink *s)
{
    struct fake_sink *f = fake(s);
    if (f->flush_fails)
        return E_IO;
    f->flushes++;
    f->flushed = f->started_count;
    return 0;
}

static inline void fake_discard(struct sink *s)
{
    fake(s)->started_count = fake(s)->flushed;
}

static inline void fake_free(struct sink *s)
{
    free(s);
}

static const struct sink_ops gateway_ops = {.free = fake_free,
                                            .room = fake_room,
                                            .start = fake_start,
                                            .run = fake_run,
                                            .wait_fd = fake_wait_fd,
                                            .due_ns = fake_due_ns,
                                            .in_flight = fake_in_flight};
static const struct sink_ops local_ops = {.free = fake_free,
                                          .compose = fake_compose,
                                          .write = fake_write,
                                          .flush = fake_flush,
                                          .discard = fake_discard};

/* ---- the worker ---- */

static inline void *on_prepare(void *context, struct slice body)
{
    return notify_buyer_prepare(((struct fixture *)context)->buyer, body);
}

static inline enum outcome on_line(void *context, struct task *task)
{
    return notify_buyer_line(((struct fixture *)context)->buyer, task);
}

static inline int on_before_commit(void *context)
{
    return notify_buyer_before_commit(((struct fixture *)context)->buyer);
}

static inline void on_committed(void *context)
{
    notify_buyer_committed(((struct fixture *)context)->buyer);
}

static inline int on_rolled_back(void *context)
{
    notify_buyer_rolled_back(((struct fixture *)context)->buyer);
    return 0;
}

static inline int on_settle(void *context, const struct settlement *s)
{
    return notify_buyer_settle(((struct fixture *)context)->buyer, s);
}

/* As a process begins, with the file as it is. */
static inline void start(struct fixture *f, const struct sink_ops *ops)
{
    struct settings settings = {.notification = {.templates = "", .language = "en"}};
    struct detail why = {.text = ""};
    f->store = open_or_fail(&f->place, STORE_CREATE);
    assert_int_equal(migrate_apply(f->store, notification_migrations, NULL, NULL), 0);
    assert_int_equal(notification_store_new(&f->notifications, f->store, NULL), 0);
    if (templates_open(&f->templates, &settings, &why) != 0)
        fail_msg("%s", why.text);
    f->sink = calloc(1, sizeof *f->sink);
    f->sink->base = (struct sink){.name = "fake", .ops = ops};
    f->sink->room = 64;
    f->buyer = calloc(1, sizeof *f->buyer);
    f->buyer->store = f->notifications;
    f->buyer->sink = &f->sink->base;
    f->buyer->templates = f->templates;
    f->buyer->trail = &f->trail;
    f->handler = (struct worker_handler){.prepare = on_prepare,
                                         .line = on_line,
                                         .before_commit = on_before_commit,
                                         .committed = on_committed,
                                         .rolled_back = on_rolled_back};
    transaction_open(&f->t, f->store, QUEUE_NOTIFICATION, &f->handler, f);
}

/* As it ends, whichever way: what is not committed is gone, what is under way too. */
static inline void stop(struct fixture *f)
{
    transaction_close(&f->t);
    notify_buyer_free(f->buyer);
    free(f->buyer);
    sink_free(&f->sink->base);
    templates_free(f->templates);
    notification_store_free(f->notifications);
    trail_free(&f->trail);
    store_close(f->store);
}

static inline void restart(struct fixture *f, const struct sink_ops *ops)
{
    stop(f);
    start(f, ops);
}

static inline int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    place_make(&f->place);
    f->random = 88172645463325252u;
    start(f, &gateway_ops);
    *state = f;
    return 0;
}

static inline int set_up_local(void **state)
{
    set_up(state);
    restart(*state, &local_ops);
    return 0;
}

static inline int tear_down(void **state)
{
    struct fixture *f = *state;
    stop(f);
    place_remove(&f->place);
    free(f);
    return 0;
}

static inline int deliver_slice(struct fixture *f, struct slice body, bool redelivered)
{
    struct inbound m = {.redelivered = redelivered, .message_id = slice_of("m"), .body = body};
    struct slice rest = body, line;
    while (line_next(&rest, &line))
        m.orders++;
    struct inbound *list[1] = {&m};
    m.prepared = f->handler.prepare(f, body);
    int error = transaction_handle(&f->t, list, 1);
    free(m.prepared);
    return error;
}

static inline void deliver(struct fixture *f, enum event_kind kind, int number)
{
    struct buffer line = {0};
    add_event_line(&line, kind, number);
    assert_int_equal(deliver_slice(f, (struct slice){.data = line.data, .len = line.len}, false), 0);
    buffer_free(&line);
}

/* A round of the work beside the queue; returns whether it had something to settle. */
static inline bool work(struct fixture *f)
{
    bool has = notify_buyer_run(f->buyer, 0);
    if (has)
        assert_int_equal(transaction_settle(&f->t, on_settle), 0);
    return has;
}

static inline void answer(struct fixture *f, int started, enum sink_verdict verdict, int64_t retry_after_ms)
{
    assert_true(started < f->sink->started_count);
    assert_false(f->sink->started[started].ended);
    f->sink->started[started].ended = true;
    struct sink_outcome *o = &f->sink->ready[f->sink->ready_count++];
    *o = (struct sink_outcome){
        .token = f->sink->started[started].token, .verdict = verdict, .retry_after_ms = retry_after_ms};
    detail_set(&o->why, verdict == SINK_SENT ? "" : "status 503 at %d", started);
}

/* Sends, answers and settles the next message that is begun. */
static inline void attempt(struct fixture *f, enum sink_verdict verdict, int64_t retry_after_ms)
{
    int before = f->sink->started_count;
    work(f);
    assert_int_equal(f->sink->started_count, before + 1);
    answer(f, before, verdict, retry_after_ms);
    assert_true(work(f));
}

/* state * 100 + attempts of order 1; -1: no record. */
static inline int64_t record(struct fixture *f, enum event_kind kind)
{
    char sql[200];
    snprintf(sql, sizeof sql,
             "SELECT coalesce(max(state * 100 + attempts), -1) FROM notification WHERE kind = %d AND"
             " order_id = '01JDXWBXG00000000000000001'",
             (int)kind);
    return ask_int(f->store, sql);
}

static inline int64_t count(struct fixture *f, const char *what)
{
    char sql[700];
    snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", what);
    return ask_int(f->store, sql);
}

/* Takes the first row off the outbox for this exchange and delivers it, or only looks: 0 if there is none.
 * What its key was, is in key. */
static inline bool carry(struct fixture *f, const char *exchange, char key[64], bool deliver_it)
{
    struct statement *st = NULL;
    struct buffer body = {0};
    assert_int_equal(
        statement_prepare(&st, f->store,
                          "DELETE FROM outbox WHERE id = (SELECT min(id) FROM outbox WHERE exchange = ?1)"
                          " RETURNING routing_key, body",
                          NULL),
        0);
    statement_bind_text(st, 1, slice_of(exchange));
    bool found = statement_next(st) == 1;
    if (found) {
        statement_copy_text(st, 0, key, 64);
        struct slice stored = statement_blob(st, 1);
        buffer_add(&body, stored.data, stored.len);
        assert_int_equal(statement_next(st), 0);
    }
    statement_free(st);
    if (found && deliver_it)
        assert_int_equal(deliver_slice(f, (struct slice){.data = body.data, .len = body.len}, false), 0);
    buffer_free(&body);
    return found;
}

enum { PENDING = 100, SENT = 200, WAITING = 300, FAILED = 400 };

#endif
