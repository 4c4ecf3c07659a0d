/* The work: gather what is there, handle it in one transaction, relay the outbox, sleep until something
 * happens. What the connections bring is worker_events.c's. */
#include <inttypes.h>
#include <poll.h>

#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/base/notify.h"
#include "common/broker/consume.h"
#include "common/pipeline/worker_internal.h"

#define LINES_LONG      1000           /* of a transaction: another thread makes it */
#define RUSH_NS         (2 * NS_PER_S) /* orders come first for so long at most */
#define IDLE_NS         (1 * NS_PER_S) /* nothing done for so long: time for housekeeping */
#define STATUS_S        2
#define DRAIN_NS        (2 * NS_PER_S)
#define DRAIN_BESIDE_NS (5 * NS_PER_S) /* what is still under way then is begun again by the next process */
#define SLEEP_MAX_MS    500

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* ---- handling ---- */

void worker_note_fault(struct worker *w, const char *doing, int error)
{
    w->fault = error;
    if (error)
        log_error("store_fault", "doing=%s what=\"%s\" sqlite=\"%s\"", doing, error_text(error),
                  store_error(w->store));
}

static void send_replies(void *context)
{
    struct worker *w = context;
    if (broker_connection_blocked(w->link.publish)) {
        replies_discard(w->replies);
        return;
    }
    link_guard_begin(w);
    replies_send(w->replies, w->link.publish);
    link_guard_end();
    FAULT_POINT("worker.replied");
}

static void acknowledge(struct worker *w)
{
    const struct hand *h = &w->hand;
    int error = 0;
    for (int i = 0; i < h->count && !error; i++)
        if (h->messages[i]->requeue)
            error = broker_requeue(w->link.consume, h->messages[i]->tag);
    FAULT_POINT("worker.before_ack");
    if (!error && h->count > 0) /* and all before it, but for those that went back */
        error = broker_ack(w->link.consume, h->messages[h->count - 1]->tag, true);
    if (error)
        link_trouble(w, "the connection broke while acknowledging");
    FAULT_POINT("worker.acknowledged");
}

static int make_transaction(void *context)
{
    struct worker *w = context;
    return transaction_handle(&w->transaction, w->hand.messages, w->hand.count);
}

/*
 * While a long transaction is made the broker would fill the socket and then stand still, and the next one
 * would wait for it. So another thread makes it, and this one takes what comes. All that transaction_handle
 * touches is that thread's until then: the messages in hand, the store, inbox and outbox, the replies and the
 * connection that they go through, the handler's memory but for what prepare needs. A connection that breaks
 * now shows after the commit, like one that breaks during it.
 */
static int make_long(struct worker *w)
{
    struct pollfd fds[2] = {{.fd = job_thread_fd(w->thread), .events = POLLIN}, {.events = POLLIN}};
    job_thread_begin(w->thread, make_transaction, w);
    for (;;) {
        bool takes = !w->link.lost && !hand_is_full(w, &w->next);
        bool buffered = takes && broker_connection_has_buffered(w->link.consume);
        fds[1].fd = takes ? broker_connection_fd(w->link.consume) : -1;
        int ready = poll(fds, 2, buffered ? 0 : -1);
        if (ready > 0 && fds[0].revents)
            return job_thread_end(w->thread);
        if (buffered || (ready > 0 && fds[1].revents)) {
            worker_pump(w, w->link.consume, DELIVERIES_A_PUMP);
            FAULT_POINT("worker.taken_meanwhile");
        }
    }
}

/* What was taken meanwhile is in hand now, and whoever asked gets an answer. */
static void turn_to_next(struct worker *w)
{
    struct hand done = w->hand;
    hand_drop(&done);
    w->hand = w->next;
    w->next = done;
    w->hand.fresh = true;
    worker_answer_kept(w);
}

/*
 * Is there more than one transaction's worth of orders waiting? Then events stay in the outbox for a moment:
 * whoever ordered waits for the decision, and each event that the broker takes costs it time and fsyncs that
 * the orders could have. The WAL is copied back later for the same reason. For a moment only: where it goes
 * on like this, neither may grow for ever.
 */
static bool is_rush(const struct worker *w, int64_t now_ns)
{
    return w->rush_since_ns > 0 && w->hand.count > 0 && now_ns - w->rush_since_ns < RUSH_NS;
}

static void handle_hand(struct worker *w)
{
    const bool is_full = w->hand.lines >= w->spec->max_batch;
    w->transaction.committed = send_replies;
    w->transaction.context = w;
    FAULT_POINT("worker.gathered");
    w->handling = true;
    w->fault = w->hand.lines < LINES_LONG ? make_transaction(w) : make_long(w);
    w->handling = false;
    if (w->fault)
        return;
    acknowledge(w);
    turn_to_next(w);
    if (!is_full)
        w->rush_since_ns = 0;
    else if (w->rush_since_ns == 0)
        w->rush_since_ns = clock_mono_ns();
    w->tick_due_ns = 0;
    w->worked_ns = clock_mono_ns();
    if (!w->fault && !is_rush(w, w->worked_ns))
        worker_note_fault(w, "checkpoint", store_checkpoint_if_large(w->store));
}

static void relay(struct worker *w, int64_t now_ns, bool at_once)
{
    worker_note_fault(w, "outbox", outbox_relay_tidy(w->relay, now_ns, at_once));
    if (w->fault || w->link.lost)
        return;
    link_guard_begin(w);
    if (at_once || !is_rush(w, now_ns))
        worker_note_fault(w, "outbox", outbox_relay_run(w->relay, w->link.publish, now_ns));
    if (!w->fault && w->spec->handler.tick && now_ns >= w->tick_due_ns &&
        !broker_connection_blocked(w->link.publish))
        w->tick_due_ns = w->spec->handler.tick(w->spec->context, w->link.publish, now_ns);
    if (!w->fault && !broker_connection_blocked(w->link.publish))
        worker_beat(w, now_ns);
    link_guard_end();
}

/* One round of the work beside the queue. Returns the moment when it wants the next one. */
static int64_t work_beside(struct worker *w)
{
    const struct worker_beside *b = w->spec->handler.beside;
    if (!b)
        return INT64_MAX;
    if (!b->run(w->spec->context, clock_mono_ns()))
        return b->due_ns(w->spec->context);
    w->fault = transaction_settle(&w->transaction, b->settle);
    if (!w->fault)
        w->fault = store_checkpoint_if_large(w->store);
    w->worked_ns = clock_mono_ns();
    return 0; /* what was settled made room, and the outbox has something to carry */
}

/* ---- the clock ---- */

static void housekeeping(struct worker *w, int64_t now_ns)
{
    notify_watchdog(now_ns);
    if (now_ns >= w->status_due_ns) {
        const struct inbox_counts *n = &w->transaction.totals;
        int64_t lines = n->decided + n->duplicates;
        notify_status("%s: %" PRId64 " decided (%" PRId64 "/s), %" PRId64 " duplicates, %" PRId64
                      " dead letters",
                      w->link.consume ? "working" : "waiting for the broker", n->decided,
                      (lines - w->status_lines) / STATUS_S, n->duplicates, n->dead);
        w->status_lines = lines;
        w->status_due_ns = now_ns + STATUS_S * NS_PER_S;
    }
    if (w->hand.count == 0 && now_ns - w->worked_ns >= IDLE_NS && store_has_wal(w->store)) {
        w->worked_ns = now_ns; /* a reader in the way: not again at once */
        worker_note_fault(w, "checkpoint", store_checkpoint_truncate(w->store));
    }
}

bool worker_signals(struct worker *w)
{
    for (;;) {
        switch (signals_next(w->signal_fd)) {
        case SIGNAL_NONE:
            return w->stopping;
        case SIGNAL_STOP:
            w->stopping = true;
            break;
        case SIGNAL_RELOAD:
            if (w->spec->handler.reload)
                w->spec->handler.reload(w->spec->context);
            break;
        }
    }
}

/* Or until something happens that is looked at: in a drain neither signals nor deliveries are any more. What
 * was read from a connection along with something else does not show in its descriptor. */
static void sleep_until(struct worker *w, int64_t due_ns)
{
    const struct worker_beside *beside = w->spec->handler.beside;
    if ((w->link.publish && broker_connection_has_buffered(w->link.publish)) ||
        (w->link.consume && !w->stopping && broker_connection_has_buffered(w->link.consume)))
        return;
    struct pollfd fds[4];
    nfds_t count = 0;
    if (!w->stopping)
        fds[count++] = (struct pollfd){.fd = w->signal_fd, .events = POLLIN};
    if (w->link.consume && !w->stopping)
        fds[count++] = (struct pollfd){.fd = broker_connection_fd(w->link.consume), .events = POLLIN};
    if (w->link.publish)
        fds[count++] = (struct pollfd){.fd = broker_connection_fd(w->link.publish), .events = POLLIN};
    if (beside) /* poll passes over a descriptor of -1 */
        fds[count++] = (struct pollfd){.fd = beside->wait_fd(w->spec->context), .events = POLLIN};
    int64_t wait_ms =
        due_ns == INT64_MAX ? SLEEP_MAX_MS : (due_ns - clock_mono_ns() + NS_PER_MS - 1) / NS_PER_MS;
    if (wait_ms > 0)
        poll(fds, count, (int)earlier(wait_ms, SLEEP_MAX_MS));
}

/* One round while connected. Returns the moment until which there is nothing to do but wait for the broker.
 */
static int64_t round_connected(struct worker *w)
{
    bool drained = worker_gather(w);
    int64_t now_ns = clock_mono_ns();
    if (w->link.lost || w->fault)
        return 0;
    if (hand_is_ready(w, now_ns)) {
        handle_hand(w);
        drained = false; /* more came meanwhile */
        now_ns = clock_mono_ns();
    }
    if (w->fault || worker_pump(w, w->link.publish, 0) < 0)
        return 0;
    if (outbox_relay_is_overdue(w->relay, w->link.publish, now_ns))
        link_unconfirmed(w, now_ns);
    link_renew(w, now_ns);
    if (w->link.lost)
        return 0;
    relay(w, now_ns, false);
    if (w->fault || w->link.lost || !drained)
        return 0;
    if (w->hand.count == 0)
        link_check_quiet(w, now_ns);
    if (w->link.lost)
        return 0;
    int64_t due = outbox_relay_due_ns(w->relay);
    if (!w->link.blocked)
        due = earlier(due, w->spec->handler.tick ? earlier(w->tick_due_ns, w->beat.due_ns) : w->beat.due_ns);
    if (w->hand.count > 0)
        due = earlier(due, w->hand.since_ns + hand_linger_ns(w));
    return due;
}

/* Copies a little, where somebody wants a backup. Returns whether there is more to copy. */
static bool back_up(struct worker *w, int64_t now_ns)
{
    const struct worker_handler *h = &w->spec->handler;
    const char *path = NULL;
    bool more = backup_request_run(&w->backup, w->store, w->spec->database, now_ns);
    struct store *other = h->other_file ? h->other_file(w->spec->context, &path) : NULL;
    return (other && backup_request_run(&w->other_backup, other, path, now_ns)) || more;
}

void worker_work(struct worker *w)
{
    while (!w->fault && !worker_signals(w)) {
        int64_t now_ns = clock_mono_ns(), due_ns;
        housekeeping(w, now_ns);
        if (w->fault)
            break;
        if (w->link.consume) {
            due_ns = round_connected(w);
            if (w->link.lost) {
                link_close(w, false);
                FAULT_POINT("worker.disconnected");
            }
        } else {
            if (now_ns >= w->link.next_attempt_ns)
                link_open(w, now_ns);
            due_ns = w->link.consume ? 0 : w->link.next_attempt_ns;
        }
        if (!w->fault)
            due_ns = earlier(due_ns, work_beside(w));
        if (!w->fault && back_up(w, now_ns))
            due_ns = 0;
        if (!w->fault)
            sleep_until(w, due_ns);
    }
}

/* Whether there is still something that must go out. */
static bool relay_for_a_moment(struct worker *w)
{
    relay(w, clock_mono_ns(), true);
    if (w->fault || w->link.lost || outbox_relay_is_done(w->relay))
        return false;
    sleep_until(w, clock_mono_ns() + 20 * NS_PER_MS);
    return worker_pump(w, w->link.publish, 0) >= 0;
}

/* No new messages; those in hand are handled. */
static void drain_queue(struct worker *w)
{
    struct detail why = {.text = ""};
    FAULT_POINT("worker.draining");
    if (broker_cancel(w->link.consume, CONSUMER_WORK, &why) != 0) {
        link_trouble(w, why.text);
        return;
    }
    FAULT_POINT("worker.cancelled");
    worker_gather(w); /* its questions may meet a fault */
    while (!w->fault && !w->link.lost && w->hand.count > 0)
        handle_hand(w);
    w->rush_since_ns = 0;
}

/* What was begun beside the queue ends, with the broker or without; what it puts into the outbox goes out
 * meanwhile. */
static void drain_beside(struct worker *w)
{
    const struct worker_beside *b = w->spec->handler.beside;
    int64_t end_ns = clock_mono_ns() + DRAIN_BESIDE_NS, now_ns;
    while (b && !w->fault && (now_ns = clock_mono_ns()) < end_ns) {
        bool drained = b->drained(w->spec->context);
        int64_t due_ns = work_beside(w);
        if (w->link.publish && !w->link.lost && !w->fault && worker_pump(w, w->link.publish, 0) >= 0)
            relay(w, now_ns, false);
        if (drained || w->fault)
            return;
        if (w->link.lost)
            link_close(w, false);
        notify_watchdog(now_ns);
        sleep_until(w, earlier(due_ns, end_ns));
    }
}

void worker_drain(struct worker *w)
{
    if (w->fault)
        return;
    if (w->link.consume)
        drain_queue(w);
    if (w->link.lost)
        link_close(w, false);
    drain_beside(w);
    if (!w->link.consume || w->fault)
        return;
    int64_t end_ns = clock_mono_ns() + DRAIN_NS;
    while (!w->fault && !w->link.lost && clock_mono_ns() < end_ns && relay_for_a_moment(w))
        ;
    if (!w->fault)
        worker_note_fault(w, "outbox", outbox_relay_tidy(w->relay, clock_mono_ns(), true));
    FAULT_POINT("worker.drained");
}
