/* What became of orders. */
#include "tests/support/orders.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/check.h"
#include "tests/support/clock.h"
#include "tests/support/ctl.h"
#include "tests/support/json.h"
#include "tests/support/swarm.h"

enum { ASKERS = 16, ASK_AGAIN_MS = 50, DECIDE_SECONDS = 60 };

enum asked { ASK, UNDER_WAY, UNKNOWN_HERE, CONFIRMED, REJECTED };

struct question {
    const char *id;
    enum asked asked;
    int refusals; /* times that the front end did not know it */
    int64_t not_before;
    int64_t quantity;
};

struct inquiry {
    struct question *questions;
    int count, first_open;
    int64_t deadline;
};

static enum swarm_next next_question(void *context, int connection, struct text *out, uint64_t *tag)
{
    struct inquiry *in = context;
    int64_t now = clock_ms();
    bool open = false;
    char path[64];

    (void)connection;
    while (in->first_open < in->count && in->questions[in->first_open].asked > UNDER_WAY)
        in->first_open++;
    for (int i = in->first_open; i < in->count && now < in->deadline; i++) {
        struct question *q = &in->questions[i];

        open |= q->asked <= UNDER_WAY;
        if (q->asked != ASK || q->not_before > now)
            continue;
        q->asked = UNDER_WAY;
        snprintf(path, sizeof path, "/v1/orders/%s", q->id);
        http_format(out, "GET", path, NULL, NULL);
        *tag = (uint64_t)i;
        return SWARM_SEND;
    }
    return open ? SWARM_WAIT : SWARM_DONE;
}

static int question_outcome(void *context, uint64_t tag, const struct http_response *response,
                            enum swarm_failure why)
{
    struct inquiry *in = context;
    struct question *q = &in->questions[tag];
    json_t *body = response ? json_body(response) : NULL;
    const char *status = json_text(body, "status");
    bool mine = response && response->status == 200 && strcmp(json_text(body, "order_id"), q->id) == 0;

    (void)why;
    if (mine && strcmp(status, "confirmed") == 0)
        q->asked = CONFIRMED;
    else if (mine && strcmp(status, "rejected") == 0)
        q->asked = REJECTED;
    else if (response && (!mine || strcmp(status, "unknown") == 0) && ++q->refusals >= 3)
        q->asked = UNKNOWN_HERE;
    else
        q->asked = ASK;
    q->quantity = json_number(body, "quantity");
    q->not_before = clock_ms() + ASK_AGAIN_MS;
    json_decref(body);
    return 0;
}

static void read_status(struct stack *s, const char *order_id, char status[ORDER_STATUS_SIZE],
                        int64_t *quantity)
{
    struct ctl_answer answer;

    ctl(s, &answer, (const char *[]){"order", "show", order_id, NULL});
    snprintf(status, ORDER_STATUS_SIZE, "%s",
             answer.output.status == 0 ? json_text(answer.json, "status") : "");
    *quantity = json_number(answer.json, "quantity");
    ctl_free(&answer);
}

void order_status(struct stack *s, const char *order_id, char status[ORDER_STATUS_SIZE])
{
    int64_t quantity;

    read_status(s, order_id, status, &quantity);
}

static void ask_operator(struct stack *s, struct question *q, int64_t deadline)
{
    char status[ORDER_STATUS_SIZE];

    do {
        read_status(s, q->id, status, &q->quantity);
        if (strcmp(status, "confirmed") == 0)
            q->asked = CONFIRMED;
        else if (strcmp(status, "rejected") == 0)
            q->asked = REJECTED;
    } while (q->asked < CONFIRMED && clock_ms() < deadline);
}

static int by_id(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The different ones among the ids, as open questions. */
static void prepare(struct inquiry *in, const char *const *ids, int count)
{
    const char **sorted = take_memory((size_t)count * sizeof *sorted);

    if (count)
        memcpy(sorted, ids, (size_t)count * sizeof *sorted);
    qsort(sorted, (size_t)count, sizeof *sorted, by_id);
    in->questions = take_memory((size_t)count * sizeof *in->questions);
    for (int i = 0; i < count; i++) {
        if (i == 0 || strcmp(sorted[i], sorted[i - 1]) != 0)
            in->questions[in->count++] = (struct question){.id = sorted[i]};
    }
    free(sorted);
}

int orders_wait_decided(struct stack *s, const char *const *ids, int count, int seconds,
                        struct orders_tally *tally)
{
    struct inquiry in = {.deadline = clock_ms() + (int64_t)seconds * 1000};
    struct swarm_handler handler = {.context = &in, .next = next_question, .outcome = question_outcome};

    prepare(&in, ids, count);
    swarm_run(s->http_port, ASKERS, seconds + 10, &handler);
    *tally = (struct orders_tally){.ids = in.count};
    for (int i = 0; i < in.count; i++) {
        struct question *q = &in.questions[i];

        /* Too late, and some are missing already: a few more hundred runs of seckillctl would not help. */
        if (q->asked < CONFIRMED && (clock_ms() < in.deadline || tally->undecided < 5))
            ask_operator(s, q, in.deadline);
        tally->confirmed += q->asked == CONFIRMED;
        tally->rejected += q->asked == REJECTED;
        if (q->asked == CONFIRMED && q->quantity > 0)
            tally->confirmed_units += q->quantity;
        if (q->asked < CONFIRMED && tally->undecided++ < 5)
            fprintf(stderr, "not decided: %s\n", q->id);
    }
    free(in.questions);
    return tally->undecided;
}

void assert_load_is_accounted_for(struct stack *s, const struct load *l, const char *sku, int64_t stock,
                                  struct orders_tally *tally)
{
    const char **ids = take_memory((size_t)load_count(l) * sizeof *ids);
    int count = 0, undecided;
    int64_t left, unknown = load_count_unknown(l);

    for (int i = 0; i < load_count(l); i++) {
        if (load_answer(l, i)->status == 202)
            ids[count++] = load_answer(l, i)->order_id;
    }
    undecided = orders_wait_decided(s, ids, count, DECIDE_SECONDS, tally);
    free(ids);
    left = item_left(s, sku);
    load_print(l);
    fprintf(stderr, "%s: %d ids, %d confirmed, %d rejected, %d undecided, %lld of %lld left\n", sku,
            tally->ids, tally->confirmed, tally->rejected, undecided, (long long)left, (long long)stock);
    assert_int_equal(undecided, 0);
    assert_in_range(left, 0, stock);
    /* Those whose answer got lost may have been confirmed too, and nothing else. */
    assert_true(tally->confirmed_units <= stock - left);
    assert_true(stock - left <= tally->confirmed_units + unknown * load_quantity(l));
    assert_true(audit_passes(s));
}
