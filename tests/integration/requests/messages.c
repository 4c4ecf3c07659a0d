/* Orders from another AMQP client: a plain JSON object is an order, and a bad line does not take its
 * neighbours along. */
#include <stdio.h>
#include <string.h>

#include "tests/integration/groups.h"
#include "tests/support/amqp.h"
#include "tests/support/check.h"
#include "tests/support/clock.h"
#include "tests/support/ctl.h"
#include "tests/support/dead_letters.h"
#include "tests/support/http_client.h"
#include "tests/support/json.h"
#include "tests/support/orders.h"

enum { DECIDE_SECONDS = 60 };

#define DEAD_QUEUE "test.dead" /* of the test's own: a copy of each dead letter */

/* The shard of the item, which is the routing key of its orders. */
static void put_item(struct stack *s, const char *sku, int64_t stock, char shard[8])
{
    struct http_response response;
    char path[100];
    json_t *item;

    assert_int_equal(item_put(s, &(struct item_terms){.sku = sku, .stock = stock}), 0);
    snprintf(path, sizeof path, "/v1/items/%s", sku);
    assert_int_equal(http_request(s->http_port, "GET", path, NULL, NULL, &response), 0);
    item = json_body(&response);
    snprintf(shard, 8, "%d", (int)json_number(item, "shard"));
    json_decref(item);
    http_response_free(&response);
}

struct awaited {
    struct stack *stack;
    const char *order_id, *status;
};

static bool has_status(void *context)
{
    const struct awaited *a = context;
    char status[ORDER_STATUS_SIZE];

    order_status(a->stack, a->order_id, status);
    return strcmp(status, a->status) == 0;
}

static void wait_for(struct stack *s, const char *order_id, const char *status)
{
    if (!wait_until(has_status, &(struct awaited){s, order_id, status}, DECIDE_SECONDS))
        fail_msg("order %s does not become %s", order_id, status);
}

static void test_plain_json_order_is_decided(void **state)
{
    struct stack *s = *state;
    struct ctl_answer answer;
    char shard[8];

    put_item(s, "plain", 10, shard);
    assert_int_equal(
        amqp_publish(s, "seckill.orders", shard,
                     "{\"v\": 1, \"order_id\": \"01ARZ3NDEKTSV4RRFFQ69G5FAV\", \"user_id\": \"pika\", "
                     "\"sku\": \"plain\", \"quantity\": 2, \"colour\": \"a newer producer's\"}"),
        0);
    wait_for(s, "01ARZ3NDEKTSV4RRFFQ69G5FAV", "confirmed");
    ctl(s, &answer, (const char *[]){"order", "show", "01ARZ3NDEKTSV4RRFFQ69G5FAV", NULL});
    assert_string_equal(json_text(answer.json, "user_id"), "pika");
    assert_string_equal(json_text(answer.json, "sku"), "plain");
    assert_int_equal(json_number(answer.json, "quantity"), 2);
    ctl_free(&answer);
    assert_int_equal(item_left(s, "plain"), 8);
}

static void test_quantity_and_moment_have_defaults(void **state)
{
    struct stack *s = *state;
    char shard[8];

    put_item(s, "default", 10, shard);
    assert_int_equal(amqp_publish(s, "seckill.orders", shard,
                                  "{\"v\":1,\"order_id\":\"01ARZ3NDEKTSV4RRFFQ69G5FAW\",\"user_id\":\"pika\","
                                  "\"sku\":\"default\"}\n"),
                     0);
    wait_for(s, "01ARZ3NDEKTSV4RRFFQ69G5FAW", "confirmed");
    assert_int_equal(item_left(s, "default"), 9);
}

static void test_same_order_published_again_takes_effect_once(void **state)
{
    static const char order[] = "{\"v\":1,\"order_id\":\"01ARZ3NDEKTSV4RRFFQ69G5FAX\",\"user_id\":\"twice\","
                                "\"sku\":\"again\",\"quantity\":1}";
    struct stack *s = *state;
    char shard[8];

    put_item(s, "again", 10, shard);
    for (int i = 0; i < 5; i++)
        assert_int_equal(amqp_publish(s, "seckill.orders", shard, order), 0);
    /* The queue keeps the order: when this one is decided, so are those. */
    assert_int_equal(
        amqp_publish(s, "seckill.orders", shard,
                     "{\"v\":1,\"order_id\":\"01ARZ3NDEKTSV4RRFFQ69G5FAY\",\"user_id\":\"after\","
                     "\"sku\":\"again\",\"quantity\":1}"),
        0);
    wait_for(s, "01ARZ3NDEKTSV4RRFFQ69G5FAY", "confirmed");
    wait_for(s, "01ARZ3NDEKTSV4RRFFQ69G5FAX", "confirmed");
    assert_int_equal(item_left(s, "again"), 8);
}

static void test_order_for_unknown_item_is_rejected(void **state)
{
    struct stack *s = *state;
    struct ctl_answer answer;

    assert_int_equal(amqp_publish(s, "seckill.orders", "0",
                                  "{\"v\":1,\"order_id\":\"01ARZ3NDEKTSV4RRFFQ69G5FAZ\",\"user_id\":\"pika\","
                                  "\"sku\":\"never-put\"}"),
                     0);
    wait_for(s, "01ARZ3NDEKTSV4RRFFQ69G5FAZ", "rejected");
    ctl(s, &answer, (const char *[]){"order", "show", "01ARZ3NDEKTSV4RRFFQ69G5FAZ", NULL});
    assert_string_equal(json_text(answer.json, "reason"), "unknown_item");
    ctl_free(&answer);
}

/* Does one of the dead letters hold this line, alone, with a reason? */
static bool is_dead(const json_t *dead, const char *line)
{
    const json_t *message, *header;
    const char *name;
    size_t i;

    json_array_foreach(dead, i, message)
    {
        const char *body = json_text(message, "body");
        size_t len = strcspn(body, "\r\n");

        if (len != strlen(line) || strncmp(body, line, len) != 0 ||
            strspn(body + len, "\r\n") != strlen(body + len))
            continue;
        json_object_foreach(json_object_get(message, "headers"), name, header)
        {
            if (strstr(name, "reason") && json_is_string(header) && *json_string_value(header))
                return true;
        }
    }
    return false;
}

static void test_bad_lines_die_alone(void **state)
{
    static const char *const bad[] = {
        "this is not JSON",
        "{\"v\":1,\"order_id\":\"too-short\",\"user_id\":\"u\",\"sku\":\"mix\"}",
        "{\"v\":1,\"order_id\":\"01ARZ3NDEKTSV4RRFFQ69G5FB2\",\"user_id\":\"u\"}",
        "{\"v\":1,\"order_id\":\"01ARZ3NDEKTSV4RRFFQ69G5FB3\",\"sku\":\"mix\",\"user_id\":0}",
        "{\"v\":99,\"order_id\":\"01ARZ3NDEKTSV4RRFFQ69G5FB4\",\"user_id\":\"u\",\"sku\":\"mix\"}",
        "[1, 2, 3]",
    };
    static const char *const good[] = {"01ARZ3NDEKTSV4RRFFQ69G5FC0", "01ARZ3NDEKTSV4RRFFQ69G5FC1",
                                       "01ARZ3NDEKTSV4RRFFQ69G5FC2", "01ARZ3NDEKTSV4RRFFQ69G5FC3",
                                       "01ARZ3NDEKTSV4RRFFQ69G5FC4", "01ARZ3NDEKTSV4RRFFQ69G5FC5"};
    enum { COUNT = sizeof bad / sizeof *bad };
    struct stack *s = *state;
    struct text body = {0};
    json_t *dead;
    char shard[8];

    assert_int_equal(amqp_make_queue(s, DEAD_QUEUE, "seckill.dead", ""), 0);
    put_item(s, "mix", 10, shard);
    for (int i = 0; i < COUNT; i++) {
        text_format(&body, "%s\n{\"v\":1,\"order_id\":\"%s\",\"user_id\":\"good-%d\",\"sku\":\"mix\"}\n",
                    bad[i], good[i], i);
    }
    assert_int_equal(amqp_publish(s, "seckill.orders", shard, text_c(&body)), 0);
    text_free(&body);
    for (int i = 0; i < COUNT; i++)
        wait_for(s, good[i], "confirmed");
    dead = amqp_take(s, DEAD_QUEUE, COUNT, DECIDE_SECONDS);
    assert_non_null(dead);
    for (int i = 0; i < COUNT; i++) {
        if (!is_dead(dead, bad[i])) {
            json_dumpf(dead, stderr, JSON_INDENT(2));
            fail_msg("no dead letter with a reason: %s", bad[i]);
        }
    }
    json_decref(dead);
    assert_int_equal(item_left(s, "mix"), 10 - COUNT);
    dead_drop(s, COUNT);
}

static void test_bytes_that_are_no_text_die_alone(void **state)
{
    struct stack *s = *state;
    json_t *dead;

    assert_int_equal(amqp_publish(s, "seckill.orders", "0", "\xff\xfe\x01\x02 {{{{"), 0);
    dead = amqp_take(s, DEAD_QUEUE, 1, DECIDE_SECONDS);
    assert_non_null(dead);
    assert_int_equal(json_array_size(dead), 1);
    json_decref(dead);
    dead_drop(s, 1);
    assert_int_equal(amqp_delete_queue(s, DEAD_QUEUE), 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_plain_json_order_is_decided),
    cmocka_unit_test(test_quantity_and_moment_have_defaults),
    cmocka_unit_test(test_same_order_published_again_takes_effect_once),
    cmocka_unit_test(test_order_for_unknown_item_is_rejected),
    cmocka_unit_test(test_bad_lines_die_alone),
    cmocka_unit_test(test_bytes_that_are_no_text_die_alone),
};

const struct test_group messages_tests = {"messages", tests, sizeof tests / sizeof *tests};
