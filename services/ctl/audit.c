/* The run of an audit: looking until nothing moves, then judging. See audit.h. */
#include "services/ctl/audit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/alloc.h"
#include "common/base/clock.h"
#include "common/store/store.h"
#include "services/ctl/audit_batches.h"
#include "services/ctl/audit_shard.h"
#include "services/ctl/shard_file.h"

#define ROUND_MS    200
#define PROGRESS_MS 2000

/* Inventory that has messages and does nothing for so long stands still; its longest transaction is far
 * shorter. */
#define STILL_MS 2000

struct audit {
    const struct audit_options *options;
    struct audit_report *report;
    struct batch_set batches;
    int64_t changed_ns; /* when a look last differed from the one before */
};

/* The queues first: a message that moves on in between is then counted as queued and as seen, never as
 * neither. */
static int look(struct audit *a, struct detail *why)
{
    struct audit_report *r = a->report;
    struct audit_queues queues_before = r->queues;
    int64_t unseen_before = r->unseen_batches;
    int rc = a->options->look(a->options->context, &r->queues, why);
    r->letters = 0;
    for (int i = 0; i < a->options->store_count && rc == 0; i++) {
        struct store *store = NULL;
        rc = shard_file_open(&store, a->options->stores[i], why);
        if (rc == 0)
            rc = shard_mark_seen(store, &a->batches, r, why);
        if (rc == 0)
            rc = shard_add_letters(store, &r->letters, why);
        store_close(store);
    }
    r->unseen_batches = r->unseen_orders = 0;
    for (size_t i = 0; i < a->batches.count; i++) {
        if (!a->batches.items[i].seen) {
            r->unseen_batches++;
            r->unseen_orders += a->batches.items[i].count;
        }
    }
    if (unseen_before != r->unseen_batches || memcmp(&queues_before, &r->queues, sizeof(r->queues)) != 0)
        a->changed_ns = clock_mono_ns();
    return rc;
}

static void tell_progress(const struct audit *a)
{
    char text[160];
    if (!a->options->progress)
        return;
    snprintf(text, sizeof(text), "waiting: %" PRId64 " messages queued, %" PRId64 " batches not yet decided",
             a->report->queues.ready, a->report->unseen_batches);
    a->options->progress(a->options->context, text);
}

static int wait_for_quiet(struct audit *a, struct detail *why)
{
    const struct timespec pause = {.tv_nsec = ROUND_MS * NS_PER_MS};
    int64_t begin_ns = clock_mono_ns(), told_ns = begin_ns;
    int rc;
    a->changed_ns = begin_ns;
    while ((rc = look(a, why)) == 0) {
        int64_t now_ns = clock_mono_ns();
        bool quiet =
            a->report->unseen_batches == 0 && a->report->queues.ready == 0 && a->report->letters == 0;
        if (quiet || now_ns - begin_ns >= a->options->wait_ms * NS_PER_MS)
            return 0;
        if (now_ns - told_ns >= PROGRESS_MS * NS_PER_MS) {
            tell_progress(a);
            told_ns = now_ns;
        }
        nanosleep(&pause, NULL);
    }
    return rc;
}

static void name_lost(struct audit *a)
{
    struct audit_report *r = a->report;
    int64_t lost = r->unseen_batches - r->queues.ready;
    audit_found(r, AUDIT_DECIDED_ONCE, lost,
                "inventory never saw %" PRId64 " accepted orders in %" PRId64 " batches, and at most %" PRId64
                " of these are queued: %" PRId64 " are lost%s",
                r->unseen_orders, r->unseen_batches, r->queues.ready, lost,
                r->queues.consumers > 0 ? ", or in the hands of an inventory that stands still" : "");
    /* Which of them are queued cannot be told: all are named, and the difference is counted. */
    r->invariants[AUDIT_BATCHES].broken += lost;
    for (size_t i = 0; i < a->batches.count; i++) {
        const struct batch *b = &a->batches.items[i];
        if (!b->seen)
            audit_found(r, AUDIT_BATCHES, 0,
                        "batch %s-%" PRId64 ", confirmed with %d orders, was never seen by inventory",
                        b->producer, b->seq, b->count);
    }
}

/* Every batch of a ledger that inventory has not seen must be a message in a queue. While a consumer is at
 * work it may also be one that is delivered and not yet acknowledged, which the broker does not count. */
static void judge_unseen(struct audit *a)
{
    struct audit_report *r = a->report;
    if (r->unseen_batches <= r->queues.ready)
        return;
    bool still = clock_mono_ns() - a->changed_ns >= a->options->still_ms * NS_PER_MS;
    if (r->queues.consumers == 0 || (still && r->queues.ready == 0)) {
        name_lost(a);
        return;
    }
    r->settled = false;
    snprintf(r->moving, sizeof(r->moving),
             "%" PRId64 " batches are not yet decided, and %" PRId64
             " messages are in the queue: inventory is at work",
             r->unseen_batches, r->queues.ready);
}

static void judge_dead(struct audit_report *r)
{
    if (r->queues.dead > 0)
        audit_found(r, AUDIT_DECIDED_ONCE, r->queues.dead,
                    "%" PRId64
                    " dead letters in the queue seckill.dead wait for somebody to replay or drop them",
                    r->queues.dead);
    /* Those of a moment ago are there a little longer than in the queue; what stays was not taken by the
     * broker, or has an inventory that does not run. */
    if (r->letters > 0)
        audit_found(r, AUDIT_DECIDED_ONCE, r->letters,
                    "%" PRId64
                    " dead letters are still in the outbox of inventory, on their way to seckill.dead",
                    r->letters);
}

/* All files at one moment each, for as long as it takes to read them. */
static int check_stores(struct audit *a, struct detail *why)
{
    int rc = 0, count = a->options->store_count;
    struct store **stores = xcalloc((size_t)count, sizeof(struct store *));
    for (int i = 0; i < count && rc == 0; i++) {
        rc = shard_file_open(&stores[i], a->options->stores[i], why);
        if (rc == 0 && (rc = store_execute(stores[i], "BEGIN")))
            detail_set(why, "%s: %s", a->options->stores[i], store_error(stores[i]));
        if (rc == 0)
            rc = shard_check(stores[i], i, a->report, why);
    }
    if (rc == 0 && count > 1)
        rc = shards_check_distinct(stores, count, a->report, why);
    for (int i = 0; i < count; i++)
        store_close(stores[i]);
    free(stores);
    return rc;
}

int audit_run(const struct audit_options *options, struct audit_report *report, struct detail *why)
{
    struct audit a = {.options = options, .report = report};
    audit_report_start(report);
    int rc;
    if ((rc = batches_read(&a.batches, options->ledger_dir, report, why)) || (rc = wait_for_quiet(&a, why)) ||
        (rc = check_stores(&a, why))) {
        audit_report_free(report);
    } else {
        report->invariants[AUDIT_DECIDED_ONCE].checked += report->unseen_orders;
        report->invariants[AUDIT_BATCHES].checked += report->unseen_batches;
        judge_unseen(&a);
        judge_dead(report);
    }
    batches_free(&a.batches);
    return rc;
}
