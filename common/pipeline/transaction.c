#include "common/pipeline/transaction.h"

#include <inttypes.h>

#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/pipeline/message.h"

static int fault_of_line(const struct detail *why)
{
    char quoted[512];
    log_error("line_fault", "why=%s", log_quote(why->text, quoted, sizeof quoted));
    return E_IO;
}

static int bury_line(struct transaction *t, struct inbound *m, int64_t number, const struct task *task,
                     const char *reason)
{
    return inbox_bury(t->inbox, t->outbox,
                      &(struct dead_letter){.message = m,
                                            .line = number,
                                            .orders = 1,
                                            .body = task->line,
                                            .reason = reason,
                                            .detail = task->why->text,
                                            .attempts = 1,
                                            .at_ms = task->now_ms});
}

static int undo_line(struct transaction *t, struct inbound *m, int64_t number, const struct task *task)
{
    int error = store_savepoint_undo(t->store);
    return error ? error : bury_line(t, m, number, task, "failed");
}

/* One line. `isolated`: under a savepoint; else a FAILED one is E_INVALID, and the caller does it all again.
 */
static int handle_line(struct transaction *t, struct inbound *m, int64_t number, struct task *task,
                       bool isolated, struct inbox_counts *counts)
{
    int error = isolated ? store_savepoint(t->store) : 0;
    if (error)
        return error;
    enum outcome outcome = t->handler->line(t->handler_context, task);
    if (outcome == OUTCOME_FAULT)
        return fault_of_line(task->why);
    if (outcome == OUTCOME_FAILED) {
        counts->dead++;
        return isolated ? undo_line(t, m, number, task) : E_INVALID;
    }
    if (isolated)
        error = store_savepoint_keep(t->store);
    switch (outcome) {
    case OUTCOME_DONE:
        counts->decided++;
        break;
    case OUTCOME_DUPLICATE:
        counts->duplicates++;
        break;
    case OUTCOME_RETRY:
        m->requeue = true;
        break;
    default:
        counts->dead++;
        return error ? error : bury_line(t, m, number, task, task->reason);
    }
    return error;
}

static int bury_message(struct transaction *t, struct inbound *m, const char *reason, const char *detail,
                        int64_t attempts, int64_t now_ms)
{
    return inbox_bury(t->inbox, t->outbox,
                      &(struct dead_letter){.message = m,
                                            .line = 0,
                                            .orders = m->orders,
                                            .body = m->body,
                                            .reason = reason,
                                            .detail = detail,
                                            .attempts = attempts,
                                            .at_ms = now_ms});
}

/* What is undone later, and done again, was late all the same. */
static void note_lag(struct transaction *t, const struct task *task)
{
    int64_t lag_ms = task->since_ms > 0 ? task->now_ms - task->since_ms : 0;
    if (lag_ms > t->lag_ms)
        t->lag_ms = lag_ms;
}

static int handle_message(struct transaction *t, struct inbound *m, int64_t now_ms, bool isolated,
                          struct inbox_counts *counts)
{
    struct inbox_counts mine = {0};
    struct slice rest = m->body, line;
    int64_t number = 0;
    int error = 0;
    m->requeue = false;
    struct detail why; /* not zeroed for each line: it is long, and read after a failure only */
    while (!error && line_next(&rest, &line)) {
        why.text[0] = '\0';
        struct task task = {.line = line,
                            .number = ++number,
                            .prepared = m->prepared,
                            .reply_to = m->reply_to,
                            .now_ms = now_ms,
                            .outbox = t->outbox,
                            .replies = t->replies,
                            .why = &why,
                            .reason = "malformed"};
        error = handle_line(t, m, number, &task, isolated, &mine);
        note_lag(t, &task);
        FAULT_POINT("transaction.line");
    }
    if (!error && number == 0) {
        mine.dead = m->orders;
        error = bury_message(t, m, "malformed", "there is no line in it", 1, now_ms);
    }
    if (!error && !m->requeue) /* a message that comes back is recorded when it is handled whole */
        error = inbox_record(t->inbox, m, &mine);
    if (!error && number > 0 && number != m->orders)
        log_warn("batch_count_wrong", "producer=%.*s seq=%" PRId64 " header=%" PRId64 " lines=%" PRId64,
                 (int)m->producer.len, m->producer.data, m->seq, m->orders, number);
    counts->decided += mine.decided;
    counts->duplicates += mine.duplicates;
    counts->dead += mine.dead;
    return error;
}

/* Undoes the transaction, on disk and in memory. Returns the error, or a worse one. */
static int undo(struct transaction *t, int error)
{
    const char *words = store_error(t->store); /* before the rollback replaces them */
    if (store_is_fault(error))
        log_error("store_fault", "what=\"%s\" sqlite=\"%s\"", error_text(error), words);
    else
        log_warn("transaction_undone", "what=\"%s\" sqlite=\"%s\"", error_text(error), words);
    store_rollback(t->store);
    FAULT_POINT("transaction.rolled_back");
    outbox_discard(t->outbox);
    replies_discard(t->replies);
    int reloading = t->handler->rolled_back ? t->handler->rolled_back(t->handler_context) : 0;
    return store_is_fault(error) || !reloading ? error : reloading;
}

/* Commits what the transaction holds. attempt: the key whose attempts end with it, or NULL. */
static int finish(struct transaction *t, const char *attempt)
{
    int error = t->handler->before_commit ? t->handler->before_commit(t->handler_context) : 0;
    if (!error)
        error = outbox_flush(t->outbox);
    if (!error && attempt)
        error = inbox_attempt_end(t->inbox, attempt);
    if (!error && t->relay)
        error = outbox_relay_sweep(t->relay);
    if (error)
        return error;
    FAULT_POINT("transaction.before_commit");
    return store_commit(t->store);
}

static void after_any_commit(struct transaction *t)
{
    FAULT_POINT("transaction.committed");
    if (t->relay) {
        outbox_relay_swept(t->relay);
        outbox_relay_wake(t->relay);
    }
    if (t->handler->committed)
        t->handler->committed(t->handler_context);
    t->commits++;
}

static void after_commit(struct transaction *t, const struct inbox_counts *counts)
{
    after_any_commit(t);
    t->totals.decided += counts->decided;
    t->totals.duplicates += counts->duplicates;
    t->totals.dead += counts->dead;
    if (t->committed)
        t->committed(t->context);
}

static int handle_together(struct transaction *t, struct inbound *const *messages, int count, bool isolated,
                           const char *attempt)
{
    struct inbox_counts counts = {0};
    int64_t now_ms = clock_wall_ms();
    int error = store_begin(t->store);
    FAULT_POINT("transaction.begun");
    for (int i = 0; i < count && !error; i++)
        error = handle_message(t, messages[i], now_ms, isolated, &counts);
    if (!error)
        error = finish(t, messages[0]->requeue ? NULL : attempt);
    if (error)
        return undo(t, error);
    after_commit(t, &counts);
    return 0;
}

/* The whole message goes to the dead letters, in a transaction of its own. */
static int bury_alone(struct transaction *t, struct inbound *m, const char *reason, const char *detail,
                      int64_t attempts, const char *attempt)
{
    struct inbox_counts counts = {.dead = m->orders};
    m->requeue = false;
    int error = store_begin(t->store);
    if (!error)
        error = bury_message(t, m, reason, detail, attempts, clock_wall_ms());
    if (!error)
        error = inbox_record(t->inbox, m, &counts);
    if (!error)
        error = finish(t, attempt);
    if (error)
        return undo(t, error);
    after_commit(t, &counts);
    return 0;
}

/* One message, first as it is, then line by line. Only a fault is an error. */
static int handle_alone(struct transaction *t, struct inbound *m, const char *attempt)
{
    int error = handle_together(t, &m, 1, false, attempt);
    if (error && !store_is_fault(error))
        error = handle_together(t, &m, 1, true, attempt);
    if (error && !store_is_fault(error)) /* not a line's fault: the end of the transaction fails */
        error = bury_alone(t, m, "failed", "the end of its transaction failed", 1, attempt);
    return error && !store_is_fault(error) ? E_IO : error;
}

static int handle_redelivered(struct transaction *t, struct inbound *m)
{
    char key[MESSAGE_KEY_SIZE];
    int64_t attempts = 0;
    message_key(m, key);
    int error = inbox_attempt(t->inbox, key, clock_wall_ms(), &attempts);
    if (error)
        return undo(t, error);
    FAULT_POINT("inbox.attempt_counted");
    /* Its attempts stay: if the process dies before the acknowledgement, it must not be begun again. */
    if (attempts > t->max_attempts)
        return bury_alone(t, m, "poison", "it was begun again and again and never finished", attempts - 1,
                          NULL);
    error = handle_alone(t, m, key);
    if (error && inbox_attempt_forgive(t->inbox, key) != 0) /* the disk's fault is not the message's */
        log_warn("attempt_not_forgiven", "message=%s", key);
    return error;
}

int transaction_handle(struct transaction *t, struct inbound *const *messages, int count)
{
    int error = 0;
    for (int i = 0; i < count && !error;) {
        if (messages[i]->redelivered) {
            error = handle_redelivered(t, messages[i++]);
            continue;
        }
        int first = i;
        while (i < count && !messages[i]->redelivered)
            i++;
        error = handle_together(t, messages + first, i - first, false, NULL);
        if (!error || store_is_fault(error))
            continue;
        log_warn("transaction_redone", "messages=%d", i - first);
        error = 0;
        for (int k = first; k < i && !error; k++)
            error = handle_alone(t, messages[k], NULL);
    }
    return error;
}

int transaction_settle(struct transaction *t, int (*settle)(void *context, const struct settlement *s))
{
    const struct settlement s = {.now_ms = clock_wall_ms(), .outbox = t->outbox, .inbox = t->inbox};
    int error = store_begin(t->store);
    if (!error)
        error = settle(t->handler_context, &s);
    if (!error)
        error = finish(t, NULL);
    if (!error) {
        after_any_commit(t); /* nobody asked, so there are no replies */
        return 0;
    }
    error = undo(t, error);
    return store_is_fault(error) ? error : E_IO; /* no line to blame: our bug, and not to be tried for ever */
}
