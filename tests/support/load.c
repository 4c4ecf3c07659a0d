/* A bounded load of orders. */
#include "tests/support/load.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/clock.h"
#include "tests/support/json.h"

struct load {
    struct load_spec spec;
    struct swarm_handler handler;
    pthread_t thread;
    bool joined;
    atomic_bool stopped;
    atomic_int accepted, refused;
    int sent;
    struct load_answer *answers;
};

int load_order(const struct load *l, int index)
{
    return l->spec.repeats ? index / l->spec.repeats : index;
}

int load_key(const struct load *l, int index)
{
    if (l->spec.key)
        return 0;
    return l->spec.own_keys ? load_order(l, index) : -1;
}

void load_user(const struct load *l, int index, char user[LOAD_USER_SIZE])
{
    const struct load_spec *spec = &l->spec;
    int n = load_order(l, index);

    if (spec->user)
        snprintf(user, LOAD_USER_SIZE, "%s%s%s", spec->prefix ? spec->prefix : "", spec->prefix ? "-" : "",
                 spec->user);
    else
        snprintf(user, LOAD_USER_SIZE, "%s%sbuyer-%d", spec->prefix ? spec->prefix : "",
                 spec->prefix ? "-" : "", spec->users ? n % spec->users : n);
}

static enum swarm_next next_order(void *context, int connection, struct text *out, uint64_t *tag)
{
    struct load *l = context;
    const struct load_spec *spec = &l->spec;
    char headers[200] = "", user[LOAD_USER_SIZE], body[300];
    int n = l->sent;

    (void)connection;
    if (atomic_load(&l->stopped) || n >= spec->max_orders ||
        (spec->stop_after_accepted && atomic_load(&l->accepted) >= spec->stop_after_accepted))
        return SWARM_DONE;
    if (spec->key)
        snprintf(headers, sizeof headers, "Idempotency-Key: %s\r\n", spec->key);
    else if (spec->own_keys)
        snprintf(headers, sizeof headers, "Idempotency-Key: %s-%d\r\n", spec->sku, load_order(l, n));
    load_user(l, n, user);
    snprintf(body, sizeof body, "{\"user_id\":\"%s\",\"sku\":\"%s\",\"quantity\":%d}", user, spec->sku,
             spec->quantity ? spec->quantity : 1);
    http_format(out, "POST", "/v1/orders", headers, body);
    *tag = (uint64_t)n;
    l->sent++;
    return SWARM_SEND;
}

static void read_answer(struct load_answer *answer, const struct http_response *response)
{
    char value[HTTP_VALUE_SIZE];
    json_t *body = json_body(response);
    const char *id = json_text(body, "order_id");

    answer->status = response->status;
    snprintf(answer->code, sizeof answer->code, "%s", json_text(body, "code"));
    if (http_header(response, "Retry-After", value)) {
        long seconds = strtol(value, NULL, 10);

        answer->has_retry_after =
            strspn(value, "0123456789") == strlen(value) && seconds >= 1 && seconds <= 60;
    }
    if (http_header(response, "Location", value) && strncmp(value, "/v1/orders/", 11) == 0) {
        answer->has_location = *id == '\0' || strcmp(value + 11, id) == 0;
        id = value + 11;
    }
    snprintf(answer->order_id, sizeof answer->order_id, "%.26s", id);
    json_decref(body);
}

static int order_outcome(void *context, uint64_t tag, const struct http_response *response,
                         enum swarm_failure why)
{
    struct load *l = context;
    struct load_answer *answer = &l->answers[tag];

    answer->why = why;
    if (response)
        read_answer(answer, response);
    atomic_fetch_add(answer->status == 202 ? &l->accepted : &l->refused, 1);
    return answer->status != 202 && l->spec.backoff_ms ? l->spec.backoff_ms : l->spec.pace_ms;
}

static void *drive(void *context)
{
    struct load *l = context;

    /* Beyond its own seconds only for the answers that are under way: no new orders then. */
    if (swarm_run(l->spec.port, l->spec.connections, l->spec.seconds, &l->handler) < 0)
        fprintf(stderr, "the load was not done in %d s\n", l->spec.seconds);
    return NULL;
}

struct load *load_start(const struct load_spec *spec)
{
    struct load *l = take_memory(sizeof *l);

    l->spec = *spec;
    l->handler = (struct swarm_handler){.context = l, .next = next_order, .outcome = order_outcome};
    l->answers = take_memory((size_t)spec->max_orders * sizeof *l->answers);
    if (pthread_create(&l->thread, NULL, drive, l) != 0)
        abort();
    return l;
}

int load_accepted(struct load *l)
{
    return atomic_load(&l->accepted);
}

struct wanted {
    atomic_int *counter;
    int count;
};

static bool has_reached(void *context)
{
    const struct wanted *w = context;

    return atomic_load(w->counter) >= w->count;
}

bool load_wait_accepted(struct load *l, int count, int seconds)
{
    return wait_until(has_reached, &(struct wanted){&l->accepted, count}, seconds);
}

int load_refused(struct load *l)
{
    return atomic_load(&l->refused);
}

bool load_wait_refused(struct load *l, int count, int seconds)
{
    return wait_until(has_reached, &(struct wanted){&l->refused, count}, seconds);
}

void load_stop(struct load *l)
{
    atomic_store(&l->stopped, true);
}

void load_join(struct load *l)
{
    if (!l->joined)
        pthread_join(l->thread, NULL);
    l->joined = true;
}

void load_free(struct load *l)
{
    if (!l)
        return;
    load_stop(l);
    load_join(l);
    free(l->answers);
    free(l);
}

struct load *load_run(const struct load_spec *spec)
{
    struct load *l = load_start(spec);

    load_join(l);
    return l;
}

int load_count(const struct load *l)
{
    return l->sent;
}

const struct load_answer *load_answer(const struct load *l, int index)
{
    return &l->answers[index];
}

int load_count_status(const struct load *l, int status)
{
    int count = 0;

    for (int i = 0; i < l->sent; i++)
        count += l->answers[i].why == SWARM_ANSWERED && l->answers[i].status == status;
    return count;
}

int load_count_code(const struct load *l, const char *code)
{
    int count = 0;

    for (int i = 0; i < l->sent; i++)
        count += l->answers[i].status != 0 && strcmp(l->answers[i].code, code) == 0;
    return count;
}

int load_count_failure(const struct load *l, enum swarm_failure why)
{
    int count = 0;

    for (int i = 0; i < l->sent; i++)
        count += l->answers[i].why == why;
    return count;
}

int load_count_unknown(const struct load *l)
{
    return load_count_status(l, 504) + load_count_failure(l, SWARM_LOST) + load_count_failure(l, SWARM_LATE) +
           load_count_failure(l, SWARM_BAD);
}

void load_print(const struct load *l)
{
    static const char *const codes[] = {"malformed",   "too_large",      "unsupported_media_type",
                                        "invalid",     "unknown_item",   "sale_paused",
                                        "sold_out",    "rate_limited",   "overloaded",
                                        "unavailable", "outcome_unknown"};

    fprintf(stderr, "%s: %d sent, %d accepted, refused=%d lost=%d late=%d bad=%d", l->spec.sku, l->sent,
            load_count_status(l, 202), load_count_failure(l, SWARM_REFUSED),
            load_count_failure(l, SWARM_LOST), load_count_failure(l, SWARM_LATE),
            load_count_failure(l, SWARM_BAD));
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        if (load_count_code(l, codes[i]))
            fprintf(stderr, " %s=%d", codes[i], load_count_code(l, codes[i]));
    }
    fputc('\n', stderr);
}

int load_quantity(const struct load *l)
{
    return l->spec.quantity ? l->spec.quantity : 1;
}
