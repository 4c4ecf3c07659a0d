/*
 * The broker thread's life and loop. See publisher.h for what it promises, inflight.h for how a batch ends.
 *
 * One turn of the loop: connect if there is no broker; read what came (confirms, decisions, snapshots); give
 * up what is out of time; publish what gathered; sleep until something happens.
 */
#include "services/order/publisher.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "common/base/alloc.h"
#include "common/base/fault.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "services/order/order_log.h"
#include "services/order/publisher_internal.h"

#define BATCH_MAX_BYTES (120 * 1024) /* one frame of the body (131072 - 8) holds it */
#define UNROUTABLE_NS   (5 * NS_PER_S)
#define MAX_SLEEP_MS    250 /* heartbeats, deadlines of what waits, the watchdog's sign of life */

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
        FAULT_POINT("publisher.timed_out");
        publisher_end_batch(p, b, SUBMIT_UNKNOWN);
    }
    /* Under an alarm the broker is alive and says so; the same connection goes on when the alarm is over. */
    if (hangs && atomic_load(&p->state) != BROKER_BLOCKED)
        publisher_lose_session(p, "a confirm did not come in time");
    struct submission_list old = coalescer_take_older(p->coalescer, before_ns);
    publisher_deliver(p, &old, SUBMIT_REFUSED, REFUSED_WAITED);
}

/* Publishes what gathered, while the window allows it. */
static void publish_gathered(struct publisher *p)
{
    const struct settings *s = p->options.settings;
    while (p->connected && !p->looks_again && p->inflight.count < s->publisher.window &&
           atomic_load(&p->state) == BROKER_USABLE) {
        struct batch *b = batch_new();
        coalescer_take(p->coalescer, (int)s->publisher.max_batch, BATCH_MAX_BYTES, &b->orders, &b->shard,
                       &b->body);
        if (b->orders.count == 0) {
            batch_free(b);
            return;
        }
        FAULT_POINT("publisher.gathered");
        b->seq = p->next_seq++;
        inflight_add(&p->inflight, b);
        histogram_add(p->options.metrics, HISTOGRAM_BATCH, (uint64_t)b->orders.count);
        if (publisher_logs_orders(p))
            order_log_submitted(&b->orders, b->seq);
        if (publisher_send_batch(p, b))
            publisher_lose_session(p, "publishing failed");
    }
}

static int sleep_ms(struct publisher *p, int64_t now_ns)
{
    if (p->connected && (broker_connection_has_buffered(p->session.publish) ||
                         broker_connection_has_buffered(p->session.consume)))
        return 0;
    int64_t ms = p->connected && p->asker.gathers ? DESK_GAP_NS / NS_PER_MS : MAX_SLEEP_MS;
    if (p->connected && p->packets.next_ns < now_ns + ms * NS_PER_MS)
        ms = p->packets.next_ns > now_ns ? (p->packets.next_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS : 0;
    if (!p->connected) {
        int64_t until = (atomic_load(&p->next_attempt_ns) - now_ns + NS_PER_MS - 1) / NS_PER_MS;
        if (until < ms)
            ms = until > 0 ? until : 0;
    }
    return (int)ms;
}

static void wait_for_work(struct publisher *p)
{
    struct pollfd fds[7] = {
        {.fd = p->stop_fd, .events = POLLIN}, {.fd = coalescer_fd(p->coalescer), .events = POLLIN},
        {.fd = -1, .events = POLLIN},         {.fd = -1, .events = POLLIN},
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
    if (p->connected && broker_state_is_reachable(publisher_state(p))) {
        fds[4].fd = status_desk_fd(p->options.desk);
        fds[5].fd = packet_desk_fd(p->options.packets);
        fds[6].fd = admin_desk_fd(p->options.admin);
    }
    if (atomic_load(&p->stopping))
        fds[0].fd = -1;
    poll(fds, sizeof fds / sizeof fds[0], sleep_ms(p, clock_mono_ns()));
}

static void ask(struct publisher *p, int64_t now_ns)
{
    p->packets.next_ns = INT64_MAX;
    if (!p->connected || !broker_state_is_reachable(publisher_state(p)))
        return;
    if (ask_status(&p->asker, now_ns) || ask_packets(&p->packets, now_ns) ||
        ask_admin(p->options.admin, p->asker.rpc) || publisher_beat(p, now_ns))
        publisher_lose_session(p, "publishing a question failed");
}

static bool is_finished(struct publisher *p)
{
    if (!atomic_load(&p->stopping))
        return false;
    /* publisher_stop may not have come to it yet, and nothing may be added after the count. */
    coalescer_close(p->coalescer);
    if (!p->connected)
        publisher_refuse_waiting(p, REFUSED_LOST);
    return p->inflight.count == 0 && coalescer_count(p->coalescer) == 0 &&
           admin_desk_held(p->options.admin) == 0;
}

static void *broker_thread(void *context)
{
    struct publisher *p = context;
    while (!is_finished(p)) {
        int64_t now_ns = clock_mono_ns();
        atomic_store_explicit(&p->turn_ns, now_ns, memory_order_relaxed);
        if (!p->connected && now_ns >= atomic_load(&p->next_attempt_ns))
            publisher_connect(p);
        if (p->connected)
            publisher_pump(p);
        if (p->looks_again && p->inflight.count == 0)
            publisher_lose_session(p, "orders come back");
        publisher_renew(p, clock_mono_ns());
        expire(p, clock_mono_ns());
        publisher_try_ledger(p, now_ns);
        publish_gathered(p);
        rpc_client_expire(p->asker.rpc, now_ns);
        atomic_store_explicit(&p->options.metrics->value[METRIC_RPC_LATE], rpc_client_late(p->asker.rpc),
                              memory_order_relaxed);
        ask(p, now_ns);
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
    pthread_mutex_init(&p->trouble_lock, NULL);
    p->asker = (struct ask_status){
        .rpc = rpc_client_new(),
        .pending = options->pending,
        .desk = options->desk,
        .metrics = options->metrics,
        .shards = (int)options->settings->topology.shards,
    };
    p->packets = (struct ask_packets){
        .rpc = p->asker.rpc,
        .pending = options->pending,
        .desk = options->packets,
        .metrics = options->metrics,
        .next_ns = INT64_MAX,
    };
    heartbeat_begin(&p->heartbeat, "order");
    snprintf(p->heartbeat.instance, sizeof p->heartbeat.instance, "%s", options->producer);
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

bool publisher_is_unroutable(const struct publisher *p)
{
    int64_t returned_ns = atomic_load_explicit(&p->returned_ns, memory_order_relaxed);
    return returned_ns != 0 && clock_mono_ns() - returned_ns < UNROUTABLE_NS;
}

void publisher_trouble(struct publisher *p, struct detail *out)
{
    pthread_mutex_lock(&p->trouble_lock);
    *out = p->trouble;
    pthread_mutex_unlock(&p->trouble_lock);
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
    pthread_mutex_destroy(&p->trouble_lock);
    free(p);
}

void publisher_watchdog(struct publisher *p, int64_t now_ns)
{
    int64_t limit_ns = p->options.settings->publisher.confirm_timeout_ms * NS_PER_MS;
    pthread_mutex_lock(&p->busy_lock);
    if (p->busy_fd >= 0 && now_ns - p->busy_since_ns > limit_ns)
        broker_connection_shutdown(p->busy_fd);
    pthread_mutex_unlock(&p->busy_lock);
}
