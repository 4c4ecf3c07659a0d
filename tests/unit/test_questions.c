/* Deliveries that are kept for later are whole copies: nothing of them lies in memory that is used again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/pipeline/questions.h"

#define TEXT_SIZE 64

/* Each text lies in memory of its own, which is gone before the copy is looked at. */
struct arrival {
    char *texts[32];
    int count;
    struct broker_delivery delivery;
};

static struct slice text(struct arrival *a, const char *value)
{
    char *copy = malloc(TEXT_SIZE);
    assert_non_null(copy);
    strcpy(copy, value);
    a->texts[a->count++] = copy;
    return (struct slice){.data = copy, .len = strlen(value)};
}

static void arrive(struct arrival *a, const char *body)
{
    *a = (struct arrival){.count = 0};
    struct broker_delivery *d = &a->delivery;
    struct broker_properties *p = &d->properties;
    d->consumer = text(a, "rpc");
    d->tag = 7;
    d->redelivered = true;
    d->exchange = text(a, "seckill.rpc");
    d->routing_key = text(a, "inventory.0");
    d->body = text(a, body);
    p->content_type = text(a, "application/json");
    p->message_id = text(a, "m1");
    p->correlation_id = text(a, "c1");
    p->reply_to = text(a, "amq.gen-x");
    p->expiration = text(a, "2000");
    p->headers[0] =
        (struct broker_header){.name = text(a, "method"), .is_text = true, .text = text(a, "show")};
    p->headers[1] = (struct broker_header){.name = text(a, "deadline"), .number = 123456789};
    p->header_count = 2;
}

static void leave(struct arrival *a)
{
    for (int i = 0; i < a->count; i++) {
        memset(a->texts[i], 'x', TEXT_SIZE);
        free(a->texts[i]);
    }
}

static void assert_whole(const struct broker_delivery *d, const char *body)
{
    const struct broker_properties *p = &d->properties;
    assert_true(slice_is(d->consumer, "rpc"));
    assert_int_equal(d->tag, 7);
    assert_true(d->redelivered);
    assert_true(slice_is(d->exchange, "seckill.rpc"));
    assert_true(slice_is(d->routing_key, "inventory.0"));
    assert_true(slice_is(d->body, body));
    assert_true(slice_is(p->content_type, "application/json"));
    assert_true(slice_is(p->message_id, "m1"));
    assert_true(slice_is(p->correlation_id, "c1"));
    assert_true(slice_is(p->reply_to, "amq.gen-x"));
    assert_true(slice_is(p->expiration, "2000"));
    assert_int_equal(p->header_count, 2);
    const struct broker_header *method = broker_header_find(p, "method");
    assert_non_null(method);
    assert_true(method->is_text && slice_is(method->text, "show"));
    const struct broker_header *deadline = broker_header_find(p, "deadline");
    assert_non_null(deadline);
    assert_true(!deadline->is_text && deadline->number == 123456789);
}

static void test_a_kept_question_outlives_its_delivery(void **state)
{
    (void)state;
    struct questions q = {0};
    struct arrival a;
    arrive(&a, "{\"sku\":\"phone-1\"}");
    questions_keep(&q, &a.delivery);
    leave(&a);
    assert_int_equal(q.count, 1);
    assert_whole(&q.list[0]->delivery, "{\"sku\":\"phone-1\"}");
    questions_free(&q);
}

static void test_questions_stay_in_their_order(void **state)
{
    (void)state;
    enum { MANY = 100 }; /* more than the list has room for at first */
    struct questions q = {0};
    char body[16];
    for (int round = 0; round < 2; round++) { /* the second time in a list that was used before */
        for (int i = 0; i < MANY; i++) {
            struct arrival a;
            snprintf(body, sizeof body, "{\"n\":%d}", i);
            arrive(&a, body);
            questions_keep(&q, &a.delivery);
            leave(&a);
        }
        assert_int_equal(q.count, MANY);
        for (int i = 0; i < MANY; i++) {
            snprintf(body, sizeof body, "{\"n\":%d}", i);
            assert_whole(&q.list[i]->delivery, body);
        }
        questions_drop(&q);
        assert_int_equal(q.count, 0);
    }
    questions_free(&q);
}

static void test_an_empty_body_is_kept(void **state)
{
    (void)state;
    struct questions q = {0};
    struct broker_delivery bare = {.tag = 1};
    questions_keep(&q, &bare);
    assert_int_equal(q.list[0]->delivery.body.len, 0);
    assert_int_equal(q.list[0]->delivery.properties.header_count, 0);
    questions_free(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_kept_question_outlives_its_delivery),
        cmocka_unit_test(test_questions_stay_in_their_order),
        cmocka_unit_test(test_an_empty_body_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
