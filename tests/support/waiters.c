/* Many clients that wait for decisions. */
#include "tests/support/waiters.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/json.h"
#include "tests/support/swarm.h"

enum { BOUND_SECONDS = 100 };

struct waiters {
    pthread_t thread;
    int port, count, wait_s, id_count;
    char (*ids)[27];
    bool *has_asked;
    struct waiters_tally tally;
};

static enum swarm_next next_request(void *context, int connection, struct text *out, uint64_t *tag)
{
    struct waiters *w = context;
    char path[64];

    if (w->has_asked[connection])
        return SWARM_DONE;
    w->has_asked[connection] = true;
    *tag = (uint64_t)connection;
    snprintf(path, sizeof path, "/v1/orders/%s?wait=%d", w->ids[connection % w->id_count], w->wait_s);
    http_format(out, "GET", path, NULL, NULL);
    return SWARM_SEND;
}

static int count_answer(void *context, uint64_t tag, const struct http_response *response,
                        enum swarm_failure why)
{
    struct waiters *w = context;
    json_t *body = response ? json_body(response) : NULL;
    const char *status = json_text(body, "status");

    (void)tag;
    (void)why;
    if (response && response->status == 200 && strcmp(status, "accepted") == 0)
        w->tally.accepted++;
    else if (response && response->status == 200 && strcmp(status, "confirmed") == 0)
        w->tally.confirmed++;
    else if (response && response->status == 200 && strcmp(status, "unknown") == 0)
        w->tally.unknown++;
    else if (response && response->status == 503)
        w->tally.unavailable++;
    else
        w->tally.other++;
    json_decref(body);
    return 0;
}

static void *run(void *context)
{
    struct waiters *w = context;
    struct swarm_handler handler = {.context = w, .next = next_request, .outcome = count_answer};

    swarm_run(w->port, w->count, BOUND_SECONDS, &handler);
    return NULL;
}

struct waiters *waiters_start(int port, int count, int wait_s, char (*ids)[27], int id_count)
{
    struct waiters *w = take_memory(sizeof *w);

    *w = (struct waiters){.port = port,
                          .count = count,
                          .wait_s = wait_s,
                          .ids = ids,
                          .id_count = id_count,
                          .has_asked = take_memory((size_t)count)};
    if (pthread_create(&w->thread, NULL, run, w) != 0)
        abort();
    return w;
}

void waiters_join(struct waiters *w, struct waiters_tally *tally)
{
    pthread_join(w->thread, NULL);
    *tally = w->tally;
    free(w->has_asked);
    free(w);
}
