#include "common/pipeline/worker.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/notify.h"
#include "common/pipeline/worker_internal.h"
#include "common/store/statement.h"

#define STANDBY_RETRY_MS 200

/* A database that cannot be served says so once, with the exit code that fits. */
static int refuse(const struct worker_spec *spec, int error, const char *event, const char *why)
{
    char path[512], text[512];
    log_error(event, "database=%s why=%s", log_quote(spec->database, path, sizeof path),
              log_quote(why, text, sizeof text));
    return error == E_NOT_FOUND || error == E_NEWER || error == E_INVALID ? EXIT_CONFIG : EXIT_DISK;
}

/* Waits until the lock is ours: as long as another process has it, this one is its standby. Returns an exit
 * code; EXIT_OK with w->stopping if the wait was ended by a signal. */
static int take_lock(struct worker *w)
{
    char path[4096];
    struct detail why = {.text = ""};
    snprintf(path, sizeof path, "%s.lock", w->spec->database);
    for (bool standing_by = false;; standing_by = true) {
        w->lock_fd = file_lock(path, &why);
        if (w->lock_fd >= 0) {
            if (standing_by)
                log_info("take_over", "lock=%s", path);
            FAULT_POINT("worker.locked");
            return EXIT_OK;
        }
        if (w->lock_fd != E_BUSY)
            return refuse(w->spec, w->lock_fd, "lock_failed", why.text);
        if (w->spec->init_only) { /* whoever has the lock has the database as well */
            log_info("database_in_use", "lock=%s", path);
            w->stopping = true;
            return EXIT_OK;
        }
        if (!standing_by) {
            log_info("standing_by", "lock=%s", path);
            notify_status("standing by: another process has the database");
            notify_ready();
        }
        struct pollfd fd = {.fd = w->signal_fd, .events = POLLIN};
        poll(&fd, 1, STANDBY_RETRY_MS);
        notify_watchdog(clock_mono_ns());
        if (worker_signals(w))
            return EXIT_OK;
    }
}

/* As much as a large transaction needs, written and taken away again: better to find a full disk now than
 * with orders in hand. */
static int test_write(struct store *s)
{
    int error = store_begin(s);
    if (!error)
        error = store_execute(s, "INSERT INTO write_test (payload) VALUES (zeroblob(1048576))");
    if (!error)
        error = store_commit(s);
    FAULT_POINT("worker.test_written");
    if (!error)
        error = store_execute(s, "DELETE FROM write_test");
    return error;
}

static int open_store(struct worker *w)
{
    const struct worker_spec *spec = w->spec;
    struct detail why = {.text = ""};
    int applied = 0;
    int error = store_open(&w->store, spec->database, spec->init ? STORE_CREATE : STORE_OWNER, &why);
    if (error == E_NOT_FOUND)
        detail_set(&why, "there is no such database; --init makes a new one");
    if (error)
        return refuse(spec, error, "store_open_failed", why.text);
    FAULT_POINT("worker.opened");
    backup_request_recover(spec->database);
    error = migrate_apply(w->store, spec->migrations, &applied, &why);
    if (error)
        return refuse(spec, error, "store_migrate_failed", why.text);
    error = test_write(w->store);
    if (error)
        return refuse(spec, E_IO, "store_write_failed", store_error(w->store));
    char path[512];
    log_info("store_opened", "database=%s migrations_applied=%d",
             log_quote(spec->database, path, sizeof path), applied);
    return EXIT_OK;
}

static int make_parts(struct worker *w)
{
    const struct worker_spec *spec = w->spec;
    const struct outbox_relay_options relay = {.name = spec->service,
                                               .exchanges = spec->outbox_exchanges,
                                               .window = spec->relay_window,
                                               .confirm_timeout_ms = spec->confirm_timeout_ms};
    struct detail why = {.text = ""};
    int error = inbox_new(&w->inbox, w->store, spec->queue, &why);
    if (!error)
        error = outbox_new(&w->outbox, w->store, &why);
    if (!error)
        error = outbox_relay_new(&w->relay, w->store, &relay, &why);
    if (!error && spec->handler.open) {
        w->opened = true;
        error = spec->handler.open(spec->context, w->store, &why);
    }
    if (error)
        return refuse(spec, error, "store_unfit", why.text);
    const char *path = NULL;
    if (spec->handler.other_file && spec->handler.other_file(spec->context, &path))
        backup_request_recover(path);
    w->replies = replies_new();
    w->rpc = rpc_server_new(spec->methods, spec->methods_context);
    w->dead_settle = (struct answer_dead_settle){.store = w->store, .inbox = w->inbox};
    rpc_server_also(w->rpc, dead_settle_methods, &w->dead_settle);
    w->transaction = (struct transaction){.store = w->store,
                                          .inbox = w->inbox,
                                          .outbox = w->outbox,
                                          .relay = w->relay,
                                          .replies = w->replies,
                                          .handler = &spec->handler,
                                          .handler_context = spec->context,
                                          .max_attempts = spec->max_attempts};
    if (job_thread_start(&w->thread) != 0) {
        log_error("thread_failed", "what=\"%s\"", strerror(errno));
        return EXIT_DISK;
    }
    return EXIT_OK;
}

static int serve(struct worker *w)
{
    notify_ready();
    w->hand.fresh = true;
    worker_work(w);
    notify_stopping();
    worker_drain(w);
    if (w->link.consume)
        link_close(w, !w->fault && !w->link.lost);
    FAULT_POINT("worker.closed");
    if (!w->fault)
        worker_note_fault(w, "checkpoint", store_checkpoint_truncate(w->store));
    const struct inbox_counts *n = &w->transaction.totals;
    log_info("worker_stopped", "decided=%lld duplicates=%lld dead=%lld commits=%llu", (long long)n->decided,
             (long long)n->duplicates, (long long)n->dead, (unsigned long long)w->transaction.commits);
    return w->fault ? EXIT_DISK : EXIT_OK;
}

/* failed: the environment did, and what it is told now it may not keep. */
static void free_parts(struct worker *w, bool failed)
{
    const char *path = NULL;
    job_thread_free(w->thread);
    backup_request_end(&w->backup, w->spec->database);
    if (w->other_backup.running && w->spec->handler.other_file(w->spec->context, &path))
        backup_request_end(&w->other_backup, path);
    if (w->opened && w->spec->handler.close)
        w->spec->handler.close(w->spec->context);
    rpc_server_free(w->rpc);
    replies_free(w->replies);
    outbox_relay_free(w->relay);
    outbox_free(w->outbox);
    inbox_free(w->inbox);
    if (failed)
        store_abandon(w->store);
    else
        store_close(w->store);
    hand_drop(&w->hand);
    free(w->hand.messages);
    hand_drop(&w->next);
    free(w->next.messages);
    questions_free(&w->questions);
    if (w->lock_fd < 0)
        return;
    FAULT_POINT("worker.before_unlock");
    close(w->lock_fd); /* last: from here on another process may open the database */
}

int worker_run(const struct worker_spec *spec, int signal_fd)
{
    struct worker w = {.spec = spec, .signal_fd = signal_fd, .lock_fd = -1};
    heartbeat_begin(&w.heartbeat, spec->service);
    int code = take_lock(&w);
    if (code == EXIT_OK && !w.stopping)
        code = open_store(&w);
    if (code == EXIT_OK && !w.stopping)
        code = make_parts(&w);
    if (code == EXIT_OK && !w.stopping && !spec->init_only)
        code = serve(&w);
    free_parts(&w, code != EXIT_OK);
    return code;
}
