/* The run of an audit: looking until nothing moves, then judging. See audit.h. */
#include "services/ctl/audit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/alloc.h"
#include "common/base/clock.h"
#include "common/store/statement.h"
#include "services/ctl/audit_batches.h"
#include "services/ctl/audit_events.h"
#include "services/ctl/audit_letters.h"
#include "services/ctl/audit_shard.h"
#include "services/ctl/service_file.h"

#define ROUND_MS    200
#define PROGRESS_MS 2000

struct audit {
    const struct audit_options *options;
    struct audit_report *report;
    struct batch_set batches;
    int64_t begin_ns, told_ns;
    int64_t changed_ns;             /* when a look last differed from the one before */
    struct file_look file;          /* of all files together, as they were looked at last */
    struct audit_invariant missing; /* of invariant 4: breaches only if nothing moves */
};

static bool has_events(const struct audit_report *r)
{
    return r->has_notification || r->has_redpacket;
}

/* ---- looking ---- */

static int look_at_shard(struct audit *a, struct store *store, struct detail *why)
{
    int rc = shard_mark_seen(store, &a->batches, a->report, why);
    return rc ? rc : file_look(store, &a->file, why);
}

static int look_at_notification(struct audit *a, struct store *store, struct detail *why)
{
    struct statement *query = NULL;
    int rc = statement_prepare(&query, store, "SELECT count(*) FROM to_send", why);
    if (rc == 0 && (rc = statement_next(query)) == 1)
        a->report->to_send = statement_int(query, 0);
    if (rc < 0 && query)
        detail_set(why, "%s", store_error(store));
    statement_free(query);
    return rc < 0 ? rc : file_look(store, &a->file, why);
}

static int look_at_packets(struct audit *a, struct store *store, struct detail *why)
{
    return file_look(store, &a->file, why);
}

/* path NULL: there is no such file. */
static int look_at(struct audit *a, const char *path, const struct migration *migrations,
                   int (*at)(struct audit *a, struct store *store, struct detail *why), struct detail *why)
{
    struct store *store = NULL;
    if (!path)
        return 0;
    int rc = service_file_open(&store, path, migrations, why);
    if (rc == 0)
        rc = at(a, store, why);
    store_close(store);
    return rc;
}

static void count_unseen(struct audit *a)
{
    struct audit_report *r = a->report;
    r->unseen_batches = r->unseen_orders = 0;
    for (size_t i = 0; i < a->batches.count; i++) {
        if (!a->batches.items[i].seen) {
            r->unseen_batches++;
            r->unseen_orders += a->batches.items[i].count;
        }
    }
}

/* The queues first, and the files in the way of the orders: a message that moves on in between is then
 * counted as queued and as seen, never as neither. */
static int look(struct audit *a, struct detail *why)
{
    struct audit_report *r = a->report;
    struct audit_queues queues_before = r->queues;
    struct file_look file_before = a->file;
    int64_t unseen_before = r->unseen_batches, to_send_before = r->to_send;
    int rc = a->options->look(a->options->context, &r->queues, why);
    a->file = (struct file_look){0};
    for (int i = 0; i < a->options->store_count && rc == 0; i++)
        rc = look_at(a, a->options->stores[i], inventory_migrations, look_at_shard, why);
    if (rc == 0)
        rc = look_at(a, a->options->redpacket, redpacket_migrations, look_at_packets, why);
    if (rc == 0)
        rc = look_at(a, a->options->notification, notification_migrations, look_at_notification, why);
    r->letters.outgoing = a->file.letters;
    r->outgoing = a->file.outgoing;
    count_unseen(a);
    if (unseen_before != r->unseen_batches || to_send_before != r->to_send ||
        memcmp(&file_before, &a->file, sizeof(a->file)) != 0 ||
        memcmp(&queues_before, &r->queues, sizeof(r->queues)) != 0)
        a->changed_ns = clock_mono_ns();
    return rc;
}

/* Events in queues that a service of ours with a file reads. */
static int64_t queued_events(const struct audit_report *r)
{
    return (r->has_notification ? r->queues.notification.ready + r->queues.delayed : 0) +
           (r->has_redpacket ? r->queues.redpacket.ready : 0);
}

static bool events_are_quiet(const struct audit_report *r)
{
    return !has_events(r) || (queued_events(r) == 0 && r->outgoing == 0 && r->to_send == 0);
}

static void tell_progress(struct audit *a)
{
    char text[200];
    const struct audit_report *r = a->report;
    int64_t now_ns = clock_mono_ns();
    if (!a->options->progress || now_ns - a->told_ns < PROGRESS_MS * NS_PER_MS)
        return;
    a->told_ns = now_ns;
    snprintf(text, sizeof(text),
             "waiting: %" PRId64 " messages queued, %" PRId64 " batches not yet decided, %" PRId64
             " messages of events queued, %" PRId64 " notifications to be sent",
             r->queues.ready, r->unseen_batches, queued_events(r), r->to_send);
    a->options->progress(a->options->context, text);
}

static bool time_is_over(const struct audit *a)
{
    return clock_mono_ns() - a->begin_ns >= a->options->wait_ms * NS_PER_MS;
}

static bool stands_still(const struct audit *a)
{
    return clock_mono_ns() - a->changed_ns >= a->options->still_ms * NS_PER_MS;
}

static void pause_for_a_round(void)
{
    nanosleep(&(struct timespec){.tv_nsec = ROUND_MS * NS_PER_MS}, NULL);
}

static int wait_for_quiet(struct audit *a, struct detail *why)
{
    const struct audit_report *r = a->report;
    int rc;
    while ((rc = look(a, why)) == 0) {
        bool quiet =
            r->unseen_batches == 0 && r->queues.ready == 0 && r->letters.outgoing == 0 && events_are_quiet(r);
        if (quiet || time_is_over(a))
            return 0;
        tell_progress(a);
        pause_for_a_round();
    }
    return rc;
}

/* What is delivered and not acknowledged no queue counts: where something is missing and a service is at
 * work, it may have it in hand. */
static bool may_be_in_hand(const struct audit *a)
{
    const struct audit_queues *q = &a->report->queues;
    return (q->consumers > 0 || q->notification.consumers > 0 || q->redpacket.consumers > 0) &&
           !stands_still(a);
}

/* Reads the files of the events again as long as what is missing there may still come. The look after it is
 * for what moved on between the look before and the reading. */
static int check_events(struct audit *a, struct detail *why)
{
    int rc;
    if (!has_events(a->report)) {
        a->report->invariants[AUDIT_EVENTS].unchecked = true;
        return 0;
    }
    while ((rc = events_check(a->options, a->report, &a->missing, why)) == 0 && a->missing.broken > 0) {
        rc = look(a, why);
        if (rc || time_is_over(a) || (events_are_quiet(a->report) && !may_be_in_hand(a)))
            return rc;
        tell_progress(a);
        pause_for_a_round();
        rc = wait_for_quiet(a, why);
        if (rc)
            return rc;
    }
    return rc;
}

/* ---- judging ---- */

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

static void still_moves(struct audit_report *r, const char *format, ...) PRINTF_LIKE(2, 3);
static void still_moves(struct audit_report *r, const char *format, ...)
{
    size_t len = strlen(r->moving);
    va_list args;
    r->settled = false;
    if (len > 0 && len + 3 < sizeof(r->moving)) {
        memcpy(r->moving + len, "; ", 3);
        len += 2;
    }
    va_start(args, format);
    vsnprintf(r->moving + len, sizeof(r->moving) - len, format, args);
    va_end(args);
}

/* Every batch of a ledger that inventory has not seen must be a message in a queue. While a consumer is at
 * work it may also be one that is delivered and not yet acknowledged, which the broker does not count. */
static void judge_unseen(struct audit *a)
{
    struct audit_report *r = a->report;
    if (r->unseen_batches <= r->queues.ready)
        return;
    if (r->queues.consumers == 0 || (stands_still(a) && r->queues.ready == 0)) {
        name_lost(a);
        return;
    }
    still_moves(r,
                "%" PRId64 " batches are not yet decided, and %" PRId64
                " messages are in the queue: inventory is at work",
                r->unseen_batches, r->queues.ready);
}

static void say_what_moves(struct audit_report *r)
{
    const struct audit_queues *q = &r->queues;
    if (r->outgoing > 0)
        still_moves(r, "%" PRId64 " messages of events are in outboxes", r->outgoing);
    if (r->has_redpacket && q->redpacket.ready > 0)
        still_moves(r, "%" PRId64 " messages of events are in seckill.redpacket%s", q->redpacket.ready,
                    q->redpacket.consumers > 0 ? "" : ", which nobody consumes");
    if (r->has_notification && q->notification.ready > 0)
        still_moves(r, "%" PRId64 " messages of events are in seckill.notification%s", q->notification.ready,
                    q->notification.consumers > 0 ? "" : ", which nobody consumes");
    if (r->has_notification && q->delayed > 0)
        still_moves(r, "%" PRId64 " messages wait in delay queues for the next attempt", q->delayed);
    if (r->to_send > 0)
        still_moves(r, "%" PRId64 " notifications are still to be sent%s", r->to_send,
                    q->notification.consumers > 0 ? "" : ", and seckill-notification does not run");
}

static void take_over_missing(struct audit *a)
{
    struct audit_invariant *to = &a->report->invariants[AUDIT_EVENTS];
    to->broken += a->missing.broken;
    for (int k = 0; k < a->missing.kept && to->kept < AUDIT_FINDINGS_KEPT; k++) {
        to->findings[to->kept++] = a->missing.findings[k];
        a->missing.findings[k] = NULL;
    }
}

static void judge_events(struct audit *a)
{
    struct audit_report *r = a->report;
    if (!r->has_notification && r->queues.notification.consumers > 0)
        still_moves(r, "a seckill-notification is at work, and its file is not here");
    if (!r->has_redpacket && r->queues.redpacket.consumers > 0)
        still_moves(r, "a seckill-redpacket is at work, and its file is not here");
    if (!has_events(r))
        return;
    if (!events_are_quiet(r))
        say_what_moves(r);
    else if (a->missing.broken > 0 && may_be_in_hand(a))
        still_moves(r, "%" PRId64 " effects of events are not there yet: their services are at work",
                    a->missing.broken);
    else
        take_over_missing(a);
}

static int letters_of_shard(struct audit *a, struct store *store, int shard, struct detail *why)
{
    char whose[64];
    snprintf(whose, sizeof(whose), "inventory of shard %d", shard);
    return letters_check(store, whose, a->report, why);
}

static int letters_of_packets(struct audit *a, struct store *store, struct detail *why)
{
    return letters_check(store, "redpacket", a->report, why);
}

static int letters_of_notification(struct audit *a, struct store *store, struct detail *why)
{
    return letters_check(store, "notification", a->report, why);
}

/* All files at one moment each, for as long as it takes to read them. */
static int check_stores(struct audit *a, struct detail *why)
{
    int rc = 0, count = a->options->store_count;
    struct store **stores = xcalloc((size_t)count, sizeof(struct store *));
    for (int i = 0; i < count && rc == 0; i++) {
        rc = inventory_file_open(&stores[i], a->options->stores[i], why);
        if (rc == 0 && (rc = store_execute(stores[i], "BEGIN")))
            detail_set(why, "%s: %s", a->options->stores[i], store_error(stores[i]));
        if (rc == 0)
            rc = shard_check(stores[i], i, a->report, why);
        if (rc == 0)
            rc = letters_of_shard(a, stores[i], i, why);
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
    int64_t now_ns = clock_mono_ns();
    struct audit a = {
        .options = options, .report = report, .begin_ns = now_ns, .told_ns = now_ns, .changed_ns = now_ns};
    audit_report_start(report);
    report->has_notification = options->notification != NULL;
    report->has_redpacket = options->redpacket != NULL;
    int rc;
    if ((rc = batches_read(&a.batches, options->ledger_dir, report, why)) || (rc = wait_for_quiet(&a, why)) ||
        (rc = check_events(&a, why)) || (rc = check_stores(&a, why)) ||
        (rc = look_at(&a, options->redpacket, redpacket_migrations, letters_of_packets, why)) ||
        (rc = look_at(&a, options->notification, notification_migrations, letters_of_notification, why))) {
        audit_report_free(report);
    } else {
        report->invariants[AUDIT_DECIDED_ONCE].checked += report->unseen_orders;
        report->invariants[AUDIT_BATCHES].checked += report->unseen_batches;
        judge_unseen(&a);
        letters_judge(report);
        judge_events(&a);
    }
    audit_invariant_clear(&a.missing);
    batches_free(&a.batches);
    return rc;
}
