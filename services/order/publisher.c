/*
 * The broker thread. See publisher.h for what it promises, inflight.h for how a batch ends.
 *
 * One turn of the loop: connect if there is no broker; read what came (confirms, decisions, snapshots); give
 * up what is out of time; publish what gathered; sleep until something happens.
 */
#include "services/order/publisher.h"

#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "common/base/alloc.h"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/broker/publish.h"
#include "common/pipeline/ledger.h"
#include "common/pipeline/names.h"
#include "services/order/ask_status.h"
#include "services/order/broker_session.h"
#include "services/order/coalescer.h"
#include "services/order/inflight.h"
#include "services/order/mailbox.h"
#include "services/order/order_log.h"

#define BATCH_MAX_BYTES   (120 * 1024) /* one frame of the body (131072 - 8) holds it */
#define RECONNECT_NS      (NS_PER_S / 2)
#define MAX_SLEEP_MS      250 /* heartbeats, deadlines of what waits, the watchdog's sign of life */
#define DECISIONS_AT_ONCE 64
#define CLOCK_WARN_MS     250 /* between inventory's clock and ours */
#define CLOCK_WARN_NS     (60 * NS_PER_S)

/* What a client is told with a 503; constants, since they travel by pointer. */
static const char refused_lost[] = "the connection to the message broker was lost before the order was sent";
static const char refused_blocked[] = "the message broker accepts no messages at the moment";
static const char refused_nack[] = "the message broker refused the order: its queue is full";
static const char refused_returned[] = "the message broker has no queue for the order";
static const char refused_ledger[] = "this front end cannot note orders on its disk";
static const char refused_waited[] = "the order could not be sent to the message broker in time";

struct publisher {
    struct publisher_options options;
    struct coalescer *coalescer;
    struct ledger *ledger;
    pthread_t thread;
    int stop_fd;
    _Atomic bool stopping;
    _Atomic int state; /* enum broker_state */
    _Atomic int64_t next_attempt_ns;
    _Atomic int64_t turn_ns; /* when the loop last came around */

    pthread_mutex_t
        busy_lock; /* over the two below: publisher_watchdog may shut busy_fd only while it is ours */
    int busy_fd;   /* -1: not in a call that could hang */
    int64_t busy_since_ns;

    /* The broker thread's own: */
    struct broker_session session;
    bool connected;
    int64_t connected_ns;
    size_t next_address;
    char last_failure[320]; /* logged once, not every half second */
    struct inflight inflight;
    int64_t next_seq;
    struct ask_status asker;
    bool ledger_failed; /* no orders are taken: what is queued now could not be answered with 202 */
    int64_t ledger_probe_ns;
    int64_t clock_warned_ns;
};

static bool logs_orders(const struct publisher *p)
{
    return atomic_load_explicit(p->options.log_orders, memory_order_relaxed);
}

/* ---- verdicts ---- */

/* Ends these submissions: settles them in pending, then hands each to its mailbox. They are not ours
 * afterwards. */
static void deliver_verdicts(struct publisher *p, struct submission_list *list, enum submit_verdict verdict,
                             const char *why)
{
    for (struct submission *s = list->head; s; s = s->next) {
        s->verdict = verdict;
        s->why = why;
    }
    if (logs_orders(p))
        order_log_verdict(list);
    pending_settle(p->options.pending, list);
    while (list->head) {
        struct mailbox *mailbox = list->head->mailbox;
        struct submission_list same = {0}, others = {0};
        for (struct submission *s; (s = submission_list_take(list));)
            submission_list_add(s->mailbox == mailbox ? &same : &others, s);
        mailbox_post(mailbox, &same);
        *list = others;
    }
}

static void refuse_waiting(struct publisher *p, const char *why);

/* The ledger knows of a batch before any of its orders is answered 202. */
static enum submit_verdict note_in_ledger(struct publisher *p, const struct batch *b)
{
    if (ledger_append(p->ledger, b->seq, b->orders.count) == 0)
        return SUBMIT_ACCEPTED;
    if (!p->ledger_failed)
        log_error("ledger_write_failed", "seq=%" PRId64 " orders=%d answer=504", b->seq, b->orders.count);
    /* A 504 that is repeated without a key is a second order: so no more of them than were under way. */
    p->ledger_failed = true;
    if (atomic_load(&p->state) == BROKER_USABLE)
        atomic_store(&p->state, BROKER_UNREACHABLE);
    coalescer_close(p->coalescer);
    refuse_waiting(p, refused_ledger);
    return SUBMIT_UNKNOWN; /* it is queued, but we may not claim what we could not note */
}

static void end_batch(struct publisher *p, struct batch *b, enum submit_verdict verdict)
{
    struct metrics *m = p->options.metrics;
    const char *why = NULL;
    if (verdict == SUBMIT_ACCEPTED) {
        verdict = note_in_ledger(p, b);
        metric_add(m, METRIC_BATCHES_CONFIRMED, 1);
        metric_add(m, METRIC_ORDERS_CONFIRMED, (uint64_t)b->orders.count);
        uint64_t waited_us = (uint64_t)(clock_mono_ns() - b->first_sent_ns) / 1000;
        metric_add(m, METRIC_CONFIRM_WAIT_US, waited_us);
        histogram_add(m, HISTOGRAM_CONFIRM, waited_us);
    } else if (verdict == SUBMIT_REFUSED) {
        why = b->returned ? refused_returned : refused_nack;
        metric_add(m, b->returned ? METRIC_BATCHES_RETURNED : METRIC_BATCHES_NACKED, 1);
    }
    deliver_verdicts(p, &b->orders, verdict, why);
    batch_free(b);
}

static void refuse_waiting(struct publisher *p, const char *why)
{
    struct submission_list waiting = coalescer_take_all(p->coalescer);
    deliver_verdicts(p, &waiting, SUBMIT_REFUSED, why);
}

/* ---- calls that could hang ---- */

static void busy_begin(struct publisher *p)
{
    pthread_mutex_lock(&p->busy_lock);
    p->busy_fd = broker_connection_fd(p->session.publish);
    p->busy_since_ns = clock_mono_ns();
    pthread_mutex_unlock(&p->busy_lock);
}

static void busy_end(struct publisher *p)
{
    pthread_mutex_lock(&p->busy_lock);
    p->busy_fd = -1;
    pthread_mutex_unlock(&p->busy_lock);
}

void publisher_watchdog(struct publisher *p, int64_t now_ns)
{
    int64_t limit_ns = p->options.settings->publisher.confirm_timeout_ms * NS_PER_MS;
    pthread_mutex_lock(&p->busy_lock);
    if (p->busy_fd >= 0 && now_ns - p->busy_since_ns > limit_ns)
        broker_connection_shutdown(p->busy_fd);
    pthread_mutex_unlock(&p->busy_lock);
}

/* ---- the connection ---- */

/* Whichever way this and publisher_stop() fall together, the coalescer is closed in the end. */
static void take_orders(struct publisher *p)
{
    if (p->ledger_failed)
        return;
    atomic_store(&p->state, BROKER_USABLE);
    coalescer_open(p->coalescer);
    if (atomic_load(&p->stopping))
        coalescer_close(p->coalescer);
}

/* The disk may have room again. */
static void try_ledger(struct publisher *p, int64_t now_ns)
{
    if (!p->ledger_failed || now_ns < p->ledger_probe_ns)
        return;
    p->ledger_probe_ns = now_ns + RECONNECT_NS;
    if (ledger_probe(p->ledger) != 0)
        return;
    p->ledger_failed = false;
    log_info("ledger_written_again", "connected=%d", p->connected);
    if (p->connected && !broker_connection_blocked(p->session.publish))
        take_orders(p);
}

static void lose_session(struct publisher *p, const char *reason)
{
    if (!p->connected)
        return;
    log_warn("broker_lost", "reason=\"%s\" unconfirmed_batches=%d", reason, p->inflight.count);
    metric_add(p->options.metrics, METRIC_BROKER_LOSSES, 1);
    p->connected = false;
    atomic_store(&p->state, BROKER_UNREACHABLE);
    /* At once, since it may be another node's turn; but not in circles with a broker that takes us and drops
     * us. */
    int64_t now_ns = clock_mono_ns();
    bool short_lived = now_ns - p->connected_ns < RECONNECT_NS;
    atomic_store(&p->next_attempt_ns, short_lived ? now_ns + RECONNECT_NS : now_ns);
    coalescer_close(p->coalescer);
    refuse_waiting(p, refused_lost);
    status_desk_cannot_ask(p->options.desk);
    rpc_client_lost(p->asker.rpc);
    broker_session_close(&p->session, false);
    inflight_forget_tags(&p->inflight);
}

static int send_batch(struct publisher *p, struct batch *b)
{
    char key[8], message_id[PRODUCER_SIZE + 24];
    snprintf(key, sizeof key, "%u", b->shard);
    snprintf(message_id, sizeof message_id, "%s-%" PRId64, p->options.producer, b->seq);
    struct broker_message message = {
        .exchange = EXCHANGE_ORDERS,
        .routing_key = key,
        .mandatory = true,
        .properties =
            {
                .content_type = slice_of(TYPE_LINES),
                .message_id = slice_of(message_id),
                .reply_to = slice_of(p->session.reply_queue),
                .persistent = true,
                .headers =
                    {
                        {.name = slice_of(HEADER_PRODUCER),
                         .is_text = true,
                         .text = slice_of(p->options.producer)},
                        {.name = slice_of(HEADER_SEQ), .number = b->seq},
                        {.name = slice_of(HEADER_COUNT), .number = b->orders.count},
                    },
                .header_count = 3,
            },
        .body = {.data = b->body.data, .len = b->body.len},
    };
    b->copies++; /* before the call: from here on a byte of it may have left */
    b->returned = false;
    b->last_sent_ns = clock_mono_ns();
    if (b->first_sent_ns == 0)
        b->first_sent_ns = b->last_sent_ns;
    metric_add(p->options.metrics, METRIC_BATCHES_PUBLISHED, 1);
    busy_begin(p);
    int error = broker_publish(p->session.publish, &message, &b->tag);
    busy_end(p);
    return error;
}

static void note_failure(struct publisher *p, const struct detail *why)
{
    if (strcmp(p->last_failure, why->text) == 0)
        return;
    snprintf(p->last_failure, sizeof p->last_failure, "%s", why->text);
    log_warn("broker_unreachable", "reason=\"%s\"", why->text);
}

/* Opens both connections, and publishes again what had not been confirmed. */
static void connect_session(struct publisher *p)
{
    const struct broker_addresses *addresses = p->options.addresses;
    const struct broker_address *a = &addresses->items[p->next_address];
    p->next_address = (p->next_address + 1) % addresses->count;
    struct detail why = {0};
    int error = broker_session_open(&p->session, a, p->options.settings, &why);
    if (error) {
        note_failure(p, &why);
        atomic_store(&p->next_attempt_ns, clock_mono_ns() + RECONNECT_NS);
        return;
    }
    p->connected = true;
    p->connected_ns = clock_mono_ns();
    p->last_failure[0] = '\0';
    metric_add(p->options.metrics, METRIC_BROKER_CONNECTS, 1);
    rpc_client_connected(p->asker.rpc, p->session.publish, p->session.reply_queue);
    log_info("broker_connected", "address=%s:%d again=%d", a->host, a->port, p->inflight.count);
    for (struct batch *b = p->inflight.head; b; b = b->next)
        if (send_batch(p, b)) {
            lose_session(p, "publishing again failed");
            return;
        }
    take_orders(p);
}

/* ---- what arrives ---- */

static void on_confirmed(void *context, uint64_t tag, bool multiple, bool ack)
{
    struct publisher *p = context;
    enum submit_verdict verdict;
    for (struct batch *b; (b = inflight_confirm(&p->inflight, tag, multiple, ack, &verdict));)
        end_batch(p, b, verdict);
}

static void on_returned(void *context, const struct broker_returned *r)
{
    struct publisher *p = context;
    if (rpc_client_returned(p->asker.rpc, r))
        return;
    const struct broker_header *seq = broker_header_find(&r->properties, HEADER_SEQ);
    struct batch *b = seq ? inflight_find(&p->inflight, seq->number) : NULL;
    if (b)
        b->returned = true; /* its confirm follows */
    log_error("batch_returned", "seq=%" PRId64 " code=%d reason=\"%.*s\" exchange=%.*s key=%.*s",
              seq ? seq->number : -1, r->reply_code, (int)r->reply_text.len, r->reply_text.data,
              (int)r->exchange.len, r->exchange.data, (int)r->routing_key.len, r->routing_key.data);
}

static void on_blocked(void *context, bool blocked, struct slice reason)
{
    struct publisher *p = context;
    log_warn(blocked ? "broker_blocked" : "broker_unblocked", "reason=\"%.*s\"", (int)reason.len,
             reason.data);
    if (blocked) {
        atomic_store(&p->state, BROKER_BLOCKED);
        atomic_store(&p->next_attempt_ns, clock_mono_ns() + RECONNECT_NS);
        coalescer_close(p->coalescer);
        refuse_waiting(p, refused_blocked);
        status_desk_cannot_ask(p->options.desk);
    } else {
        take_orders(p);
    }
}

static void take_decisions(struct publisher *p, struct slice body)
{
    struct decision decisions[DECISIONS_AT_ONCE];
    struct slice line;
    struct detail why;
    int count = 0;
    uint64_t total = 0;
    while (line_next(&body, &line)) {
        if (decision_decode(line, &decisions[count], &why) != 0) {
            log_warn("decision_unreadable", "reason=\"%s\"", why.text);
            continue;
        }
        if (logs_orders(p))
            order_log_decided(&decisions[count]);
        total++;
        if (++count == DECISIONS_AT_ONCE) {
            ask_status_decided(&p->asker, decisions, count);
            count = 0;
        }
    }
    ask_status_decided(&p->asker, decisions, count);
    metric_add(p->options.metrics, METRIC_DECISIONS, total);
}

/* Sale windows are judged by our clock here and by inventory's there. The way of the message is part of the
 * difference. */
static void compare_clocks(struct publisher *p, int64_t theirs_ms)
{
    int64_t ahead_ms = clock_wall_ms() - theirs_ms, now_ns = clock_mono_ns();
    rpc_client_servers_clock(p->asker.rpc, -ahead_ms);
    atomic_store_explicit(&p->options.metrics->clock_ahead_ms, ahead_ms, memory_order_relaxed);
    bool off = ahead_ms > CLOCK_WARN_MS || ahead_ms < -CLOCK_WARN_MS;
    if (!off || (p->clock_warned_ns && now_ns - p->clock_warned_ns < CLOCK_WARN_NS))
        return;
    p->clock_warned_ns = now_ns;
    log_warn("clocks_differ", "ahead_of_inventory_ms=%" PRId64, ahead_ms);
}

static void take_snapshot(struct publisher *p, struct slice body)
{
    struct snapshot snapshot;
    struct detail why;
    if (snapshot_decode(body, &snapshot, &why) != 0) {
        log_warn("snapshot_unreadable", "reason=\"%s\"", why.text);
        return;
    }
    compare_clocks(p, snapshot.at_ms);
    catalogue_update(p->options.catalogue, &snapshot, clock_mono_ns());
    status_desk_heard_of(p->options.desk, snapshot.shard);
    snapshot_free(&snapshot);
    metric_add(p->options.metrics, METRIC_SNAPSHOTS, 1);
}

static void on_delivery(void *context, const struct broker_delivery *d)
{
    struct publisher *p = context;
    if (slice_is(d->consumer, CONSUMER_STOCK))
        take_snapshot(p, d->body);
    else if (!rpc_client_delivery(p->asker.rpc, d))
        take_decisions(p, d->body);
}

static void on_cancelled(void *context, struct slice consumer)
{
    struct publisher *p = context;
    log_warn("consumer_cancelled", "consumer=%.*s", (int)consumer.len, consumer.data);
    broker_connection_shutdown(broker_connection_fd(p->session.consume)); /* the next read finds it dead */
}

static void pump(struct publisher *p)
{
    const struct broker_events events = {
        .context = p,
        .delivery = on_delivery,
        .confirmed = on_confirmed,
        .returned = on_returned,
        .blocked = on_blocked,
        .cancelled = on_cancelled,
    };
    struct detail why;
    if (broker_connection_pump(p->session.publish, &events, 0, &why) < 0 ||
        broker_connection_pump(p->session.consume, &events, 0, &why) < 0)
        lose_session(p, why.text);
}

/* ---- the turn of the loop ---- */

/* What is out of time: unknown where a byte may have left, refused where not. */
static void expire(struct publisher *p, int64_t now_ns)
{
    int64_t before_ns = now_ns - p->options.settings->publisher.confirm_timeout_ms * NS_PER_MS;
    bool hangs = false;
    for (struct batch *b; (b = inflight_take_older(&p->inflight, before_ns));) {
        /* Sent again a moment ago, it says nothing about this connection. */
        hangs |= b->last_sent_ns <= before_ns;
        log_error("confirm_timeout", "seq=%" PRId64 " orders=%d copies=%d", b->seq, b->orders.count,
                  b->copies);
        metric_add(p->options.metrics, METRIC_BATCHES_TIMED_OUT, 1);
        end_batch(p, b, SUBMIT_UNKNOWN);
    }
    /* Under an alarm the broker is alive and says so; the same connection goes on when the alarm is over. */
    if (hangs && atomic_load(&p->state) != BROKER_BLOCKED)
        lose_session(p, "a confirm did not come in time");
    struct submission_list old = coalescer_take_older(p->coalescer, before_ns);
    deliver_verdicts(p, &old, SUBMIT_REFUSED, refused_waited);
}

/* Publishes what gathered, while the window allows it. */
static void publish_gathered(struct publisher *p)
{
    const struct settings *s = p->options.settings;
    while (p->connected && p->inflight.count < s->publisher.window &&
           atomic_load(&p->state) == BROKER_USABLE) {
        struct batch *b = batch_new();
        coalescer_take(p->coalescer, (int)s->publisher.max_batch, BATCH_MAX_BYTES, &b->orders, &b->shard,
                       &b->body);
        if (b->orders.count == 0) {
            batch_free(b);
            return;
        }
        b->seq = p->next_seq++;
        inflight_add(&p->inflight, b);
        histogram_add(p->options.metrics, HISTOGRAM_BATCH, (uint64_t)b->orders.count);
        if (logs_orders(p))
            order_log_submitted(&b->orders, b->seq);
        if (send_batch(p, b))
            lose_session(p, "publishing failed");
    }
}

static int sleep_ms(struct publisher *p, int64_t now_ns)
{
    if (p->connected && (broker_connection_has_buffered(p->session.publish) ||
                         broker_connection_has_buffered(p->session.consume)))
        return 0;
    int64_t ms = p->connected && p->asker.gathers ? DESK_GAP_NS / NS_PER_MS : MAX_SLEEP_MS;
    if (!p->connected) {
        int64_t until = (atomic_load(&p->next_attempt_ns) - now_ns + NS_PER_MS - 1) / NS_PER_MS;
        if (until < ms)
            ms = until > 0 ? until : 0;
    }
    return (int)ms;
}

static void wait_for_work(struct publisher *p)
{
    struct pollfd fds[5] = {
        {.fd = p->stop_fd, .events = POLLIN}, {.fd = coalescer_fd(p->coalescer), .events = POLLIN},
        {.fd = -1, .events = POLLIN},         {.fd = -1, .events = POLLIN},
        {.fd = -1, .events = POLLIN},
    };
    /* While the window is full, more orders are no reason to wake up: the confirm is. Nor while none may be
     * published: what woke us last may still be in the descriptor, which only the taking of orders clears. */
    if (atomic_load(&p->state) != BROKER_USABLE || p->inflight.count >= p->options.settings->publisher.window)
        fds[1].fd = -1;
    if (p->connected) {
        fds[2].fd = broker_connection_fd(p->session.publish);
        fds[3].fd = broker_connection_fd(p->session.consume);
    }
    if (p->connected && atomic_load(&p->state) == BROKER_USABLE)
        fds[4].fd = status_desk_fd(p->options.desk);
    if (atomic_load(&p->stopping))
        fds[0].fd = -1;
    poll(fds, sizeof fds / sizeof fds[0], sleep_ms(p, clock_mono_ns()));
}

static bool is_finished(struct publisher *p)
{
    if (!atomic_load(&p->stopping))
        return false;
    /* publisher_stop may not have come to it yet, and nothing may be added after the count. */
    coalescer_close(p->coalescer);
    if (!p->connected)
        refuse_waiting(p, refused_lost);
    return p->inflight.count == 0 && coalescer_count(p->coalescer) == 0;
}

static void *broker_thread(void *context)
{
    struct publisher *p = context;
    while (!is_finished(p)) {
        int64_t now_ns = clock_mono_ns();
        atomic_store_explicit(&p->turn_ns, now_ns, memory_order_relaxed);
        if (!p->connected && now_ns >= atomic_load(&p->next_attempt_ns))
            connect_session(p);
        if (p->connected)
            pump(p);
        expire(p, clock_mono_ns());
        try_ledger(p, now_ns);
        publish_gathered(p);
        rpc_client_expire(p->asker.rpc, now_ns);
        atomic_store_explicit(&p->options.metrics->value[METRIC_RPC_LATE], rpc_client_late(p->asker.rpc),
                              memory_order_relaxed);
        if (p->connected && atomic_load(&p->state) == BROKER_USABLE && ask_status(&p->asker, now_ns))
            lose_session(p, "publishing a question failed");
        wait_for_work(p);
    }
    if (p->connected) {
        rpc_client_lost(p->asker.rpc);
        broker_session_close(&p->session, true);
        p->connected = false;
    }
    return NULL;
}

/* ---- life ---- */

int publisher_start(struct publisher **out, const struct publisher_options *options, struct detail *why)
{
    struct publisher *p = xcalloc(1, sizeof *p);
    p->options = *options;
    p->busy_fd = -1;
    p->next_seq = 1;
    atomic_store(&p->state, BROKER_UNREACHABLE);
    atomic_store(&p->turn_ns, clock_mono_ns());
    pthread_mutex_init(&p->busy_lock, NULL);
    p->asker = (struct ask_status){
        .rpc = rpc_client_new(),
        .pending = options->pending,
        .desk = options->desk,
        .metrics = options->metrics,
        .shards = (int)options->settings->topology.shards,
    };
    p->stop_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    char dir[STORE_PATH_SIZE];
    settings_ledger_dir(options->settings, dir);
    int error = p->stop_fd < 0 ? E_IO : coalescer_new(&p->coalescer);
    if (error)
        detail_set(why, "no more descriptors");
    if (!error)
        error = dir_make(dir, why);
    if (!error)
        error = ledger_create(&p->ledger, dir, options->producer, why);
    if (!error && pthread_create(&p->thread, NULL, broker_thread, p) != 0) {
        detail_set(why, "cannot start a thread");
        error = E_IO;
    }
    if (error) {
        publisher_free(p);
        return error;
    }
    *out = p;
    return 0;
}

bool publisher_submit(struct publisher *p, struct submission *s)
{
    s->verdict = SUBMIT_PENDING;
    s->submitted_ns = clock_mono_ns();
    return coalescer_add(p->coalescer, s);
}

enum broker_state publisher_state(const struct publisher *p)
{
    return (enum broker_state)atomic_load_explicit(&p->state, memory_order_relaxed);
}

int publisher_retry_after_s(const struct publisher *p)
{
    int64_t wait_ns = atomic_load(&p->next_attempt_ns) - clock_mono_ns();
    return wait_ns > NS_PER_S ? (int)((wait_ns + NS_PER_S - 1) / NS_PER_S) : 1;
}

int64_t publisher_turn_ns(const struct publisher *p)
{
    return atomic_load_explicit(&p->turn_ns, memory_order_relaxed);
}

void publisher_stop(struct publisher *p)
{
    atomic_store(&p->stopping, true);
    coalescer_close(p->coalescer);
    eventfd_write(p->stop_fd, 1);
    struct timespec until;
    do { /* the caller is here and cannot look after a thread that hangs, so we do */
        publisher_watchdog(p, clock_mono_ns());
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += MAX_SLEEP_MS * NS_PER_MS;
        until.tv_sec += until.tv_nsec / NS_PER_S;
        until.tv_nsec %= NS_PER_S;
    } while (pthread_timedjoin_np(p->thread, NULL, &until) != 0);
}

void publisher_free(struct publisher *p)
{
    if (!p)
        return;
    rpc_client_free(p->asker.rpc);
    ledger_close(p->ledger);
    coalescer_free(p->coalescer);
    if (p->stop_fd >= 0)
        close(p->stop_fd);
    pthread_mutex_destroy(&p->busy_lock);
    free(p);
}
