#include "common/pipeline/inbox.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/alloc.h"
#include "common/base/buffer.h"
#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/pipeline/names.h"
#include "common/store/statement.h"

enum {
    RECORD_BATCH,
    RECORD_OTHER,
    BATCH_SEEN,
    ATTEMPT,
    ATTEMPT_END,
    ATTEMPT_FORGIVE,
    DEAD_KNOWN,
    DEAD_ADD,
    STATEMENTS
};

static const char *const sql[STATEMENTS] = {
    [RECORD_BATCH] =
        "INSERT INTO batch_seen (producer, seq, orders, decided, duplicates, dead, deliveries)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, 1)"
        " ON CONFLICT DO UPDATE SET deliveries = deliveries + 1,"
        /* 0 but where a producer uses a number again: the file's orders must add up all the same */
        " orders = orders + excluded.decided, decided = decided + excluded.decided",
    [RECORD_OTHER] = "INSERT INTO batch_seen (producer, seq, orders, decided, duplicates, dead, deliveries)"
                     " VALUES ('', 0, ?1, ?2, ?3, ?4, 1)"
                     " ON CONFLICT DO UPDATE SET orders = orders + excluded.orders,"
                     " decided = decided + excluded.decided, duplicates = duplicates + excluded.duplicates,"
                     " dead = dead + excluded.dead, deliveries = deliveries + 1",
    [BATCH_SEEN] = "SELECT 1 FROM batch_seen WHERE producer = ?1 AND seq = ?2",
    [ATTEMPT] = "INSERT INTO attempt (message, attempts, first_ms) VALUES (?1, 1, ?2)"
                " ON CONFLICT DO UPDATE SET attempts = attempts + 1 RETURNING attempts",
    [ATTEMPT_END] = "DELETE FROM attempt WHERE message = ?1",
    [ATTEMPT_FORGIVE] = "UPDATE attempt SET attempts = attempts - 1 WHERE message = ?1 AND attempts > 0",
    [DEAD_KNOWN] = "SELECT 1 FROM dead_letter WHERE message = ?1 AND line = ?2",
    [DEAD_ADD] = "INSERT INTO dead_letter (message, line, orders, reason, detail, at_ms) VALUES (?1, ?2, ?3, "
                 "?4, ?5, ?6)"
                 " ON CONFLICT DO UPDATE SET orders = excluded.orders, reason = excluded.reason,"
                 " detail = excluded.detail, at_ms = excluded.at_ms",
};

struct inbox {
    struct store *store;
    const char *queue;
    struct statement *st[STATEMENTS];
};

int inbox_new(struct inbox **out, struct store *store, const char *queue, struct detail *why)
{
    struct inbox *i = xcalloc(1, sizeof *i);
    i->store = store;
    i->queue = queue;
    int error = statements_prepare(i->st, store, sql, STATEMENTS, why);
    if (error) {
        free(i);
        return error;
    }
    *out = i;
    return 0;
}

void inbox_free(struct inbox *i)
{
    if (!i)
        return;
    statements_free(i->st, STATEMENTS);
    free(i);
}

void message_key(const struct inbound *m, char key[MESSAGE_KEY_SIZE])
{
    unsigned char hash[16];
    const uint64_t id_len =
        m->message_id.len; /* hashed too, so that no byte can move from the id to the body */
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, sizeof hash);
    crypto_generichash_update(&state, (const unsigned char *)&id_len, sizeof id_len);
    crypto_generichash_update(&state, (const unsigned char *)m->message_id.data, m->message_id.len);
    crypto_generichash_update(&state, (const unsigned char *)m->body.data, m->body.len);
    crypto_generichash_final(&state, hash, sizeof hash);
    sodium_bin2hex(key, MESSAGE_KEY_SIZE, hash, sizeof hash);
}

int inbox_attempt(struct inbox *i, const char *key, int64_t now_ms, int64_t *attempts)
{
    struct statement *st = i->st[ATTEMPT];
    int error = store_begin(i->store);
    if (error)
        return error;
    statement_bind_text(st, 1, slice_of(key));
    statement_bind_int(st, 2, now_ms);
    int row = statement_next(st);
    if (row == 1)
        *attempts = statement_int(st, 0);
    statement_reset(st);
    error = row < 0 ? row : store_commit(i->store);
    if (error)
        store_rollback(i->store);
    return error;
}

int inbox_attempt_end(struct inbox *i, const char *key)
{
    statement_bind_text(i->st[ATTEMPT_END], 1, slice_of(key));
    return statement_run(i->st[ATTEMPT_END]);
}

int inbox_attempt_forgive(struct inbox *i, const char *key)
{
    statement_bind_text(i->st[ATTEMPT_FORGIVE], 1, slice_of(key));
    return statement_run(i->st[ATTEMPT_FORGIVE]);
}

int inbox_record(struct inbox *i, const struct inbound *m, const struct inbox_counts *counts)
{
    bool batch = m->producer.len > 0;
    struct statement *st = i->st[batch ? RECORD_BATCH : RECORD_OTHER];
    int position = 1;
    if (batch) {
        statement_bind_text(st, position++, m->producer);
        statement_bind_int(st, position++, m->seq);
    }
    statement_bind_int(st, position++, m->orders);
    statement_bind_int(st, position++, counts->decided);
    statement_bind_int(st, position++, counts->duplicates);
    statement_bind_int(st, position, counts->dead);
    return statement_run(st);
}

/* 1, 0 or an error. */
static int has_row(struct statement *st)
{
    int row = statement_next(st);
    statement_reset(st);
    return row;
}

/* May this message have been handled before? The broker says so of what it delivers again, and a batch's own
 * number of a second copy. A message that is neither is new, even if an equal one was buried. */
static int may_have_come_before(struct inbox *i, const struct inbound *m)
{
    if (m->redelivered)
        return 1;
    if (m->producer.len == 0)
        return 0;
    statement_bind_text(i->st[BATCH_SEEN], 1, m->producer);
    statement_bind_int(i->st[BATCH_SEEN], 2, m->seq);
    return has_row(i->st[BATCH_SEEN]);
}

static int is_buried(struct inbox *i, const struct dead_letter *letter, const char *key)
{
    int before = may_have_come_before(i, letter->message);
    if (before != 1)
        return before;
    statement_bind_text(i->st[DEAD_KNOWN], 1, slice_of(key));
    statement_bind_int(i->st[DEAD_KNOWN], 2, letter->line);
    return has_row(i->st[DEAD_KNOWN]);
}

static void add_member(struct buffer *json, const char *name, struct slice value)
{
    buffer_add_text(json, json->len == 0 ? "{" : ",");
    buffer_add_json(json, slice_of(name));
    buffer_add_text(json, ":");
    buffer_add_json(json, value);
}

static void add_number(struct buffer *json, const char *name, int64_t value)
{
    buffer_add_text(json, json->len == 0 ? "{" : ",");
    buffer_add_json(json, slice_of(name));
    buffer_printf(json, ":%" PRId64, value);
}

static int put_in_outbox(struct inbox *i, struct outbox *outbox, const struct dead_letter *letter,
                         const char *key)
{
    char id[MESSAGE_KEY_SIZE + 32];
    snprintf(id, sizeof id, "dead-%s-%" PRId64, key, letter->line);
    struct buffer headers = {0};
    add_member(&headers, HEADER_DEAD_REASON, slice_of(letter->reason));
    add_member(&headers, HEADER_DEAD_QUEUE, slice_of(i->queue));
    add_number(&headers, HEADER_DEAD_AT_MS, letter->at_ms);
    add_number(&headers, HEADER_DEAD_ATTEMPTS, letter->attempts);
    add_number(&headers, HEADER_COUNT, letter->orders);
    buffer_add_text(&headers, "}");
    int error = outbox_add_message(outbox, &(struct outbox_message){.exchange = EXCHANGE_DEAD,
                                                                    .routing_key = i->queue,
                                                                    .message_id = id,
                                                                    .headers = buffer_text(&headers),
                                                                    .body = letter->body});
    buffer_free(&headers);
    return error;
}

int inbox_bury(struct inbox *i, struct outbox *outbox, const struct dead_letter *letter)
{
    char key[MESSAGE_KEY_SIZE];
    message_key(letter->message, key);
    int known = is_buried(i, letter, key);
    if (known != 0)
        return known < 0 ? known : 0;
    struct statement *st = i->st[DEAD_ADD];
    statement_bind_text(st, 1, slice_of(key));
    statement_bind_int(st, 2, letter->line);
    statement_bind_int(st, 3, letter->orders);
    statement_bind_text(st, 4, slice_of(letter->reason));
    statement_bind_text(st, 5, slice_of(letter->detail));
    statement_bind_int(st, 6, letter->at_ms);
    int error = statement_run(st);
    if (!error)
        error = put_in_outbox(i, outbox, letter, key);
    FAULT_POINT("inbox.buried");
    if (!error) {
        char quoted[512];
        log_warn("dead_letter", "message=%s line=%" PRId64 " orders=%" PRId64 " reason=%s detail=%s", key,
                 letter->line, letter->orders, letter->reason,
                 log_quote(letter->detail, quoted, sizeof quoted));
    }
    return error;
}
