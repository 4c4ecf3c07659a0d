#include "services/notification/answer_records.h"

#include <inttypes.h>

#include "common/pipeline/json_read.h"
#include "services/notification/notification_store.h"

struct answer {
    struct buffer *result;
    int count;
};

static void add_record(void *context, const struct notification_view *view)
{
    struct answer *a = context;
    struct buffer *b = a->result;
    buffer_printf(b, "%s{\"event\":\"%s\",\"state\":\"%s\",\"attempts\":%" PRId64, a->count++ > 0 ? "," : "",
                  event_kind_name(view->kind), notification_state_name(view->state), view->attempts);
    if (view->last_error.len > 0) {
        buffer_add_text(b, ",\"last_error\":");
        buffer_add_json(b, view->last_error);
    }
    buffer_printf(b, ",\"created_ms\":%" PRId64 ",\"changed_ms\":%" PRId64 "}", view->created_ms,
                  view->changed_ms);
}

int answer_records(void *store, const struct json_t *question, struct buffer *result,
                   struct rpc_refusal *refusal)
{
    struct notification_store **s = store;
    char id[ORDER_ID_SIZE];
    struct answer answer = {.result = result};
    struct detail why = {.text = ""};
    if (json_read_order_id(question, "order_id", id, &why) != 0)
        return rpc_refuse(refusal, "invalid", "%s", why.text);
    buffer_add_text(result, "{\"records\":[");
    int error = notification_each(*s, id, add_record, &answer);
    buffer_add_text(result, "]}");
    return error;
}
