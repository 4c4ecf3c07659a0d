/* See audit_letters.h. */
#include "services/ctl/audit_letters.h"

#include <inttypes.h>

#include "common/pipeline/inbox.h"
#include "common/pipeline/names.h"
#include "common/store/statement.h"

#define TEXT(query, column) (int)statement_text(query, column).len, statement_text(query, column).data

int file_look(struct store *store, struct file_look *out, struct detail *why)
{
    struct statement *query = NULL;
    int rc = statement_prepare(&query, store,
                               "SELECT count(*), coalesce(sum(exchange = '" EXCHANGE_DEAD "'), 0),"
                               " (SELECT coalesce(sum(deliveries), 0) FROM batch_seen WHERE producer = '')"
                               " FROM outbox",
                               why);
    if (rc)
        return rc;
    rc = statement_next(query);
    if (rc == 1) {
        out->letters += statement_int(query, 1);
        out->outgoing += statement_int(query, 0) - statement_int(query, 1);
        out->handled += statement_int(query, 2);
    } else if (rc < 0) {
        detail_set(why, "%s", store_error(store));
    }
    statement_free(query);
    return rc < 0 ? rc : 0;
}

static void add(struct statement *row, const char *owner, struct audit_report *report)
{
    struct audit_letters *l = &report->letters;
    l->made++;
    if (slice_is(statement_text(row, 5), "replayed")) {
        l->replayed++;
    } else if (slice_is(statement_text(row, 5), "dropped")) {
        l->dropped++;
    } else {
        l->unsettled++;
        audit_found(report, AUDIT_DECIDED_ONCE, 1,
                    "%s: dead letter " DEAD_ID_PREFIX "%.*s-%" PRId64 " with %" PRId64
                    " lines waits to be replayed or dropped (%.*s: %.*s)",
                    owner, TEXT(row, 0), statement_int(row, 1), statement_int(row, 2), TEXT(row, 3),
                    TEXT(row, 4));
    }
}

int letters_check(struct store *store, const char *owner, struct audit_report *report, struct detail *why)
{
    struct statement *query = NULL;
    int rc = statement_prepare(&query, store,
                               "SELECT message, line, orders, reason, detail, coalesce(settled, '')"
                               " FROM dead_letter ORDER BY message, line",
                               why);
    if (rc)
        return rc;
    while ((rc = statement_next(query)) == 1)
        add(query, owner, report);
    if (rc < 0)
        detail_set(why, "%s", store_error(store));
    statement_free(query);
    return rc;
}

void letters_judge(struct audit_report *r)
{
    const struct audit_letters *l = &r->letters;
    int64_t expected = l->unsettled - l->outgoing; /* in the queue */
    /* Those of a moment ago are there a little longer than in the queue; what stays was not taken by the
     * broker, or has a worker that does not run. */
    if (l->outgoing > 0)
        audit_found(r, AUDIT_DECIDED_ONCE, expected < 0 ? -expected : 0,
                    "%" PRId64
                    " dead letters are still in the outbox of a worker, on their way to " QUEUE_DEAD,
                    l->outgoing);
    if (expected < 0)
        expected = 0;
    if (r->queues.dead > expected)
        audit_found(
            r, AUDIT_DECIDED_ONCE, r->queues.dead - expected,
            "%" PRId64 " dead letters are in " QUEUE_DEAD
            " beside those that a file waits for: second copies, or foreign; see seckillctl dead list",
            r->queues.dead - expected);
    else if (r->queues.dead < expected)
        audit_found(r, AUDIT_DECIDED_ONCE, 0,
                    "%" PRId64 " of the dead letters above are not in " QUEUE_DEAD
                    ": purged by hand, unless a seckillctl dead has them at this moment",
                    expected - r->queues.dead);
}
