/*
 * A worker's two connections: opened together, at one address after the other, and closed together, because
 * what is decided on one is acknowledged on the other.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>

#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/broker/consume.h"
#include "common/pipeline/worker_internal.h"

#define RETRY_NS (NS_PER_S / 2)
#define QUIET_NS (5 * NS_PER_S) /* nothing came for so long: does nothing wait? */
#define STUCK_S  10             /* a publish that hangs for so long means that the connection is dead */

void link_trouble(struct worker *w, const char *what)
{
    struct link *l = &w->link;
    char quoted[512];
    char *last = l->trouble[l->address % TROUBLES];
    l->lost = true;
    if (strcmp(last, what) == 0)
        return;
    snprintf(last, sizeof l->trouble[0], "%s", what);
    log_warn("broker_unusable", "why=%s retry_ms=%lld", log_quote(what, quoted, sizeof quoted),
             (long long)(RETRY_NS / NS_PER_MS));
}

void link_close(struct worker *w, bool politely)
{
    struct link *l = &w->link;
    void (*end)(struct broker_connection *) = politely ? broker_connection_close : broker_connection_abandon;
    end(l->consume);
    end(l->publish);
    l->consume = l->publish = NULL;
    l->lost = l->blocked = l->silent = false;
    hand_drop(&w->hand);
    hand_drop(&w->next);
    questions_drop(&w->questions);
    outbox_relay_lost(w->relay);
    replies_discard(w->replies);
}

/* Publishing to an exchange that is not there closes the channel, so look first. */
static int check_exchanges(struct worker *w, struct detail *why)
{
    for (const char *const *name = w->spec->exchanges; *name; name++) {
        int error = broker_exchange_check(w->link.publish, *name, why);
        if (error == E_NOT_FOUND)
            detail_set(why,
                       "exchange %s is missing: import the definitions (seckillctl topology definitions)",
                       *name);
        if (error)
            return error;
    }
    return 0;
}

static int explain(int error, const char *queue, struct detail *why)
{
    if (error == E_NOT_FOUND)
        detail_set(why, "queue %s is missing: import the definitions (seckillctl topology definitions)",
                   queue);
    return error;
}

/*
 * Alone, where questions are answered. The lock beside the database keeps a second process of this host away;
 * one of another host has a database of its own, and would answer questions and fan out a catalogue from
 * there while the orders go to the first. The broker does not say which consumer of the orders is the active
 * one, but it lets one connection only hold a name: another process stands by, and does nothing.
 */
static int consume(struct worker *w, struct detail *why)
{
    const struct worker_spec *spec = w->spec;
    struct broker_connection *c = w->link.consume;
    char name[128];
    int error = 0;
    snprintf(name, sizeof name, "%s.active", spec->queue);
    if (spec->rpc_queue)
        error = broker_hold(c, name, why);
    if (!error && spec->rpc_queue)
        error = explain(broker_consume(c, spec->rpc_queue, CONSUMER_RPC, 0, true, why), spec->rpc_queue, why);
    if (!error)
        error = explain(broker_consume(c, spec->queue, CONSUMER_WORK, spec->prefetch, false, why),
                        spec->queue, why);
    return error;
}

static int open_one(struct worker *w, struct broker_connection **out, const struct broker_address *address,
                    const char *purpose, bool confirms, struct detail *why)
{
    const struct worker_spec *spec = w->spec;
    char name[128];
    const struct broker_options options = {.address = address,
                                           .name = name,
                                           .timeout_ms = spec->timeout_ms,
                                           .heartbeat_s = spec->heartbeat_s,
                                           .confirms = confirms};
    snprintf(name, sizeof name, "seckill-%s %s", spec->service, purpose);
    return broker_connection_open(out, &options, why);
}

static int open_publish(struct worker *w, const struct broker_address *address, struct detail *why)
{
    int error = open_one(w, &w->link.publish, address, "publish", true, why);
    return error ? error : check_exchanges(w, why);
}

static int open_both(struct worker *w, const struct broker_address *address, struct detail *why)
{
    int error = open_publish(w, address, why);
    if (error)
        return error;
    FAULT_POINT("worker.half_connected");
    error = open_one(w, &w->link.consume, address, "consume", false, why);
    return error ? error : consume(w, why);
}

/* What link_check_quiet is about may happen to what a channel publishes, too: heartbeats go on, and no
 * confirm comes. Orders go on being decided meanwhile: only the publish connection is another one then. */
void link_unconfirmed(struct worker *w, int64_t now_ns)
{
    w->link.silent = true;
    renewal_refused(&w->link.renewal, now_ns);
}

void link_renew(struct worker *w, int64_t now_ns)
{
    struct link *l = &w->link;
    const struct broker_address *address = &w->spec->addresses->items[l->address];
    struct detail why = {.text = ""};
    if (l->blocked || !renewal_is_due(&l->renewal, now_ns))
        return;
    log_warn(l->silent ? "broker_silent" : "broker_refuses", "host=%s port=%d publish_connection=new",
             address->host, address->port);
    if (l->silent)
        broker_connection_abandon(l->publish);
    else
        broker_connection_close(l->publish);
    l->publish = NULL;
    l->silent = false;
    outbox_relay_lost(w->relay);
    if (open_publish(w, address, &why) != 0)
        link_trouble(w, why.text);
}

void link_open(struct worker *w, int64_t now_ns)
{
    struct link *l = &w->link;
    const struct broker_address *address = &w->spec->addresses->items[l->address];
    struct detail why = {.text = ""};
    int error = open_both(w, address, &why);
    if (error) {
        link_trouble(w, why.text);
        link_close(w, false);
        l->address = (l->address + 1) % w->spec->addresses->count;
        l->next_attempt_ns = now_ns + RETRY_NS;
        return;
    }
    memset(l->trouble, 0, sizeof l->trouble);
    renewal_done(&l->renewal);
    l->quiet_since_ns = clock_mono_ns();
    l->suspect = false;
    w->tick_due_ns = 0;
    log_info("broker_connected", "host=%s port=%d queue=%s", address->host, address->port, w->spec->queue);
    FAULT_POINT("worker.consuming");
}

/*
 * A node of a cluster that hangs and comes back can leave a consumer of a quorum queue with all of its
 * prefetch taken, by messages that it never got or by acknowledgements that the queue never got
 * (rabbitmq-server's pull request 14589): nothing comes any more, on a connection that lives. A new
 * connection gets them. Asked twice, since what waits the first time may be on its way.
 */
void link_check_quiet(struct worker *w, int64_t now_ns)
{
    struct link *l = &w->link;
    uint32_t ready = 0;
    struct detail why = {.text = ""};
    if (now_ns - l->quiet_since_ns < QUIET_NS)
        return;
    l->quiet_since_ns = now_ns;
    if (broker_queue_check(l->consume, w->spec->queue, &ready, NULL, &why) != 0) {
        link_trouble(w, why.text);
        return;
    }
    if (ready > 0 && l->suspect) {
        detail_set(&why, "%s delivers nothing; messages that wait: %u", w->spec->queue, (unsigned)ready);
        link_trouble(w, why.text);
    }
    l->suspect = ready > 0;
}

/*
 * The guard. Publishing blocks while the broker does not read; under an alarm that can be for ever, and the
 * alarm's own notice may come too late. There is only this thread, so a timer's signal has to cut the
 * connection.
 */
static volatile sig_atomic_t guarded_fd = -1;

static void cut(int signal_number)
{
    (void)signal_number;
    if (guarded_fd >= 0)
        broker_connection_shutdown(guarded_fd); /* shutdown(2) is async-signal-safe */
}

void link_guard_begin(struct worker *w)
{
    struct sigaction action = {.sa_handler = cut, .sa_flags = SA_RESTART};
    struct itimerval limit = {.it_value.tv_sec = STUCK_S};
    guarded_fd = broker_connection_fd(w->link.publish);
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &limit, NULL);
}

void link_guard_end(void)
{
    struct itimerval none = {0};
    setitimer(ITIMER_REAL, &none, NULL);
    guarded_fd = -1;
}
