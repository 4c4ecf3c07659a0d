/* The topology: names that are unique, policies that do not overlap, and what the contract promises of each
 * queue. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/pipeline/names.h"
#include "common/pipeline/topology_table.h"

static bool matches(const struct topology_policy *policy, const char *name)
{
    regex_t pattern;
    assert_int_equal(regcomp(&pattern, policy->pattern, REG_EXTENDED | REG_NOSUB), 0);
    bool yes = regexec(&pattern, name, 0, NULL, 0) == 0;
    regfree(&pattern);
    return yes;
}

static const struct topology_policy *policy_of(const struct topology *t, const char *queue)
{
    const struct topology_policy *found = NULL;
    for (size_t i = 0; i < t->policy_count; i++) {
        if (!matches(&t->policies[i], queue))
            continue;
        if (found)
            fail_msg("%s is under %s and under %s", queue, found->name, t->policies[i].name);
        found = &t->policies[i];
    }
    return found;
}

static const struct topology_queue *find_queue(const struct topology *t, const char *name)
{
    for (size_t i = 0; i < t->queue_count; i++)
        if (strcmp(t->queues[i].name, name) == 0)
            return &t->queues[i];
    fail_msg("there is no queue %s", name);
    return NULL;
}

static bool is_bound(const struct topology *t, const char *exchange, const char *queue, const char *key)
{
    for (size_t i = 0; i < t->binding_count; i++)
        if (strcmp(t->bindings[i].exchange, exchange) == 0 && strcmp(t->bindings[i].queue, queue) == 0 &&
            strcmp(t->bindings[i].routing_key, key) == 0)
            return true;
    return false;
}

static void test_names_are_unique_and_bindings_lead_somewhere(void **state)
{
    (void)state;
    const struct topology *t = topology_table_new(MAX_SHARDS);
    for (size_t i = 0; i < t->queue_count; i++)
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(t->queues[i].name, t->queues[j].name);
    for (size_t i = 0; i < t->exchange_count; i++)
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(t->exchanges[i].name, t->exchanges[j].name);
    for (size_t i = 0; i < t->binding_count; i++) {
        bool known = false;
        for (size_t j = 0; j < t->exchange_count; j++)
            known = known || strcmp(t->exchanges[j].name, t->bindings[i].exchange) == 0;
        assert_true(known);
        find_queue(t, t->bindings[i].queue);
    }
    topology_table_free(t);
}

static void test_every_queue_is_under_exactly_one_policy(void **state)
{
    (void)state;
    const struct topology *t = topology_table_new(12);
    for (size_t i = 0; i < t->queue_count; i++) {
        const struct topology_policy *p = policy_of(t, t->queues[i].name);
        if (!p)
            fail_msg("%s is under no policy", t->queues[i].name);
        assert_true(p->max_length_bytes > 0);
        assert_true(t->queues[i].quorum); /* lives on with any majority of a cluster's nodes */
        /* Durable work is refused, never dropped; a question is. */
        assert_true(p->reject_publish == !strstr(t->queues[i].name, ".rpc."));
    }
    assert_null(policy_of(t, "amq.gen-JzTY20BRgKO-HjmUJj0wLg")); /* the askers' private queues */
    assert_null(policy_of(t, "other.seckill.orders.0"));
    topology_table_free(t);
}

static void test_queues_are_what_the_contract_says(void **state)
{
    (void)state;
    const struct topology *t = topology_table_new(3);
    for (int shard = 0; shard < 3; shard++) {
        char orders[64], rpc[64], key[64];
        snprintf(orders, sizeof(orders), "seckill.orders.%d", shard);
        snprintf(rpc, sizeof(rpc), "seckill.rpc.inventory.%d", shard);
        snprintf(key, sizeof(key), "%d", shard);
        assert_true(find_queue(t, orders)->quorum);
        assert_true(find_queue(t, orders)->single_active_consumer);
        assert_true(is_bound(t, "seckill.orders", orders, key));
        assert_null(policy_of(t, orders)->dead_letter_exchange);
        assert_true(policy_of(t, rpc)->message_ttl_ms > 0);
        snprintf(key, sizeof(key), "inventory.%d", shard);
        assert_true(is_bound(t, "seckill.rpc", rpc, key));
    }
    assert_true(find_queue(t, "seckill.dead")->quorum);
    assert_true(find_queue(t, "seckill.notification")->quorum);
    assert_true(find_queue(t, "seckill.redpacket")->quorum);
    assert_false(find_queue(t, "seckill.redpacket")->single_active_consumer);
    assert_true(is_bound(t, "seckill.events", "seckill.notification", "order.*"));
    assert_true(is_bound(t, "seckill.events", "seckill.redpacket", "order.confirmed"));
    assert_true(is_bound(t, "seckill.rpc", "seckill.rpc.redpacket", "redpacket"));
    assert_true(is_bound(t, "seckill.retry", "seckill.redpacket", "redpacket")); /* of dead letters */
    assert_true(is_bound(t, "seckill.retry", "seckill.notification", "notification"));
    topology_table_free(t);
    topology_table_free(NULL);
}

static const json_t *named(const json_t *list, const char *name)
{
    size_t i;
    const json_t *value;
    json_array_foreach(list, i, value)
    {
        if (strcmp(json_string_value(json_object_get(value, "name")), name) == 0)
            return value;
    }
    fail_msg("%s is not in the definitions", name);
    return NULL;
}

static const char *text_of(const json_t *object, const char *member)
{
    return json_string_value(json_object_get(object, member));
}

static void test_the_definitions_are_a_file_that_rabbitmq_imports(void **state)
{
    (void)state;
    static const struct {
        const char *name, *type;
    } exchanges[] = {{"seckill.orders", "direct"}, {"seckill.events", "topic"}, {"seckill.stock", "fanout"},
                     {"seckill.rpc", "direct"},    {"seckill.reply", "direct"}, {"seckill.retry", "topic"},
                     {"seckill.dead", "fanout"}};
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    const struct topology *t = topology_table_new(2);
    assert_int_equal(topology_print(t, "sale-1", out), 0);
    fclose(out);
    json_t *all = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(all);

    for (size_t i = 0; i < sizeof(exchanges) / sizeof(exchanges[0]); i++) {
        const json_t *e = named(json_object_get(all, "exchanges"), exchanges[i].name);
        assert_string_equal(text_of(e, "type"), exchanges[i].type);
        assert_string_equal(text_of(e, "vhost"), "sale-1");
        assert_true(json_is_true(json_object_get(e, "durable")));
    }
    const json_t *queue = named(json_object_get(all, "queues"), "seckill.orders.1");
    const json_t *arguments = json_object_get(queue, "arguments");
    assert_string_equal(text_of(arguments, "x-queue-type"), "quorum");
    assert_true(json_is_true(json_object_get(arguments, "x-single-active-consumer")));
    const json_t *policy = named(json_object_get(all, "policies"), "seckill-orders");
    const json_t *definition = json_object_get(policy, "definition");
    assert_string_equal(text_of(definition, "overflow"), "reject-publish");
    assert_true(json_integer_value(json_object_get(definition, "max-length-bytes")) > 0);
    assert_null(json_object_get(definition, "delivery-limit"));
    assert_int_equal(json_array_size(json_object_get(all, "bindings")), t->binding_count);

    json_decref(all);
    topology_table_free(t);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_are_unique_and_bindings_lead_somewhere),
        cmocka_unit_test(test_every_queue_is_under_exactly_one_policy),
        cmocka_unit_test(test_queues_are_what_the_contract_says),
        cmocka_unit_test(test_the_definitions_are_a_file_that_rabbitmq_imports),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
