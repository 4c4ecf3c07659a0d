/* Follows accepted orders to their decisions. */
#include "loadtest/replay/follow.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/clock.h"
#include "loadtest/replay/request.h"

#define WAIT_S     5
#define TIMEOUT_NS ((WAIT_S + 5) * NS_PER_S)
#define PAUSE_NS   (50 * NS_PER_MS) /* before an order is asked for again */

struct waiting {
    uint32_t order;
    int64_t ask_ns;
};

struct follower {
    struct follow_share *share;
    struct request_maker maker;
    struct waiting *ring; /* those to be asked for; in the order of time, since each pause is as long */
    size_t size, begin, length;
    size_t open; /* not settled */
};

static void ring_add(struct follower *f, uint32_t order, int64_t ask_ns)
{
    f->ring[(f->begin + f->length++) % f->size] = (struct waiting){.order = order, .ask_ns = ask_ns};
}

static bool next_question(void *context, int64_t now_ns, struct engine_job *job, struct buffer *bytes,
                          int64_t *ask_ns)
{
    struct follower *f = context;
    char path[80];
    *ask_ns = INT64_MAX;
    if (f->length == 0 || now_ns >= f->share->end_ns)
        return false;
    const struct waiting *w = &f->ring[f->begin];
    if (w->ask_ns > now_ns) {
        *ask_ns = w->ask_ns;
        return false;
    }
    *job = (struct engine_job){.due_ns = now_ns, .ticket = w->order};
    const int len = snprintf(path, sizeof path, "/v1/orders/%s?wait=%d", f->share->orders[w->order].order_id,
                             f->share->again ? 0 : WAIT_S);
    request_get(&f->maker, (struct slice){.data = path, .len = (size_t)len}, bytes);
    f->begin = (f->begin + 1) % f->size;
    f->length--;
    return true;
}

static bool is_over(void *context, int64_t now_ns)
{
    const struct follower *f = context;
    return f->open == 0 || now_ns >= f->share->end_ns;
}

static bool text_is(const json_t *object, const char *member, struct slice wanted)
{
    const json_t *value = json_object_get(object, member);
    return json_is_string(value) && json_string_length(value) == wanted.len &&
           memcmp(json_string_value(value), wanted.data, wanted.len) == 0;
}

static bool is_what_was_sent(const struct follow_share *share, const struct followed *o, const json_t *answer)
{
    const struct intent *n = &share->plan->intents[o->intent];
    char user[PLAN_NAME_SIZE], sku[PLAN_NAME_SIZE];
    return text_is(answer, "order_id", slice_of(o->order_id)) &&
           text_is(answer, "user_id", plan_user(share->plan, n->user, user)) &&
           text_is(answer, "sku", plan_sku(share->plan, n->sku, sku)) &&
           json_integer_value(json_object_get(answer, "quantity")) == n->quantity;
}

/* What the answer says of the order. UNDECIDED also where it makes no sense: then it is asked for again. */
static void read_decision(const struct follow_share *share, const struct followed *asked,
                          const struct response *r, struct followed *out)
{
    *out = *asked;
    out->decision = UNDECIDED;
    if (r->status == 404)
        out->decision = MISSING;
    if (r->status != 200)
        return;
    json_t *answer = json_loadb(r->body.data, r->body.len, JSON_REJECT_DUPLICATES, NULL);
    if (text_is(answer, "status", slice_of("confirmed"))) {
        out->decision = CONFIRMED;
        out->receipt = json_integer_value(json_object_get(answer, "receipt_no"));
        out->reason[0] = '\0';
    } else if (text_is(answer, "status", slice_of("rejected"))) {
        const char *reason = json_string_value(json_object_get(answer, "reason"));
        out->decision = REJECTED;
        snprintf(out->reason, sizeof out->reason, "%s", reason ? reason : "");
        out->receipt = 0;
    }
    if (out->decision != UNDECIDED)
        out->differs = !is_what_was_sent(share, asked, answer);
    json_decref(answer);
}

static void settle(struct follower *f)
{
    f->open--;
    atomic_store_explicit(&f->share->settled,
                          atomic_load_explicit(&f->share->settled, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

static void question_done(void *context, const struct engine_job *job, int64_t sent_ns, int64_t now_ns,
                          enum engine_end end, const struct response *r)
{
    struct follower *f = context;
    struct followed *o = &f->share->orders[job->ticket], said = {.decision = UNDECIDED};
    (void)sent_ns;
    (void)end;
    if (r)
        read_decision(f->share, o, r, &said);
    const bool is_answer = r && (r->status == 200 || r->status == 404);
    if (f->share->again && is_answer) {
        o->asked_again = true;
        o->changed =
            said.decision != o->decision || said.receipt != o->receipt || strcmp(said.reason, o->reason) != 0;
        o->differs = o->differs || said.differs;
        settle(f);
    } else if (!f->share->again && said.decision != UNDECIDED) {
        *o = said;
        settle(f);
    } else {
        ring_add(f, job->ticket, now_ns + PAUSE_NS);
    }
}

void follow_run(struct follow_share *share)
{
    struct follower f = {.share = share};
    const struct engine_source source = {
        .context = &f, .next = next_question, .done = question_done, .is_over = is_over};
    f.size = share->count / share->step + 1;
    f.ring = xcalloc(f.size, sizeof *f.ring);
    for (size_t i = share->first; i < share->count; i += share->step) {
        const enum decision decision = share->orders[i].decision;
        if (share->again == 0 ||
            (i / share->step % share->again == 0 && decision != UNDECIDED && decision != MISSING))
            ring_add(&f, (uint32_t)i, 0);
    }
    f.open = f.length;
    request_maker_init(&f.maker, share->host);
    engine_run(share->engine, &source, TIMEOUT_NS, share->stop);
    request_maker_free(&f.maker);
    free(f.ring);
}
