/* Asking the workers. See ask.h. */
#include "services/ctl/ask.h"

#include <stdlib.h>
#include <string.h>

#include "common/pipeline/broker_login.h"
#include "common/pipeline/names.h"

#define ANSWER_TIMEOUT_MS 5000

int ctl_connect(const struct ctl *ctl, struct broker_connection **out)
{
    struct detail why;
    struct broker_addresses addresses;
    if (broker_login_addresses(ctl->settings, &addresses, &why))
        return ctl_fail(EXIT_CONFIG, "%s", why.text);
    int rc = broker_connect_any(out, &addresses, "seckillctl", (int)ctl->settings->broker.timeout_ms, &why);
    broker_addresses_free(&addresses);
    return rc ? ctl_fail(EXIT_UNAVAILABLE, "%s", why.text) : EXIT_OK;
}

int ctl_caller(const struct ctl *ctl, struct rpc_caller **out)
{
    struct broker_connection *connection = NULL;
    struct detail why;
    int status = ctl_connect(ctl, &connection);
    if (status)
        return status;
    if (rpc_caller_new(out, connection, &why))
        return ctl_fail(EXIT_UNAVAILABLE, "%s", why.text);
    return EXIT_OK;
}

int ctl_ask(struct rpc_caller *rpc, const struct ctl_question *question, json_t **result, bool *not_found)
{
    char code[RPC_CODE_SIZE];
    struct detail why = {""};
    char *text = json_dumps(question->body, JSON_COMPACT);
    int rc = rpc_call(rpc, question->routing_key, question->method, slice_of(text),
                      question->timeout_ms ? question->timeout_ms : ANSWER_TIMEOUT_MS, result, code, &why);
    free(text);
    if (rc == 0)
        return EXIT_OK;
    if (rc == E_REFUSED && strcmp(code, "not_found") == 0 && not_found) {
        *not_found = true;
        return EXIT_FAILED;
    }
    if (rc == E_REFUSED && strcmp(code, RPC_CODE_FAILED) == 0)
        return ctl_fail(EXIT_UNAVAILABLE, "%s: %s", question->whom, why.text);
    if (rc == E_REFUSED)
        return ctl_fail(EXIT_FAILED, "%s (%s)", why.text, code);
    return ctl_fail(EXIT_UNAVAILABLE, "%s: %s", question->whom, why.text);
}
