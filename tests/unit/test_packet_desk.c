/* Who waits for word about a red packet: for 300 ms at most, and not at all for a worker that is silent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/clock.h"
#include "services/order/mailbox.h"
#include "services/order/packet_desk.h"
#include "services/order/pending.h"

#define T0 (100 * NS_PER_S)

struct scene {
    struct packet_desk *desk;
    struct mailbox *mailbox;
    struct inquiry inquiries[20];
    char taken[8][ORDER_ID_SIZE]; /* the last question */
    int64_t next_ns;
};

static void name_order(int n, char id[ORDER_ID_SIZE])
{
    snprintf(id, ORDER_ID_SIZE, "01ABCDEFGHJKMNPQR000%06d", n);
}

static int setup(void **state)
{
    struct scene *s = test_calloc(1, sizeof *s);
    assert_int_equal(packet_desk_new(&s->desk), 0);
    assert_int_equal(mailbox_new(&s->mailbox), 0);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct scene *s = *state;
    packet_desk_close(s->desk);
    assert_int_equal(packet_desk_held(s->desk), 0);
    packet_desk_free(s->desk);
    mailbox_free(s->mailbox);
    test_free(s);
    return 0;
}

/* Inquiry number `slot` asks for order n. */
static bool ask(struct scene *s, int slot, int n, int64_t now_ns)
{
    struct inquiry *q = &s->inquiries[slot];
    *q = (struct inquiry){.mailbox = s->mailbox, .packet = PACKET_UNKNOWN};
    name_order(n, q->order_id);
    return packet_desk_add(s->desk, q, now_ns);
}

static int take(struct scene *s, int64_t now_ns)
{
    return packet_desk_take(s->desk, now_ns, 8, s->taken, &s->next_ns);
}

static void tell(struct scene *s, int n, int64_t packet)
{
    char id[ORDER_ID_SIZE];
    name_order(n, id);
    packet_desk_told(s->desk, id, packet);
}

static void deny(struct scene *s, int n, int64_t now_ns)
{
    char id[ORDER_ID_SIZE];
    name_order(n, id);
    packet_desk_not_known(s->desk, id, now_ns);
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
        assert_true(ask(s, i, 1, T0));
    assert_int_equal(take(s, T0), 1);
    assert_true(ask(s, 3, 1, T0)); /* it is under way: shared too */
    assert_true(ask(s, 4, 2, T0));
    tell(s, 1, 188);
    assert_int_equal(came_back(s), 4);
    for (int i = 0; i < 4; i++)
        assert_int_equal(s->inquiries[i].packet, 188);
    packet_desk_answered(s->desk, T0, false);
    assert_int_equal(take(s, T0 + PACKET_GAP_NS), 1);
    tell(s, 2, PACKET_NONE);
    assert_int_equal(came_back(s), 1);
    assert_int_equal(s->inquiries[4].packet, PACKET_NONE);
}

static void test_what_comes_while_a_question_is_under_way_goes_out_together(void **state)
{
    struct scene *s = *state;
    assert_true(ask(s, 0, 1, T0));
    assert_int_equal(take(s, T0), 1);
    for (int i = 1; i <= 10; i++)
        assert_true(ask(s, i, i + 1, T0));
    assert_int_equal(take(s, T0 + PACKET_GAP_NS), 0);
    assert_true(s->next_ns == INT64_MAX); /* until the answer */
    tell(s, 1, 5);
    packet_desk_answered(s->desk, T0, false);
    assert_int_equal(take(s, T0 + PACKET_GAP_NS - 1), 0);
    assert_true(s->next_ns == T0 + PACKET_GAP_NS);
    assert_int_equal(take(s, T0 + PACKET_GAP_NS), 8); /* no more than a message may hold, the oldest first */
    char first[ORDER_ID_SIZE];
    name_order(2, first);
    assert_string_equal(s->taken[0], first);
    packet_desk_answered(s->desk, T0 + PACKET_GAP_NS, false);
    assert_int_equal(take(s, T0 + 2 * PACKET_GAP_NS), 2);
}

static void test_nobody_waits_longer_than_300_ms(void **state)
{
    struct scene *s = *state;
    assert_true(packet_desk_next_ns(s->desk) == INT64_MAX);
    assert_true(ask(s, 0, 1, T0));
    assert_true(ask(s, 1, 1, T0 + 7));
    assert_true(packet_desk_next_ns(s->desk) == T0 + PACKET_WAIT_NS);
    packet_desk_expire(s->desk, T0 + PACKET_WAIT_NS - 1);
    assert_int_equal(came_back(s), 0);
    packet_desk_expire(s->desk, T0 + PACKET_WAIT_NS);
    assert_int_equal(came_back(s), 1);
    assert_int_equal(s->inquiries[0].packet, PACKET_UNKNOWN);
    assert_true(packet_desk_next_ns(s->desk) == T0 + 7 + PACKET_WAIT_NS);
    packet_desk_expire(s->desk, T0 + 7 + PACKET_WAIT_NS);
    assert_int_equal(came_back(s), 1);
    assert_int_equal(take(s, T0 + 7 + PACKET_WAIT_NS), 0); /* nobody wants to know any more */
}

static void test_an_order_that_is_not_known_yet_is_asked_for_again_while_somebody_waits(void **state)
{
    struct scene *s = *state;
    int64_t now_ns = T0;
    int questions = 0;
    assert_true(ask(s, 0, 1, T0));
    while (packet_desk_held(s->desk) > 0) {
        if (take(s, now_ns) > 0) {
            questions++;
            deny(s, 1, now_ns);
            packet_desk_answered(s->desk, now_ns, false);
            assert_int_equal(take(s, now_ns), 0);
            assert_true(s->next_ns == now_ns + PACKET_AGAIN_NS);
        }
        now_ns = s->next_ns;
        packet_desk_expire(s->desk, now_ns);
    }
    assert_int_equal(questions, PACKET_WAIT_NS / PACKET_AGAIN_NS);
    assert_true(now_ns == T0 + PACKET_WAIT_NS);
    assert_int_equal(came_back(s), 1);

    assert_true(ask(s, 0, 1, now_ns)); /* still a worker that answers */
    assert_int_equal(take(s, now_ns), 1);
    deny(s, 1, now_ns);
    packet_desk_answered(s->desk, now_ns, false);
    assert_int_equal(take(s, now_ns + PACKET_AGAIN_NS), 1);
    tell(s, 1, 6);
    assert_int_equal(came_back(s), 1);
    assert_int_equal(s->inquiries[0].packet, 6);
}

/* Those who ask for another order every moment must not put it off. */
static void test_what_is_asked_for_again_is_not_put_off_by_others(void **state)
{
    struct scene *s = *state;
    assert_true(ask(s, 0, 1, T0));
    assert_int_equal(take(s, T0), 1);
    deny(s, 1, T0);
    packet_desk_answered(s->desk, T0, false);
    for (int i = 1; i <= 3; i++) {
        int64_t now_ns = T0 + i * PACKET_GAP_NS;
        assert_true(ask(s, i, i + 1, now_ns));
        assert_int_equal(take(s, now_ns), 1);
        deny(s, i + 1, now_ns);
        packet_desk_answered(s->desk, now_ns, false);
    }
    assert_int_equal(take(s, T0 + PACKET_AGAIN_NS), 4);
}

static void test_a_worker_that_hangs_keeps_no_newcomer_and_is_tried_once_a_second(void **state)
{
    struct scene *s = *state;
    assert_true(ask(s, 0, 1, T0));
    assert_int_equal(take(s, T0), 1);
    assert_true(ask(s, 1, 2, T0 + PACKET_WAIT_NS - 1));
    assert_false(ask(s, 2, 3, T0 + PACKET_WAIT_NS)); /* it should have answered by now */
    packet_desk_expire(s->desk, T0 + 2 * PACKET_WAIT_NS);
    assert_int_equal(came_back(s), 2);
    packet_desk_answered(s->desk, T0 + PACKET_ANSWER_NS, true);

    int64_t now_ns = T0 + PACKET_ANSWER_NS;
    for (int round = 0; round < 3; round++, now_ns += PACKET_ANSWER_NS) {
        assert_true(ask(s, 3, 4, now_ns)); /* the one that tries */
        assert_false(ask(s, 4, 5, now_ns));
        assert_true(ask(s, 5, 4, now_ns)); /* rides along */
        assert_int_equal(take(s, now_ns), 1);
        assert_false(ask(s, 6, 5, now_ns));
        packet_desk_expire(s->desk, now_ns + PACKET_WAIT_NS);
        assert_int_equal(came_back(s), 2);
        assert_false(ask(s, 7, 5, now_ns + PACKET_ANSWER_NS - 1));
        assert_int_equal(take(s, now_ns + PACKET_ANSWER_NS - 1), 0);
        packet_desk_answered(s->desk, now_ns + PACKET_ANSWER_NS, true);
    }
    assert_true(ask(s, 8, 6, now_ns));
    assert_int_equal(take(s, now_ns), 1);
    tell(s, 6, 9);
    packet_desk_answered(s->desk, now_ns, false);
    assert_true(ask(s, 9, 7, now_ns)); /* it is back: everybody may ask */
    assert_true(ask(s, 10, 8, now_ns));
}

/* An answer at once that says nothing (no such queue, no such question) is no reason to ask at once again. */
static void test_a_worker_that_is_absent_is_tried_once_a_second(void **state)
{
    struct scene *s = *state;
    assert_true(ask(s, 0, 1, T0));
    assert_int_equal(take(s, T0), 1);
    assert_true(ask(s, 1, 2, T0));
    packet_desk_answered(s->desk, T0 + 1, true);
    assert_int_equal(came_back(s), 2); /* nobody waits for nothing */
    assert_false(ask(s, 2, 1, T0 + 2));
    assert_false(ask(s, 2, 1, T0 + NS_PER_S - 1));
    assert_true(ask(s, 3, 1, T0 + NS_PER_S));
    assert_false(ask(s, 4, 2, T0 + NS_PER_S));
}

static void test_a_late_answer_is_heard(void **state)
{
    struct scene *s = *state;
    assert_true(ask(s, 0, 1, T0));
    assert_int_equal(take(s, T0), 1);
    packet_desk_expire(s->desk, T0 + PACKET_WAIT_NS);
    assert_false(ask(s, 1, 2, T0 + PACKET_WAIT_NS));
    tell(s, 1, 7); /* whoever wanted to know has gone */
    deny(s, 2, T0 + PACKET_WAIT_NS);
    packet_desk_answered(s->desk, T0 + PACKET_WAIT_NS + 1, false);
    assert_true(ask(s, 2, 2, T0 + PACKET_WAIT_NS + 1));
    assert_int_equal(take(s, T0 + PACKET_WAIT_NS + 1), 1);
}

static void test_what_an_answer_leaves_out_is_asked_for_again(void **state)
{
    struct scene *s = *state;
    assert_true(ask(s, 0, 1, T0));
    assert_int_equal(take(s, T0), 1);
    packet_desk_answered(s->desk, T0, false);
    assert_int_equal(came_back(s), 0);
    assert_int_equal(take(s, T0 + PACKET_AGAIN_NS), 1);
}

static void test_without_a_broker_and_when_closed_nobody_waits(void **state)
{
    struct scene *s = *state;
    assert_true(ask(s, 0, 1, T0));
    assert_int_equal(take(s, T0), 1);
    assert_true(ask(s, 1, 2, T0));
    packet_desk_cannot_ask(s->desk);
    assert_int_equal(came_back(s), 2);
    packet_desk_answered(s->desk, T0, false);
    assert_true(ask(s, 2, 3, T0));
    packet_desk_close(s->desk);
    assert_int_equal(came_back(s), 1);
    assert_false(ask(s, 3, 3, T0));
}

static void test_those_who_wait_are_bounded_in_number(void **state)
{
    struct scene *s = *state;
    struct inquiry *many = test_calloc(PACKET_MAX_HELD, sizeof *many);
    for (int i = 0; i < PACKET_MAX_HELD; i++) {
        many[i] = (struct inquiry){.mailbox = s->mailbox};
        name_order(i % 50, many[i].order_id);
        assert_true(packet_desk_add(s->desk, &many[i], T0));
    }
    assert_false(ask(s, 0, 1, T0));
    packet_desk_cannot_ask(s->desk);
    assert_int_equal(came_back(s), PACKET_MAX_HELD);
    test_free(many);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_several_who_ask_for_one_id_share_its_place),
        TEST(test_what_comes_while_a_question_is_under_way_goes_out_together),
        TEST(test_nobody_waits_longer_than_300_ms),
        TEST(test_an_order_that_is_not_known_yet_is_asked_for_again_while_somebody_waits),
        TEST(test_what_is_asked_for_again_is_not_put_off_by_others),
        TEST(test_a_worker_that_hangs_keeps_no_newcomer_and_is_tried_once_a_second),
        TEST(test_a_worker_that_is_absent_is_tried_once_a_second),
        TEST(test_a_late_answer_is_heard),
        TEST(test_what_an_answer_leaves_out_is_asked_for_again),
        TEST(test_without_a_broker_and_when_closed_nobody_waits),
        TEST(test_those_who_wait_are_bounded_in_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
