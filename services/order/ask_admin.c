#include "services/order/ask_admin.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "common/pipeline/names.h"

static const char maybe_done[] = "inventory could not say whether it was done";

static struct admin_answer read_answer(const struct rpc_answer *a)
{
    switch (a->status) {
    case 0: /* as text: the parsed one belongs to this thread */
        return (struct admin_answer){.outcome = ADMIN_ANSWERED,
                                     .result = json_dumps(a->result, JSON_COMPACT | JSON_ENCODE_ANY)};
    case E_REFUSED:
        if (strcmp(a->code, RPC_CODE_FAILED) == 0)
            return (struct admin_answer){.outcome = ADMIN_UNKNOWN, .why = maybe_done};
        return (struct admin_answer){.outcome = ADMIN_REFUSED, .code = a->code, .why = a->detail};
    case E_NOT_FOUND: /* it came back: nobody has it */
        return (struct admin_answer){.outcome = ADMIN_NOT_ASKED, .why = a->detail};
    default: /* no answer, or one that cannot be read */
        return (struct admin_answer){.outcome = ADMIN_UNKNOWN, .why = a->detail};
    }
}

static void answered(void *context, const struct rpc_answer *rpc_answer)
{
    struct admin_answer answer = read_answer(rpc_answer);
    admin_desk_end(context, &answer);
}

/* The connection may have broken behind the last byte. */
static struct admin_answer not_sent(int error)
{
    if (error == E_CLOSED)
        return (struct admin_answer){.outcome = ADMIN_UNKNOWN,
                                     .why = "the connection to the broker was lost as it was sent"};
    return (struct admin_answer){.outcome = ADMIN_NOT_ASKED,
                                 .why = error == E_TIMEOUT
                                            ? "the question could not be sent to inventory in time"
                                            : "too many questions to inventory are open"};
}

int ask_admin(struct admin_desk *desk, struct rpc_client *rpc)
{
    struct admin_flight *f;
    int error = 0;
    if (!admin_desk_heed(desk))
        return 0;
    while (error != E_CLOSED && (f = admin_desk_take(desk)) != NULL) {
        char key[64];
        snprintf(key, sizeof key, "%s%d", KEY_RPC_INVENTORY_PREFIX, f->shard);
        error = rpc_ask(rpc, &(struct rpc_question){.routing_key = key,
                                                    .method = f->method,
                                                    .body = slice_of(f->text),
                                                    .deadline_ns = f->until_ns,
                                                    .answered = answered,
                                                    .context = f});
        if (error) {
            struct admin_answer answer = not_sent(error);
            admin_desk_end(f, &answer);
        }
    }
    return error == E_CLOSED ? E_CLOSED : 0;
}
