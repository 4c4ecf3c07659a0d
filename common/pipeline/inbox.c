#include "common/pipeline/inbox.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/buffer.h"
#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/base/number.h"
#include "common/pipeline/message.h"
#include "common/pipeline/names.h"
#include "common/store/statement.h"

enum {
    RECORD_BATCH,
    RECORD_OTHER,
    BATCH_SEEN,
    ATTEMPT,
    ATTEMPT_END,
    ATTEMPT_FORGIVE,
    DEAD_TIMES,
    DEAD_ADD,
    DEAD_SETTLE,
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
    [DEAD_TIMES] = "SELECT times FROM dead_letter WHERE message = ?1 AND line = ?2",
    [DEAD_ADD] = "INSERT INTO dead_letter (message, line, orders, reason, detail, at_ms, times)"
                 " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"
                 " ON CONFLICT DO UPDATE SET orders = excluded.orders, reason = excluded.reason,"
                 " detail = excluded.detail, at_ms = excluded.at_ms, times = max(times + 1, excluded.times),"
                 " settled = NULL, settled_ms = NULL RETURNING times",
    [DEAD_SETTLE] = "UPDATE dead_letter SET settled = ?4, settled_ms = ?5"
                    " WHERE message = ?1 AND line = ?2 AND ?3 IN (0, times) AND settled IS NULL",
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

/* The letter of this name, as often as it was made; 0: never, or an error. */
static int find_times(struct inbox *i, const char *key, int64_t line, int64_t *times)
{
    struct statement *st = i->st[DEAD_TIMES];
    statement_bind_text(st, 1, slice_of(key));
    statement_bind_int(st, 2, line);
    int row = statement_next(st);
    *times = row == 1 ? statement_int(st, 0) : 0;
    statement_reset(st);
    return row < 0 ? row : 0;
}

/* ---- what a letter is, and whether it was made already ---- */

struct letter { /* what both kinds come to */
    char key[MESSAGE_KEY_SIZE];
    int64_t line;
    int64_t times_at_least;
    int64_t orders;
    struct slice body;
    struct slice message_id, reply_to; /* of the message it was; empty: it had none */
    const char *reason, *detail;
    int64_t attempts, at_ms;
};

/* Takes the number behind the last '-' off the text, with the '-'; -1: there is none. */
static int64_t take_number(struct slice *text)
{
    size_t at = text->len;
    int64_t number;
    while (at > 0 && text->data[at - 1] != '-')
        at--;
    if (at == 0 || number_parse_bytes(text->data + at, text->len - at, 0, INT64_MAX - 1, &number) != 0)
        return -1;
    text->len = at - 1;
    return number;
}

static bool take_prefix(struct slice *text, const char *prefix)
{
    size_t len = strlen(prefix);
    if (text->len < len || memcmp(text->data, prefix, len) != 0)
        return false;
    text->data += len;
    text->len -= len;
    return true;
}

static bool copy_key(struct slice text, char key[MESSAGE_KEY_SIZE])
{
    if (text.len == 0 || text.len >= MESSAGE_KEY_SIZE || !text_is_printable(text))
        return false;
    memcpy(key, text.data, text.len);
    key[text.len] = '\0';
    return true;
}

bool dead_id_parse(struct slice message_id, char key[MESSAGE_KEY_SIZE], int64_t *line)
{
    return take_prefix(&message_id, DEAD_ID_PREFIX) && (*line = take_number(&message_id)) >= 0 &&
           copy_key(message_id, key);
}

bool replay_id_parse(struct slice message_id, char key[MESSAGE_KEY_SIZE], int64_t *line, int64_t *times)
{
    return take_prefix(&message_id, REPLAY_ID_PREFIX) && (*times = take_number(&message_id)) >= 0 &&
           (*line = take_number(&message_id)) >= 0 && copy_key(message_id, key);
}

/* Names the letter. 1: it was made before, and not for a message that is new; else 0 or an error. */
static int name_letter(struct inbox *i, const struct dead_letter *from, struct letter *out)
{
    int64_t line, times, made;
    bool is_replay = replay_id_parse(from->message->message_id, out->key, &line, &times);
    if (is_replay && (line > 0 ? from->line <= 1 : from->line == 0)) {
        /* The letter itself came back. Its second copy finds that the first has made it anew. */
        int error = find_times(i, out->key, line, &made);
        out->line = line;
        out->times_at_least = times + 1;
        return error ? error : made > times;
    }
    message_key(from->message, out->key);
    out->line = from->line;
    out->times_at_least = 1;
    int before = is_replay ? 1 : may_have_come_before(i, from->message);
    if (before != 1)
        return before;
    int error = find_times(i, out->key, out->line, &made);
    return error ? error : made > 0;
}

/* ---- the letter ---- */

static void add_name(struct buffer *json, const char *name)
{
    buffer_add_text(json, json->len == 0 ? "{" : ",");
    buffer_add_json(json, slice_of(name));
    buffer_add_text(json, ":");
}

/* What came from outside may be any bytes, and headers travel as JSON text. */
static void add_text(struct buffer *json, const char *name, struct slice value)
{
    add_name(json, name);
    if (text_is_printable(value)) {
        buffer_add_json(json, value);
        return;
    }
    struct buffer plain = {0};
    buffer_add(&plain, value.data, value.len);
    for (size_t at = 0; at < plain.len; at++)
        if ((unsigned char)plain.data[at] >= 0x7f || (unsigned char)plain.data[at] < 0x20)
            plain.data[at] = '?';
    buffer_add_json(json, (struct slice){.data = plain.data, .len = plain.len});
    buffer_free(&plain);
}

static void add_number(struct buffer *json, const char *name, int64_t value)
{
    add_name(json, name);
    buffer_add_int(json, value);
}

static int put_in_outbox(struct inbox *i, struct outbox *outbox, const struct letter *l, int64_t times)
{
    char id[DEAD_ID_SIZE];
    snprintf(id, sizeof id, DEAD_ID_PREFIX "%s-%" PRId64, l->key, l->line);
    struct buffer headers = {0};
    add_text(&headers, HEADER_DEAD_REASON, slice_of(l->reason));
    add_text(&headers, HEADER_DEAD_DETAIL, slice_of(l->detail));
    add_text(&headers, HEADER_DEAD_QUEUE, slice_of(i->queue));
    add_number(&headers, HEADER_DEAD_AT_MS, l->at_ms);
    add_number(&headers, HEADER_DEAD_ATTEMPTS, l->attempts);
    add_number(&headers, HEADER_DEAD_TIMES, times);
    add_number(&headers, HEADER_COUNT, l->orders);
    if (l->message_id.len > 0)
        add_text(&headers, HEADER_DEAD_MESSAGE_ID, l->message_id);
    if (l->reply_to.len > 0)
        add_text(&headers, HEADER_DEAD_REPLY_TO, l->reply_to);
    buffer_add_text(&headers, "}");
    int error = outbox_add_message(outbox, &(struct outbox_message){.exchange = EXCHANGE_DEAD,
                                                                    .routing_key = i->queue,
                                                                    .message_id = id,
                                                                    .headers = buffer_text(&headers),
                                                                    .body = l->body});
    buffer_free(&headers);
    return error;
}

static int make(struct inbox *i, struct outbox *outbox, const struct letter *l)
{
    int64_t times = 0;
    struct statement *st = i->st[DEAD_ADD];
    statement_bind_text(st, 1, slice_of(l->key));
    statement_bind_int(st, 2, l->line);
    statement_bind_int(st, 3, l->orders);
    statement_bind_text(st, 4, slice_of(l->reason));
    statement_bind_text(st, 5, slice_of(l->detail));
    statement_bind_int(st, 6, l->at_ms);
    statement_bind_int(st, 7, l->times_at_least);
    int row = statement_next(st);
    if (row == 1)
        times = statement_int(st, 0);
    statement_reset(st);
    int error = row < 0 ? row : put_in_outbox(i, outbox, l, times);
    FAULT_POINT("inbox.buried");
    if (!error) {
        char quoted[512];
        log_warn("dead_letter",
                 "message=%s line=%" PRId64 " times=%" PRId64 " orders=%" PRId64 " reason=%s detail=%s",
                 l->key, l->line, times, l->orders, l->reason, log_quote(l->detail, quoted, sizeof quoted));
    }
    return error;
}

int inbox_bury(struct inbox *i, struct outbox *outbox, const struct dead_letter *letter)
{
    struct letter l = {.orders = letter->orders,
                       .body = letter->body,
                       .message_id = letter->message->message_id,
                       .reply_to = letter->message->reply_to,
                       .reason = letter->reason,
                       .detail = letter->detail,
                       .attempts = letter->attempts,
                       .at_ms = letter->at_ms};
    int known = name_letter(i, letter, &l);
    if (known != 0)
        return known < 0 ? known : 0;
    return make(i, outbox, &l);
}

int inbox_bury_line(struct inbox *i, struct outbox *outbox, const struct dead_line *line)
{
    struct letter l = {.line = 1,
                       .times_at_least = 1,
                       .orders = 1,
                       .body = line->body,
                       .reason = line->reason,
                       .detail = line->detail,
                       .attempts = line->attempts,
                       .at_ms = line->at_ms};
    snprintf(l.key, sizeof l.key, "%s", line->key);
    return make(i, outbox, &l);
}

int inbox_settle(struct inbox *i, const struct dead_name *name, const char *how, int64_t now_ms)
{
    int64_t changed = 0, made = 0;
    struct statement *st = i->st[DEAD_SETTLE];
    statement_bind_text(st, 1, slice_of(name->key));
    statement_bind_int(st, 2, name->line);
    statement_bind_int(st, 3, name->times);
    statement_bind_text(st, 4, slice_of(how));
    statement_bind_int(st, 5, now_ms);
    int error = statement_run_counted(st, &changed);
    if (error || changed > 0)
        return error;
    error = find_times(i, name->key, name->line, &made);
    return error ? error : made >= name->times && made > 0 ? 0 : E_NOT_FOUND;
}
