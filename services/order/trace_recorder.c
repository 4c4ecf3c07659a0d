#include "services/order/trace_recorder.h"

#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/buffer.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/trace/trace_writer.h"

#define MEMORY_MAX ((size_t)8 * 1024 * 1024)
#define TURN_NS    (NS_PER_S / 10) /* what waits is written so often, or when a quarter of the memory is taken \
                                    */
#define FLUSH_TURNS 10             /* and it can be read from the file after so many turns */
#define PATH_SIZE   1024
#define NAMES_MAX   10000
#define HASH_BYTES  12 /* of a user: 96 bits, 24 digits */

struct entry { /* in the memory: this, then the key and the body */
    int64_t at_ns;
    const char *verdict;
    uint32_t body_len, key_len;
    enum body_type type;
};

struct trace_recorder {
    pthread_mutex_t lock; /* over the next five */
    pthread_cond_t wake;
    struct buffer waiting;
    size_t memory_max;
    bool is_failed, is_stopping;
    _Atomic uint64_t written, dropped;

    pthread_t thread; /* what follows is its own */
    struct trace_writer *writer;
    struct buffer taken;
    int64_t started_ns;
    bool hash_users;
    unsigned char hash_key[crypto_generichash_KEYBYTES];
    char path[PATH_SIZE];
};

/* ---- the request path ---- */

void trace_recorder_note(struct trace_recorder *t, const struct arrival *a)
{
    const struct entry entry = {.at_ns = a->at_ns,
                                .verdict = a->verdict,
                                .type = a->type,
                                .body_len = (uint32_t)a->body.len,
                                .key_len = a->key ? (uint32_t)strlen(a->key) : 0};
    const size_t size = sizeof entry + entry.key_len + entry.body_len;
    pthread_mutex_lock(&t->lock);
    const bool has_room = !t->is_failed && size <= t->memory_max - t->waiting.len;
    const bool was_few = t->waiting.len < t->memory_max / 4;
    if (has_room) {
        buffer_add(&t->waiting, &entry, sizeof entry);
        buffer_add(&t->waiting, a->key, entry.key_len);
        buffer_add(&t->waiting, a->body.data, a->body.len);
    }
    const bool wakes = was_few && t->waiting.len >= t->memory_max / 4;
    pthread_mutex_unlock(&t->lock);
    if (!has_room)
        atomic_fetch_add_explicit(&t->dropped, 1, memory_order_relaxed);
    if (wakes)
        pthread_cond_signal(&t->wake);
}

/* ---- the thread ---- */

/* The same user is the same name within this recording, and tells nothing about the real one. */
static struct slice hash_user(const struct trace_recorder *t, const char *user, char out[2 * HASH_BYTES + 1])
{
    unsigned char hash[crypto_generichash_BYTES_MIN];
    _Static_assert(HASH_BYTES <= crypto_generichash_BYTES_MIN, "a part of the hash");
    crypto_generichash(hash, sizeof hash, (const unsigned char *)user, strlen(user), t->hash_key,
                       sizeof t->hash_key);
    sodium_bin2hex(out, 2 * HASH_BYTES + 1, hash, HASH_BYTES);
    return slice_of(out);
}

static int write_entry(struct trace_recorder *t, const struct entry *e, const char *bytes)
{
    char key[IDEMPOTENCY_KEY_MAX + 1], hash[2 * HASH_BYTES + 1];
    struct order_request request;
    struct detail why;
    const struct slice body = {.data = bytes + e->key_len, .len = e->body_len};
    struct trace_record record = {.at_us = (e->at_ns - t->started_ns) / 1000,
                                  .verdict = slice_of(e->verdict)};
    if (record.at_us < 0) /* it had begun to come before the recording did */
        record.at_us = 0;
    if (e->key_len > 0 && e->key_len <= IDEMPOTENCY_KEY_MAX) {
        memcpy(key, bytes, e->key_len);
        key[e->key_len] = '\0';
        if (idempotency_key_is_valid(key))
            record.key = slice_of(key);
    }
    if (body.len > 0 && order_request_parse(e->type, body, &request, &why) == ORDER_REQUEST_OK) {
        record.user = t->hash_users ? hash_user(t, request.user_id, hash) : slice_of(request.user_id);
        record.sku = slice_of(request.sku);
        record.quantity = request.quantity;
    }
    return trace_writer_add(t->writer, &record);
}

/* Returns how many were written, all of them unless the writer has failed. */
static uint64_t write_taken(struct trace_recorder *t, uint64_t *left)
{
    uint64_t written = 0;
    bool is_well = true;
    *left = 0;
    for (size_t at = 0; at < t->taken.len;) {
        struct entry e;
        memcpy(&e, t->taken.data + at, sizeof e);
        at += sizeof e;
        is_well = is_well && write_entry(t, &e, t->taken.data + at) == 0;
        at += e.key_len + e.body_len;
        written += is_well;
        *left += !is_well;
    }
    buffer_clear(&t->taken);
    return written;
}

static void fail(struct trace_recorder *t)
{
    char path[PATH_SIZE + 64], why[512];
    pthread_mutex_lock(&t->lock);
    t->is_failed = true;
    pthread_mutex_unlock(&t->lock);
    log_error("trace_ended", "file=%s why=%s", log_quote(t->path, path, sizeof path),
              log_quote(trace_writer_why(t->writer), why, sizeof why));
}

static void write_behind(struct trace_recorder *t, bool flushes)
{
    uint64_t left;
    const uint64_t written = write_taken(t, &left);
    atomic_fetch_add_explicit(&t->written, written, memory_order_relaxed);
    atomic_fetch_add_explicit(&t->dropped, left, memory_order_relaxed);
    if (!t->is_failed && (left > 0 || (flushes && trace_writer_flush(t->writer) != 0)))
        fail(t);
}

/* Takes what waits. Returns whether it is the last time. */
static bool take(struct trace_recorder *t)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += TURN_NS;
    if (until.tv_nsec >= NS_PER_S) {
        until.tv_sec++;
        until.tv_nsec -= NS_PER_S;
    }
    pthread_mutex_lock(&t->lock);
    while (!t->is_stopping && t->waiting.len < t->memory_max / 4)
        if (pthread_cond_timedwait(&t->wake, &t->lock, &until) == ETIMEDOUT)
            break;
    const struct buffer waiting = t->waiting;
    t->waiting = t->taken; /* empty, with its memory */
    t->taken = waiting;
    const bool is_last = t->is_stopping;
    pthread_mutex_unlock(&t->lock);
    return is_last;
}

static void *record(void *recorder)
{
    struct trace_recorder *t = recorder;
    bool is_last = false;
    for (int turn = 1; !is_last; turn++) {
        is_last = take(t);
        write_behind(t, turn % FLUSH_TURNS == 0);
    }
    return NULL;
}

/* ---- its life ---- */

/* "sale.ndjson.zst" → "sale-2.ndjson.zst" */
static void number_name(char out[PATH_SIZE], const char *path, int number)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    const char *dot = *name ? strchr(name + 1, '.') : NULL;
    if (number == 1)
        snprintf(out, PATH_SIZE, "%s", path);
    else if (dot)
        snprintf(out, PATH_SIZE, "%.*s-%d%s", (int)(dot - path), path, number, dot);
    else
        snprintf(out, PATH_SIZE, "%s-%d", path, number);
}

/* A process that was started again must neither end the first one's trace nor refuse to start. */
static int open_file(struct trace_recorder *t, const struct trace_recorder_options *options,
                     struct detail *why)
{
    const struct trace_header header = {
        .started_ms = clock_wall_ms(), .by = slice_of(options->by), .users_hashed = options->hash_users};
    if (strlen(options->path) > PATH_SIZE - 16) {
        detail_set(why, "the name is too long");
        return E_IO;
    }
    int error = E_EXISTS;
    t->started_ns = clock_mono_ns();
    for (int number = 1; error == E_EXISTS && number <= NAMES_MAX; number++) {
        number_name(t->path, options->path, number);
        error = trace_writer_open(&t->writer, t->path, &header, why);
    }
    return error;
}

static int start_thread(struct trace_recorder *t, struct detail *why)
{
    pthread_condattr_t clock;
    pthread_mutex_init(&t->lock, NULL);
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&t->wake, &clock);
    pthread_condattr_destroy(&clock);
    const int code = pthread_create(&t->thread, NULL, record, t);
    if (code == 0)
        return 0;
    detail_set(why, "no thread: %s", strerror(code));
    pthread_cond_destroy(&t->wake);
    pthread_mutex_destroy(&t->lock);
    return E_IO;
}

int trace_recorder_start(struct trace_recorder **out, const struct trace_recorder_options *options,
                         struct detail *why)
{
    struct trace_recorder *t = xcalloc(1, sizeof *t);
    t->memory_max = options->memory_max ? options->memory_max : MEMORY_MAX;
    t->hash_users = options->hash_users;
    randombytes_buf(t->hash_key, sizeof t->hash_key);
    int error = open_file(t, options, why);
    if (!error) {
        error = start_thread(t, why);
        if (error)
            (void)!trace_writer_close(t->writer, NULL);
    }
    if (error) {
        free(t);
        return error;
    }
    *out = t;
    return 0;
}

const char *trace_recorder_path(const struct trace_recorder *t)
{
    return t->path;
}

struct trace_recorder_counts trace_recorder_counts(const struct trace_recorder *t)
{
    return (struct trace_recorder_counts){.written = atomic_load_explicit(&t->written, memory_order_relaxed),
                                          .dropped = atomic_load_explicit(&t->dropped, memory_order_relaxed)};
}

void trace_recorder_stop(struct trace_recorder *t)
{
    struct detail why = {.text = ""};
    char path[PATH_SIZE + 64], quoted[512];
    if (!t)
        return;
    pthread_mutex_lock(&t->lock);
    t->is_stopping = true;
    pthread_mutex_unlock(&t->lock);
    pthread_cond_signal(&t->wake);
    pthread_join(t->thread, NULL);
    if (trace_writer_close(t->writer, &why) != 0 && !t->is_failed)
        log_error("trace_ended", "file=%s why=%s", log_quote(t->path, path, sizeof path),
                  log_quote(why.text, quoted, sizeof quoted));
    const struct trace_recorder_counts n = trace_recorder_counts(t);
    log_info("trace_closed", "file=%s written=%llu dropped=%llu", log_quote(t->path, path, sizeof path),
             (unsigned long long)n.written, (unsigned long long)n.dropped);
    pthread_cond_destroy(&t->wake);
    pthread_mutex_destroy(&t->lock);
    buffer_free(&t->waiting);
    buffer_free(&t->taken);
    sodium_memzero(t->hash_key, sizeof t->hash_key);
    free(t);
}
