/* The body that a gateway gets, as its schema says; and what its answers mean, piece by piece. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "services/notification/webhook_answer.h"
#include "services/notification/webhook_body.h"
#include "tests/unit/schema_examples.h"

/* ---- The body ---- */

/* The example without its text is the event itself, but for the name of one member. */
static void read_event(const json_t *example, struct event *out)
{
    json_t *object = json_copy((json_t *)example);
    struct detail why;
    json_object_set(object, "event", json_object_get(example, "kind"));
    json_object_del(object, "kind");
    json_object_del(object, "text");
    char *line = json_dumps(object, JSON_COMPACT);
    if (event_decode(slice_of(line), out, &why) != 0)
        fail_msg("%s: %s", line, why.text);
    free(line);
    json_decref(object);
}

static void assert_body_is_the_example(struct slice line)
{
    json_t *example = json_loadb(line.data, line.len, 0, NULL);
    const json_t *text = json_object_get(example, "text");
    struct event event;
    struct buffer body = {0};
    read_event(example, &event);
    webhook_body_encode(&body, &event,
                        (struct slice){.data = json_string_value(text), .len = json_string_length(text)});
    json_t *got = json_loadb(body.data, body.len, JSON_REJECT_DUPLICATES, NULL);
    if (!got || !json_equal(got, example))
        fail_msg("%s instead of %.*s", buffer_text(&body), (int)line.len, line.data);
    json_decref(got);
    json_decref(example);
    buffer_free(&body);
}

static void test_bodies_are_as_the_schema_shows_them(void **state)
{
    (void)state;
    schema_each_good("webhook", assert_body_is_the_example);
}

/* ---- The answer ---- */

static struct sink_outcome judged(const char *const lines[], const char *body)
{
    struct webhook_answer a = {0};
    struct sink_outcome o = {.token = 7};
    for (int i = 0; lines[i]; i++)
        assert_true(webhook_answer_header(&a, slice_of(lines[i]), 0));
    if (body)
        assert_true(webhook_answer_body(&a, slice_of(body)));
    webhook_answer_judge(&a, "the line went dead", &o);
    assert_int_equal(o.token, 7);
    return o;
}

static void test_statuses_have_their_verdicts(void **state)
{
    (void)state;
    static const struct {
        const char *status_line;
        enum sink_verdict verdict;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\n", SINK_SENT},     {"HTTP/1.1 202\r\n", SINK_SENT},
        {"HTTP/1.0 299 x\r\n", SINK_SENT},      {"HTTP/1.1 300 x\r\n", SINK_PERMANENT},
        {"HTTP/1.1 302 x\r\n", SINK_PERMANENT}, {"HTTP/1.1 400 x\r\n", SINK_PERMANENT},
        {"HTTP/1.1 407 x\r\n", SINK_PERMANENT}, {"HTTP/1.1 408 x\r\n", SINK_RETRY},
        {"HTTP/1.1 409 x\r\n", SINK_PERMANENT}, {"HTTP/1.1 429 x\r\n", SINK_RETRY},
        {"HTTP/1.1 499 x\r\n", SINK_PERMANENT}, {"HTTP/1.1 500 x\r\n", SINK_RETRY},
        {"HTTP/1.1 599 x\r\n", SINK_RETRY},     {"HTTP/1.1 600 x\r\n", SINK_PERMANENT},
        {"HTTP/2 204\r\n", SINK_SENT},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sink_outcome o =
            judged((const char *[]){cases[i].status_line, "Retry-After: 3\r\n", "\r\n", NULL}, NULL);
        if (o.verdict != cases[i].verdict)
            fail_msg("%s: %d", cases[i].status_line, (int)o.verdict);
        assert_int_equal(o.retry_after_ms, o.verdict == SINK_RETRY ? 3000 : 0);
    }
}

static void test_only_a_whole_final_head_is_an_answer(void **state)
{
    (void)state;
    static const char *const heads[][5] = {
        {NULL},
        {"HTTP/1.1 200 OK\r\n", NULL},
        {"HTTP/1.1 200 OK\r\n", "Retry-After: 3\r\n", NULL},
        {"HTTP/1.1 100 Continue\r\n", "\r\n", NULL},
        {"HTTP/1.1 100 Continue\r\n", "\r\n", "HTTP/1.1 200 OK\r\n", NULL},
        {"HTTP/1.1 twohundred\r\n", "\r\n", NULL},
        {"HTTP/1.1 2\r\n", "\r\n", NULL},
        {"HTTP/1.1\r\n", "\r\n", NULL},
        {"\r\n", NULL},
    };
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        struct sink_outcome o = judged(heads[i], NULL);
        assert_int_equal(o.verdict, SINK_RETRY);
        assert_int_equal(o.retry_after_ms, 0);
        assert_string_equal(o.why.text, "no answer: the line went dead");
    }
}

static void test_the_final_head_counts_and_trailers_do_not(void **state)
{
    (void)state;
    struct sink_outcome o = judged((const char *[]){"HTTP/1.1 100 Continue\r\n", "Retry-After: 9\r\n", "\r\n",
                                                    "HTTP/1.1 503 x\r\n", "retry-AFTER:5\r\n", "\r\n",
                                                    "Retry-After: 77\r\n", "\r\n", NULL},
                                   NULL);
    assert_int_equal(o.verdict, SINK_RETRY);
    assert_int_equal(o.retry_after_ms, 5000);
    o = judged((const char *[]){"HTTP/1.1 103 Hints\r\n", "Retry-After: 9\r\n", "\r\n", "HTTP/1.1 503 x\r\n",
                                "X-Retry-After: 5\r\n", "\r\n", NULL},
               NULL);
    assert_int_equal(o.retry_after_ms, 0);
}

static void test_the_reason_shows_the_beginning_of_a_text(void **state)
{
    (void)state;
    static const char *const bad[] = {"HTTP/1.1 400 Bad\r\n", "\r\n", NULL};
    char longer[300] = "", control[] = "ok\x01";
    assert_string_equal(judged(bad, NULL).why.text, "status 400");
    assert_string_equal(judged(bad, "").why.text, "status 400");
    assert_string_equal(judged(bad, control).why.text, "status 400");
    assert_string_equal(judged(bad, "no \"number\"\n").why.text, "status 400: \"no \\\"number\\\"\\n\"");
    /* Cut, but not in the middle of a character. */
    for (int i = 0; i < 80; i++)
        strcat(longer, "号");
    struct sink_outcome o = judged(bad, longer);
    assert_null(strstr(o.why.text, "\\x"));
    assert_non_null(strstr(o.why.text, "号"));
    /* The worst that quoting can make of it still fits. */
    memset(longer, '\xff', 200);
    o = judged(bad, longer);
    assert_memory_equal(o.why.text, "status 400: ", 12);
}

static void test_answers_are_bounded(void **state)
{
    (void)state;
    static char much[ANSWER_BODY_MAX + 1];
    memset(much, 'x', sizeof(much));
    struct webhook_answer a = {0};
    assert_true(webhook_answer_header(&a, slice_of("HTTP/1.1 200 OK\r\n"), 0));
    size_t room = ANSWER_HEAD_MAX - a.head_len;
    assert_true(webhook_answer_header(&a, (struct slice){.data = much, .len = room}, 0));
    assert_false(webhook_answer_header(&a, slice_of("\r\n"), 0));
    a = (struct webhook_answer){0};
    assert_true(webhook_answer_body(&a, (struct slice){.data = much, .len = ANSWER_BODY_MAX}));
    assert_false(webhook_answer_body(&a, (struct slice){.data = much, .len = 1}));
}

static void test_keys_are_order_and_kind(void **state)
{
    (void)state;
    struct event e = {.kind = EVENT_KIND_GRANTED, .grant = {.order_id = "7ZZZZZZZZZZZZZZZZZZZZZZZZZ"}};
    char key[SINK_KEY_SIZE];
    assert_string_equal(sink_key(&e, key), "7ZZZZZZZZZZZZZZZZZZZZZZZZZ:redpacket.granted");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bodies_are_as_the_schema_shows_them),
        cmocka_unit_test(test_statuses_have_their_verdicts),
        cmocka_unit_test(test_only_a_whole_final_head_is_an_answer),
        cmocka_unit_test(test_the_final_head_counts_and_trailers_do_not),
        cmocka_unit_test(test_the_reason_shows_the_beginning_of_a_text),
        cmocka_unit_test(test_answers_are_bounded),
        cmocka_unit_test(test_keys_are_order_and_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
