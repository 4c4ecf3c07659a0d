/* Who waits for word about an order: questions are shared and gather, nobody is forgotten or kept too long.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/clock.h"
#include "services/order/mailbox.h"
#include "services/order/status_desk.h"

#define SHARDS 2

struct scene {
    struct pending *pending;
    struct status_desk *desk;
    struct mailbox *mailbox;
    struct inquiry inquiries[20];
    char taken[8][ORDER_ID_SIZE]; /* the last question */
};

/* Ids of this form are in shard 0: the 19th and 20th characters are the shard's. */
static void name_order(int n, char id[ORDER_ID_SIZE])
{
    snprintf(id, ORDER_ID_SIZE, "01ABCDEFGHJKMNPQR000%06d", n);
    assert_int_equal(order_id_shard(id), 0);
}

static int setup(void **state)
{
    struct scene *s = test_calloc(1, sizeof *s);
    s->pending = pending_new(10);
    assert_int_equal(status_desk_new(&s->desk, s->pending, SHARDS), 0);
    assert_int_equal(mailbox_new(&s->mailbox), 0);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct scene *s = *state;
    status_desk_close(s->desk);
    assert_int_equal(status_desk_counts(s->desk).held, 0);
    status_desk_free(s->desk);
    mailbox_free(s->mailbox);
    pending_free(s->pending);
    test_free(s);
    return 0;
}

/* Inquiry number `slot` asks for order n at the time now_ns. */
static enum desk_step ask(struct scene *s, int slot, int n, int wait_s, int64_t now_ns)
{
    struct inquiry *q = &s->inquiries[slot];
    *q = (struct inquiry){.is_issued = true, .wait_s = wait_s, .mailbox = s->mailbox};
    name_order(n, q->order_id);
    return status_desk_add(s->desk, q, now_ns);
}

static int take(struct scene *s, int64_t now_ns)
{
    return status_desk_take(s->desk, 0, now_ns, 8, s->taken);
}

static void accept(struct scene *s, int n, enum submit_verdict verdict)
{
    struct submission sub = {.verdict = verdict, .order = {.quantity = 1, .user_id = "u", .sku = "s"}};
    struct submission_list list = {0};
    name_order(n, sub.order.order_id);
    assert_int_equal(pending_begin(s->pending, &sub.order, 0, 0), PENDING_BEGUN);
    submission_list_add(&list, &sub);
    pending_settle(s->pending, &list);
}

static void decide(struct scene *s, int n)
{
    struct decision d = {.status = ORDER_CONFIRMED, .quantity = 1, .receipt_no = n};
    name_order(n, d.order_id);
    pending_decide(s->pending, &d, 1);
    status_desk_decided(s->desk, &d, 1);
}

static void deny(struct scene *s, int n)
{
    char id[ORDER_ID_SIZE];
    name_order(n, id);
    status_desk_not_decided(s->desk, id);
}

static int came_back(struct scene *s)
{
    struct inquiry_list told;
    struct inquiry *q;
    int count = 0;
    (void)mailbox_take(s->mailbox);
    mailbox_take_inquiries(s->mailbox, &told);
    STAILQ_FOREACH(q, &told, in_mailbox)
    count++;
    return count;
}

static void test_several_who_ask_for_one_id_share_its_place(void **state)
{
    struct scene *s = *state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(ask(s, i, 1, 0, 0), DESK_HELD);
    assert_int_equal(take(s, 0), 1);
    assert_int_equal(ask(s, 3, 1, 0, 0), DESK_HELD); /* it is under way: shared too */
    decide(s, 1);
    assert_int_equal(came_back(s), 4);
    for (int i = 0; i < 4; i++) {
        assert_true(s->inquiries[i].is_decided);
        assert_int_equal(s->inquiries[i].decision.receipt_no, 1);
    }
    status_desk_answered(s->desk, 0, 0, false);
    assert_int_equal(take(s, 0), 0);
}

static void test_what_comes_while_a_question_is_under_way_goes_out_together(void **state)
{
    struct scene *s = *state;
    assert_int_equal(ask(s, 0, 1, 0, 0), DESK_HELD);
    assert_int_equal(take(s, 0), 1);
    for (int i = 1; i <= 10; i++)
        assert_int_equal(ask(s, i, i + 1, 0, 0), DESK_HELD);
    assert_int_equal(take(s, 0), 0);
    deny(s, 1);
    status_desk_answered(s->desk, 0, 0, false);
    assert_int_equal(take(s, DESK_GAP_NS - 1), E_BUSY);
    assert_int_equal(take(s, DESK_GAP_NS), 8); /* no more than a message may hold, the oldest first */
    char first[ORDER_ID_SIZE];
    name_order(2, first);
    assert_string_equal(s->taken[0], first);
    assert_int_equal(came_back(s), 1);
    assert_true(s->inquiries[0].is_heard);
    assert_false(s->inquiries[0].is_decided);
    status_desk_answered(s->desk, 0, 0, false);
    assert_int_equal(take(s, 2 * DESK_GAP_NS), 2);
}

static void test_the_next_question_waits_although_nobody_waits_for_the_first(void **state)
{
    struct scene *s = *state;
    assert_int_equal(ask(s, 0, 1, 0, 0), DESK_HELD);
    assert_int_equal(take(s, 0), 1);
    status_desk_expire(s->desk, INQUIRY_ANSWER_NS);
    assert_int_equal(came_back(s), 1);
    assert_false(s->inquiries[0].is_heard);
    assert_int_equal(ask(s, 1, 2, 0, INQUIRY_ANSWER_NS), DESK_HELD);
    assert_int_equal(take(s, INQUIRY_ANSWER_NS), 0);
    status_desk_answered(s->desk, 0, INQUIRY_ANSWER_NS, false);
    assert_int_equal(take(s, INQUIRY_ANSWER_NS), 1);
}

static void test_silent_shard_turns_all_away_but_one_each_second(void **state)
{
    struct scene *s = *state;
    assert_int_equal(ask(s, 0, 1, 0, 0), DESK_HELD);
    assert_int_equal(take(s, 0), 1);
    status_desk_answered(s->desk, 0, 0, true);
    assert_int_equal(came_back(s), 1);
    assert_int_equal(ask(s, 1, 2, 0, 1), DESK_UNAVAILABLE);
    assert_int_equal(ask(s, 2, 3, 0, NS_PER_S), DESK_HELD);
    assert_int_equal(ask(s, 3, 4, 0, NS_PER_S), DESK_UNAVAILABLE);
    assert_int_equal(ask(s, 4, 3, 0, NS_PER_S), DESK_HELD); /* rides along */
    status_desk_heard_of(s->desk, 0);
    assert_int_equal(ask(s, 5, 4, 0, NS_PER_S), DESK_HELD);
}

static void test_who_waits_for_an_accepted_order_is_woken_and_nobody_is_asked(void **state)
{
    struct scene *s = *state;
    accept(s, 1, SUBMIT_ACCEPTED);
    assert_int_equal(ask(s, 0, 1, 0, 0), DESK_NOW);
    assert_int_equal(ask(s, 1, 1, 30, 0), DESK_HELD);
    assert_int_equal(ask(s, 2, 1, 30, 0), DESK_HELD);
    assert_int_equal(take(s, 0), 0);
    decide(s, 1);
    assert_int_equal(came_back(s), 2);
    assert_int_equal(ask(s, 3, 1, 30, 0), DESK_NOW); /* decided by now */
}

static void test_order_of_unknown_outcome_is_asked_for(void **state)
{
    struct scene *s = *state;
    accept(s, 1, SUBMIT_UNKNOWN);
    assert_int_equal(ask(s, 0, 1, 0, 0), DESK_HELD);
    assert_int_equal(take(s, 0), 1);
}

static void test_each_waits_as_long_as_it_wants(void **state)
{
    struct scene *s = *state;
    accept(s, 1, SUBMIT_ACCEPTED);
    assert_int_equal(ask(s, 0, 1, 30, 0), DESK_HELD);
    assert_int_equal(ask(s, 1, 1, 1, 0), DESK_HELD);
    assert_int_equal(ask(s, 2, 1, 1, NS_PER_S / 2), DESK_HELD);
    assert_int_equal(status_desk_next_ns(s->desk), NS_PER_S);
    status_desk_expire(s->desk, NS_PER_S - 1);
    assert_int_equal(came_back(s), 0);
    status_desk_expire(s->desk, NS_PER_S);
    assert_int_equal(came_back(s), 1);
    status_desk_expire(s->desk, 2 * NS_PER_S);
    assert_int_equal(came_back(s), 1);
    assert_int_equal(status_desk_counts(s->desk).waiting, 1);
    status_desk_expire(s->desk, 30 * NS_PER_S);
    assert_int_equal(came_back(s), 1);
    assert_int_equal(status_desk_next_ns(s->desk), INT64_MAX);
}

static void test_waiters_elsewhere_are_asked_for_again_together_once_a_second(void **state)
{
    struct scene *s = *state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(ask(s, i, i, 10, 0), DESK_HELD);
    assert_int_equal(take(s, 0), 3);
    for (int i = 0; i < 3; i++)
        deny(s, i);
    status_desk_answered(s->desk, 0, 0, false);
    assert_int_equal(came_back(s), 0);
    assert_int_equal(take(s, NS_PER_S), 3);
    deny(s, 0);
    decide(s, 1);
    status_desk_answered(s->desk, 0, NS_PER_S,
                         true); /* nothing about the third; but it was heard of before */
    assert_int_equal(came_back(s), 1);
    assert_int_equal(take(s, NS_PER_S + 1), 0);
    assert_int_equal(take(s, 2 * NS_PER_S), 2);
    status_desk_cannot_ask(s->desk); /* they go on waiting: the broker may be back in time */
    assert_int_equal(came_back(s), 0);
}

static void test_who_has_heard_nothing_fails_with_the_broker(void **state)
{
    struct scene *s = *state;
    accept(s, 1, SUBMIT_ACCEPTED);
    assert_int_equal(ask(s, 0, 1, 10, 0), DESK_HELD); /* its decision comes by itself */
    assert_int_equal(ask(s, 1, 2, 10, 0), DESK_HELD);
    assert_int_equal(take(s, 0), 1);
    assert_int_equal(ask(s, 2, 3, 0, 0), DESK_HELD);
    status_desk_cannot_ask(s->desk);
    assert_int_equal(came_back(s), 2);
    assert_int_equal(status_desk_counts(s->desk).held, 1);
}

static void test_id_that_nobody_issued_is_asked_of_each_shard_and_not_waited_for(void **state)
{
    struct scene *s = *state;
    struct inquiry *q = &s->inquiries[0];
    char ids[8][ORDER_ID_SIZE];
    *q = (struct inquiry){.wait_s = 30, .mailbox = s->mailbox};
    name_order(1, q->order_id);
    assert_int_equal(status_desk_add(s->desk, q, 0), DESK_HELD);
    assert_int_equal(take(s, 0), 1);
    deny(s, 1);
    status_desk_answered(s->desk, 0, 0, false);
    assert_int_equal(came_back(s), 0);
    assert_int_equal(status_desk_take(s->desk, 1, 0, 8, ids), 1);
    assert_string_equal(ids[0], q->order_id);
    deny(s, 1);
    assert_int_equal(came_back(s), 1);
    assert_true(q->is_heard);
}

static void test_closed_desk_sends_all_back_and_takes_nobody(void **state)
{
    struct scene *s = *state;
    accept(s, 1, SUBMIT_ACCEPTED);
    assert_int_equal(ask(s, 0, 1, 30, 0), DESK_HELD);
    assert_int_equal(ask(s, 1, 2, 30, 0), DESK_HELD);
    status_desk_close(s->desk);
    assert_int_equal(came_back(s), 2);
    assert_int_equal(ask(s, 2, 1, 30, 0), DESK_NOW);
    assert_int_equal(ask(s, 3, 2, 30, 0), DESK_UNAVAILABLE);
}

static void test_waiters_are_bounded_in_number(void **state)
{
    struct scene *s = *state;
    struct inquiry *many = test_calloc(DESK_MAX_WAITING, sizeof *many);
    accept(s, 1, SUBMIT_ACCEPTED);
    for (int i = 0; i < DESK_MAX_WAITING; i++) {
        many[i] = (struct inquiry){.is_issued = true, .wait_s = 30, .mailbox = s->mailbox};
        name_order(1, many[i].order_id);
        assert_int_equal(status_desk_add(s->desk, &many[i], 0), DESK_HELD);
    }
    assert_int_equal(ask(s, 0, 1, 30, 0), DESK_NOW);
    decide(s, 1);
    assert_int_equal(came_back(s), DESK_MAX_WAITING);
    test_free(many);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_several_who_ask_for_one_id_share_its_place),
        TEST(test_what_comes_while_a_question_is_under_way_goes_out_together),
        TEST(test_the_next_question_waits_although_nobody_waits_for_the_first),
        TEST(test_silent_shard_turns_all_away_but_one_each_second),
        TEST(test_who_waits_for_an_accepted_order_is_woken_and_nobody_is_asked),
        TEST(test_order_of_unknown_outcome_is_asked_for),
        TEST(test_each_waits_as_long_as_it_wants),
        TEST(test_waiters_elsewhere_are_asked_for_again_together_once_a_second),
        TEST(test_who_has_heard_nothing_fails_with_the_broker),
        TEST(test_id_that_nobody_issued_is_asked_of_each_shard_and_not_waited_for),
        TEST(test_closed_desk_sends_all_back_and_takes_nobody),
        TEST(test_waiters_are_bounded_in_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
