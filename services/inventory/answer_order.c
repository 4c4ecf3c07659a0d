#include "services/inventory/answer_order.h"

#include <inttypes.h>
#include <string.h>

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
