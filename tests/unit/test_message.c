/* The lines that travel: what is written can be read, what the schemas call good is taken, what they call bad
 * is not, and both ways of reading a line say the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "common/pipeline/message.h"
#include "tests/unit/schema_examples.h"

#define NOW_MS 1795348800999

static const struct order plain_order = {
    .order_id = "01JDXWBXG0000000000000000Z",
    .user_id = "u1",
    .sku = "phone-1",
    .quantity = 2,
    .accepted_ms = 1795348800123,
};

static void assert_same_order(const struct order *a, const struct order *b)
{
    assert_string_equal(a->order_id, b->order_id);
    assert_string_equal(a->user_id, b->user_id);
    assert_string_equal(a->sku, b->sku);
    assert_string_equal(a->reply_to, b->reply_to);
    assert_int_equal(a->quantity, b->quantity);
    assert_int_equal(a->accepted_ms, b->accepted_ms);
}

static void assert_same_decision(const struct decision *a, const struct decision *b)
{
    assert_int_equal(a->status, b->status);
    assert_string_equal(a->order_id, b->order_id);
    assert_string_equal(a->user_id, b->user_id);
    assert_string_equal(a->sku, b->sku);
    assert_int_equal(a->quantity, b->quantity);
    assert_int_equal(a->at_ms, b->at_ms);
    assert_int_equal(a->reason, b->reason);
    assert_int_equal(a->unit_price, b->unit_price);
    assert_int_equal(a->total, b->total);
    assert_int_equal(a->receipt_no, b->receipt_no);
}

/* A copy of the line in memory of exactly its size, so that a sanitizer sees any byte read beyond. `lead`
 * goes before it: a blank there leaves the meaning and sends the line past the fast way. */
static struct slice exact_copy(struct slice line, const char *lead)
{
    size_t before = strlen(lead);
    char *copy = malloc(before + line.len + 1);
    assert_non_null(copy);
    memcpy(copy, lead, before);
    if (line.len > 0)
        memcpy(copy + before, line.data, line.len);
    return (struct slice){.data = realloc(copy, before + line.len > 0 ? before + line.len : 1),
                          .len = before + line.len};
}

static void test_names_follow_the_rule(void **state)
{
    (void)state;
    char longest[NAME_MAX_BYTES + 2];
    memset(longest, 'x', sizeof(longest));
    assert_true(name_is_valid((struct slice){longest, NAME_MAX_BYTES}));
    assert_false(name_is_valid((struct slice){longest, NAME_MAX_BYTES + 1}));
    assert_false(name_is_valid(slice_of("")));
    static const char *const good[] = {"a",   " ", "手机", "\xc2\xa0", "\xed\x9f\xbf", "\xf4\x8f\xbf\xbf",
                                       "\"\\"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_true(name_is_valid(slice_of(good[i])));
    static const char *const bad[] = {
        "\x1f",
        "a\x7f",
        "\xc2\x80",
        "\xc2\x9f",
        "\x80",
        "\xc0\x80",
        "\xe0\x80\x80",
        "\xed\xa0\x80",
        "\xf0\x80\x80\x80",
        "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80",
        "\xff",
        "a\xe6\x89",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (name_is_valid(slice_of(bad[i])))
            fail_msg("bad[%zu] was taken", i);
    assert_false(name_is_valid((struct slice){"a\0b", 3}));
}

static void test_lines_are_walked_whatever_their_ends(void **state)
{
    (void)state;
    struct slice rest = slice_of("one\ntwo\r\n\n\r\nthree"), line;
    assert_true(line_next(&rest, &line) && slice_is(line, "one"));
    assert_true(line_next(&rest, &line) && slice_is(line, "two"));
    assert_true(line_next(&rest, &line) && slice_is(line, "three"));
    assert_false(line_next(&rest, &line));
    rest = (struct slice){0};
    assert_false(line_next(&rest, &line));
}

static void test_an_order_comes_back_as_it_was_written(void **state)
{
    (void)state;
    static const char *const names[] = {"u1", "张伟", "a\"b\\c", "\\", "\"", "x/y"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct order order = plain_order, back;
        snprintf(order.user_id, sizeof(order.user_id), "%s", names[i]);
        struct buffer out = {0};
        order_encode(&out, &order);
        struct slice rest = {out.data, out.len}, line;
        assert_true(line_next(&rest, &line));
        assert_int_equal(rest.len, 0);
        assert_int_equal(order_decode(line, NOW_MS, &back, NULL), 0);
        assert_same_order(&order, &back);
        buffer_free(&out);
    }
}

static void good_order(struct slice line)
{
    struct order order;
    struct detail why;
    if (order_decode(line, NOW_MS, &order, &why))
        fail_msg("%.*s: %s", (int)line.len, line.data, why.text);
}

static void bad_order(struct slice line, const char *names)
{
    struct order order;
    struct detail why;
    struct slice copy = exact_copy(line, "");
    assert_int_equal(order_decode(copy, NOW_MS, &order, &why), E_INVALID);
    assert_names(why.text, names);
    free((char *)copy.data);
}

static void test_orders_of_the_schema(void **state)
{
    (void)state;
    schema_each_good("order", good_order);
    schema_each_bad("order", bad_order);
}

static void test_what_an_order_leaves_out_is_filled_in(void **state)
{
    (void)state;
    struct order order;
    struct slice line =
        slice_of("{\"sku\":\"a\",\"user_id\":\"u\",\"order_id\":\"01JDXWBXG0000000000000000Z\",\"v\":1}");
    assert_int_equal(order_decode(line, NOW_MS, &order, NULL), 0);
    assert_int_equal(order.quantity, 1);
    assert_int_equal(order.accepted_ms, NOW_MS);
    assert_string_equal(order.reply_to, "");
}

static void test_decisions_come_back_as_they_were_written(void **state)
{
    (void)state;
    struct decision confirmed = {.status = ORDER_CONFIRMED,
                                 .order_id = "01JDXWBXG0000000000000000Z",
                                 .user_id = "u\"1",
                                 .sku = "手机",
                                 .quantity = 3,
                                 .at_ms = NOW_MS,
                                 .unit_price = 5,
                                 .total = 15,
                                 .receipt_no = INT64_MAX};
    struct decision list[9] = {confirmed};
    for (int r = REASON_SOLD_OUT; r <= REASON_SALE_PAUSED; r++)
        list[r] = (struct decision){.status = ORDER_REJECTED,
                                    .order_id = "7ZZZZZZZZZZZZZZZZZZZZZZZZZ",
                                    .user_id = "u",
                                    .sku = "s",
                                    .quantity = 1,
                                    .at_ms = r,
                                    .reason = (enum reject_reason)r};
    list[7] = (struct decision){.status = ORDER_UNKNOWN, .order_id = "01JDXWBXG0000000000000000Z"};
    list[8] = list[0];
    list[8].receipt_no = 1;
    struct buffer out = {0};
    for (int i = 0; i < 9; i++)
        decision_encode(&out, &list[i]);
    struct slice rest = {out.data, out.len}, line;
    for (int i = 0; i < 9; i++) {
        struct decision back;
        struct detail why = {"no line"};
        if (!line_next(&rest, &line) || decision_decode(line, &back, &why))
            fail_msg("decision %d: %s", i, why.text);
        assert_same_decision(&list[i], &back);
    }
    assert_false(line_next(&rest, &line));
    buffer_free(&out);
}

static void good_decision(struct slice line)
{
    struct decision decision;
    struct detail why;
    if (decision_decode(line, &decision, &why))
        fail_msg("%.*s: %s", (int)line.len, line.data, why.text);
}

static void bad_decision(struct slice line, const char *names)
{
    struct decision decision;
    struct detail why;
    struct slice copy = exact_copy(line, "");
    assert_int_equal(decision_decode(copy, &decision, &why), E_INVALID);
    assert_names(why.text, names);
    free((char *)copy.data);
}

static void test_decisions_of_the_schema(void **state)
{
    (void)state;
    schema_each_good("decision", good_decision);
    schema_each_bad("decision", bad_decision);
}

static void good_snapshot(struct slice body)
{
    struct snapshot snapshot, again;
    struct detail why;
    if (snapshot_decode(body, &snapshot, &why))
        fail_msg("%.*s: %s", (int)body.len, body.data, why.text);
    struct buffer out = {0}, twice = {0};
    snapshot_encode(&out, &snapshot);
    assert_int_equal(snapshot_decode((struct slice){out.data, out.len}, &again, NULL), 0);
    snapshot_encode(&twice, &again);
    assert_string_equal(buffer_text(&out), buffer_text(&twice));
    snapshot_free(&snapshot);
    snapshot_free(&again);
    buffer_free(&out);
    buffer_free(&twice);
}

static void bad_snapshot(struct slice body, const char *names)
{
    struct snapshot snapshot;
    struct detail why;
    assert_int_equal(snapshot_decode(body, &snapshot, &why), E_INVALID);
    assert_names(why.text, names);
}

static void test_snapshots_of_the_schema(void **state)
{
    (void)state;
    schema_each_good("snapshot", good_snapshot);
    schema_each_bad("snapshot", bad_snapshot);
}

static void test_an_item_without_a_window_is_written_with_nulls(void **state)
{
    (void)state;
    struct buffer out = {0};
    struct item item = {
        .sku = "a", .name = "n", .stock_total = 5, .stock_left = 4, .ends_ms = 1795348800123, .version = 7};
    item_encode(&out, &item);
    assert_string_equal(buffer_text(&out),
                        "{\"sku\":\"a\",\"name\":\"n\",\"unit_price\":0,\"stock_total\":5,\"stock_left\":4,"
                        "\"limit_per_user\":0,\"starts_at\":null,\"ends_at\":\"2026-11-22T12:00:00.123Z\","
                        "\"paused\":false,\"shard\":0,\"version\":7}");
    buffer_free(&out);
}

/* Small random numbers, the same in every run. */
static uint32_t random_below(uint32_t bound)
{
    static uint64_t x = 0x9e3779b97f4a7c15;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return (uint32_t)(x >> 33) % bound;
}

/* Changes, takes out or puts in a few bytes, out of those that mean something in a line. */
static void mutate(char *line, size_t *len)
{
    static const char bytes[] =
        "{}\":,\\0123456789ZI \t\n\x7f\x80\xc2\xa0\xe6\x89\x8b\xed\xa0u1.eE-+[]nulltruefalse";
    for (uint32_t n = 1 + random_below(3); n > 0 && *len > 0; n--) {
        size_t at = random_below((uint32_t)*len);
        char byte = bytes[random_below(sizeof(bytes))]; /* the NUL too */
        uint32_t kind = random_below(3);
        if (kind == 0) {
            line[at] = byte;
        } else if (kind == 1) {
            memmove(line + at, line + at + 1, *len - at - 1);
            (*len)--;
        } else {
            memmove(line + at + 1, line + at, *len - at);
            line[at] = byte;
            (*len)++;
        }
    }
}

#define ROUNDS 200000

static void test_both_ways_of_reading_an_order_agree(void **state)
{
    (void)state;
    struct buffer out = {0};
    int taken = 0;
    for (int i = 0; i < ROUNDS; i++) {
        struct order order = plain_order, fast, slow;
        order.quantity = (int32_t)random_below(1100);
        snprintf(order.sku, sizeof(order.sku), "%s", random_below(2) ? "手机" : "a\\b");
        buffer_clear(&out);
        order_encode(&out, &order);
        out.len--; /* the "\n" */
        buffer_reserve(&out, 8);
        mutate(out.data, &out.len);
        struct slice line = {out.data, out.len};
        struct slice plain = exact_copy(line, ""), led = exact_copy(line, " ");
        int rc = order_decode(plain, NOW_MS, &fast, NULL);
        if (rc != order_decode(led, NOW_MS, &slow, NULL))
            fail_msg("one way takes it and the other does not: %.*s", (int)line.len, line.data);
        if (rc == 0) {
            assert_same_order(&fast, &slow);
            taken++;
        }
        free((char *)plain.data);
        free((char *)led.data);
    }
    assert_true(taken > ROUNDS / 100);
    buffer_free(&out);
}

static void test_both_ways_of_reading_a_decision_agree(void **state)
{
    (void)state;
    struct buffer out = {0};
    int taken = 0;
    for (int i = 0; i < ROUNDS; i++) {
        struct decision decision = {.status = random_below(2) ? ORDER_CONFIRMED : ORDER_REJECTED,
                                    .order_id = "01JDXWBXG0000000000000000Z",
                                    .user_id = "张伟",
                                    .sku = "phone-1",
                                    .quantity = 2,
                                    .at_ms = NOW_MS,
                                    .reason = REASON_SALE_ENDED,
                                    .unit_price = 99900,
                                    .total = random_below(2) ? INT64_MAX : 0,
                                    .receipt_no = 1000};
        struct decision fast, slow;
        buffer_clear(&out);
        decision_encode(&out, &decision);
        out.len--;
        buffer_reserve(&out, 8);
        mutate(out.data, &out.len);
        struct slice line = {out.data, out.len};
        struct slice plain = exact_copy(line, ""), led = exact_copy(line, " ");
        int rc = decision_decode(plain, &fast, NULL);
        if (rc != decision_decode(led, &slow, NULL))
            fail_msg("one way takes it and the other does not: %.*s", (int)line.len, line.data);
        if (rc == 0) {
            assert_same_decision(&fast, &slow);
            taken++;
        }
        free((char *)plain.data);
        free((char *)led.data);
    }
    assert_true(taken > ROUNDS / 100);
    buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_follow_the_rule),
        cmocka_unit_test(test_lines_are_walked_whatever_their_ends),
        cmocka_unit_test(test_an_order_comes_back_as_it_was_written),
        cmocka_unit_test(test_orders_of_the_schema),
        cmocka_unit_test(test_what_an_order_leaves_out_is_filled_in),
        cmocka_unit_test(test_decisions_come_back_as_they_were_written),
        cmocka_unit_test(test_decisions_of_the_schema),
        cmocka_unit_test(test_snapshots_of_the_schema),
        cmocka_unit_test(test_an_item_without_a_window_is_written_with_nulls),
        cmocka_unit_test(test_both_ways_of_reading_an_order_agree),
        cmocka_unit_test(test_both_ways_of_reading_a_decision_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
