/*
 * notification.db: one record for each (order, kind of event), and what is to be sent to a gateway now.
 * Tables notification and to_send of schema/notification/002_notification.sql.
 *
 * One thread, one store. Error codes are those of store.h. Unless it says otherwise a function works inside
 * the caller's transaction. Nothing is kept in memory.
 */
#ifndef SECKILL_NOTIFICATION_NOTIFICATION_STORE_H
#define SECKILL_NOTIFICATION_NOTIFICATION_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buffer.h"
#include "common/pipeline/event_message.h"
#include "common/store/migrate.h"

extern const struct migration notification_migrations[];

enum notification_state {                           /* stored as numbers: see the schema */
                          NOTIFICATION_PENDING = 1, /* in to_send */
                          NOTIFICATION_SENT = 2,
                          NOTIFICATION_WAITING = 3, /* in a delay queue, or in the outbox on its way there */
                          NOTIFICATION_FAILED = 4,  /* a dead letter */
};

const char *notification_state_name(enum notification_state state); /* "sent"; "" for none of them */

struct notification_key {
    char order_id[ORDER_ID_SIZE];
    enum event_kind kind;
};

struct notification { /* what is known of one */
    enum notification_state state;
    int64_t attempts;   /* that ended, since it came or came again */
    int64_t changed_ms; /* out */
};

struct notification_store;

int notification_store_new(struct notification_store **out, struct store *store, struct detail *why) MUST_USE;
void notification_store_free(struct notification_store *s); /* before the store is closed; NULL is fine */
const char *notification_store_error(const struct notification_store *s); /* see store_error */

/* Adds the record unless there is one; *is_new says which. */
int notification_add(struct notification_store *s, const char *order_id, enum event_kind kind,
                     const struct notification *n, int64_t now_ms, bool *is_new) MUST_USE;

/* E_NOT_FOUND: there is no such record. Also outside of a transaction. */
int notification_find(struct notification_store *s, const char *order_id, enum event_kind kind,
                      struct notification *out) MUST_USE;

struct notification_view { /* a whole record; valid during the call */
    enum event_kind kind;
    enum notification_state state;
    int64_t attempts;
    struct slice last_error; /* empty: none failed */
    int64_t created_ms, changed_ms;
};

/* Every record of the order, by kind. Outside of a transaction too. */
int notification_each(struct notification_store *s, const char *order_id,
                      void (*tell)(void *context, const struct notification_view *view),
                      void *context) MUST_USE;

/* error: what was wrong with the attempt; NULL leaves what stands there. */
int notification_change(struct notification_store *s, const char *order_id, enum event_kind kind,
                        const struct notification *n, const char *error, int64_t now_ms) MUST_USE;

/* line: the event, without "\n". */
int to_send_add(struct notification_store *s, const struct event *event, struct slice line) MUST_USE;

/* The first row behind `after`, 0 for the first of all: 1, with its seq, line (replaced in the buffer) and
 * how many attempts there were; 0: there is none; or an error. Outside of a transaction. */
struct to_send {
    int64_t seq, attempts;
};
int to_send_next(struct notification_store *s, int64_t after, struct to_send *out,
                 struct buffer *line) MUST_USE;

/* E_NOT_FOUND: it has gone. */
int to_send_find(struct notification_store *s, int64_t seq, struct notification_key *out,
                 struct buffer *line) MUST_USE;
int to_send_remove(struct notification_store *s, int64_t seq) MUST_USE;

#endif
