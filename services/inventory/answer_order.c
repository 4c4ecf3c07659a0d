#include "services/inventory/answer_order.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/pipeline/json_read.h"
#include "services/inventory/answer_query.h"

int answer_order_show(void *query, const struct json_t *question, struct buffer *result,
                      struct rpc_refusal *refusal)
{
    struct answer_query *q = query;
    char id[ORDER_ID_SIZE];
    struct order_record record;
    struct detail why = {.text = ""};
    if (json_read_order_id(question, "order_id", id, &why) != 0)
        return rpc_refuse(refusal, "invalid", "%s", why.text);
    int error = stock_find_record(q->stock, id, &record);
    if (error == E_NOT_FOUND)
        return rpc_refuse(refusal, "not_found", "order %s is not decided here", id);
    if (error)
        return error;
    decision_encode(result, &record.decision);
    result->len -= strlen("}\n"); /* more members follow */
    buffer_printf(result, ",\"accepted_ms\":%" PRId64 ",\"limit_per_user\":%" PRId32 ",\"archived\":%s}",
                  record.accepted_ms, record.limit_per_user, record.archived ? "true" : "false");
    return 0;
}

static int read_archiving(const struct json_t *question, char after[ORDER_ID_SIZE], struct archiving *a,
                          struct rpc_refusal *refusal)
{
    static const char *const members[] = {"v", "decided_before_ms", "limit", "after", NULL};
    int64_t limit = 0;
    struct detail why = {.text = ""};
    int error = json_read_known_members(question, members, &why);
    if (!error)
        error = json_read_int(question, "decided_before_ms", 0, clock_wall_ms(), &a->decided_before_ms, &why);
    if (!error)
        error = json_read_int(question, "limit", 1, ARCHIVE_LIMIT_MAX, &limit, &why);
    if (!error && json_object_get(question, "after"))
        error = json_read_order_id(question, "after", after, &why);
    a->after = after;
    a->limit = (int)limit;
    return error ? rpc_refuse(refusal, "invalid", "%s", why.text) : 0;
}

int answer_orders_archive(void *query, const struct json_t *question, struct buffer *result,
                          struct rpc_refusal *refusal)
{
    struct answer_query *q = query;
    char after[ORDER_ID_SIZE] = "";
    struct archiving a = {.after = after};
    int error = read_archiving(question, after, &a, refusal);
    if (!error)
        error = archive_orders(q->archiver, q->archive, &a);
    if (error)
        return error;
    buffer_printf(result, "{\"moved\":%" PRId64 ",\"looked_at\":%" PRId64 ",\"next\":", a.moved, a.looked_at);
    if (a.next[0])
        buffer_printf(result, "\"%s\"}", a.next);
    else
        buffer_add_text(result, "null}");
    if (a.moved > 0)
        log_info("orders_archived", "orders=%" PRId64 " decided_before_ms=%" PRId64 " in_archive=%" PRId64,
                 a.moved, a.decided_before_ms, archive_orders_moved(q->archiver));
    return 0;
}
