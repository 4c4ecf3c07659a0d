/* The worker's sign of life. See heartbeat.h. */
#include "common/pipeline/worker_internal.h"

void worker_beat(struct worker *w, int64_t now_ns)
{
    const struct inbox_counts *n = &w->transaction.totals;
    struct heartbeat *h = &w->heartbeat;
    if (now_ns < w->beat.due_ns)
        return;
    h->handled = n->decided + n->duplicates + n->dead;
    h->errors = n->dead;
    h->backlog = w->hand.lines;
    h->lag_ms = w->transaction.lag_ms;
    w->transaction.lag_ms = 0;
    heartbeat_measure(h, &w->beat, now_ns);
    (void)!heartbeat_send(h, w->link.publish); /* if it breaks, the next pump says so */
}
