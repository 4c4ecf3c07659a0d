/* Changes on their way to inventory: each comes back once, and says truly whether it may have been made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/alloc.h"
#include "services/order/admin_desk.h"
#include "services/order/mailbox.h"

#define NOW INT64_C(1000)

struct scene {
    struct admin_desk *desk;
    struct mailbox *mailbox;
    struct admin_question questions[ADMIN_MAX_HELD + 1];
};

static int set_up(void **state)
{
    struct scene *s = test_calloc(1, sizeof *s);
    assert_int_equal(admin_desk_new(&s->desk), 0);
    assert_int_equal(mailbox_new(&s->mailbox), 0);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *s = *state;
    assert_int_equal(admin_desk_held(s->desk), 0);
    admin_desk_free(s->desk);
    mailbox_free(s->mailbox);
    for (int i = 0; i <= ADMIN_MAX_HELD; i++)
        admin_question_clear(&s->questions[i]);
    test_free(s);
    return 0;
}

static bool add(struct scene *s, int n, int64_t now_ns)
{
    struct admin_question *q = &s->questions[n];
    admin_question_clear(q);
    *q = (struct admin_question){
        .method = "item.put", .shard = n % 3, .text = xstrdup("{}"), .mailbox = s->mailbox};
    return admin_desk_add(s->desk, q, now_ns);
}

/* The questions that came back, counted; the first one in *first. */
static int told(struct scene *s, struct admin_question **first)
{
    struct admin_question_list list;
    struct admin_question *q;
    int count = 0;
    mailbox_take(s->mailbox);
    mailbox_take_questions(s->mailbox, &list);
    if (first)
        *first = STAILQ_FIRST(&list);
    STAILQ_FOREACH(q, &list, in_mailbox) count++;
    return count;
}

static void end(struct admin_flight *f, enum admin_outcome outcome, const char *result)
{
    assert_non_null(f);
    admin_desk_end(f, &(struct admin_answer){.outcome = outcome,
                                             .result = result ? xstrdup(result) : NULL,
                                             .code = outcome == ADMIN_REFUSED ? "conflict" : NULL,
                                             .why = "why"});
}

static void test_each_gets_its_own_answer(void **state)
{
    struct scene *s = *state;
    struct admin_question *q;
    assert_true(add(s, 0, NOW));
    assert_true(add(s, 1, NOW));
    struct admin_flight *a = admin_desk_take(s->desk), *b = admin_desk_take(s->desk);
    assert_null(admin_desk_take(s->desk));
    assert_int_equal(a->shard, 0);
    assert_int_equal(b->shard, 1);
    end(b, ADMIN_ANSWERED, "{\"of\":1}"); /* out of turn */
    assert_int_equal(told(s, &q), 1);
    assert_ptr_equal(q, &s->questions[1]);
    assert_string_equal(q->result, "{\"of\":1}");
    end(a, ADMIN_REFUSED, NULL);
    assert_int_equal(told(s, &q), 1);
    assert_ptr_equal(q, &s->questions[0]);
    assert_int_equal(q->outcome, ADMIN_REFUSED);
    assert_string_equal(q->code, "conflict");
}

static void test_time_is_over(void **state)
{
    struct scene *s = *state;
    assert_true(add(s, 0, NOW));
    struct admin_flight *sent = admin_desk_take(s->desk);
    assert_true(add(s, 1, NOW));
    assert_int_equal(admin_desk_next_ns(s->desk), NOW + ADMIN_ANSWER_NS);
    admin_desk_expire(s->desk, NOW + ADMIN_ANSWER_NS - 1);
    assert_int_equal(told(s, NULL), 0);
    admin_desk_expire(s->desk, NOW + ADMIN_ANSWER_NS);
    assert_int_equal(told(s, NULL), 2);
    assert_int_equal(s->questions[0].outcome, ADMIN_UNKNOWN);
    assert_int_equal(s->questions[1].outcome, ADMIN_NOT_ASKED);
    assert_int_equal(admin_desk_next_ns(s->desk), INT64_MAX);
    end(sent, ADMIN_ANSWERED, "{}"); /* too late for anybody */
    assert_int_equal(told(s, NULL), 0);
    assert_null(admin_desk_take(s->desk));
}

/* What is used again is not taken for what it was. */
static void test_a_late_answer_is_not_the_next_ones(void **state)
{
    struct scene *s = *state;
    assert_true(add(s, 0, NOW));
    struct admin_flight *late = admin_desk_take(s->desk);
    admin_desk_expire(s->desk, NOW + ADMIN_ANSWER_NS);
    assert_int_equal(told(s, NULL), 1);
    assert_true(add(s, 0, NOW + ADMIN_ANSWER_NS)); /* the same memory */
    struct admin_flight *next = admin_desk_take(s->desk);
    end(late, ADMIN_ANSWERED, "{\"late\":1}");
    assert_int_equal(told(s, NULL), 0);
    end(next, ADMIN_ANSWERED, "{\"next\":1}");
    assert_int_equal(told(s, NULL), 1);
    assert_string_equal(s->questions[0].result, "{\"next\":1}");
}

static void test_without_a_broker_only_what_was_not_sent_goes_back(void **state)
{
    struct scene *s = *state;
    assert_true(add(s, 0, NOW));
    struct admin_flight *sent = admin_desk_take(s->desk);
    assert_true(add(s, 1, NOW));
    admin_desk_cannot_ask(s->desk);
    assert_int_equal(told(s, NULL), 1);
    assert_int_equal(s->questions[1].outcome, ADMIN_NOT_ASKED);
    assert_int_equal(admin_desk_held(s->desk), 1);
    end(sent, ADMIN_UNKNOWN, NULL);
    assert_int_equal(told(s, NULL), 1);
}

static void test_bounds_and_closing(void **state)
{
    struct scene *s = *state;
    for (int i = 0; i < ADMIN_MAX_HELD; i++)
        assert_true(add(s, i, NOW));
    assert_false(add(s, ADMIN_MAX_HELD, NOW));
    struct admin_flight *sent = admin_desk_take(s->desk);
    admin_desk_close(s->desk);
    assert_int_equal(told(s, NULL), ADMIN_MAX_HELD - 1);
    assert_int_equal(admin_desk_held(s->desk), 1); /* worth waiting for */
    assert_false(add(s, ADMIN_MAX_HELD, NOW));
    end(sent, ADMIN_ANSWERED, "{}");
    assert_int_equal(told(s, NULL), 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_each_gets_its_own_answer),
        TEST(test_time_is_over),
        TEST(test_a_late_answer_is_not_the_next_ones),
        TEST(test_without_a_broker_only_what_was_not_sent_goes_back),
        TEST(test_bounds_and_closing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
