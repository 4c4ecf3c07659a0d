/* What seckillctl makes of messages in seckill.dead: ours, and whatever else somebody put there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "common/pipeline/names.h"
#include "services/ctl/dead_choice.h"
#include "services/ctl/dead_letter.h"
#include "services/ctl/dead_owner.h"
#include "tests/unit/schema_examples.h"

static void add_text(struct broker_properties *p, const char *name, const char *text)
{
    p->headers[p->header_count++] =
        (struct broker_header){.name = slice_of(name), .is_text = true, .text = slice_of(text)};
}

static void add_number(struct broker_properties *p, const char *name, int64_t number)
{
    p->headers[p->header_count++] = (struct broker_header){.name = slice_of(name), .number = number};
}

static struct letter read_letter(const char *id, const char *queue)
{
    struct broker_delivery d = {.tag = 7, .body = slice_of("body\n")};
    struct letter l;
    d.properties.message_id = slice_of(id);
    if (queue)
        add_text(&d.properties, HEADER_DEAD_QUEUE, queue);
    letter_read(&d, true, &l);
    return l;
}

static void test_a_letter_is_read_as_the_schema_has_it(void **state)
{
    (void)state;
    json_t *schema = schema_load("dead_letter"), *value;
    const char *name;
    struct broker_delivery d = {.tag = 7, .body = slice_of("{}\n")};
    struct letter l;
    json_object_foreach(json_array_get(json_object_get(schema, "examples"), 0), name, value)
    {
        if (json_is_string(value))
            add_text(&d.properties, name, json_string_value(value));
        else
            add_number(&d.properties, name, json_integer_value(value));
    }
    d.properties.message_id = slice_of("dead-00112233445566778899aabbccddeeff-2");
    letter_read(&d, true, &l);
    assert_true(l.is_ours);
    assert_string_equal(l.key, "00112233445566778899aabbccddeeff");
    assert_int_equal(l.line, 2);
    assert_int_equal(l.tag, 7);
    json_t *shown = letter_json(&l, true);
    char *text = json_dumps(shown, JSON_COMPACT);
    assert_string_equal(text,
                        "{\"id\":\"dead-00112233445566778899aabbccddeeff-2\",\"queue\":\"seckill.orders.0\","
                        "\"reason\":\"malformed\",\"detail\":\"no \\\"JSON\\\"\","
                        "\"at\":\"1970-01-01T00:00:00.005Z\",\"attempts\":3,\"times\":1,\"orders\":1,"
                        "\"message_id\":\"front-1-7\",\"reply_to\":\"q\",\"body\":\"{}\\n\"}");
    free(text);
    json_decref(shown);
    letter_free(&l);
    json_decref(schema);
}

static void test_what_somebody_else_wrote_has_an_id_and_no_owner(void **state)
{
    static const char *const ids[] = {"", "two words", "-rf", "a\nb", "\xff"};
    (void)state;
    struct dead_way way;
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        struct letter l = read_letter(ids[i], "seckill.orders.0");
        assert_string_equal(l.id, "body-a4932cb2c7e1042d");
        assert_false(l.is_ours);
        assert_false(dead_way_find(&l, &way));
        letter_free(&l);
    }
    struct letter l = read_letter("theirs-1", NULL);
    assert_string_equal(l.id, "theirs-1");
    assert_false(l.is_ours);
    letter_free(&l);
    l = read_letter("dead-k-1", NULL); /* named like ours, but from nowhere */
    assert_false(l.is_ours);
    letter_free(&l);
}

static void test_bytes_that_are_no_text_are_shown_all_the_same(void **state)
{
    struct broker_delivery d = {.body = {.data = "a\0\xff", .len = 3}};
    struct letter l;
    (void)state;
    add_text(&d.properties, HEADER_DEAD_REASON, "\xff");
    add_text(&d.properties, HEADER_DEAD_AT_MS, "yesterday"); /* of the wrong type */
    letter_read(&d, true, &l);
    json_t *shown = letter_json(&l, true);
    assert_string_equal(json_string_value(json_object_get(shown, "body_hex")), "6100ff");
    assert_string_equal(json_string_value(json_object_get(shown, "reason")), "(not UTF-8)");
    assert_null(json_object_get(shown, "at"));
    json_decref(shown);
    letter_free(&l);
    letter_free(&l); /* and an empty one */
}

static void test_each_queue_has_its_way_back_and_its_owner(void **state)
{
    static const struct {
        const char *queue, *exchange, *key, *rpc_key;
    } ways[] = {
        {"seckill.orders.0", "seckill.orders", "0", "inventory.0"},
        {"seckill.orders.63", "seckill.orders", "63", "inventory.63"},
        {"seckill.notification", "seckill.retry", "notification", "notification"},
        {"seckill.redpacket", "seckill.retry", "redpacket", "redpacket"},
        {"seckill.orders.64", NULL, NULL, NULL},
        {"seckill.orders.", NULL, NULL, NULL},
        {"seckill.orders.-1", NULL, NULL, NULL},
        {"seckill.dead", NULL, NULL, NULL},
        {"amq.gen-x", NULL, NULL, NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        struct letter l = read_letter("dead-k-1", ways[i].queue);
        struct dead_way way;
        if (dead_way_find(&l, &way) != (ways[i].exchange != NULL))
            fail_msg("%s", ways[i].queue);
        if (ways[i].exchange) {
            assert_string_equal(way.exchange, ways[i].exchange);
            assert_string_equal(way.key, ways[i].key);
            assert_string_equal(way.rpc_key, ways[i].rpc_key);
        }
        letter_free(&l);
    }
}

static void test_a_choice_is_one_way_of_choosing(void **state)
{
    static const struct ctl_option none[] = {{NULL, NULL, NULL}};
    static const struct command command = {"dead", "drop", "[ID]...", "", none, NULL};
    static const char *const ids[] = {"dead-k-1", "dead-k-2"};
    struct ctl ctl = {.command = &command};
    struct dead_choice c;
    (void)state;
    assert_int_equal(dead_choice_read(&ctl, &c), EXIT_USAGE);
    ctl.words = ids;
    ctl.word_count = 2;
    ctl.given[0] = (struct ctl_given){"all", ""};
    ctl.given_count = 1;
    assert_int_equal(dead_choice_read(&ctl, &c), EXIT_USAGE);
    ctl.given[0] = (struct ctl_given){"queue", "seckill.redpacket"};
    assert_int_equal(dead_choice_read(&ctl, &c), EXIT_OK);
    struct letter here = read_letter("dead-k-1", "seckill.redpacket");
    struct letter there = read_letter("dead-k-2", "seckill.notification");
    assert_true(dead_choice_has(&c, &here));
    assert_false(dead_choice_has(&c, &there));
    assert_int_equal(dead_choice_check(&c), EXIT_FAILED); /* the second was not found */
    dead_choice_free(&c);
    ctl.word_count = 0;
    assert_int_equal(dead_choice_read(&ctl, &c), EXIT_OK);
    assert_true(dead_choice_has(&c, &here));
    assert_false(dead_choice_has(&c, &there));
    assert_int_equal(dead_choice_check(&c), EXIT_OK);
    dead_choice_free(&c);
    letter_free(&here);
    letter_free(&there);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_letter_is_read_as_the_schema_has_it),
        cmocka_unit_test(test_what_somebody_else_wrote_has_an_id_and_no_owner),
        cmocka_unit_test(test_bytes_that_are_no_text_are_shown_all_the_same),
        cmocka_unit_test(test_each_queue_has_its_way_back_and_its_owner),
        cmocka_unit_test(test_a_choice_is_one_way_of_choosing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
