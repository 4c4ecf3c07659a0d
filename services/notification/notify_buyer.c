#include "services/notification/notify_buyer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/pipeline/inbox.h"
#include "common/pipeline/names.h"
#include "services/notification/retry_line.h"

#define TROUBLE_LOG_NS (10 * NS_PER_S) /* a gateway that is down is worth a line so often */

/* A record waits for one copy of its event alone. If that one is lost with its broker, any other will do, but
 * only long after the longest delay. */
#define WAITING_MAX_MS (3600 * INT64_C(1000))

static const struct {
    int64_t delay_ms;
    const char *key;
} steps[] = {
    {1000, KEY_RETRY_1S_NOTIFICATION},
    {5000, KEY_RETRY_5S_NOTIFICATION},
    {30000, KEY_RETRY_30S_NOTIFICATION},
    {300000, KEY_RETRY_5M_NOTIFICATION},
};
enum { STEPS = sizeof steps / sizeof *steps };

void notify_buyer_free(struct notify_buyer *n)
{
    buffer_free(&n->text);
    buffer_free(&n->line);
    buffer_free(&n->retry);
    buffer_free(&n->composed);
    message_preparer_free(&n->preparer);
}

static bool is_local(const struct notify_buyer *n)
{
    return n->sink->ops->write != NULL;
}

static void note(struct notify_buyer *n, const char *event, const char *order_id, enum event_kind kind,
                 int64_t attempts)
{
    if (n->trail && n->trail->is_on)
        trail_note(n->trail, event, "order=%s kind=%s attempts=%" PRId64, order_id, event_kind_name(kind),
                   attempts);
}

static struct sink_message render(struct notify_buyer *n, const struct event *e, int64_t attempt, int64_t seq)
{
    buffer_clear(&n->text);
    templates_render(n->templates, e, &n->text);
    return (struct sink_message){.event = e,
                                 .text = {.data = n->text.data, .len = n->text.len},
                                 .attempt = attempt,
                                 .token = (uint64_t)seq};
}

static void write_local(struct notify_buyer *n, const struct event *e, int64_t attempt)
{
    struct sink_message m = render(n, e, attempt, 0);
    buffer_clear(&n->composed);
    n->sink->ops->compose(&m, &n->composed);
    n->sink->ops->write(n->sink, (struct slice){.data = n->composed.data, .len = n->composed.len});
}

/* ---- lines ---- */

void *notify_buyer_prepare(struct notify_buyer *n, struct slice body)
{
    return is_local(n) ? prepare_messages(&n->preparer, body, n->templates, n->sink) : NULL;
}

static enum outcome store_failed(struct notify_buyer *n, struct task *task, const struct event *e, int error)
{
    detail_set(task->why, "order %s, %s: %s: %s", event_order_id(e), event_kind_name(e->kind),
               error_text(error), notification_store_error(n->store));
    return store_is_fault(error) ? OUTCOME_FAULT : OUTCOME_FAILED;
}

/* The record is written as `now_is` says; what is left is the message itself. */
static enum outcome hand_on(struct notify_buyer *n, struct task *task, const struct event *e,
                            struct slice line, const struct notification *now_is)
{
    int error = is_local(n) ? 0 : to_send_add(n->store, e, line);
    FAULT_POINT("notify.handed_on");
    if (error)
        return store_failed(n, task, e, error);
    if (is_local(n))
        write_local(n, e, now_is->attempts);
    n->added = true;
    note(n, is_local(n) ? "buyer_notified" : "buyer_to_be_notified", event_order_id(e), e->kind,
         now_is->attempts);
    return OUTCOME_DONE;
}

/* Is this the copy with which the message is to be sent once more? attempts: those in the line; 0: none. */
static bool is_awaited(const struct notification *n, int64_t attempts, int64_t now_ms)
{
    if (n->state == NOTIFICATION_WAITING)
        return attempts == n->attempts || now_ms - n->changed_ms > WAITING_MAX_MS;
    return n->state == NOTIFICATION_FAILED && attempts == 0;
}

static enum outcome line_again(struct notify_buyer *n, struct task *task, const struct event *e,
                               struct slice line, int64_t attempts)
{
    struct notification was;
    int error = notification_find(n->store, event_order_id(e), e->kind, &was);
    if (error)
        return store_failed(n, task, e, error);
    if (!is_awaited(&was, attempts, task->now_ms)) {
        note(n, "event_known", event_order_id(e), e->kind, was.attempts);
        return OUTCOME_DUPLICATE;
    }
    struct notification now_is = {.state = NOTIFICATION_PENDING, .attempts = was.attempts};
    if (was.state == NOTIFICATION_FAILED)
        now_is.attempts = 0;
    if (is_local(n))
        now_is = (struct notification){.state = NOTIFICATION_SENT, .attempts = now_is.attempts + 1};
    error = notification_change(n->store, event_order_id(e), e->kind, &now_is, NULL, task->now_ms);
    return error ? store_failed(n, task, e, error) : hand_on(n, task, e, line, &now_is);
}

/* What is prepared and new needs no more than its record. false: it is to be looked at as a whole. */
static bool is_handed_on(struct notify_buyer *n, struct task *task)
{
    static const struct notification sent = {.state = NOTIFICATION_SENT, .attempts = 1};
    struct slice composed;
    const struct prepared_message *m = prepared_message(task->prepared, task->number, &composed);
    bool is_new = false;
    if (!m || notification_add(n->store, m->order_id, m->kind, &sent, task->now_ms, &is_new) != 0 || !is_new)
        return false;
    FAULT_POINT("notify.handed_on");
    n->sink->ops->write(n->sink, composed);
    task->since_ms = m->at_ms;
    note(n, "buyer_notified", m->order_id, m->kind, 1);
    return true;
}

enum outcome notify_buyer_line(struct notify_buyer *n, struct task *task)
{
    if (is_handed_on(n, task))
        return OUTCOME_DONE;
    struct event event;
    struct slice line = task->line;
    int64_t attempts = retry_line_decode(line, &n->line);
    if (attempts > 0)
        line = (struct slice){.data = n->line.data, .len = n->line.len};
    int error = event_decode(line, &event, task->why);
    if (error == E_NOT_FOUND) /* a newer version's: nobody's message here */
        return OUTCOME_DUPLICATE;
    if (error)
        return OUTCOME_REJECT;
    task->since_ms = event_at_ms(&event);

    struct notification first = {.state = NOTIFICATION_PENDING};
    if (is_local(n))
        first = (struct notification){.state = NOTIFICATION_SENT, .attempts = 1};
    bool is_new = false;
    error = notification_add(n->store, event_order_id(&event), event.kind, &first, task->now_ms, &is_new);
    if (error)
        return store_failed(n, task, &event, error);
    return is_new ? hand_on(n, task, &event, line, &first) : line_again(n, task, &event, line, attempts);
}

int notify_buyer_before_commit(struct notify_buyer *n)
{
    return n->sink->ops->flush ? n->sink->ops->flush(n->sink) : 0;
}

void notify_buyer_committed(struct notify_buyer *n)
{
    if (n->added && !is_local(n))
        n->no_more = false;
    n->added = false;
    if (n->trail)
        trail_committed(n->trail);
}

void notify_buyer_rolled_back(struct notify_buyer *n)
{
    n->added = false;
    if (n->sink->ops->discard)
        n->sink->ops->discard(n->sink);
    if (n->trail)
        trail_rolled_back(n->trail);
}

/* ---- beside the queue: what is to be sent ---- */

/* Begins the row, or has its outcome at once: its line was read when it came, so it is our bug, and not one
 * that may stop all the others. */
static void begin(struct notify_buyer *n, const struct to_send *row)
{
    struct event event;
    struct detail why;
    struct slice line = {.data = n->line.data, .len = n->line.len};
    n->cursor = row->seq;
    if (event_decode(line, &event, &why) == 0) {
        struct sink_message m = render(n, &event, row->attempts + 1, row->seq);
        n->sink->ops->start(n->sink, &m);
        FAULT_POINT("notify.begun");
        return;
    }
    n->outcomes[n->outcome_count] =
        (struct sink_outcome){.token = (uint64_t)row->seq, .verdict = SINK_PERMANENT};
    detail_set(&n->outcomes[n->outcome_count++].why, "the stored line cannot be read: %.250s", why.text);
}

static bool may_begin(struct notify_buyer *n)
{
    return !n->draining && !n->no_more && !n->error && n->outcome_count < NOTIFY_OUTCOMES_MAX &&
           n->sink->ops->room(n->sink) > 0;
}

bool notify_buyer_run(struct notify_buyer *n, int64_t now_ns)
{
    struct to_send row;
    if (is_local(n))
        return !n->no_more && !n->draining;
    n->outcome_count += n->sink->ops->run(n->sink, now_ns, n->outcomes + n->outcome_count,
                                          NOTIFY_OUTCOMES_MAX - n->outcome_count);
    if (n->outcome_count > 0)
        FAULT_POINT("notify.answered");
    while (may_begin(n)) {
        int found = to_send_next(n->store, n->cursor, &row, &n->line);
        if (found == 1)
            begin(n, &row);
        n->no_more = found == 0;
        n->error = found < 0 ? found : 0;
    }
    return n->outcome_count > 0 || n->error;
}

int notify_buyer_wait_fd(struct notify_buyer *n)
{
    return is_local(n) ? -1 : n->sink->ops->wait_fd(n->sink);
}

int64_t notify_buyer_due_ns(struct notify_buyer *n)
{
    return is_local(n) ? INT64_MAX : n->sink->ops->due_ns(n->sink);
}

bool notify_buyer_drained(struct notify_buyer *n)
{
    n->draining = true;
    return is_local(n) || n->sink->ops->in_flight(n->sink) == 0;
}

/* ---- beside the queue: what became of it ---- */

static int bury(struct notify_buyer *n, const struct settlement *s, const struct notification_key *k,
                const struct notification *now_is, const struct sink_outcome *o)
{
    char key[MESSAGE_KEY_SIZE];
    snprintf(key, sizeof key, "%s-%d", k->order_id, (int)k->kind);
    buffer_add_text(&n->line, "\n");
    return inbox_bury_line(s->inbox, s->outbox,
                           &(struct dead_line){.key = key,
                                               .body = {.data = n->line.data, .len = n->line.len},
                                               .reason = o->verdict == SINK_RETRY ? "not_reached" : "refused",
                                               .detail = o->why.text,
                                               .attempts = now_is->attempts,
                                               .at_ms = s->now_ms});
}

/* Through the delay that follows so many attempts, or a longer one if the gateway asked for more time. */
static int send_later(struct notify_buyer *n, const struct settlement *s, int64_t attempts,
                      int64_t retry_after_ms)
{
    int64_t step = attempts - 1;
    while (step < STEPS - 1 && steps[step].delay_ms < retry_after_ms)
        step++;
    buffer_clear(&n->retry);
    retry_line_encode(&n->retry, (struct slice){.data = n->line.data, .len = n->line.len}, attempts);
    FAULT_POINT("notify.again_later");
    return outbox_add_line(s->outbox, EXCHANGE_RETRY, steps[step].key,
                           (struct slice){.data = n->retry.data, .len = n->retry.len});
}

static int settle_one(struct notify_buyer *n, const struct settlement *s, const struct sink_outcome *o)
{
    struct notification_key k;
    struct notification was;
    int error = to_send_find(n->store, (int64_t)o->token, &k, &n->line);
    if (!error)
        error = notification_find(n->store, k.order_id, k.kind, &was);
    if (error)
        return error;
    struct notification now_is = {.state = NOTIFICATION_SENT, .attempts = was.attempts + 1};
    const char *what = "buyer_notified";
    if (o->verdict == SINK_RETRY && now_is.attempts <= STEPS) {
        what = "buyer_not_reached";
        now_is.state = NOTIFICATION_WAITING;
        error = send_later(n, s, now_is.attempts, o->retry_after_ms);
    } else if (o->verdict != SINK_SENT) {
        what = "buyer_not_notified";
        now_is.state = NOTIFICATION_FAILED;
        error = bury(n, s, &k, &now_is, o);
    }
    if (!error)
        error = notification_change(n->store, k.order_id, k.kind, &now_is,
                                    o->verdict == SINK_SENT ? NULL : o->why.text, s->now_ms);
    if (!error)
        error = to_send_remove(n->store, (int64_t)o->token);
    note(n, what, k.order_id, k.kind, now_is.attempts);
    return error;
}

static void log_troubles(struct notify_buyer *n)
{
    const struct sink_outcome *worst = NULL;
    char quoted[512];
    for (int i = 0; i < n->outcome_count; i++)
        if (n->outcomes[i].verdict != SINK_SENT) {
            worst = &n->outcomes[i];
            n->troubles++;
        }
    if (!worst || clock_mono_ns() < n->troubles_due_ns)
        return;
    log_warn("buyers_not_reached", "attempts=%lld sink=%s latest=%s", (long long)n->troubles, n->sink->name,
             log_quote(worst->why.text, quoted, sizeof quoted));
    n->troubles = 0;
    n->troubles_due_ns = clock_mono_ns() + TROUBLE_LOG_NS;
}

/* A local sink gets the rows that a gateway left. */
static int settle_rows(struct notify_buyer *n, const struct settlement *s)
{
    struct to_send row;
    for (int i = 0; i < NOTIFY_OUTCOMES_MAX; i++) {
        int found = to_send_next(n->store, n->cursor, &row, &n->line);
        n->no_more = found == 0;
        if (found != 1)
            return found;
        struct event event;
        struct detail why;
        struct sink_outcome o = {.token = (uint64_t)row.seq, .verdict = SINK_SENT};
        n->cursor = row.seq;
        bool is_sound =
            event_decode((struct slice){.data = n->line.data, .len = n->line.len}, &event, &why) == 0;
        if (!is_sound) {
            o.verdict = SINK_PERMANENT;
            detail_set(&o.why, "the stored line cannot be read: %.250s", why.text);
        }
        int error = settle_one(n, s, &o);
        if (error)
            return error;
        if (is_sound)
            write_local(n, &event, row.attempts + 1);
    }
    return 0;
}

int notify_buyer_settle(struct notify_buyer *n, const struct settlement *s)
{
    int error = n->error;
    if (is_local(n))
        return error ? error : settle_rows(n, s);
    for (int i = 0; i < n->outcome_count && !error; i++)
        error = settle_one(n, s, &n->outcomes[i]);
    FAULT_POINT("notify.settled");
    if (!error) {
        log_troubles(n);
        n->outcome_count = 0; /* not committed yet: but if that fails, the process ends */
    }
    return error;
}
