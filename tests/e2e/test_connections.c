/*
 * Trouble on the connections to the broker, under load: what breaks in the middle, what seems open and
 * carries nothing, what loses one direction only, what is slow. Front end and inventory each have a bad
 * network of their own (proxied.h).
 *
 *   test_connections                          each trouble for one of the two in turn
 *   test_connections ROUNDS [SEED [ONLY]]     each trouble for both, so many times; or those whose name has
 * ONLY in it: "inventory: half open: held both ways"
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/check.h"
#include "tests/support/clock.h"
#include "tests/support/ctl.h"
#include "tests/support/front_ends.h"
#include "tests/support/proxied.h"
#include "tests/support/trial.h"

enum { WAIT_SECONDS = 60, HEAL_SECONDS = 40, FLOWING = 60, BORNE_ORDERS = 24, ROUNDS_MAX = 1000 };
enum { CONFIRM_TIMEOUT_MS = 1500, HEARTBEAT_S = 1 /* as in the settings below */ };
/* Dead is who says nothing for two heartbeats. Then as long again, and a few seconds of a slow machine. */
enum { NOTICE_SECONDS = 2 * HEARTBEAT_S + 5 };

/* When the trouble has had its effect. */
enum effect {
    BY_CUTTING,   /* now: all connections are reset */
    LOST_AND_CUT, /* something was swallowed; then what lost it is reset, before anybody could notice */
    CUT_INSIDE,   /* so many random bytes later one connection is reset, mostly in the middle of a frame */
    NOTICED,      /* the process gave its connections up, and tries new ones */
    BORNE,        /* none: orders go on being taken */
    WHILE_AWAY,   /* a front end refuses; without inventory, orders go on being taken */
};

struct trouble {
    const char *fault, *how;
    enum effect effect;
    struct tcp_rule rule;
};

#define PUBLISH .only = PROXIED_PUBLISH
#define CONSUME .only = PROXIED_CONSUME

static const struct trouble troubles[] = {
    {"cut", "all at once", BY_CUTTING, {0}},
    {"cut", "and refused for a while", WHILE_AWAY, {.refuse = true}},
    {"lost, then cut", "what is published", LOST_AND_CUT, {PUBLISH, .to_server = TCP_SWALLOW}},
    {"lost, then cut", "confirms", LOST_AND_CUT, {PUBLISH, .to_client = TCP_SWALLOW}},
    {"lost, then cut", "acknowledgements", LOST_AND_CUT, {CONSUME, .to_server = TCP_SWALLOW}},
    {"lost, then cut", "deliveries", LOST_AND_CUT, {CONSUME, .to_client = TCP_SWALLOW}},
    {"cut inside a frame", "publishing", CUT_INSIDE, {PUBLISH, .cut_after_to_server = 4000}},
    {"cut inside a frame", "confirms", CUT_INSIDE, {PUBLISH, .cut_after_to_client = 100}},
    {"cut inside a frame", "acknowledgements", CUT_INSIDE, {CONSUME, .cut_after_to_server = 20}},
    {"cut inside a frame", "deliveries", CUT_INSIDE, {CONSUME, .cut_after_to_client = 6000}},
    {"half open", "held both ways", NOTICED, {.to_server = TCP_HOLD, .to_client = TCP_HOLD}},
    {"half open", "swallowed both ways", NOTICED, {.to_server = TCP_SWALLOW, .to_client = TCP_SWALLOW}},
    {"half open", "only confirms swallowed", NOTICED, {PUBLISH, .to_client = TCP_SWALLOW}},
    {"half open", "only deliveries swallowed", NOTICED, {CONSUME, .to_client = TCP_SWALLOW}},
    {"half open", "only acknowledgements held", NOTICED, {CONSUME, .to_server = TCP_HOLD}},
    {"delay", "50 ms each way", BORNE, {.delay_ms = 50}},
    {"delay", "300 ms each way", BORNE, {.delay_ms = 300}},
    {"slow", "20 kB/s", BORNE, {.bytes_per_s = 20000}},
};

static struct proxied proxies;
static int rounds;
static uint64_t seed;
static const char *only; /* NULL: all */
static bool whole;

/* splitmix64 */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

struct attempts {
    struct tcp_proxy *proxy;
    int accepted;
};

static bool has_dialled_again(void *context)
{
    const struct attempts *a = context;
    struct tcp_counts now;

    tcp_proxy_counts(a->proxy, &now);
    return now.accepted > a->accepted;
}

static void wait_dialled_again(struct tcp_proxy *proxy, int accepted, int seconds)
{
    if (!wait_until(has_dialled_again, &(struct attempts){proxy, accepted}, seconds))
        fail_msg("it does not try new connections");
}

static void make_trouble(const struct trouble *x, struct tcp_proxy *proxy, bool is_order, struct load *l,
                         uint64_t *random)
{
    struct tcp_counts before;
    struct tcp_rule rule = x->rule;

    if (rule.cut_after_to_server)
        rule.cut_after_to_server = 1 + (int64_t)(next_random(random) % (uint64_t)rule.cut_after_to_server);
    if (rule.cut_after_to_client)
        rule.cut_after_to_client = 1 + (int64_t)(next_random(random) % (uint64_t)rule.cut_after_to_client);
    tcp_proxy_counts(proxy, &before);
    tcp_proxy_set(proxy, &rule);
    switch (x->effect) {
    case BY_CUTTING:
        assert_true(tcp_proxy_cut(proxy, NULL) >= 2);
        wait_dialled_again(proxy, before.accepted, WAIT_SECONDS);
        break;
    case LOST_AND_CUT:
        assert_true(tcp_proxy_wait_swallowed(proxy, before.swallowed + 1, WAIT_SECONDS));
        tcp_proxy_set(proxy, NULL);
        tcp_proxy_cut(proxy, rule.only);
        wait_dialled_again(proxy, before.accepted, WAIT_SECONDS);
        break;
    case CUT_INSIDE:
        assert_true(tcp_proxy_wait_cut(proxy, before.cut + 1, WAIT_SECONDS));
        wait_dialled_again(proxy, before.accepted, WAIT_SECONDS);
        break;
    case NOTICED:
        wait_dialled_again(proxy, before.accepted, NOTICE_SECONDS);
        break;
    case BORNE:
        assert_true(load_wait_accepted(l, load_accepted(l) + BORNE_ORDERS, WAIT_SECONDS));
        break;
    case WHILE_AWAY:
        assert_true(tcp_proxy_cut(proxy, NULL) >= 2);
        assert_true(is_order ? load_wait_refused(l, FLOWING, WAIT_SECONDS)
                             : load_wait_accepted(l, load_accepted(l) + FLOWING, WAIT_SECONDS));
        break;
    }
    tcp_proxy_set(proxy, NULL);
}

static void try_one(struct stack *s, const struct trouble *x, bool is_order, uint64_t *random)
{
    struct tcp_proxy *proxy = is_order ? proxies.order : proxies.inventory;
    struct trial *t = trial_begin(s, &(struct trial_spec){.area = "connection",
                                                          .process = is_order ? "order" : "inventory",
                                                          .fault = x->fault,
                                                          .how = x->how,
                                                          .seed = *random,
                                                          .limit = 1});
    const struct load_spec steady = {
        .connections = 12, .max_orders = 20000, .seconds = 150, .pace_ms = 25, .backoff_ms = 50};
    struct load_spec keyed = steady;
    struct load *l = trial_load(t, &steady);

    keyed.connections = 4;
    keyed.own_keys = true;
    keyed.repeats = 2;
    trial_load(t, &keyed);
    assert_true(load_wait_accepted(l, FLOWING, WAIT_SECONDS));
    trial_fault(t);
    make_trouble(x, proxy, is_order, l, random);
    trial_heal(t, HEAL_SECONDS);
    assert_int_equal(trial_end(t, NULL), 0);
}

static void test_services_get_behind_the_networks(void **state)
{
    proxied_start(&proxies, *state);
}

static bool is_wanted(const struct trouble *x, bool is_order)
{
    char name[128];

    if (!whole && is_order != ((x - troubles) % 2 == 0))
        return false;
    snprintf(name, sizeof name, "%s: %s: %s", is_order ? "order" : "inventory", x->fault, x->how);
    return !only || strstr(name, only);
}

static void test_every_trouble_is_survived(void **state)
{
    uint64_t random = seed;

    for (int round = 0; round < rounds; round++) {
        for (size_t i = 0; i < sizeof troubles / sizeof *troubles; i++) {
            for (int is_order = 1; is_order >= 0; is_order--) {
                if (is_wanted(&troubles[i], is_order))
                    try_one(*state, &troubles[i], is_order, &random);
            }
        }
    }
}

/* The publish arrives, its confirm never does. */
static void test_order_without_its_confirm_is_504_and_the_next_503_at_once(void **state)
{
    struct stack *s = *state;
    int port = s->http_port;
    char id[27], again[27], other[27];
    int64_t began_ms;

    assert_int_equal(item_put(s, &(struct item_terms){.sku = "unheard", .stock = 100}), 0);
    began_ms = clock_ms();
    tcp_proxy_set(proxies.order, &(struct tcp_rule){PUBLISH, .to_client = TCP_SWALLOW});
    assert_int_equal(front_end_order(port, "u1", "unheard", "k1", id), 504);
    assert_true(clock_ms() - began_ms >= CONFIRM_TIMEOUT_MS);
    began_ms = clock_ms();
    for (int i = 0; i < 5; i++)
        assert_int_equal(front_end_order(port, "u2", "unheard", NULL, other), 503);
    assert_true(clock_ms() - began_ms < CONFIRM_TIMEOUT_MS);
    assert_false(stack_is_ready(s));
    tcp_proxy_set(proxies.order, NULL);
    assert_true(stack_wait_ready(s, WAIT_SECONDS));
    front_end_assert_becomes(port, id, "confirmed"); /* it did arrive */
    assert_int_equal(front_end_order(port, "u1", "unheard", "k1", again), 202);
    assert_string_equal(again, id);
    front_end_assert_becomes(port, id, "confirmed");
    assert_int_equal(item_left(s, "unheard"), 99);
}

/* Before the deadline: the batch is published again on the new connection, and is one order all the same. */
static void test_batch_whose_confirm_was_lost_is_published_again_and_counts_once(void **state)
{
    static const char published[] = "seckill_order_batches_total{outcome=\"published\"}";
    struct stack *s = *state;
    int port = s->http_port;
    int64_t batches = front_end_metric(port, published);
    struct tcp_counts before;
    struct load *l;

    assert_int_equal(item_put(s, &(struct item_terms){.sku = "twice", .stock = 100}), 0);
    assert_true(batches >= 0);
    tcp_proxy_counts(proxies.order, &before);
    tcp_proxy_set(proxies.order, &(struct tcp_rule){PUBLISH, .to_client = TCP_SWALLOW});
    l = load_start(&(struct load_spec){
        .port = port, .connections = 1, .max_orders = 1, .seconds = WAIT_SECONDS, .sku = "twice"});
    assert_true(tcp_proxy_wait_swallowed(proxies.order, before.swallowed + 1, WAIT_SECONDS));
    tcp_proxy_set(proxies.order, NULL);
    tcp_proxy_cut(proxies.order, PROXIED_PUBLISH);
    load_join(l);
    assert_int_equal(load_answer(l, 0)->status, 202);
    front_end_assert_becomes(port, load_answer(l, 0)->order_id, "confirmed");
    assert_int_equal(front_end_metric(port, published), batches + 2);
    assert_int_equal(item_left(s, "twice"), 99);
    load_free(l);
}

static bool audit_holds(void *context)
{
    return audit_passes(context);
}

/* Heartbeats are far apart, and from some moment on nothing comes any more on the connection on which
 * inventory publishes: what it publishes arrives all the same. One other connection mends that; the orders'
 * stays. */
static void test_event_without_its_confirm_is_sent_again_on_another_connection(void **state)
{
    static const char *const patient[] = {"broker.heartbeat_s=60", "worker.confirm_timeout_ms=1000", NULL};
    static const char *const usual[] = {"broker.heartbeat_s=1", "worker.confirm_timeout_ms=30000", NULL};
    struct stack *s = *state;
    struct tcp_counts before, after;
    char id[27];

    proxied_restart_inventory(&proxies, s, patient);
    /* Its answer says that both connections are there. */
    assert_int_equal(item_put(s, &(struct item_terms){.sku = "unheard-of", .stock = 100}), 0);
    tcp_proxy_counts(proxies.inventory, &before);
    tcp_proxy_set(proxies.inventory, &(struct tcp_rule){PUBLISH, .to_client = TCP_SWALLOW});
    assert_true(tcp_proxy_wait_swallowed(proxies.inventory, before.swallowed + 1, WAIT_SECONDS));
    tcp_proxy_set(proxies.inventory, NULL); /* for other connections */
    assert_int_equal(front_end_order(s->http_port, "u1", "unheard-of", NULL, id), 202);
    front_end_assert_becomes(s->http_port, id, "confirmed");
    wait_dialled_again(proxies.inventory, before.accepted, WAIT_SECONDS);
    assert_true(wait_until(audit_holds, s, WAIT_SECONDS));
    tcp_proxy_counts(proxies.inventory, &after);
    assert_int_equal(after.accepted, before.accepted + 1);
    proxied_restart_inventory(&proxies, s, usual);
    assert_true(stack_wait_ready(s, WAIT_SECONDS));
}

int main(int argc, char **argv)
{
    static const char *const sets[] = {"publisher.confirm_timeout_ms=1500", "broker.heartbeat_s=1",
                                       "admission.user_rate=0", "admission.max_rate=0", NULL};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_services_get_behind_the_networks),
        cmocka_unit_test(test_order_without_its_confirm_is_504_and_the_next_503_at_once),
        cmocka_unit_test(test_batch_whose_confirm_was_lost_is_published_again_and_counts_once),
        cmocka_unit_test(test_event_without_its_confirm_is_sent_again_on_another_connection),
        cmocka_unit_test(test_every_trouble_is_survived),
        STACK_END,
    };
    int failed;

    whole = argc > 1;
    rounds = whole ? atoi(argv[1]) : 1;
    seed = argc > 2 ? strtoull(argv[2], NULL, 10) : (uint64_t)clock_wall_ms();
    only = argc > 3 ? argv[3] : NULL;
    if (rounds < 1 || rounds > ROUNDS_MAX)
        return 64;
    failed = run_with_stack("connections", tests, sizeof tests / sizeof *tests, sets);
    proxied_stop(&proxies);
    return failed;
}
