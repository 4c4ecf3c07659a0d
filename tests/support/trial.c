/* The course of a trial. What is judged, and how, is in trial_judge.c. */
#include "tests/support/trial.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/check.h"
#include "tests/support/clock.h"
#include "tests/support/ctl.h"
#include "tests/support/http_client.h"
#include "tests/support/json.h"
#include "tests/support/trial_internal.h"

enum { LOADS_MAX = 16, NAME_SIZE = 64, DRAIN_SECONDS = 60, HEAL_UNITS = 1000000, PUT_SECONDS = 60 };
static const int64_t plenty = 10000000;

/* Until every event has become a message, by way of retries too. */
#define AUDIT_SECONDS "120"

struct trial {
    struct stack *stack;
    struct trial_spec spec;
    char area[NAME_SIZE], process[NAME_SIZE], fault[NAME_SIZE], how[NAME_SIZE];
    char sku[24], heal_sku[32], store_dir[STACK_PATH];
    struct load *loads[LOADS_MAX];
    char prefixes[LOADS_MAX][NAME_SIZE];
    int load_count;
    struct trial_claims heal_claims; /* single orders of heal_sku, one after the other */
    int64_t first_receipt;
    int64_t stock_before;      /* a restocking that may have failed; -1: there was none */
    int64_t fault_ms, heal_ms; /* -1: not yet */
};

/* A test that fails in the middle of a trial leaves it open: it is closed with the next one. */
static struct trial *open_trial;
static int trial_number;

static void trial_free(struct trial *t)
{
    for (int i = 0; i < t->load_count; i++)
        load_free(t->loads[i]);
    trial_claims_free(&t->heal_claims);
    free(t);
}

static void abandon_open_trial(void)
{
    struct trial_verdict nothing = {.heal_ms = -1, .audit_failed = true};

    if (!open_trial)
        return;
    trial_report(&open_trial->spec, &nothing, "broken off");
    trial_free(open_trial);
    open_trial = NULL;
}

static const char *copy(char out[NAME_SIZE], const char *text)
{
    snprintf(out, NAME_SIZE, "%s", text ? text : "");
    return out;
}

/* Receipts only rise: those of this trial come after the last one before it. */
static int64_t last_receipt(struct trial *t)
{
    struct trial_files *files = trial_files_open(t->store_dir);
    struct trial_item_facts facts;
    int64_t last;

    trial_files_read(files, t->sku, &facts);
    last = facts.last_receipt;
    trial_item_facts_free(&facts);
    trial_files_close(files);
    return last;
}

/* Trials are of orders: the stacks of these programs have the front end and inventory alone, before any of
 * them is up, unless the caller says otherwise. */
__attribute__((constructor)) static void choose_services(void)
{
    setenv("SECKILL_SERVICES", "inventory order", 0);
}

struct new_item {
    struct stack *stack;
    struct item_terms terms;
};

static bool is_put(void *context)
{
    const struct new_item *n = context;

    return item_put(n->stack, &n->terms) == 0;
}

/* Nobody buys it yet, so it may be put again where no answer came: heartbeats of a second do not survive each
 * pause of a disk. */
static void put(struct stack *s, const char *sku, int64_t stock, int limit)
{
    struct new_item n = {s, {.sku = sku, .stock = stock, .limit = limit}};

    assert_true(wait_until(is_put, &n, PUT_SECONDS));
}

struct trial *trial_begin(struct stack *s, const struct trial_spec *spec)
{
    struct trial *t;

    abandon_open_trial();
    t = take_memory(sizeof *t);
    t->stack = s;
    t->spec = *spec;
    t->spec.area = copy(t->area, spec->area);
    t->spec.process = copy(t->process, spec->process);
    t->spec.fault = copy(t->fault, spec->fault);
    t->spec.how = copy(t->how, spec->how);
    t->spec.stock = spec->stock ? spec->stock : plenty;
    t->fault_ms = t->heal_ms = t->stock_before = -1;
    snprintf(t->sku, sizeof t->sku, "t%d", ++trial_number);
    snprintf(t->heal_sku, sizeof t->heal_sku, "t%d-heal", trial_number);
    snprintf(t->store_dir, sizeof t->store_dir, "%s/store", s->dir);
    open_trial = t;
    put(s, t->heal_sku, HEAL_UNITS, 0);
    put(s, t->sku, t->spec.stock, spec->limit);
    t->first_receipt = last_receipt(t);
    return t;
}

const char *trial_sku(const struct trial *t)
{
    return t->sku;
}

struct load *trial_load(struct trial *t, const struct load_spec *spec)
{
    struct load_spec own = *spec;

    assert_true(t->load_count < LOADS_MAX);
    snprintf(t->prefixes[t->load_count], NAME_SIZE, "%s-%d", t->sku, t->load_count);
    own.sku = t->sku;
    own.prefix = t->prefixes[t->load_count];
    if (own.port == 0)
        own.port = t->stack->http_port;
    return t->loads[t->load_count++] = load_start(&own);
}

void trial_restock(struct trial *t, int64_t units)
{
    char stock[32];
    struct ctl_answer answer;

    if (t->stock_before < 0) { /* else the last one is in doubt: the same once more */
        t->stock_before = t->spec.stock;
        t->spec.stock += units;
    }
    snprintf(stock, sizeof stock, "%" PRId64, t->spec.stock);
    ctl(t->stack, &answer, (const char *[]){"item", "put", t->sku, "--stock", stock, NULL});
    if (answer.output.status == 0)
        t->stock_before = -1;
    ctl_free(&answer);
}

void trial_fault(struct trial *t)
{
    t->fault_ms = clock_ms();
}

/* Sends it and reads the answer. Nobody listening is not the same as no answer. */
static enum trial_told post(int port, const char *body, struct http_response *response)
{
    enum trial_told told = NOT_SENT;
    struct http_connection c;
    struct text request = {0};

    *response = (struct http_response){0};
    http_format(&request, "POST", "/v1/orders", NULL, body);
    if (http_open(&c, port) == 0) {
        told = TOLD_NOTHING;
        if (http_send(&c, text_c(&request), request.len) == 0 && http_receive(&c, false, response) == 0)
            told = trial_told_by(response->status, SWARM_ANSWERED);
    }
    http_close(&c);
    text_free(&request);
    return told;
}

/* Its id is in the last of heal_claims then. */
bool trial_order(struct trial *t, const char *user_prefix)
{
    struct trial_claim claim = {.key = -1, .quantity = 1};
    struct http_response response;
    char body[200];
    json_t *answer;

    snprintf(claim.user, sizeof claim.user, "%s-%zu", user_prefix, t->heal_claims.count);
    snprintf(body, sizeof body, "{\"user_id\":\"%s\",\"sku\":\"%s\"}", claim.user, t->heal_sku);
    claim.told = post(t->stack->http_port, body, &response);
    answer = json_body(&response);
    snprintf(claim.id, sizeof claim.id, "%.26s", json_text(answer, "order_id"));
    json_decref(answer);
    http_response_free(&response);
    trial_claims_add(&t->heal_claims, &claim);
    return claim.told == TOLD_ACCEPTED;
}

/* Over HTTP, so that the front end has its answers again too. */
static bool heal_order_is_decided(struct trial *t)
{
    const char *id = t->heal_claims.list[t->heal_claims.count - 1].id;
    struct http_response response;
    json_t *answer;
    char path[64];
    bool decided;

    snprintf(path, sizeof path, "/v1/orders/%s?wait=1", id);
    http_request(t->stack->http_port, "GET", path, NULL, NULL, &response);
    answer = json_body(&response);
    decided = response.status == 200 && strcmp(json_text(answer, "status"), "confirmed") == 0;
    json_decref(answer);
    http_response_free(&response);
    return decided;
}

struct healing {
    struct trial *trial;
    bool has_order;
};

static bool is_healed(void *context)
{
    struct healing *h = context;

    if (!h->has_order)
        h->has_order = trial_order(h->trial, h->trial->heal_sku);
    return h->has_order && heal_order_is_decided(h->trial);
}

void trial_heal(struct trial *t, int seconds)
{
    struct healing h = {.trial = t};

    if (!wait_until(is_healed, &h, seconds))
        fail_msg("no order goes the whole way within %d s of healing (seed %" PRIu64 ")", seconds,
                 t->spec.seed);
    if (t->fault_ms >= 0)
        t->heal_ms = clock_ms() - t->fault_ms;
}

/* Looks through what was accepted, from where the last look found the first that is not decided. */
struct drain {
    struct trial_files *files;
    const struct trial_claims *claims[2];
    size_t at[2];
};

static bool is_drained(void *context)
{
    struct drain *d = context;

    for (int i = 0; i < 2; i++) {
        for (; d->at[i] < d->claims[i]->count; d->at[i]++) {
            const struct trial_claim *c = &d->claims[i]->list[d->at[i]];

            if (c->told == TOLD_ACCEPTED && c->id[0] != '\0' && !trial_files_have(d->files, c->id))
                return false;
        }
    }
    return true;
}

/* First an order that goes the whole way: the queue is first in, first out, so what was there is decided by
 * then, even if nobody holds a 202 for it. */
static void wait_for_drain(struct trial *t, struct trial_files *files, const struct trial_claims *claims)
{
    int seconds = t->spec.drain_seconds ? t->spec.drain_seconds : DRAIN_SECONDS;
    int64_t deadline = clock_ms() + (int64_t)seconds * 1000, left;
    struct healing h = {.trial = t};
    struct drain d = {.files = files, .claims = {claims, &t->heal_claims}};

    if (!wait_until(is_healed, &h, seconds))
        fprintf(stderr, "after the loads no order went the whole way within %d s\n", seconds);
    left = (deadline - clock_ms()) / 1000;
    wait_until(is_drained, &d, left > 0 ? (int)left : 0);
}

static void judge_item(struct trial *t, struct trial_files *files, struct trial_terms *terms,
                       struct trial_claims *claims, struct trial_verdict *verdict)
{
    struct trial_item_facts facts;

    trial_files_read(files, terms->sku, &facts);
    if (facts.total == terms->stock_before)
        terms->stock = facts.total;
    trial_judge(terms, claims, &facts, verdict);
    trial_ask_sample(t->stack->http_port, claims, &facts, t->spec.seed, verdict);
    trial_item_facts_free(&facts);
}

static bool audit_settles(struct stack *s)
{
    return ctl_status(s, 0, (const char *[]){"audit", "--wait", AUDIT_SECONDS, NULL}) == 0;
}

int64_t trial_end(struct trial *t, struct trial_verdict *out)
{
    struct trial_verdict verdict = {.heal_ms = t->heal_ms};
    struct trial_terms terms = {.sku = t->sku,
                                .stock = t->spec.stock,
                                .stock_before = t->stock_before,
                                .limit = t->spec.limit,
                                .first_receipt = t->first_receipt};
    struct trial_terms heal_terms = {
        .sku = t->heal_sku, .stock = HEAL_UNITS, .stock_before = -1, .first_receipt = t->first_receipt};
    struct trial_claims claims = {0};
    struct trial_files *files;
    int64_t violations;

    for (int i = 0; i < t->load_count; i++)
        load_stop(t->loads[i]);
    for (int i = 0; i < t->load_count; i++) {
        load_join(t->loads[i]);
        trial_claims_add_load(&claims, t->loads[i]);
    }
    files = trial_files_open(t->store_dir);
    wait_for_drain(t, files, &claims);
    verdict.audit_failed = !audit_settles(t->stack);
    judge_item(t, files, &terms, &claims, &verdict);
    judge_item(t, files, &heal_terms, &t->heal_claims, &verdict);
    trial_files_close(files);
    trial_claims_free(&claims);
    violations = trial_violations(&verdict);
    trial_report(&t->spec, &verdict, "");
    open_trial = NULL;
    trial_free(t);
    if (out)
        *out = verdict;
    return violations;
}
