/* See dead_publisher.h. */
#include "services/ctl/dead_publisher.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/clock.h"
#include "common/broker/publish.h"
#include "common/pipeline/broker_login.h"
#include "common/pipeline/names.h"
#include "services/ctl/dead_owner.h"

#define CONFIRM_NS (10 * NS_PER_S)

struct flight {
    uint64_t tag;
    char id[DEAD_ID_SIZE];
    bool answered, taken, returned;
};

struct dead_publisher {
    struct broker_connection *connection;
    struct flight flights[DEAD_PUBLISH_MAX];
    size_t count, answered;
};

int dead_publisher_open(const struct ctl *ctl, struct dead_publisher **out)
{
    struct detail why = {""};
    struct broker_addresses addresses;
    struct broker_connection *connection = NULL;
    if (broker_login_addresses(ctl->settings, &addresses, &why))
        return ctl_fail(EXIT_CONFIG, "%s", why.text);
    int rc = -1;
    for (size_t i = 0; i < addresses.count && rc; i++) {
        const struct broker_options options = {.address = &addresses.items[i],
                                               .name = "seckillctl replay",
                                               .timeout_ms = (int)ctl->settings->broker.timeout_ms,
                                               .confirms = true};
        rc = broker_connection_open(&connection, &options, &why);
    }
    broker_addresses_free(&addresses);
    if (rc)
        return ctl_fail(EXIT_UNAVAILABLE, "%s", why.text);
    *out = xcalloc(1, sizeof(**out));
    (*out)->connection = connection;
    return EXIT_OK;
}

void dead_publisher_close(struct dead_publisher *p)
{
    if (!p)
        return;
    broker_connection_close(p->connection);
    free(p);
}

static void on_confirmed(void *context, uint64_t tag, bool multiple, bool ack)
{
    struct dead_publisher *p = context;
    for (size_t i = 0; i < p->count; i++) {
        struct flight *f = &p->flights[i];
        if (f->answered || (multiple ? f->tag > tag : f->tag != tag))
            continue;
        f->answered = true;
        f->taken = ack && !f->returned;
        p->answered++;
    }
}

static void on_returned(void *context, const struct broker_returned *returned)
{
    struct dead_publisher *p = context;
    for (size_t i = 0; i < p->count; i++)
        if (slice_is(returned->properties.message_id, p->flights[i].id))
            p->flights[i].returned = true;
}

static int publish(struct dead_publisher *p, const struct letter *l)
{
    struct dead_way way;
    struct flight *f = &p->flights[p->count];
    if (!dead_way_find(l, &way))
        return E_NOT_FOUND;
    *f = (struct flight){.tag = 0};
    snprintf(f->id, sizeof(f->id), REPLAY_ID_PREFIX "%s-%" PRId64 "-%" PRId64, l->key, l->line, l->times);
    const struct broker_message message = {
        .exchange = way.exchange,
        .routing_key = way.key,
        .mandatory = true,
        .properties = {.content_type = slice_of(TYPE_LINES),
                       .message_id = slice_of(f->id),
                       .reply_to = slice_of(l->reply_to),
                       .persistent = true},
        .body = {.data = l->body, .len = l->body_len},
    };
    int rc = broker_publish(p->connection, &message, &f->tag);
    if (rc == 0)
        p->count++;
    return rc;
}

static int wait_for_confirms(struct dead_publisher *p, struct detail *why)
{
    const struct broker_events events = {.context = p, .confirmed = on_confirmed, .returned = on_returned};
    int64_t end_ns = clock_mono_ns() + CONFIRM_NS;
    while (p->answered < p->count) {
        if (broker_connection_pump(p->connection, &events, 0, why) < 0)
            return E_CLOSED;
        if (p->answered == p->count)
            break;
        if (clock_mono_ns() >= end_ns) {
            detail_set(why, "the broker did not confirm the replay%s",
                       broker_connection_blocked(p->connection) ? ": an alarm is on" : "");
            return E_TIMEOUT;
        }
        struct pollfd fd = {.fd = broker_connection_fd(p->connection), .events = POLLIN};
        poll(&fd, 1, 200);
    }
    return 0;
}

int dead_publisher_send(struct dead_publisher *p, const struct letter *letters, size_t count, bool *sent)
{
    struct detail why = {"the connection to the broker broke"};
    int rc = 0, status = EXIT_OK;
    p->count = p->answered = 0;
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = publish(p, &letters[i]);
    if (rc == 0)
        rc = wait_for_confirms(p, &why);
    for (size_t i = 0; i < count; i++) {
        sent[i] = i < p->count && p->flights[i].taken;
        if (!sent[i] && rc == 0)
            status = ctl_fail(EXIT_UNAVAILABLE, "%s stays: %s", letters[i].id,
                              p->flights[i].returned ? "no queue takes it; see seckillctl topology check"
                                                     : "the broker refused it; is its queue full?");
    }
    return rc ? ctl_fail(EXIT_UNAVAILABLE, "%s", why.text) : status;
}
