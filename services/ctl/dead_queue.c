/* See dead_queue.h. */
#include "services/ctl/dead_queue.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/base/alloc.h"
#include "common/base/clock.h"
#include "common/broker/consume.h"
#include "common/pipeline/names.h"
#include "services/ctl/ask.h"

#define PREFETCH      250 /* letters on their way to one consumer */
#define STEADY_ROUNDS 10
#define STEADY_MS     100 /* letters that came back a moment ago are counted a moment later */
#define IDLE_NS       (1 * NS_PER_S)
#define GIVE_UP       10 /* so often idle while the broker says that there are letters */

struct dead_queue {
    struct broker_connection *connection;
    int64_t count, seen;
    int64_t kept; /* seen and not acknowledged */
    int consumers;
    bool with_body;
    struct letter *into; /* where the next delivery goes; NULL: it came */
};

static int say_lost(const struct detail *why)
{
    return ctl_fail(EXIT_UNAVAILABLE, "%s", why->text);
}

/* The same number twice; where they keep coming, what there is by then. */
static int count_letters(struct dead_queue *q, struct detail *why)
{
    const struct timespec pause = {.tv_nsec = STEADY_MS * NS_PER_MS};
    uint32_t ready = 0, before;
    int rounds = 0, rc = broker_queue_check(q->connection, QUEUE_DEAD, &ready, NULL, why);
    do {
        before = ready;
        nanosleep(&pause, NULL);
        if (rc == 0)
            rc = broker_queue_check(q->connection, QUEUE_DEAD, &ready, NULL, why);
    } while (rc == 0 && ready != before && ++rounds < STEADY_ROUNDS);
    q->count = ready;
    return rc;
}

int dead_queue_open(const struct ctl *ctl, struct dead_queue **out)
{
    struct detail why = {""};
    struct dead_queue *q = xcalloc(1, sizeof(*q));
    int status = ctl_connect(ctl, &q->connection);
    if (status == EXIT_OK && count_letters(q, &why))
        status = say_lost(&why);
    if (status) {
        dead_queue_close(q);
        return status;
    }
    *out = q;
    return EXIT_OK;
}

void dead_queue_close(struct dead_queue *q)
{
    if (!q)
        return;
    broker_connection_close(q->connection);
    free(q);
}

int64_t dead_queue_count(const struct dead_queue *q)
{
    return q->count;
}

static void on_delivery(void *context, const struct broker_delivery *d)
{
    struct dead_queue *q = context;
    if (!q->into) /* while a person thinks: it goes back */
        return;
    letter_read(d, q->with_body, q->into);
    q->into = NULL;
    q->seen++;
    q->kept++;
}

static int pump(struct dead_queue *q, struct detail *why)
{
    const struct broker_events events = {.context = q, .delivery = on_delivery};
    return broker_connection_pump(q->connection, &events, 1, why) < 0 ? -1 : 0;
}

/* Another window, where all are full. */
static int make_room(struct dead_queue *q, struct detail *why)
{
    char tag[32];
    if (q->kept < (int64_t)q->consumers * PREFETCH)
        return 0;
    snprintf(tag, sizeof(tag), "look-%d", ++q->consumers);
    return broker_consume(q->connection, QUEUE_DEAD, tag, PREFETCH, false, why) ? -1 : 0;
}

/* Nothing came for a while: somebody else has the rest. 1: so it is; 0: wait on; -1. */
static int is_over(struct dead_queue *q, int idles, struct detail *why)
{
    uint32_t ready = 0;
    if (broker_queue_check(q->connection, QUEUE_DEAD, &ready, NULL, why))
        return -1;
    if (ready > 0 && idles >= GIVE_UP) {
        detail_set(why, "the broker has %u letters in %s and does not deliver them", ready, QUEUE_DEAD);
        return -1;
    }
    return ready == 0 && idles > 1;
}

int dead_queue_next(struct dead_queue *q, bool with_body, struct letter *out)
{
    struct detail why = {""};
    int64_t since_ns = clock_mono_ns();
    int rc = 0, idles = 0;
    if (q->seen >= q->count)
        return 0;
    *out = (struct letter){0};
    q->with_body = with_body;
    q->into = out;
    while (rc == 0 && (rc = make_room(q, &why)) == 0 && (rc = pump(q, &why)) == 0 && q->into) {
        struct pollfd fd = {.fd = broker_connection_fd(q->connection), .events = POLLIN};
        if (!broker_connection_has_buffered(q->connection))
            poll(&fd, 1, 200);
        if (clock_mono_ns() - since_ns < IDLE_NS)
            continue;
        since_ns = clock_mono_ns();
        rc = is_over(q, ++idles, &why);
    }
    bool came = !q->into;
    q->into = NULL;
    if (rc < 0)
        say_lost(&why);
    return rc < 0 ? -1 : came;
}

int dead_queue_ack(struct dead_queue *q, uint64_t tag)
{
    if (broker_ack(q->connection, tag, false))
        return ctl_fail(EXIT_UNAVAILABLE, "the broker is gone: what is not acknowledged is in %s again",
                        QUEUE_DEAD);
    q->kept--;
    return EXIT_OK;
}

int dead_queue_wait_for(struct dead_queue *q, int fd)
{
    struct detail why = {""};
    struct pollfd fds[2] = {{.fd = fd, .events = POLLIN},
                            {.fd = broker_connection_fd(q->connection), .events = POLLIN}};
    do {
        if (pump(q, &why))
            return say_lost(&why);
        fds[0].revents = 0;
        poll(fds, 2, 1000);
    } while (fds[0].revents == 0);
    return EXIT_OK;
}
