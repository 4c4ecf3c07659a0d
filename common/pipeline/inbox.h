/*
 * What a worker remembers of what came in: batches seen, attempts at redelivered messages, dead letters made.
 * Tables batch_seen, attempt and dead_letter of the service's schema (schema/pipeline/001_pipeline.sql).
 *
 * One thread, one store. Error codes are those of store.h. Unless it says otherwise a function works inside
 * the caller's transaction.
 */
#ifndef SECKILL_PIPELINE_INBOX_H
#define SECKILL_PIPELINE_INBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/error.h"
#include "common/pipeline/inbound.h"
#include "common/pipeline/outbox.h"
#include "common/store/store.h"

struct inbox;

/* queue: the name that dead letters say they came from; must stay valid. */
int inbox_new(struct inbox **out, struct store *store, const char *queue, struct detail *why) MUST_USE;
void inbox_free(struct inbox *i); /* before the store is closed; NULL is fine */

/* A message is known by a hash of its message_id and its body: producers that set no message_id, or use one
 * twice, have keys too. (Two equal messages without an id share one: the price is that of two redelivered
 * ones that are equal and bad, one dead letter is made.) */
#define MESSAGE_KEY_SIZE 33 /* 32 hexadecimal digits and a NUL */
void message_key(const struct inbound *m, char key[MESSAGE_KEY_SIZE]);

/* Attempts at a redelivered message. inbox_attempt counts one more and commits it, in a transaction of its
 * own, before the message is handled. inbox_attempt_end forgets them, in the transaction that handles it.
 * inbox_attempt_forgive, in one of its own, takes one back: the environment failed, not the message. */
int inbox_attempt(struct inbox *i, const char *key, int64_t now_ms, int64_t *attempts) MUST_USE;
int inbox_attempt_end(struct inbox *i, const char *key) MUST_USE;
int inbox_attempt_forgive(struct inbox *i, const char *key) MUST_USE;

struct inbox_counts { /* lines of one message */
    int64_t decided, duplicates, dead;
};

/* Records that the message was handled, with the counts of its first time, and what was new in it if its
 * number had been seen before. */
int inbox_record(struct inbox *i, const struct inbound *m, const struct inbox_counts *counts) MUST_USE;

/*
 * A dead letter: of one line (from 1), or of the whole message (line 0). Ensures that for one (message, line)
 * it is made once, however often the message comes: the row and the letter in the outbox are of one
 * transaction.
 *
 * A replay is a message whose id says which letter it was, and which making of it (replay_id). If it comes to
 * nothing again, that letter is made anew: one more time, not settled any more; its second copy finds it so.
 */
struct dead_letter {
    const struct inbound *message;
    int64_t line;
    int64_t orders; /* lines in it */
    struct slice body;
    const char *reason; /* a word: "malformed" */
    const char *detail; /* a sentence */
    int64_t attempts;
    int64_t at_ms;
};
int inbox_bury(struct inbox *i, struct outbox *outbox, const struct dead_letter *letter) MUST_USE;

/*
 * The dead letter of one line whose message was acknowledged long ago, such as a notification that its
 * gateway never took. `key` (at most MESSAGE_KEY_SIZE with its NUL) is the caller's own, the same each time
 * for the same thing. Each call makes it (anew): call it in the transaction in which the thing fails, and
 * only then. Whether the letter before it was settled does not matter: its replay may be faster than the
 * operator's word that it was replayed.
 */
struct dead_line {
    const char *key;
    struct slice body; /* the line, with its "\n" */
    const char *reason, *detail;
    int64_t attempts, at_ms;
};
int inbox_bury_line(struct inbox *i, struct outbox *outbox, const struct dead_line *line) MUST_USE;

/* Which letter: the one that was made for the times-th time; 0: whichever there is. */
struct dead_name {
    const char *key;
    int64_t line, times;
};

/* An operator has replayed or dropped the letter ("replayed", "dropped"). Changes nothing if it was settled
 * before, or made anew since. E_NOT_FOUND: no such letter was made here. */
int inbox_settle(struct inbox *i, const struct dead_name *name, const char *how, int64_t now_ms) MUST_USE;

/* The letter's message_id is "dead-<key>-<line>", its replay's "replay-<key>-<line>-<times>". false: it is
 * none such. */
#define DEAD_ID_PREFIX   "dead-"
#define REPLAY_ID_PREFIX "replay-"
#define DEAD_ID_SIZE     (MESSAGE_KEY_SIZE + 64)
bool dead_id_parse(struct slice message_id, char key[MESSAGE_KEY_SIZE], int64_t *line);
bool replay_id_parse(struct slice message_id, char key[MESSAGE_KEY_SIZE], int64_t *line, int64_t *times);

#endif
