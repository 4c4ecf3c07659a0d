#include "common/pipeline/inbound.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/pipeline/ledger.h"
#include "common/pipeline/message.h"
#include "common/pipeline/names.h"

static struct slice keep(char **at, struct slice from)
{
    struct slice kept = {.data = *at, .len = from.len};
    if (from.len > 0)
        memcpy(*at, from.data, from.len);
    *at += from.len;
    return kept;
}

static int64_t count_lines(struct slice body)
{
    int64_t count = 0;
    struct slice line;
    while (line_next(&body, &line))
        count++;
    return count;
}

#define ORDERS_MAX                                                                                           \
    1000000 /* in one message: beyond that it is no batch of ours, whatever its headers say                  \
             */

/* All three headers or none: half of them would count an order under a batch that is not its own. */
static bool read_batch_headers(const struct broker_properties *p, struct slice *producer, int64_t *seq,
                               int64_t *orders)
{
    const struct broker_header *who = broker_header_find(p, HEADER_PRODUCER);
    const struct broker_header *number = broker_header_find(p, HEADER_SEQ);
    const struct broker_header *count = broker_header_find(p, HEADER_COUNT);
    if (!who || !who->is_text || who->text.len == 0 || who->text.len >= PRODUCER_SIZE || !number ||
        number->is_text || number->number < 1 || !count || count->is_text || count->number < 1 ||
        count->number > ORDERS_MAX)
        return false;
    *producer = who->text;
    *seq = number->number;
    *orders = count->number;
    return true;
}

struct inbound *inbound_copy(const struct broker_delivery *d)
{
    const struct broker_properties *p = &d->properties;
    struct slice producer = {0};
    int64_t seq = 0, orders = 0;
    if (!read_batch_headers(p, &producer, &seq, &orders))
        orders = count_lines(d->body);

    struct inbound *m = xmalloc(sizeof *m + d->body.len + p->message_id.len + p->reply_to.len + producer.len);
    char *at = (char *)(m + 1);
    *m = (struct inbound){.tag = d->tag, .redelivered = d->redelivered, .seq = seq, .orders = orders};
    m->body = keep(&at, d->body);
    m->message_id = keep(&at, p->message_id);
    m->reply_to = keep(&at, p->reply_to);
    m->producer = keep(&at, producer);
    return m;
}

void inbound_free(struct inbound *m)
{
    if (!m)
        return;
    free(m->prepared);
    free(m);
}
