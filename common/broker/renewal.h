/*
 * When a connection that publishes is to be opened anew because the broker refuses (nacks) what comes on it,
 * or a worker's because it does not confirm that.
 *
 * A full queue refuses, and a new connection is no help. But a RabbitMQ 3.10 cluster also refuses everything
 * for a queue on a channel that was opened while the queue's leader was dying: the channel asks the dead node
 * on and on, while new ones are served by the new leader. The two cannot be told apart, so a refusal is
 * reason for a new connection, in the first quarter of a second after it, then less and less often.
 *
 * A zeroed struct is one that nothing was refused to.
 */
#ifndef SECKILL_BROKER_RENEWAL_H
#define SECKILL_BROKER_RENEWAL_H

#include <stdbool.h>
#include <stdint.h>

#define RENEWAL_FIRST_NS INT64_C(250000000)
#define RENEWAL_MAX_NS   (32 * RENEWAL_FIRST_NS)

struct renewal {
    int64_t due_ns;  /* 0: nothing was refused since the last one */
    int64_t last_ns; /* the last one; 0: none yet */
    int64_t wait_ns; /* before it */
};

static inline void renewal_refused(struct renewal *r, int64_t now_ns)
{
    if (r->due_ns)
        return;
    if (r->wait_ns == 0 || now_ns - r->last_ns > 2 * RENEWAL_MAX_NS)
        r->wait_ns = RENEWAL_FIRST_NS;
    else if (r->wait_ns < RENEWAL_MAX_NS)
        r->wait_ns *= 2;
    r->due_ns = now_ns + r->wait_ns;
}

/* Is it time now? Then it counts as done. */
static inline bool renewal_is_due(struct renewal *r, int64_t now_ns)
{
    if (r->due_ns == 0 || now_ns < r->due_ns)
        return false;
    r->due_ns = 0;
    r->last_ns = now_ns;
    return true;
}

/* There is another connection for another reason. */
static inline void renewal_done(struct renewal *r)
{
    r->due_ns = 0;
}

#endif
