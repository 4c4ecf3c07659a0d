/* Orders gather, are taken in order, and none is in two places or in none. The mailbox, too: it is the same
 * hand-off. */
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "services/order/coalescer.h"
#include "services/order/mailbox.h"

static struct submission submission_number(int n, uint8_t shard)
{
    struct submission s = {
        .shard = shard, .submitted_ns = 1000 + n, .order = {.quantity = 1, .accepted_ms = n}};
    snprintf(s.order.order_id, sizeof s.order.order_id, "01ABCDEFGHJKMNPQRS%08d", n);
    strcpy(s.order.user_id, "u");
    strcpy(s.order.sku, "s");
    return s;
}

static bool readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

static int setup(void **state)
{
    struct coalescer *c;
    if (coalescer_new(&c))
        return -1;
    coalescer_open(c);
    *state = c;
    return 0;
}

static int teardown(void **state)
{
    coalescer_free(*state);
    return 0;
}

struct taken {
    struct submission_list list;
    uint8_t shard;
    struct buffer body;
};

static struct taken take(struct coalescer *c, int max_orders, size_t max_bytes)
{
    struct taken t = {0};
    coalescer_take(c, max_orders, max_bytes, &t.list, &t.shard, &t.body);
    return t;
}

static void test_closed_coalescer_takes_nothing(void **state)
{
    struct coalescer *c = *state;
    struct submission s = submission_number(1, 0);
    coalescer_close(c);
    assert_false(coalescer_add(c, &s));
    assert_int_equal(coalescer_count(c), 0);
    assert_false(readable(coalescer_fd(c)));
}

static void test_first_order_wakes_the_reader_up(void **state)
{
    struct coalescer *c = *state;
    struct submission a = submission_number(1, 0), b = submission_number(2, 0);
    assert_false(readable(coalescer_fd(c)));
    assert_true(coalescer_add(c, &a));
    assert_true(readable(coalescer_fd(c)));
    struct taken t = take(c, 10, 100000);
    assert_int_equal(t.list.count, 1);
    assert_false(readable(coalescer_fd(c)));
    buffer_free(&t.body);
    assert_true(coalescer_add(c, &b));
    assert_true(readable(coalescer_fd(c)));
    coalescer_take_all(c);
}

static void test_orders_are_taken_in_order_up_to_the_number(void **state)
{
    struct coalescer *c = *state;
    struct submission s[5];
    for (int i = 0; i < 5; i++) {
        s[i] = submission_number(i, 0);
        assert_true(coalescer_add(c, &s[i]));
    }
    struct taken t = take(c, 3, 100000);
    assert_int_equal(t.list.count, 3);
    for (int i = 0; i < 3; i++)
        assert_ptr_equal(submission_list_take(&t.list), &s[i]);
    int lines = 0;
    for (size_t i = 0; i < t.body.len; i++)
        lines += t.body.data[i] == '\n';
    assert_int_equal(lines, 3);
    buffer_free(&t.body);
    t = take(c, 3, 100000);
    assert_int_equal(t.list.count, 2);
    assert_ptr_equal(t.list.head, &s[3]);
    buffer_free(&t.body);
}

static void test_bytes_bound_the_batch_and_the_rest_keeps_its_place(void **state)
{
    struct coalescer *c = *state;
    struct submission s[4];
    for (int i = 0; i < 4; i++) {
        s[i] = submission_number(i, 0);
        assert_true(coalescer_add(c, &s[i]));
    }
    struct buffer line = {0};
    order_encode(&line, &s[0].order);
    struct taken t = take(c, 10, 2 * line.len);
    assert_int_equal(t.list.count, 2);
    assert_int_equal(t.body.len, 2 * line.len);
    buffer_free(&t.body);
    assert_int_equal(coalescer_count(c), 2);
    t = take(c, 10, 1); /* one is always taken */
    assert_int_equal(t.list.count, 1);
    assert_ptr_equal(t.list.head, &s[2]);
    buffer_free(&t.body);
    t = take(c, 10, 100000);
    assert_ptr_equal(t.list.head, &s[3]);
    assert_int_equal(t.list.count, 1);
    buffer_free(&t.body);
    buffer_free(&line);
}

static void test_one_message_holds_one_shard_the_longest_waiting_first(void **state)
{
    struct coalescer *c = *state;
    struct submission a = submission_number(1, 5), b = submission_number(2, 0), d = submission_number(3, 5);
    assert_true(coalescer_add(c, &a));
    assert_true(coalescer_add(c, &b));
    assert_true(coalescer_add(c, &d));
    struct taken t = take(c, 10, 100000);
    assert_int_equal(t.shard, 5);
    assert_int_equal(t.list.count, 2);
    buffer_free(&t.body);
    t = take(c, 10, 100000);
    assert_int_equal(t.shard, 0);
    assert_ptr_equal(t.list.head, &b);
    buffer_free(&t.body);
}

static void test_only_what_waits_too_long_is_taken_out(void **state)
{
    struct coalescer *c = *state;
    struct submission s[4];
    for (int i = 0; i < 4; i++) {
        s[i] = submission_number(i, (uint8_t)(i % 2));
        assert_true(coalescer_add(c, &s[i]));
    }
    struct submission_list old = coalescer_take_older(c, 1002);
    assert_int_equal(old.count, 2);
    assert_int_equal(coalescer_count(c), 2);
    assert_int_equal(coalescer_take_all(c).count, 2);
    assert_int_equal(coalescer_count(c), 0);
}

/* Several threads add while one takes: each submission comes out once. */
#define ADDERS 4
#define EACH   20000
static struct submission *pool;

struct adder {
    struct coalescer *c;
    int first;
};

static void *add_many(void *context)
{
    struct adder *a = context;
    for (int i = a->first; i < a->first + EACH; i++)
        if (!coalescer_add(a->c, &pool[i]))
            abort();
    return NULL;
}

static void test_nothing_is_lost_or_doubled_between_threads(void **state)
{
    struct coalescer *c = *state;
    pool = calloc(ADDERS * EACH, sizeof *pool);
    pthread_t threads[ADDERS];
    struct adder adders[ADDERS];
    for (int i = 0; i < ADDERS * EACH; i++)
        pool[i] = submission_number(i, (uint8_t)(i % 3));
    for (int i = 0; i < ADDERS; i++) {
        adders[i] = (struct adder){.c = c, .first = i * EACH};
        assert_int_equal(pthread_create(&threads[i], NULL, add_many, &adders[i]), 0);
    }
    int seen = 0;
    struct mailbox *mailbox;
    assert_int_equal(mailbox_new(&mailbox), 0);
    while (seen < ADDERS * EACH) {
        struct pollfd p = {.fd = coalescer_fd(c), .events = POLLIN};
        if (coalescer_count(c) == 0)
            assert_int_equal(poll(&p, 1, 30000), 1); /* a lost wake-up would time out here */
        struct taken t = take(c, 500, 100000);
        mailbox_post(mailbox, &t.list);
        buffer_free(&t.body);
        struct submission_list got = mailbox_take(mailbox);
        for (struct submission *s; (s = submission_list_take(&got)); seen++) {
            assert_int_equal(s->verdict, SUBMIT_PENDING);
            s->verdict = SUBMIT_ACCEPTED; /* seen once */
        }
    }
    for (int i = 0; i < ADDERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(seen, ADDERS * EACH);
    assert_int_equal(coalescer_count(c), 0);
    mailbox_free(mailbox);
    free(pool);
}

static void test_mailbox_is_readable_while_something_is_in_it(void **state)
{
    (void)state;
    struct mailbox *m;
    assert_int_equal(mailbox_new(&m), 0);
    struct submission a = submission_number(1, 0), b = submission_number(2, 0);
    struct submission_list list = {0};
    mailbox_post(m, &list);
    assert_false(readable(mailbox_fd(m)));
    submission_list_add(&list, &a);
    submission_list_add(&list, &b);
    mailbox_post(m, &list);
    assert_int_equal(list.count, 0);
    assert_true(readable(mailbox_fd(m)));
    struct submission_list got = mailbox_take(m);
    assert_int_equal(got.count, 2);
    assert_ptr_equal(got.head, &a);
    assert_false(readable(mailbox_fd(m)));
    mailbox_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_closed_coalescer_takes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_first_order_wakes_the_reader_up, setup, teardown),
        cmocka_unit_test_setup_teardown(test_orders_are_taken_in_order_up_to_the_number, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bytes_bound_the_batch_and_the_rest_keeps_its_place, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_one_message_holds_one_shard_the_longest_waiting_first, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_only_what_waits_too_long_is_taken_out, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing_is_lost_or_doubled_between_threads, setup, teardown),
        cmocka_unit_test(test_mailbox_is_readable_while_something_is_in_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
