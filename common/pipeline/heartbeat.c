#include "common/pipeline/heartbeat.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/broker/publish.h"
#include "common/pipeline/json_read.h"
#include "common/pipeline/message.h"
#include "common/pipeline/names.h"

void heartbeat_begin(struct heartbeat *h, const char *service)
{
    *h = (struct heartbeat){.pid = getpid(), .started_ms = clock_wall_ms()};
    snprintf(h->service, sizeof h->service, "%s", service);
    snprintf(h->version, sizeof h->version, "%s", SECKILL_VERSION);
    if (gethostname(h->host, sizeof h->host - 1) != 0 || !text_is_printable(slice_of(h->host)))
        snprintf(h->host, sizeof h->host, "?");
    snprintf(h->instance, sizeof h->instance, "%.48s-%" PRId64 "-%" PRIx64, h->host, h->pid,
             (uint64_t)h->started_ms);
}

void heartbeat_measure(struct heartbeat *h, struct heartbeat_clock *clock, int64_t now_ns)
{
    int64_t passed_ns = now_ns - clock->last_ns, more = h->handled - clock->last_handled;
    h->at_ms = clock_wall_ms();
    h->rate = clock->last_ns && passed_ns > 0
                  ? (int64_t)((double)more * (double)NS_PER_S / (double)passed_ns + 0.5)
                  : 0;
    clock->last_ns = now_ns;
    clock->last_handled = h->handled;
    clock->due_ns = now_ns + HEARTBEAT_EVERY_NS;
}

int heartbeat_send(const struct heartbeat *h, struct broker_connection *publish)
{
    struct buffer body = {0};
    heartbeat_encode(&body, h);
    const struct broker_message message = {
        .exchange = EXCHANGE_STOCK,
        .routing_key = "",
        .properties =
            {.content_type = slice_of(TYPE_JSON),
             .headers = {{.name = slice_of(HEADER_KIND), .is_text = true, .text = slice_of(KIND_HEARTBEAT)}},
             .header_count = 1},
        .body = {.data = body.data, .len = body.len},
    };
    int error = broker_publish(publish, &message, NULL);
    buffer_free(&body);
    return error;
}

bool heartbeat_is(const struct broker_properties *p)
{
    const struct broker_header *kind = broker_header_find(p, HEADER_KIND);
    return kind && kind->is_text && slice_is(kind->text, KIND_HEARTBEAT);
}

static void add_text(struct buffer *out, const char *member, const char *text)
{
    buffer_add_text(out, member);
    buffer_add_json(out, slice_of(text));
}

static void add_who(struct buffer *out, const struct heartbeat *h)
{
    add_text(out, "\"service\":", h->service);
    add_text(out, ",\"instance\":", h->instance);
    add_text(out, ",\"host\":", h->host);
    buffer_printf(out, ",\"pid\":%" PRId64, h->pid);
    add_text(out, ",\"version\":", h->version);
}

static void add_numbers(struct buffer *out, const struct heartbeat *h)
{
    buffer_printf(out,
                  ",\"handled\":%" PRId64 ",\"rate\":%" PRId64 ",\"backlog\":%" PRId64 ",\"lag_ms\":%" PRId64
                  ",\"errors\":%" PRId64,
                  h->handled, h->rate, h->backlog, h->lag_ms, h->errors);
}

void heartbeat_encode(struct buffer *out, const struct heartbeat *h)
{
    buffer_add_text(out, "{\"v\":1,");
    add_who(out, h);
    buffer_printf(out, ",\"at_ms\":%" PRId64 ",\"started_ms\":%" PRId64, h->at_ms, h->started_ms);
    add_numbers(out, h);
    buffer_add_text(out, "}\n");
}

void heartbeat_show(struct buffer *out, const struct heartbeat *h, int64_t last_seen_ms)
{
    char at[RFC3339_SIZE];
    buffer_add_text(out, "{");
    add_who(out, h);
    buffer_printf(out, ",\"started_at\":\"%s\"", rfc3339_format(h->started_ms, at));
    add_numbers(out, h);
    buffer_printf(out, ",\"last_seen_ms\":%" PRId64 "}", last_seen_ms);
}

static int read_members(const json_t *object, struct heartbeat *h, struct detail *why)
{
    const struct {
        const char *member;
        char *out;
        size_t size;
    } texts[] = {
        {"service", h->service, sizeof h->service},
        {"instance", h->instance, sizeof h->instance},
        {"host", h->host, sizeof h->host},
        {"version", h->version, sizeof h->version},
    };
    const struct {
        const char *member;
        int64_t *out, max;
    } numbers[] = {
        {"pid", &h->pid, INT32_MAX},
        {"at_ms", &h->at_ms, MOMENT_MAX_MS},
        {"started_ms", &h->started_ms, MOMENT_MAX_MS},
        {"handled", &h->handled, INT64_MAX},
        {"rate", &h->rate, INT64_MAX},
        {"backlog", &h->backlog, INT64_MAX},
        {"lag_ms", &h->lag_ms, INT64_MAX},
        {"errors", &h->errors, INT64_MAX},
    };
    int error = json_read_version(object, MESSAGE_VERSION, why);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0] && !error; i++)
        error = json_read_text(object, texts[i].member, texts[i].out, texts[i].size, why);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0] && !error; i++)
        error = json_read_int(object, numbers[i].member, 0, numbers[i].max, numbers[i].out, why);
    return error;
}

int heartbeat_decode(struct slice body, struct heartbeat *out, struct detail *why)
{
    json_t *object;
    struct heartbeat h = {.service = ""};
    int error = json_read_object(body, &object, why);
    if (error)
        return error;
    error = read_members(object, &h, why);
    json_decref(object);
    if (!error)
        *out = h;
    return error;
}
