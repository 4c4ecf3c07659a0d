#include "common/pipeline/answer_dead_settle.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/pipeline/json_read.h"
#include "common/pipeline/names.h"

const struct rpc_method dead_settle_methods[] = {
    {RPC_DEAD_SETTLE, answer_dead_settle},
    {NULL, NULL},
};

struct counts {
    int64_t settled, unknown;
};

static int settle_one(const struct answer_dead_settle *a, const json_t *letter, const char *how,
                      int64_t now_ms, struct counts *counts, struct rpc_refusal *refusal)
{
    char key[MESSAGE_KEY_SIZE];
    struct dead_name name = {.key = key};
    struct detail why = {.text = ""};
    int error = json_read_text(letter, "message", key, sizeof key, &why);
    if (!error)
        error = json_read_int(letter, "line", 0, INT64_MAX, &name.line, &why);
    if (!error)
        error = json_read_optional_int(letter, "times", 1, INT64_MAX, &name.times, &why);
    if (error)
        return rpc_refuse(refusal, "invalid", "letters: %s", why.text);
    error = inbox_settle(a->inbox, &name, how, now_ms);
    counts->settled += error == 0;
    counts->unknown += error == E_NOT_FOUND;
    return error == E_NOT_FOUND ? 0 : error;
}

/* The environment's fault, or E_REFUSED: either way nothing was written. */
static int settle_all(const struct answer_dead_settle *a, const json_t *letters, const char *how,
                      struct counts *counts, struct rpc_refusal *refusal)
{
    int64_t now_ms = clock_wall_ms();
    int error = store_begin(a->store);
    for (size_t i = 0; i < json_array_size(letters) && !error; i++)
        error = settle_one(a, json_array_get(letters, i), how, now_ms, counts, refusal);
    if (!error)
        error = store_commit(a->store);
    if (error)
        store_rollback(a->store);
    return error;
}

int answer_dead_settle(void *context, const struct json_t *question, struct buffer *result,
                       struct rpc_refusal *refusal)
{
    const struct answer_dead_settle *a = context;
    const char *how = json_string_value(json_object_get(question, "how"));
    const json_t *letters = json_object_get(question, "letters");
    if (!how || (strcmp(how, "replayed") != 0 && strcmp(how, "dropped") != 0))
        return rpc_refuse(refusal, "invalid", "how must be \"replayed\" or \"dropped\"");
    if (!json_is_array(letters) || json_array_size(letters) > DEAD_SETTLE_MAX)
        return rpc_refuse(refusal, "invalid", "letters must be an array of at most %d", DEAD_SETTLE_MAX);
    struct counts counts = {0};
    if (json_array_size(letters) > 0) {
        int error = settle_all(a, letters, how, &counts, refusal);
        if (error)
            return error;
        log_info("dead_letters_settled", "how=%s settled=%" PRId64 " unknown=%" PRId64, how, counts.settled,
                 counts.unknown);
    }
    buffer_printf(result, "{\"settled\":%" PRId64 ",\"unknown\":%" PRId64 "}", counts.settled,
                  counts.unknown);
    return 0;
}
