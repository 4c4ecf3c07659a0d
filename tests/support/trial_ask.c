/* A sample of what clients would be told later: GET must say what the file says. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/clock.h"
#include "tests/support/http_client.h"
#include "tests/support/json.h"
#include "tests/support/trial_internal.h"

enum { SAMPLE = 50, ASK_SECONDS = 20 };

struct question {
    int port;
    const char *id;
    bool is_decided; /* in the file: the answer may need a moment where it has to be asked for */
    int status;
    json_t *body;
};

/* Final is: decided for what the file has; "unknown" (or never issued) for what it does not. */
static bool has_final_answer(void *context)
{
    struct question *q = context;
    struct http_response response;
    const char *said;
    char path[64];

    json_decref(q->body);
    snprintf(path, sizeof path, "/v1/orders/%s", q->id);
    http_request(q->port, "GET", path, NULL, NULL, &response);
    q->status = response.status;
    q->body = json_body(&response);
    http_response_free(&response);
    said = json_text(q->body, "status");
    if (q->status != 200)
        return q->status == 404;
    return strcmp(said, "confirmed") == 0 || strcmp(said, "rejected") == 0 ||
           (!q->is_decided && strcmp(said, "unknown") == 0);
}

static bool says_the_same(const struct question *q, const struct trial_row *row)
{
    const char *said = json_text(q->body, "status");

    if (!row)
        return strcmp(said, "unknown") == 0;
    if (strcmp(said, row->confirmed ? "confirmed" : "rejected") != 0 ||
        strcmp(json_text(q->body, "order_id"), row->id) != 0)
        return false;
    return !row->confirmed || (json_number(q->body, "receipt_no") == row->receipt_no &&
                               json_number(q->body, "total") == row->unit_price * row->quantity);
}

static void ask(int port, const char *id, const struct trial_row *row, struct trial_verdict *verdict)
{
    struct question q = {.port = port, .id = id, .is_decided = row != NULL};

    wait_until(has_final_answer, &q, ASK_SECONDS);
    if (!says_the_same(&q, row))
        trial_violation(&verdict->told_wrongly, 1,
                        "GET %s: %d \"%s\" receipt %" PRId64 ", and the file says %s receipt %" PRId64, id,
                        q.status, json_text(q.body, "status"), json_number(q.body, "receipt_no"),
                        !row             ? "nothing"
                        : row->confirmed ? "confirmed"
                                         : "rejected",
                        row ? row->receipt_no : 0);
    json_decref(q.body);
}

void trial_ask_sample(int port, const struct trial_claims *claims, const struct trial_item_facts *facts,
                      uint64_t seed, struct trial_verdict *verdict)
{
    size_t step = claims->count / SAMPLE + 1;

    for (size_t i = step > 1 ? seed % step : 0; i < claims->count; i += step) {
        const struct trial_claim *c = &claims->list[i];
        const struct trial_row *row = c->id[0] ? trial_row_find(facts, c->id) : NULL;

        /* What is lost has been counted as that. */
        if (c->id[0] && (row || c->told != TOLD_ACCEPTED))
            ask(port, c->id, row, verdict);
    }
}
