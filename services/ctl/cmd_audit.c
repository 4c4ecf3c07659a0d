/* audit: the invariants, proved from the workers' files, the ledgers and the broker's queues. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/alloc.h"
#include "common/base/file.h"
#include "common/broker/consume.h"
#include "common/pipeline/broker_login.h"
#include "common/pipeline/names.h"
#include "services/ctl/ask.h"
#include "services/ctl/audit.h"
#include "services/ctl/commands.h"
#include "services/ctl/inventory.h"

/* Inventory commits several times a second while it has anything to do; a slow disk may keep it for longer.
 */
#define STILL_MS 5000

const struct ctl_option cmd_audit_options[] = {
    {"wait", "SECONDS", "how long to wait until nothing moves any more; 10 where left out"},
    {"json", NULL, "print JSON: {\"holds\": true, \"invariants\": [...], ...}"},
    {NULL, NULL, NULL},
};

struct looking {
    const struct ctl *ctl;
    struct broker_connection *connection; /* NULL: to be opened again */
    int shards;
    bool has_notification; /* only then are its delay queues looked at */
};

static const char *const delay_queues[] = {
    QUEUE_RETRY_PREFIX KEY_RETRY_1S_NOTIFICATION,
    QUEUE_RETRY_PREFIX KEY_RETRY_5S_NOTIFICATION,
    QUEUE_RETRY_PREFIX KEY_RETRY_30S_NOTIFICATION,
    QUEUE_RETRY_PREFIX KEY_RETRY_5M_NOTIFICATION,
    NULL,
};

/* With the stream: a message that moves on in between is counted twice rather than never. */
static int ask_about_events(const struct looking *l, struct audit_queues *out, struct detail *why)
{
    uint32_t ready, consumers;
    int rc = broker_queue_check(l->connection, QUEUE_REDPACKET, &ready, &consumers, why);
    if (rc)
        return rc;
    out->redpacket = (struct audit_queue){.ready = ready, .consumers = consumers};
    for (int i = 0; l->has_notification && delay_queues[i]; i++) {
        if ((rc = broker_queue_check(l->connection, delay_queues[i], &ready, NULL, why)))
            return rc;
        out->delayed += ready;
    }
    if ((rc = broker_queue_check(l->connection, QUEUE_NOTIFICATION, &ready, &consumers, why)))
        return rc;
    out->notification = (struct audit_queue){.ready = ready, .consumers = consumers};
    return 0;
}

static int ask_once(const struct looking *l, struct audit_queues *out, struct detail *why)
{
    uint32_t ready, consumers;
    int rc;
    *out = (struct audit_queues){0};
    for (int shard = 0; shard < l->shards; shard++) {
        char queue[64];
        snprintf(queue, sizeof(queue), QUEUE_ORDERS_PREFIX "%d", shard);
        if ((rc = broker_queue_check(l->connection, queue, &ready, &consumers, why)))
            return rc;
        out->ready += ready;
        out->consumers += consumers;
    }
    if ((rc = broker_queue_check(l->connection, QUEUE_DEAD, &ready, &consumers, why)))
        return rc;
    out->dead = ready;
    return ask_about_events(l, out, why);
}

static int connect_again(struct looking *l, struct detail *why)
{
    struct broker_addresses addresses;
    broker_connection_abandon(l->connection);
    l->connection = NULL;
    int rc = broker_login_addresses(l->ctl->settings, &addresses, why);
    if (rc)
        return rc;
    rc = broker_connect_any(&l->connection, &addresses, "seckillctl",
                            (int)l->ctl->settings->broker.timeout_ms, why);
    broker_addresses_free(&addresses);
    return rc;
}

/* While large files are read nobody answers the broker's heartbeats, and it ends the connection: then there
 * is another one. */
static int ask_broker(void *context, struct audit_queues *out, struct detail *why)
{
    struct looking *l = context;
    int rc = l->connection ? ask_once(l, out, why) : E_CLOSED;
    if (rc != E_CLOSED && rc != E_TIMEOUT)
        return rc;
    rc = connect_again(l, why);
    return rc ? rc : ask_once(l, out, why);
}

static void show_progress(void *context, const char *text)
{
    (void)context;
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "%s\n", text);
}

/* A file that is not where the settings say is their fault; a queue that is missing makes the broker no use.
 */
static bool any_is_missing(const char *const *paths, int count)
{
    for (int i = 0; i < count; i++)
        if (!file_exists(paths[i]))
            return true;
    return false;
}

int cmd_audit(const struct ctl *ctl)
{
    int64_t wait_s = 10;
    int status = ctl_option_number(ctl, "wait", 0, 3600, &wait_s);
    if (status)
        return status;
    struct looking looking = {.ctl = ctl, .shards = (int)ctl->settings->topology.shards};
    status = ctl_connect(ctl, &looking.connection);
    if (status)
        return status;

    char ledger_dir[STORE_PATH_SIZE], notification[STORE_PATH_SIZE], redpacket[STORE_PATH_SIZE];
    char(*paths)[STORE_PATH_SIZE] = xcalloc((size_t)looking.shards, sizeof(*paths));
    const char **stores = xcalloc((size_t)looking.shards, sizeof(stores[0]));
    for (int shard = 0; shard < looking.shards; shard++)
        stores[shard] = settings_inventory_path(ctl->settings, shard, paths[shard]);
    settings_notification_path(ctl->settings, notification);
    settings_redpacket_path(ctl->settings, redpacket);
    looking.has_notification = file_exists(notification);
    const struct audit_options options = {
        .notification = looking.has_notification ? notification : NULL,
        .redpacket = file_exists(redpacket) ? redpacket : NULL,
        .stores = stores,
        .store_count = looking.shards,
        .ledger_dir = settings_ledger_dir(ctl->settings, ledger_dir),
        .wait_ms = wait_s * 1000,
        .still_ms = STILL_MS,
        .look = ask_broker,
        .context = &looking,
        .progress = show_progress,
    };
    struct audit_report report;
    struct detail why = {"something failed"};
    int rc = audit_run(&options, &report, &why);
    if (rc) {
        status = ctl_fail(rc == E_NOT_FOUND && any_is_missing(stores, looking.shards) ? EXIT_CONFIG
                                                                                      : ctl_exit_code(rc),
                          "%s", why.text);
    } else {
        if (ctl_json(ctl))
            audit_print_json(&report, stdout);
        else
            audit_print(&report, stdout);
        status = audit_holds(&report) ? EXIT_OK : EXIT_FAILED;
        audit_report_free(&report);
    }
    free(stores);
    free(paths);
    broker_connection_close(looking.connection);
    return status;
}
