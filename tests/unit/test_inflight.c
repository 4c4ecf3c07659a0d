/* How a batch ends decides what a buyer is told: 202, 503 or 504. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "services/order/inflight.h"

static struct batch *sent(struct inflight *f, int64_t seq, uint64_t tag, int copies, int64_t first_sent_ns)
{
    struct batch *b = batch_new();
    b->seq = seq;
    b->tag = tag;
    b->copies = copies;
    b->first_sent_ns = first_sent_ns;
    inflight_add(f, b);
    return b;
}

/* Confirms and says how the batch of that seq ended; fails if another or none ended. */
static enum submit_verdict confirm_one(struct inflight *f, uint64_t tag, bool ack, int64_t seq)
{
    enum submit_verdict verdict = SUBMIT_PENDING;
    struct batch *b = inflight_confirm(f, tag, false, ack, &verdict);
    assert_non_null(b);
    assert_int_equal(b->seq, seq);
    batch_free(b);
    assert_null(inflight_confirm(f, tag, false, ack, &verdict));
    return verdict;
}

static void test_ack_accepts(void **state)
{
    (void)state;
    struct inflight f = {0};
    sent(&f, 1, 1, 1, 10);
    assert_int_equal(confirm_one(&f, 1, true, 1), SUBMIT_ACCEPTED);
    assert_int_equal(f.count, 0);
}

static void test_nack_of_the_only_copy_refuses(void **state)
{
    (void)state;
    struct inflight f = {0};
    sent(&f, 1, 1, 1, 10);
    assert_int_equal(confirm_one(&f, 1, false, 1), SUBMIT_REFUSED);
}

static void test_nack_of_a_second_copy_is_unknown(void **state)
{
    (void)state;
    struct inflight f = {0};
    sent(&f, 1, 1, 2, 10);
    assert_int_equal(confirm_one(&f, 1, false, 1), SUBMIT_UNKNOWN);
}

static void test_returned_is_refused_although_the_broker_acks(void **state)
{
    (void)state;
    struct inflight f = {0};
    sent(&f, 1, 1, 1, 10)->returned = true;
    assert_int_equal(confirm_one(&f, 1, true, 1), SUBMIT_REFUSED);
    sent(&f, 2, 2, 2, 10)->returned = true;
    assert_int_equal(confirm_one(&f, 2, true, 2), SUBMIT_UNKNOWN);
}

static void test_multiple_ends_all_up_to_the_tag_in_order(void **state)
{
    (void)state;
    struct inflight f = {0};
    for (int i = 1; i <= 4; i++)
        sent(&f, i, (uint64_t)i, 1, 10);
    enum submit_verdict verdict;
    for (int i = 1; i <= 3; i++) {
        struct batch *b = inflight_confirm(&f, 3, true, true, &verdict);
        assert_int_equal(b->seq, i);
        assert_int_equal(verdict, SUBMIT_ACCEPTED);
        batch_free(b);
    }
    assert_null(inflight_confirm(&f, 3, true, true, &verdict));
    assert_int_equal(f.count, 1);
    assert_int_equal(confirm_one(&f, 4, true, 4), SUBMIT_ACCEPTED);
}

static void test_confirm_in_the_middle_leaves_the_others(void **state)
{
    (void)state;
    struct inflight f = {0};
    for (int i = 1; i <= 3; i++)
        sent(&f, i, (uint64_t)i, 1, 10);
    assert_int_equal(confirm_one(&f, 2, true, 2), SUBMIT_ACCEPTED);
    assert_int_equal(confirm_one(&f, 3, true, 3), SUBMIT_ACCEPTED); /* the tail */
    sent(&f, 9, 9, 1, 10);
    assert_int_equal(f.head->seq, 1);
    assert_int_equal(f.tail->seq, 9);
    assert_int_equal(confirm_one(&f, 1, true, 1), SUBMIT_ACCEPTED);
    assert_int_equal(confirm_one(&f, 9, true, 9), SUBMIT_ACCEPTED);
}

static void test_confirms_of_a_lost_connection_mean_nothing(void **state)
{
    (void)state;
    struct inflight f = {0};
    enum submit_verdict verdict;
    struct batch *b = sent(&f, 1, 1, 1, 10);
    b->returned = true;
    inflight_forget_tags(&f);
    assert_null(inflight_confirm(&f, 1, true, true, &verdict));
    b->tag = 7; /* sent again on the next connection */
    b->copies = 2;
    assert_int_equal(confirm_one(&f, 7, true, 1), SUBMIT_ACCEPTED);
}

static void test_only_what_is_out_of_time_is_taken(void **state)
{
    (void)state;
    struct inflight f = {0};
    sent(&f, 1, 1, 1, 100);
    sent(&f, 2, 2, 1, 200);
    assert_null(inflight_take_older(&f, 99));
    struct batch *b = inflight_take_older(&f, 100);
    assert_int_equal(b->seq, 1);
    batch_free(b);
    assert_null(inflight_take_older(&f, 100));
    assert_ptr_equal(inflight_find(&f, 2), f.head);
    assert_null(inflight_find(&f, 1));
    batch_free(inflight_take_older(&f, 200));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ack_accepts),
        cmocka_unit_test(test_nack_of_the_only_copy_refuses),
        cmocka_unit_test(test_nack_of_a_second_copy_is_unknown),
        cmocka_unit_test(test_returned_is_refused_although_the_broker_acks),
        cmocka_unit_test(test_multiple_ends_all_up_to_the_tag_in_order),
        cmocka_unit_test(test_confirm_in_the_middle_leaves_the_others),
        cmocka_unit_test(test_confirms_of_a_lost_connection_mean_nothing),
        cmocka_unit_test(test_only_what_is_out_of_time_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
