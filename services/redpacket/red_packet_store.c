#include "services/redpacket/red_packet_store.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/store/statement.h"
#include "services/redpacket/red_packet_sql.h"

enum {
    PACKET_ADD,
    BALANCE_ADD,
    CAMPAIGN_TAKE,
    PACKET_FIND,
    BALANCE_FIND,
    CAMPAIGN_LIST,
    CAMPAIGN_PUT,
    STATEMENTS
};

static const char *const sql[STATEMENTS] = {
    [PACKET_ADD] = SQL_PACKET_ADD,     [BALANCE_ADD] = SQL_BALANCE_ADD,   [CAMPAIGN_TAKE] = SQL_CAMPAIGN_TAKE,
    [PACKET_FIND] = SQL_PACKET_FIND,   [BALANCE_FIND] = SQL_BALANCE_FIND, [CAMPAIGN_LIST] = SQL_CAMPAIGN_LIST,
    [CAMPAIGN_PUT] = SQL_CAMPAIGN_PUT,
};

struct red_packet_store {
    struct store *store;
    struct statement *st[STATEMENTS];
    struct campaign *campaigns; /* by sku */
    size_t count, cap;
    size_t latest;         /* the one found last: a flash sale is about one */
    int64_t taken_packets; /* of all campaigns, in the open transaction */
};

static const char *const status_names[] = {
    [PACKET_GRANTED] = "granted",
    [PACKET_NONE_LEFT] = "none_left",
    [PACKET_NO_CAMPAIGN] = "no_campaign",
};

const char *packet_status_name(enum packet_status status)
{
    return (int)status >= PACKET_GRANTED && (int)status <= PACKET_NO_CAMPAIGN ? status_names[status] : "";
}

/* ---- campaigns in memory ---- */

static int compare_sku(const void *sku, const void *campaign)
{
    return strcmp(sku, ((const struct campaign *)campaign)->sku);
}

struct campaign *campaign_find(struct red_packet_store *s, const char *sku)
{
    if (s->count == 0)
        return NULL;
    if (strcmp(s->campaigns[s->latest].sku, sku) == 0)
        return &s->campaigns[s->latest];
    struct campaign *found = bsearch(sku, s->campaigns, s->count, sizeof *s->campaigns, compare_sku);
    if (found)
        s->latest = (size_t)(found - s->campaigns);
    return found;
}

const struct campaign *campaigns(const struct red_packet_store *s, size_t *count)
{
    *count = s->count;
    return s->campaigns;
}

static void read_campaign(struct red_packet_store *s, struct statement *row)
{
    if (s->count == s->cap) {
        s->cap = s->cap ? 2 * s->cap : 16;
        s->campaigns = xrealloc(s->campaigns, s->cap * sizeof *s->campaigns);
    }
    struct campaign *c = &s->campaigns[s->count++];
    *c = (struct campaign){.budget = statement_int(row, 1),
                           .packets = statement_int(row, 2),
                           .min_amount = statement_int(row, 3),
                           .budget_left = statement_int(row, 4),
                           .packets_left = statement_int(row, 5)};
    statement_copy_text(row, 0, c->sku, sizeof c->sku);
}

int red_packet_store_load(struct red_packet_store *s)
{
    int row;
    s->count = s->latest = 0;
    s->taken_packets = 0;
    while ((row = statement_next(s->st[CAMPAIGN_LIST])) == 1)
        read_campaign(s, s->st[CAMPAIGN_LIST]);
    return row;
}

int red_packet_store_new(struct red_packet_store **out, struct store *store, struct detail *why)
{
    struct red_packet_store *s = xcalloc(1, sizeof *s);
    s->store = store;
    int error = statements_prepare(s->st, store, sql, STATEMENTS, why);
    if (!error && (error = red_packet_store_load(s)) != 0)
        detail_set(why, "cannot read the campaigns: %s", store_error(store));
    if (error) {
        red_packet_store_free(s);
        return error;
    }
    *out = s;
    return 0;
}

void red_packet_store_free(struct red_packet_store *s)
{
    if (!s)
        return;
    statements_free(s->st, STATEMENTS);
    free(s->campaigns);
    free(s);
}

const char *red_packet_store_error(const struct red_packet_store *s)
{
    return store_error(s->store);
}

/* ---- packets and balances ---- */

int packet_add(struct red_packet_store *s, const struct packet *packet, bool *is_new)
{
    struct statement *st = s->st[PACKET_ADD];
    int64_t changed = 0;
    statement_bind_text(st, 1, (struct slice){.data = packet->order_id, .len = ORDER_ID_CHARS});
    statement_bind_text(st, 2, slice_of(packet->user_id));
    statement_bind_text(st, 3, slice_of(packet->sku));
    statement_bind_int(st, 4, packet->status);
    statement_bind_int(st, 5, packet->amount);
    statement_bind_int(st, 6, packet->at_ms);
    int error = statement_run_counted(st, &changed);
    *is_new = changed == 1;
    return error;
}

int balance_add(struct red_packet_store *s, const char *user_id, int64_t amount)
{
    statement_bind_text(s->st[BALANCE_ADD], 1, slice_of(user_id));
    statement_bind_int(s->st[BALANCE_ADD], 2, amount);
    return statement_run(s->st[BALANCE_ADD]);
}

int packet_find(struct red_packet_store *s, const char *order_id, struct packet *out)
{
    struct statement *st = s->st[PACKET_FIND];
    statement_bind_text(st, 1, slice_of(order_id));
    int row = statement_next(st);
    if (row == 1) {
        *out = (struct packet){.status = (enum packet_status)statement_int(st, 2),
                               .amount = statement_int(st, 3),
                               .at_ms = statement_int(st, 4)};
        memcpy(out->order_id, order_id, ORDER_ID_SIZE);
        statement_copy_text(st, 0, out->user_id, sizeof out->user_id);
        statement_copy_text(st, 1, out->sku, sizeof out->sku);
    }
    statement_reset(st);
    if (row == 0)
        return E_NOT_FOUND;
    return row < 0 ? row : 0;
}

int balance_find(struct red_packet_store *s, const char *user_id, int64_t *amount, int64_t *packets)
{
    struct statement *st = s->st[BALANCE_FIND];
    statement_bind_text(st, 1, slice_of(user_id));
    int row = statement_next(st);
    *amount = row == 1 ? statement_int(st, 0) : 0;
    *packets = row == 1 ? statement_int(st, 1) : 0;
    statement_reset(st);
    return row < 0 ? row : 0;
}

/* ---- what was drawn, by the transaction ---- */

void campaign_take(struct red_packet_store *s, struct campaign *campaign, int64_t amount)
{
    campaign->budget_left -= amount;
    campaign->packets_left--;
    campaign->taken_amount += amount;
    campaign->taken_packets++;
    s->taken_packets++;
}

static int tell_campaign(struct red_packet_store *s, const struct campaign *campaign)
{
    struct statement *st = s->st[CAMPAIGN_TAKE];
    int64_t changed = 0;
    statement_bind_text(st, 1, slice_of(campaign->sku));
    statement_bind_int(st, 2, campaign->taken_amount);
    statement_bind_int(st, 3, campaign->taken_packets);
    int error = statement_run_counted(st, &changed);
    if (!error && changed != 1) {
        char quoted[4 * NAME_SIZE];
        log_error("budget_not_there", "sku=%s amount=%lld packets=%lld",
                  log_quote(campaign->sku, quoted, sizeof quoted), (long long)campaign->taken_amount,
                  (long long)campaign->taken_packets);
        return E_CORRUPT;
    }
    return error;
}

int red_packet_store_flush(struct red_packet_store *s)
{
    int error = 0;
    if (s->taken_packets == 0)
        return 0;
    for (size_t i = 0; i < s->count && !error; i++)
        if (s->campaigns[i].taken_packets > 0)
            error = tell_campaign(s, &s->campaigns[i]);
    return error;
}

void red_packet_store_committed(struct red_packet_store *s)
{
    if (s->taken_packets > 0)
        for (size_t i = 0; i < s->count; i++)
            s->campaigns[i].taken_amount = s->campaigns[i].taken_packets = 0;
    s->taken_packets = 0;
}

/* ---- campaigns, by an operator ---- */

int campaign_put(struct red_packet_store *s, const struct campaign *campaign, int64_t now_ms)
{
    struct statement *st = s->st[CAMPAIGN_PUT];
    int error = store_begin(s->store);
    if (!error) {
        statement_bind_text(st, 1, slice_of(campaign->sku));
        statement_bind_int(st, 2, campaign->budget);
        statement_bind_int(st, 3, campaign->packets);
        statement_bind_int(st, 4, campaign->min_amount);
        statement_bind_int(st, 5, campaign->budget_left);
        statement_bind_int(st, 6, campaign->packets_left);
        statement_bind_int(st, 7, now_ms);
        error = statement_run(st);
    }
    FAULT_POINT("campaign.before_commit");
    if (!error)
        error = store_commit(s->store);
    if (error)
        store_rollback(s->store);
    FAULT_POINT("campaign.committed");
    int loading = red_packet_store_load(s);
    return error ? error : loading;
}
