/* Events of all kinds: what is written can be read, the schemas' examples are taken or refused as they say,
 * and both ways of reading a red packet say the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "common/pipeline/event_message.h"
#include "tests/unit/schema_examples.h"

static const struct grant plain_grant = {
    .order_id = "01JDXWBXG0000000000000000Z",
    .user_id = "u1",
    .sku = "phone-1",
    .quantity = 2,
    .at_ms = 1795348800123,
    .amount = 188,
};

static void assert_same_grant(const struct grant *a, const struct grant *b)
{
    assert_string_equal(a->order_id, b->order_id);
    assert_string_equal(a->user_id, b->user_id);
    assert_string_equal(a->sku, b->sku);
    assert_int_equal(a->quantity, b->quantity);
    assert_int_equal(a->at_ms, b->at_ms);
    assert_int_equal(a->amount, b->amount);
}

/* In memory of exactly its size, so that a sanitizer sees any byte read beyond. */
static int decode_copy(const char *lead, struct slice line, struct event *out, struct detail *why)
{
    size_t before = strlen(lead), len = before + line.len;
    char *copy = malloc(len ? len : 1);
    assert_non_null(copy);
    memcpy(copy, lead, before);
    if (line.len)
        memcpy(copy + before, line.data, line.len);
    int rc = event_decode((struct slice){.data = copy, .len = len}, out, why);
    free(copy);
    return rc;
}

static void test_a_grant_comes_back_as_it_was_written(void **state)
{
    (void)state;
    static const char *const names[] = {"u1", "张伟", "a\"b\\c", "\\", "\"", "x/y"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct grant grant = plain_grant;
        struct event back;
        snprintf(grant.user_id, sizeof(grant.user_id), "%s", names[i]);
        grant.amount = i % 2 ? INT64_MAX : 1;
        struct buffer out = {0};
        grant_encode(&out, &grant);
        struct slice rest = {out.data, out.len}, line;
        assert_true(line_next(&rest, &line));
        assert_int_equal(rest.len, 0);
        assert_int_equal(event_decode(line, &back, NULL), 0);
        assert_int_equal(back.kind, EVENT_KIND_GRANTED);
        assert_same_grant(&grant, &back.grant);
        buffer_free(&out);
    }
}

static void test_decisions_are_events_too(void **state)
{
    (void)state;
    struct decision list[2] = {{.status = ORDER_CONFIRMED,
                                .order_id = "01JDXWBXG0000000000000000Z",
                                .user_id = "u1",
                                .sku = "s",
                                .quantity = 3,
                                .at_ms = 5,
                                .unit_price = 5,
                                .total = 15,
                                .receipt_no = 7}};
    list[1] = list[0];
    list[1].status = ORDER_REJECTED;
    list[1].reason = REASON_SALE_ENDED;
    for (int i = 0; i < 2; i++)
        for (int led = 0; led < 2; led++) {
            struct buffer out = {0};
            struct event event;
            decision_encode(&out, &list[i]);
            assert_int_equal(decode_copy(led ? " " : "", (struct slice){out.data, out.len - 1}, &event, NULL),
                             0);
            assert_int_equal(event.kind, i == 0 ? EVENT_KIND_CONFIRMED : EVENT_KIND_REJECTED);
            assert_int_equal(event.decision.status, list[i].status);
            if (i == 0)
                assert_int_equal(event.decision.receipt_no, 7);
            else
                assert_int_equal(event.decision.reason, REASON_SALE_ENDED);
            assert_string_equal(event_order_id(&event), list[i].order_id);
            assert_string_equal(event_user_id(&event), "u1");
            assert_string_equal(event_sku(&event), "s");
            buffer_free(&out);
        }
}

static enum event_kind expected_kind;

static void good_event(struct slice line)
{
    struct event event;
    struct detail why;
    if (decode_copy("", line, &event, &why))
        fail_msg("%.*s: %s", (int)line.len, line.data, why.text);
    if (expected_kind)
        assert_int_equal(event.kind, expected_kind);
    assert_string_equal(event_order_id(&event), "01JDXWBXG0000000000000000Z");
    assert_true(name_is_valid(slice_of(event_user_id(&event))));
    assert_true(name_is_valid(slice_of(event_sku(&event))));
}

static void bad_event(struct slice line, const char *names)
{
    struct event event;
    struct detail why;
    if (strstr(line.data, "\"redpacket.granted\"") && expected_kind == 0)
        return; /* no decision, but an event */
    assert_int_equal(decode_copy("", line, &event, &why), E_INVALID);
    assert_names(why.text, names);
    assert_int_equal(decode_copy(" ", line, &event, &why), E_INVALID);
    assert_names(why.text, names);
}

static void test_events_of_the_schemas(void **state)
{
    (void)state;
    expected_kind = EVENT_KIND_GRANTED;
    schema_each_good("granted", good_event);
    schema_each_bad("granted", bad_event);
    expected_kind = 0;
    schema_each_good("decision", good_event);
    schema_each_bad("decision", bad_event);
}

static void test_a_kind_of_later_versions_is_told_from_a_broken_line(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        int rc;
    } cases[] = {
        {"{\"v\":1,\"event\":\"order.shipped\"}", E_NOT_FOUND},
        {"{\"v\":1,\"event\":\"redpacket.returned\",\"order_id\":3}", E_NOT_FOUND},
        {"{\"event\":\"\",\"v\":1}", E_NOT_FOUND},
        {"{\"v\":1,\"event\":\"order.confirmed\"}", E_INVALID},
        {"{\"v\":2,\"event\":\"order.shipped\"}", E_INVALID},
        {"{\"v\":1,\"event\":null}", E_INVALID},
        {"{\"v\":1,\"order_id\":\"01JDXWBXG0000000000000000Z\",\"status\":\"unknown\"}", E_INVALID},
        {"{\"v\":1,\"event\":\"order.confirmed\",\"order_id\":\"01JDXWBXG0000000000000000Z\","
         "\"status\":\"unknown\"}",
         E_INVALID},
        {"", E_INVALID},
        {"[]", E_INVALID},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct event event;
        struct detail why = {.text = ""};
        if (decode_copy("", slice_of(cases[i].line), &event, &why) != cases[i].rc || why.text[0] == '\0')
            fail_msg("%s: %s", cases[i].line, why.text);
    }
}

static void test_kinds_have_the_names_of_their_routing_keys(void **state)
{
    (void)state;
    assert_string_equal(event_kind_name(EVENT_KIND_CONFIRMED), "order.confirmed");
    assert_string_equal(event_kind_name(EVENT_KIND_REJECTED), "order.rejected");
    assert_string_equal(event_kind_name(EVENT_KIND_GRANTED), "redpacket.granted");
    assert_string_equal(event_kind_name((enum event_kind)0), "");
    assert_string_equal(event_kind_name((enum event_kind)4), "");
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
    static const char bytes[] = "{}\":,\\0123456789ZI \t\n\x7f\x80\xc2\xe6\x89u1.eE-+[]nulltrue";
    for (uint32_t n = random_below(3); n > 0 && *len > 0; n--) {
        size_t at = random_below((uint32_t)*len);
        if (random_below(3)) {
            line[at] = bytes[random_below(sizeof(bytes))];
        } else {
            memmove(line + at, line + at + 1, *len - at - 1);
            (*len)--;
        }
    }
}

#define ROUNDS 100000

static void test_both_ways_of_reading_a_grant_agree(void **state)
{
    (void)state;
    struct buffer out = {0};
    int taken = 0, refused = 0;
    for (int i = 0; i < ROUNDS; i++) {
        struct grant grant = plain_grant;
        struct event fast, slow;
        grant.amount = random_below(2) ? INT64_MAX : (int64_t)random_below(3);
        grant.quantity = (int32_t)random_below(1100);
        snprintf(grant.sku, sizeof(grant.sku), "%s", random_below(2) ? "手机" : "a\\b");
        buffer_clear(&out);
        grant_encode(&out, &grant);
        out.len--; /* the "\n" */
        mutate(out.data, &out.len);
        struct slice line = {out.data, out.len};
        int rc = decode_copy("", line, &fast, NULL);
        if (rc != decode_copy(" ", line, &slow, NULL))
            fail_msg("one way takes it and the other does not: %.*s", (int)line.len, line.data);
        if (rc == 0 && fast.kind == EVENT_KIND_GRANTED) {
            assert_int_equal(slow.kind, EVENT_KIND_GRANTED);
            assert_same_grant(&fast.grant, &slow.grant);
            taken++;
        }
        refused += rc != 0;
    }
    assert_true(taken > ROUNDS / 100);
    assert_true(refused > ROUNDS / 100);
    buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_grant_comes_back_as_it_was_written),
        cmocka_unit_test(test_decisions_are_events_too),
        cmocka_unit_test(test_events_of_the_schemas),
        cmocka_unit_test(test_a_kind_of_later_versions_is_told_from_a_broken_line),
        cmocka_unit_test(test_kinds_have_the_names_of_their_routing_keys),
        cmocka_unit_test(test_both_ways_of_reading_a_grant_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
