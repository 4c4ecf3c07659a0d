/* See audit_packets.h. */
#include "services/ctl/audit_packets.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/store/statement.h"

/* Text of the current row as "%.*s" wants it. */
#define TEXT(query, column) (int)statement_text(query, column).len, statement_text(query, column).data

static void tell_budget(struct statement *row, struct audit_report *report)
{
    int64_t budget = statement_int(row, 1), left = statement_int(row, 2), granted = statement_int(row, 3);
    audit_found(report, AUDIT_EVENTS, 1,
                "campaign \"%.*s\": %" PRId64 " granted + %" PRId64 " left, of a budget of %" PRId64
                ": %s by %" PRId64,
                TEXT(row, 0), granted, left, budget, granted + left > budget ? "over" : "short",
                (int64_t)llabs(granted + left - budget));
}

static void tell_packets(struct statement *row, struct audit_report *report)
{
    audit_found(report, AUDIT_EVENTS, 1,
                "campaign \"%.*s\": %" PRId64 " packets granted + %" PRId64 " left, of %" PRId64,
                TEXT(row, 0), statement_int(row, 3), statement_int(row, 2), statement_int(row, 1));
}

static void tell_no_campaign(struct statement *row, struct audit_report *report)
{
    audit_found(report, AUDIT_EVENTS, 1,
                "%" PRId64 " red packets were granted for \"%.*s\", which has no campaign",
                statement_int(row, 1), TEXT(row, 0));
}

static void tell_balance(struct statement *row, struct audit_report *report)
{
    audit_found(report, AUDIT_EVENTS, 1,
                "user \"%.*s\" has a balance of %" PRId64 " in %" PRId64 " packets, and was granted %" PRId64
                " in %" PRId64,
                TEXT(row, 0), statement_int(row, 1), statement_int(row, 2), statement_int(row, 3),
                statement_int(row, 4));
}

static void tell_decided(struct statement *row, struct audit_report *report)
{
    audit_found(report, AUDIT_EVENTS, 1,
                "the events that red packets saw had %" PRId64 " new orders, and the file has %" PRId64,
                statement_int(row, 1), statement_int(row, 0));
}

static void tell_counts(struct statement *row, struct audit_report *report)
{
    report->packets = statement_int(row, 0);
    report->granted = statement_int(row, 1);
}

#define GRANTED_BY(column)                                                                                   \
    "SELECT " column ", sum(amount) AS amount, count(*) AS packets FROM packet WHERE status = 1"             \
    " GROUP BY " column

static const struct question {
    const char *sql;
    void (*tell)(struct statement *row, struct audit_report *report);
} questions[] = {
    {"SELECT count(*), coalesce(sum(status = 1), 0) FROM packet", tell_counts},
    {"SELECT c.sku, c.budget, c.budget_left, coalesce(g.amount, 0) AS granted FROM campaign AS c"
     " LEFT JOIN (" GRANTED_BY("sku") ") AS g USING (sku) WHERE granted + c.budget_left <> c.budget",
     tell_budget},
    {"SELECT c.sku, c.packets, c.packets_left, coalesce(g.packets, 0) AS granted FROM campaign AS c"
     " LEFT JOIN (" GRANTED_BY("sku") ") AS g USING (sku) WHERE granted + c.packets_left <> c.packets",
     tell_packets},
    {"SELECT sku, count(*) FROM packet WHERE status = 1 AND sku NOT IN (SELECT sku FROM campaign) GROUP BY "
     "sku",
     tell_no_campaign},
    /* One sort; a full join looks at every pair. */
    {"SELECT user_id, sum(has), sum(has_packets) AS held, sum(granted), sum(is_granted) AS given FROM ("
     "SELECT user_id, amount AS has, packets AS has_packets, 0 AS granted, 0 AS is_granted FROM balance"
     " UNION ALL SELECT user_id, 0, 0, amount, 1 FROM packet WHERE status = 1"
     ") GROUP BY user_id HAVING sum(has) <> sum(granted) OR held <> given",
     tell_balance},
    {"SELECT rows, recorded FROM (SELECT (SELECT count(*) FROM packet) AS rows,"
     " (SELECT coalesce(sum(decided), 0) FROM batch_seen) AS recorded) WHERE rows <> recorded",
     tell_decided},
};

int packets_check(struct store *store, struct audit_report *report, struct detail *why)
{
    int rc = 0;
    for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]) && rc == 0; i++) {
        struct statement *query = NULL;
        rc = statement_prepare(&query, store, questions[i].sql, why);
        while (rc == 0 && (rc = statement_next(query)) == 1) {
            questions[i].tell(query, report);
            rc = 0;
        }
        if (rc < 0)
            detail_set(why, "%s", store_error(store));
        statement_free(query);
    }
    return rc;
}
