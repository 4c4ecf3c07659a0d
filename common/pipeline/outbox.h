/*
 * Messages that must be published because a transaction made them true. They are appended in that transaction
 * and carried out afterwards by outbox_relay.h, at its own pace. Table outbox of the service's schema.
 *
 * A row with an id or headers is a whole message. Lines of one kind of one transaction share a row, up to
 * OUTBOX_BODY_MAX, and rows of lines may share a message, so that SQLite's cost for a row, and the broker's
 * for a message, are shared as well.
 *
 * One thread, one store. Error codes are those of store.h. Everything happens inside the caller's
 * transaction: outbox_flush before its commit, outbox_discard after its rollback.
 */
#ifndef SECKILL_PIPELINE_OUTBOX_H
#define SECKILL_PIPELINE_OUTBOX_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/error.h"
#include "common/base/slice.h"
#include "common/store/store.h"

#define OUTBOX_BODY_MAX                                                                                      \
    ((size_t)120 * 1024) /* bytes: it fits into one frame of the broker's with its envelope */

struct outbox;

int outbox_new(struct outbox **out, struct store *store, struct detail *why) MUST_USE;
void outbox_free(struct outbox *o); /* before the store is closed; NULL is fine */

/* Adds one line (with its "\n") to the message of this transaction for this exchange and key. Both names must
 * be constants. */
int outbox_add_line(struct outbox *o, const char *exchange, const char *routing_key,
                    struct slice line) MUST_USE;

struct outbox_message {
    const char *exchange;
    const char *routing_key;
    const char *message_id; /* NULL: made from the row's id */
    const char *headers;    /* a JSON object of texts and integers; NULL: none */
    struct slice body;
};

/* Adds a message of its own. */
int outbox_add_message(struct outbox *o, const struct outbox_message *message) MUST_USE;

/* Writes the rows that lines were gathered for. */
int outbox_flush(struct outbox *o) MUST_USE;

/* Forgets gathered lines. */
void outbox_discard(struct outbox *o);

#endif
