/* stats: which services of the deployment are alive, by their own signs of life, from any host. */
#include <inttypes.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/clock.h"
#include "common/broker/consume.h"
#include "common/pipeline/heartbeat.h"
#include "common/pipeline/names.h"
#include "services/ctl/ask.h"
#include "services/ctl/commands.h"
#include "services/ctl/table.h"

#define LISTEN_MS                                                                                            \
    (2 * HEARTBEAT_EVERY_NS / NS_PER_MS + 200) /* each is heard of, even if one sign is lost                 \
                                                */

const struct ctl_option cmd_stats_options[] = {
    {"json", NULL, "print JSON: {\"services\": [...]}, as GET /v1/stats has them"},
    {NULL, NULL, NULL},
};

struct heard { /* the latest sign of each instance */
    struct sign {
        struct heartbeat beat;
        int64_t at_ns;
    } * signs;
    size_t count;
};

static void note(struct heard *h, const struct heartbeat *beat)
{
    size_t i = 0;
    while (i < h->count && strcmp(h->signs[i].beat.instance, beat->instance) != 0)
        i++;
    if (i == h->count) {
        h->count++;
        h->signs = xrealloc(h->signs, h->count * sizeof *h->signs);
    }
    h->signs[i] = (struct sign){.beat = *beat, .at_ns = clock_mono_ns()};
}

static void on_delivery(void *context, const struct broker_delivery *d)
{
    struct heartbeat beat;
    struct detail why;
    if (heartbeat_is(&d->properties) && heartbeat_decode(d->body, &beat, &why) == 0)
        note(context, &beat);
}

static int listen_for_signs(const struct ctl *ctl, struct heard *heard)
{
    struct broker_connection *c = NULL;
    char queue[BROKER_NAME_SIZE];
    struct detail why;
    int status = ctl_connect(ctl, &c);
    if (status)
        return status;
    int error = broker_declare_private_queue(c, 0, queue, &why);
    if (!error)
        error = broker_bind(c, queue, EXCHANGE_STOCK, "", &why);
    if (!error)
        error = broker_consume(c, queue, "stats", 0, true, &why);
    const struct broker_events events = {.context = heard, .delivery = on_delivery};
    int64_t end_ns = clock_mono_ns() + LISTEN_MS * NS_PER_MS, now_ns;
    while (!error && (now_ns = clock_mono_ns()) < end_ns) {
        error = broker_connection_pump(c, &events, 0, &why) < 0 ? E_CLOSED : 0;
        struct pollfd fd = {.fd = broker_connection_fd(c), .events = POLLIN};
        int64_t left_ms = (end_ns - now_ns) / NS_PER_MS + 1;
        if (!error && !broker_connection_has_buffered(c))
            poll(&fd, 1, left_ms < 500 ? (int)left_ms : 500);
    }
    broker_connection_close(c);
    return error ? ctl_fail(EXIT_UNAVAILABLE, "%s", why.text) : EXIT_OK;
}

static int compare(const void *a, const void *b)
{
    const struct heartbeat *x = &((const struct sign *)a)->beat, *y = &((const struct sign *)b)->beat;
    int order = strcmp(x->service, y->service);
    return order ? order : strcmp(x->instance, y->instance);
}

static void print_json(const struct heard *h)
{
    struct buffer text = {0};
    buffer_add_text(&text, "{\"services\":[");
    for (size_t i = 0; i < h->count; i++) {
        if (i > 0)
            buffer_add_text(&text, ",");
        heartbeat_show(&text, &h->signs[i].beat, (clock_mono_ns() - h->signs[i].at_ns) / NS_PER_MS);
    }
    buffer_add_text(&text, "]}");
    json_t *json = json_loadb(text.data, text.len, 0, NULL);
    json_dumpf(json, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    putchar('\n');
    json_decref(json);
    buffer_free(&text);
}

static void print_table(const struct heard *h)
{
    static const char *const columns[] = {"SERVICE",  "HOST",     ">PID",     "VERSION",
                                          "UP SINCE", ">HANDLED", ">RATE /S", ">BACKLOG",
                                          ">LAG MS",  ">ERRORS",  NULL};
    char at[RFC3339_SIZE];
    struct table *t = table_new(columns);
    for (size_t i = 0; i < h->count; i++) {
        const struct heartbeat *b = &h->signs[i].beat;
        table_add(t, b->service);
        table_add(t, b->host);
        table_addf(t, "%" PRId64, b->pid);
        table_add(t, b->version);
        table_add(t, rfc3339_format(b->started_ms, at));
        table_addf(t, "%" PRId64, b->handled);
        table_addf(t, "%" PRId64, b->rate);
        table_addf(t, "%" PRId64, b->backlog);
        table_addf(t, "%" PRId64, b->lag_ms);
        table_addf(t, "%" PRId64, b->errors);
    }
    table_print(t, stdout);
    table_free(t);
}

int cmd_stats(const struct ctl *ctl)
{
    struct heard heard = {.count = 0};
    int status = listen_for_signs(ctl, &heard);
    if (status == EXIT_OK && heard.count > 0)
        qsort(heard.signs, heard.count, sizeof *heard.signs, compare);
    if (status == EXIT_OK && ctl_json(ctl))
        print_json(&heard);
    else if (status == EXIT_OK && heard.count > 0)
        print_table(&heard);
    if (status == EXIT_OK && heard.count == 0)
        status = ctl_fail(EXIT_FAILED, "no service was heard of within %lld ms", (long long)LISTEN_MS);
    free(heard.signs);
    return status;
}
