/*
 * A worker's two connections: opened together, at one address after the other, and closed together, because
 * what is decided on one is acknowledged on the other.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/broker/consume.h"
#include "common/pipeline/worker_internal.h"

#define RETRY_NS     (NS_PER_S / 2)
#define RPC_PREFETCH 64
#define STUCK_S      10 /* a publish that hangs for so long means that the connection is dead */

void link_trouble(struct worker *w, const char *what)
{
    struct link *l = &w->link;
    char quoted[512];
    l->lost = true;
    if (strcmp(l->trouble, what) == 0)
        return;
    snprintf(l->trouble, sizeof l->trouble, "%s", what);
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
    l->lost = l->blocked = false;
    hand_drop(&w->hand);
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

static int consume(struct worker *w, const char *queue, const char *tag, int prefetch, bool no_ack,
                   struct detail *why)
{
    int error = broker_consume(w->link.consume, queue, tag, prefetch, no_ack, why);
    if (error == E_NOT_FOUND)
        detail_set(why, "queue %s is missing: import the definitions (seckillctl topology definitions)",
                   queue);
    return error;
}

static int open_both(struct worker *w, const struct broker_address *address, struct detail *why)
{
    const struct worker_spec *spec = w->spec;
    char name[128];
    struct broker_options options = {
        .address = address, .name = name, .timeout_ms = spec->timeout_ms, .heartbeat_s = spec->heartbeat_s};

    snprintf(name, sizeof name, "seckill-%s publish", spec->service);
    options.confirms = true;
    int error = broker_connection_open(&w->link.publish, &options, why);
    if (!error)
        error = check_exchanges(w, why);
    if (error)
        return error;
    snprintf(name, sizeof name, "seckill-%s consume", spec->service);
    options.confirms = false;
    error = broker_connection_open(&w->link.consume, &options, why);
    if (!error)
        error = consume(w, spec->queue, CONSUMER_WORK, spec->prefetch, false, why);
    if (!error && spec->rpc_queue)
        error = consume(w, spec->rpc_queue, CONSUMER_RPC, RPC_PREFETCH, true, why);
    return error;
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
    l->trouble[0] = '\0';
    w->tick_due_ns = 0;
    log_info("broker_connected", "host=%s port=%d queue=%s", address->host, address->port, w->spec->queue);
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
