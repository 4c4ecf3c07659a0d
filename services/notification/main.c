/*
 * seckill-notification: tells buyers what became of their orders and of their red packets, each once, by way
 * of one sink.
 */
#include <stdlib.h>

#include "common/base/log.h"
#include "common/pipeline/names.h"
#include "common/pipeline/worker_main.h"
#include "services/notification/answer_records.h"
#include "services/notification/notify_buyer.h"
#include "services/notification/webhook_settings.h"

struct notification_worker {
    struct worker_main main;
    struct notification_store *store;
    struct sink *sink;
    struct templates *templates;
    struct trail trail;
    struct notify_buyer buyer;
};

/* What settings_check cannot see. */
static int check(const void *context, struct detail *why)
{
    const struct settings *settings = context;
    struct templates *templates = NULL;
    int error = settings_check(settings, why);
    if (!error)
        error = templates_open(&templates, settings, why);
    if (!error && settings->notification.sink == SINK_WEBHOOK)
        error = webhook_settings_check(settings, why);
    templates_free(templates);
    return error;
}

/* After the lock was taken: the file of the sink belongs to one process, like the database. */
static int open_sink(struct notification_worker *w, struct detail *why)
{
    switch (w->main.settings.notification.sink) {
    case SINK_FILE:
        return sink_file_new(&w->sink, &w->main.settings, why);
    case SINK_WEBHOOK:
        return sink_webhook_new(&w->sink, &w->main.settings, why);
    default:
        w->sink = sink_log_new();
        return 0;
    }
}

static void warn_of_silence(const struct notification_worker *w)
{
    if (w->main.settings.notification.sink == SINK_LOG && !log_wants(LOG_LEVEL_INFO))
        log_warn("messages_go_nowhere", "sink=log why=\"log.level is above info\"");
}

static int on_open(void *context, struct store *store, struct detail *why)
{
    struct notification_worker *w = context;
    int error = templates_open(&w->templates, &w->main.settings, why);
    if (!error)
        error = notification_store_new(&w->store, store, why);
    if (!error)
        error = open_sink(w, why);
    if (error)
        return error;
    w->buyer.store = w->store;
    w->buyer.sink = w->sink;
    w->buyer.templates = w->templates;
    w->buyer.trail = &w->trail;
    log_info("sink_opened", "sink=%s", w->sink->name);
    warn_of_silence(w);
    return 0;
}

static void on_close(void *context)
{
    struct notification_worker *w = context;
    notify_buyer_free(&w->buyer);
    sink_free(w->sink);
    notification_store_free(w->store);
    templates_free(w->templates);
    trail_free(&w->trail);
}

static void *on_prepare(void *context, struct slice body)
{
    struct notification_worker *w = context;
    return notify_buyer_prepare(&w->buyer, body);
}

static enum outcome on_line(void *context, struct task *task)
{
    struct notification_worker *w = context;
    return notify_buyer_line(&w->buyer, task);
}

static int before_commit(void *context)
{
    struct notification_worker *w = context;
    return notify_buyer_before_commit(&w->buyer);
}

static void on_committed(void *context)
{
    struct notification_worker *w = context;
    notify_buyer_committed(&w->buyer);
}

static int on_rolled_back(void *context)
{
    struct notification_worker *w = context;
    notify_buyer_rolled_back(&w->buyer);
    return 0;
}

static bool on_run(void *context, int64_t now_ns)
{
    struct notification_worker *w = context;
    return notify_buyer_run(&w->buyer, now_ns);
}

static int on_settle(void *context, const struct settlement *s)
{
    struct notification_worker *w = context;
    return notify_buyer_settle(&w->buyer, s);
}

static int wait_fd(void *context)
{
    struct notification_worker *w = context;
    return notify_buyer_wait_fd(&w->buyer);
}

static int64_t due_ns(void *context)
{
    struct notification_worker *w = context;
    return notify_buyer_due_ns(&w->buyer);
}

static bool is_drained(void *context)
{
    struct notification_worker *w = context;
    return notify_buyer_drained(&w->buyer);
}

/* The templates too; those in use stay if the file is not fit for use any more. */
static void on_reload(void *context)
{
    struct notification_worker *w = context;
    struct templates *fresh = NULL;
    struct detail why;
    char quoted[512];
    worker_main_reload(&w->main);
    w->trail.is_on = w->main.settings.log.orders;
    if (!w->sink) /* a standby: it opens them when its time comes */
        return;
    if (w->sink->ops->reload)
        w->sink->ops->reload(w->sink);
    warn_of_silence(w);
    if (templates_open(&fresh, &w->main.settings, &why) != 0) {
        log_error("templates_unfit", "why=%s", log_quote(why.text, quoted, sizeof quoted));
        return;
    }
    templates_free(w->templates);
    w->buyer.templates = w->templates = fresh;
}

static const struct rpc_method methods[] = {
    {RPC_NOTIFICATION_SHOW, answer_records},
    {NULL, NULL},
};

static const char *const exchanges[] = {EXCHANGE_RETRY, EXCHANGE_DEAD, EXCHANGE_STOCK, EXCHANGE_REPLY, NULL};
static const char *const outbox_exchanges[] = {EXCHANGE_RETRY, EXCHANGE_DEAD, NULL};

static const struct worker_beside beside = {
    .run = on_run,
    .settle = on_settle,
    .wait_fd = wait_fd,
    .due_ns = due_ns,
    .drained = is_drained,
};

static int run(struct notification_worker *w)
{
    char database[STORE_PATH_SIZE];
    const struct worker_spec spec = {
        .service = "notification",
        .database = settings_notification_path(&w->main.settings, database),
        .migrations = notification_migrations,
        .queue = QUEUE_NOTIFICATION,
        .rpc_queue = QUEUE_RPC_NOTIFICATION,
        .exchanges = exchanges,
        .outbox_exchanges = outbox_exchanges,
        .prefetch = WORKER_PREFETCH,
        .max_batch = (int)w->main.settings.notification.max_batch,
        .linger_ms = WORKER_LINGER_MS,
        .relay_window = WORKER_RELAY_WINDOW,
        .max_attempts = WORKER_MAX_ATTEMPTS,
        .handler = {.open = on_open,
                    .close = on_close,
                    .prepare = on_prepare,
                    .line = on_line,
                    .before_commit = before_commit,
                    .committed = on_committed,
                    .rolled_back = on_rolled_back,
                    .reload = on_reload,
                    .beside = &beside},
        .context = w,
        .methods = methods,
        .methods_context = &w->store,
    };
    return worker_main_run(&w->main, &spec);
}

int main(int argc, char **argv)
{
    static struct notification_worker w = {.main.check = check}; /* its outcomes are too much for a stack */
    worker_main_start(&w.main, "seckill-notification",
                      "Tells buyers what became of their orders and red packets.", argc, argv);
    w.trail.is_on = w.main.settings.log.orders;
    return run(&w);
}
