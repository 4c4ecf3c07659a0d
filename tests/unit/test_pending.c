/* The backlog is counted, a slot never leaks, a decision may overtake its confirm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "services/order/pending.h"

#define SHARD 3

static struct order order_number(int n)
{
    struct order o = {.quantity = 2, .accepted_ms = 1000 + n};
    snprintf(o.order_id, sizeof o.order_id, "01ABCDEFGHJKMNPQRS%08d", n);
    snprintf(o.user_id, sizeof o.user_id, "user-%d", n);
    snprintf(o.sku, sizeof o.sku, "phone-1");
    return o;
}

static enum pending_claim begin(struct pending *p, int n, int64_t max_pending)
{
    struct order o = order_number(n);
    return pending_begin(p, &o, SHARD, max_pending);
}

static void settle(struct pending *p, int n, enum submit_verdict verdict)
{
    struct submission s = {.order = order_number(n), .shard = SHARD, .verdict = verdict};
    struct submission_list list = {0};
    submission_list_add(&list, &s);
    pending_settle(p, &list);
}

static void decide(struct pending *p, int n, enum order_status status)
{
    struct order o = order_number(n);
    struct decision d = {
        .status = status, .quantity = 2, .at_ms = 5000, .unit_price = 7, .total = 14, .receipt_no = n};
    memcpy(d.order_id, o.order_id, sizeof d.order_id);
    pending_decide(p, &d, 1);
}

static bool find(struct pending *p, int n, struct pending_view *view)
{
    struct order o = order_number(n);
    return pending_find(p, o.order_id, view);
}

static int setup(void **state)
{
    *state = pending_new(10);
    return 0;
}

static int teardown(void **state)
{
    pending_free(*state);
    return 0;
}

static void test_slot_is_held_until_the_decision(void **state)
{
    struct pending *p = *state;
    struct pending_view view;
    assert_int_equal(begin(p, 1, 0), PENDING_BEGUN);
    assert_int_equal(pending_backlog(p, SHARD), 1);
    assert_true(find(p, 1, &view));
    assert_int_equal(view.status, ORDER_UNKNOWN);
    settle(p, 1, SUBMIT_ACCEPTED);
    assert_int_equal(pending_backlog(p, SHARD), 1);
    assert_true(find(p, 1, &view));
    assert_int_equal(view.status, ORDER_ACCEPTED);
    assert_string_equal(view.order.user_id, "user-1");
    assert_string_equal(view.order.sku, "phone-1");
    decide(p, 1, ORDER_CONFIRMED);
    assert_int_equal(pending_backlog(p, SHARD), 0);
    assert_true(find(p, 1, &view));
    assert_int_equal(view.status, ORDER_CONFIRMED);
    assert_int_equal(view.decision.total, 14);
    assert_int_equal(view.decision.receipt_no, 1);
}

static void test_red_packet_is_remembered_with_a_confirmed_order(void **state)
{
    struct pending *p = *state;
    struct order o = order_number(1), rejected = order_number(2), stranger = order_number(3);
    assert_int_equal(begin(p, 1, 0), PENDING_BEGUN);
    assert_int_equal(begin(p, 2, 0), PENDING_BEGUN);
    pending_note_packet(p, o.order_id, 5); /* of an order that is not decided here: somebody's mistake */
    assert_int_equal(pending_packet(p, o.order_id), PACKET_UNKNOWN);
    decide(p, 1, ORDER_CONFIRMED);
    decide(p, 2, ORDER_REJECTED);
    assert_int_equal(pending_packet(p, o.order_id), PACKET_UNKNOWN);
    pending_note_packet(p, o.order_id, 188);
    decide(p, 1, ORDER_CONFIRMED); /* told once more: a redelivery */
    assert_int_equal(pending_packet(p, o.order_id), 188);
    pending_note_packet(p, rejected.order_id, 188);
    assert_int_equal(pending_packet(p, rejected.order_id), PACKET_UNKNOWN);
    pending_note_packet(p, stranger.order_id, 188);
    assert_int_equal(pending_packet(p, stranger.order_id), PACKET_UNKNOWN);
}

static void test_refused_order_is_forgotten_and_gives_its_slot_back(void **state)
{
    struct pending *p = *state;
    struct pending_view view;
    assert_int_equal(begin(p, 1, 0), PENDING_BEGUN);
    settle(p, 1, SUBMIT_REFUSED);
    assert_int_equal(pending_backlog(p, SHARD), 0);
    assert_false(find(p, 1, &view));
}

static void test_unknown_outcome_gives_the_slot_back_but_is_remembered(void **state)
{
    struct pending *p = *state;
    struct pending_view view;
    assert_int_equal(begin(p, 1, 0), PENDING_BEGUN);
    settle(p, 1, SUBMIT_UNKNOWN);
    assert_int_equal(pending_backlog(p, SHARD), 0);
    assert_true(find(p, 1, &view));
    assert_int_equal(view.status, ORDER_UNKNOWN);
    decide(p, 1, ORDER_REJECTED); /* it had been queued after all */
    assert_true(find(p, 1, &view));
    assert_int_equal(view.status, ORDER_REJECTED);
    assert_int_equal(pending_backlog(p, SHARD), 0);
}

static void test_threshold_refuses_the_next_and_only_the_next(void **state)
{
    struct pending *p = *state;
    assert_int_equal(begin(p, 1, 2), PENDING_BEGUN);
    assert_int_equal(begin(p, 2, 2), PENDING_BEGUN);
    assert_int_equal(begin(p, 3, 2), PENDING_FULL);
    assert_int_equal(begin(p, 2, 2), PENDING_BEGUN); /* the same id again needs no other slot */
    assert_int_equal(pending_backlog(p, SHARD), 2);
    settle(p, 1, SUBMIT_REFUSED);
    assert_int_equal(begin(p, 3, 2), PENDING_BEGUN);
}

static void test_repeat_of_an_accepted_order_is_known(void **state)
{
    struct pending *p = *state;
    struct order o = order_number(1);
    assert_int_equal(begin(p, 1, 0), PENDING_BEGUN);
    assert_false(pending_is_accepted(p, o.order_id));
    settle(p, 1, SUBMIT_ACCEPTED);
    assert_true(pending_is_accepted(p, o.order_id));
    assert_int_equal(begin(p, 1, 1), PENDING_KNOWN); /* even when the backlog is full */
    decide(p, 1, ORDER_CONFIRMED);
    assert_int_equal(begin(p, 1, 0), PENDING_KNOWN);
    assert_int_equal(pending_backlog(p, SHARD), 0);
}

static void test_two_attempts_at_once_hold_one_slot_until_both_have_ended(void **state)
{
    struct pending *p = *state;
    struct pending_view view;
    assert_int_equal(begin(p, 1, 0), PENDING_BEGUN);
    assert_int_equal(begin(p, 1, 0), PENDING_BEGUN);
    assert_int_equal(pending_backlog(p, SHARD), 1);
    settle(p, 1, SUBMIT_REFUSED);
    assert_true(find(p, 1, &view)); /* the other one is still out */
    assert_int_equal(pending_backlog(p, SHARD), 1);
    settle(p, 1, SUBMIT_ACCEPTED);
    assert_true(find(p, 1, &view));
    assert_int_equal(view.status, ORDER_ACCEPTED);
}

static void test_unknown_then_refused_stays_unknown(void **state)
{
    struct pending *p = *state;
    struct pending_view view;
    assert_int_equal(begin(p, 1, 0), PENDING_BEGUN);
    assert_int_equal(begin(p, 1, 0), PENDING_BEGUN);
    settle(p, 1, SUBMIT_UNKNOWN);
    settle(p, 1, SUBMIT_REFUSED);
    assert_true(find(p, 1, &view));
    assert_int_equal(view.status, ORDER_UNKNOWN);
    assert_int_equal(pending_backlog(p, SHARD), 0);
}

static void test_another_attempt_after_an_unknown_outcome_takes_a_slot(void **state)
{
    struct pending *p = *state;
    struct pending_view view;
    assert_int_equal(begin(p, 1, 0), PENDING_BEGUN);
    settle(p, 1, SUBMIT_UNKNOWN);
    assert_int_equal(begin(p, 1, 0), PENDING_BEGUN);
    assert_int_equal(pending_backlog(p, SHARD), 1);
    settle(p, 1, SUBMIT_REFUSED); /* the first may still be queued */
    assert_true(find(p, 1, &view));
    assert_int_equal(view.status, ORDER_UNKNOWN);
    assert_int_equal(pending_backlog(p, SHARD), 0);
}

static void test_decision_may_overtake_the_confirm(void **state)
{
    struct pending *p = *state;
    struct pending_view view;
    assert_int_equal(begin(p, 1, 0), PENDING_BEGUN);
    decide(p, 1, ORDER_CONFIRMED);
    assert_int_equal(pending_backlog(p, SHARD), 0);
    settle(p, 1, SUBMIT_ACCEPTED);
    assert_true(find(p, 1, &view));
    assert_int_equal(view.status, ORDER_CONFIRMED);
    assert_int_equal(pending_backlog(p, SHARD), 0);
}

static void test_decision_sent_again_changes_nothing(void **state)
{
    struct pending *p = *state;
    struct pending_view view;
    assert_int_equal(begin(p, 1, 0), PENDING_BEGUN);
    settle(p, 1, SUBMIT_ACCEPTED);
    decide(p, 1, ORDER_CONFIRMED);
    decide(p, 1, ORDER_REJECTED);
    assert_true(find(p, 1, &view));
    assert_int_equal(view.status, ORDER_CONFIRMED);
    assert_int_equal(pending_counts(p).decided_confirmed, 1);
    assert_int_equal(pending_counts(p).decided_rejected, 0);
    decide(p, 99, ORDER_CONFIRMED);
    assert_int_equal(pending_counts(p).decisions_unmatched, 1);
}

static void test_only_the_latest_decided_orders_are_remembered(void **state)
{
    struct pending *p = *state;
    struct pending_view view;
    for (int n = 0; n < 25; n++) {
        assert_int_equal(begin(p, n, 0), PENDING_BEGUN);
        settle(p, n, SUBMIT_ACCEPTED);
        decide(p, n, ORDER_CONFIRMED);
    }
    assert_int_equal(pending_counts(p).remembered, 10);
    assert_false(find(p, 14, &view));
    assert_true(find(p, 15, &view));
    assert_true(find(p, 24, &view));
}

static void test_order_nobody_knows_is_given_up_only_behind_later_decisions(void **state)
{
    struct pending *p = *state;
    struct order o = order_number(1);
    char ids[4][ORDER_ID_SIZE];
    for (int n = 1; n <= 2; n++) {
        assert_int_equal(begin(p, n, 0), PENDING_BEGUN);
        settle(p, n, SUBMIT_ACCEPTED);
    }
    assert_int_equal(pending_overdue(p, SHARD, 0, 4, ids), 2);
    assert_string_equal(ids[0], o.order_id);
    for (int i = 0; i < 10; i++)
        pending_not_decided(p, o.order_id); /* may still be queued: nothing later was decided */
    assert_int_equal(pending_backlog(p, SHARD), 2);
    decide(p, 2, ORDER_CONFIRMED);
    pending_not_decided(p, o.order_id);
    pending_not_decided(p, o.order_id);
    assert_int_equal(pending_backlog(p, SHARD), 1);
    pending_not_decided(p, o.order_id);
    assert_int_equal(pending_backlog(p, SHARD), 0);
    assert_int_equal(pending_counts(p).given_up, 1);
    assert_int_equal(pending_overdue(p, SHARD, 0, 4, ids), 0);
}

static void test_young_orders_are_not_asked_for(void **state)
{
    struct pending *p = *state;
    char ids[4][ORDER_ID_SIZE];
    assert_int_equal(begin(p, 1, 0), PENDING_BEGUN);
    settle(p, 1, SUBMIT_ACCEPTED);
    assert_int_equal(pending_overdue(p, SHARD, 3600 * 1000, 4, ids), 0);
}

static void test_many_orders_are_found_after_the_table_has_grown(void **state)
{
    struct pending *p = *state;
    struct pending_view view;
    for (int n = 0; n < 20000; n++)
        assert_int_equal(begin(p, n, 0), PENDING_BEGUN);
    assert_int_equal(pending_backlog(p, SHARD), 20000);
    for (int n = 0; n < 20000; n += 7) {
        assert_true(find(p, n, &view));
        assert_int_equal(view.order.accepted_ms, 1000 + n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_slot_is_held_until_the_decision, setup, teardown),
        cmocka_unit_test_setup_teardown(test_red_packet_is_remembered_with_a_confirmed_order, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_refused_order_is_forgotten_and_gives_its_slot_back, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_unknown_outcome_gives_the_slot_back_but_is_remembered, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_threshold_refuses_the_next_and_only_the_next, setup, teardown),
        cmocka_unit_test_setup_teardown(test_repeat_of_an_accepted_order_is_known, setup, teardown),
        cmocka_unit_test_setup_teardown(test_two_attempts_at_once_hold_one_slot_until_both_have_ended, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_unknown_then_refused_stays_unknown, setup, teardown),
        cmocka_unit_test_setup_teardown(test_another_attempt_after_an_unknown_outcome_takes_a_slot, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_decision_may_overtake_the_confirm, setup, teardown),
        cmocka_unit_test_setup_teardown(test_decision_sent_again_changes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_only_the_latest_decided_orders_are_remembered, setup, teardown),
        cmocka_unit_test_setup_teardown(test_order_nobody_knows_is_given_up_only_behind_later_decisions,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_young_orders_are_not_asked_for, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_orders_are_found_after_the_table_has_grown, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
