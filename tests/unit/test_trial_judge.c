/* The judge of the reliability trials must see each kind of broken promise: it is shown a file of inventory
 * that somebody has tampered with. */
#include "tests/unit/store_support.h"

#include "services/inventory/stock_store.h"
#include "tests/support/trial_internal.h"

enum { STOCK = 10, FIRST_RECEIPT = 100, LAST_RECEIPT = 103 };

/* Three orders of one unit that were accepted and confirmed, one that was refused, one without an answer, and
 * one key that was sent twice. */
struct scene {
    struct place place;
    struct store *store;
    struct trial_claims claims;
    struct trial_verdict verdict;
    int limit;
};

#define ID(last) "0123456789ABCDEFGHJKMNPQR" last

static void claim(struct scene *s, const char *user, int key, enum trial_told told, const char *id)
{
    struct trial_claim c = {.key = key, .told = told, .quantity = 1};

    snprintf(c.user, sizeof c.user, "%s", user);
    snprintf(c.id, sizeof c.id, "%s", id);
    trial_claims_add(&s->claims, &c);
}

static void decide(struct scene *s, const char *id, const char *user, int reason, int receipt_no)
{
    char sql[400];

    snprintf(sql, sizeof sql,
             "INSERT INTO orders VALUES ('%s', '%s', 'phone', 1, 1, 1, %d, 7, nullif(%d, 0), 0)", id, user,
             reason, receipt_no);
    do_sql(s->store, sql);
}

static int set_up(void **state)
{
    struct scene *s = calloc(1, sizeof *s);

    place_make(&s->place);
    snprintf(s->place.path, sizeof s->place.path, "%s/inventory.0.db", s->place.dir);
    s->store = open_or_fail(&s->place, STORE_CREATE);
    assert_int_equal(migrate_apply(s->store, inventory_migrations, NULL, NULL), 0);
    do_sql(s->store, "UPDATE shard SET receipt_no = 103");
    do_sql(s->store, "INSERT INTO item VALUES (1, 'phone', 'Phone', 7, 10, 7, 0, 0, 0, 0, 1, 1, 1)");
    decide(s, ID("1"), "ann", 0, 101);
    decide(s, ID("2"), "bob", 0, 102);
    decide(s, ID("3"), "cid", 0, 103);
    decide(s, ID("4"), "kay", 1, 0);
    claim(s, "ann", -1, TOLD_ACCEPTED, ID("1"));
    claim(s, "bob", -1, TOLD_ACCEPTED, ID("2"));
    claim(s, "cid", -1, TOLD_NOTHING, ID("3")); /* 504, and it was queued */
    claim(s, "dan", -1, TOLD_NOTHING, ID("9")); /* 504, and it was not */
    claim(s, "eve", -1, TOLD_NOTHING, "");
    claim(s, "fay", -1, TOLD_REFUSED, "");
    claim(s, "gus", -1, NOT_SENT, "");
    claim(s, "kay", 0, TOLD_REFUSED, ID("4"));
    claim(s, "kay", 0, TOLD_ACCEPTED, ID("4"));
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *s = *state;

    trial_claims_free(&s->claims);
    store_close(s->store);
    place_remove(&s->place);
    free(s);
    return 0;
}

/* The number of violations of all kinds. */
static int64_t judge(struct scene *s)
{
    const struct trial_terms terms = {
        .sku = "phone", .stock = STOCK, .limit = s->limit, .first_receipt = FIRST_RECEIPT};
    struct trial_files *files = trial_files_open(s->place.dir);
    struct trial_item_facts facts;

    trial_files_read(files, "phone", &facts);
    trial_judge(&terms, &s->claims, &facts, &s->verdict);
    trial_item_facts_free(&facts);
    trial_files_close(files);
    return trial_violations(&s->verdict);
}

static void test_kept_promises_are_no_violation(void **state)
{
    struct scene *s = *state;

    assert_int_equal(judge(s), 0);
    assert_int_equal(s->verdict.offered, 8);
    assert_int_equal(s->verdict.accepted, 3);
    assert_int_equal(s->verdict.refused, 2);
    assert_int_equal(s->verdict.unknown, 3);
}

static void test_order_without_an_answer_may_have_been_taken(void **state)
{
    struct scene *s = *state;

    decide(s, ID("5"), "eve", 1, 0);
    assert_int_equal(judge(s), 0);
}

static void test_accepted_order_that_is_not_decided_is_lost(void **state)
{
    struct scene *s = *state;

    do_sql(s->store, "DELETE FROM orders WHERE user_id = 'kay'");
    assert_int_equal(judge(s), 1);
    assert_int_equal(s->verdict.lost, 1);
}

static void test_second_row_of_an_accepted_order_is_doubled(void **state)
{
    struct scene *s = *state;

    decide(s, ID("5"), "ann", 1, 0);
    assert_int_equal(judge(s), 1);
    assert_int_equal(s->verdict.doubled, 1);
}

static void test_second_row_of_an_order_without_an_answer_is_doubled(void **state)
{
    struct scene *s = *state;

    decide(s, ID("5"), "eve", 1, 0);
    decide(s, ID("6"), "eve", 1, 0);
    assert_int_equal(judge(s), 1);
    assert_int_equal(s->verdict.doubled, 1);
}

static void test_unknown_order_decided_under_another_id_is_doubled(void **state)
{
    struct scene *s = *state;

    decide(s, ID("5"), "dan", 1, 0);
    assert_int_equal(judge(s), 1);
    assert_int_equal(s->verdict.doubled, 1);
}

static void test_key_with_two_ids_is_doubled(void **state)
{
    struct scene *s = *state;

    claim(s, "kay", 0, TOLD_NOTHING, ID("8"));
    assert_int_equal(judge(s), 1);
    assert_int_equal(s->verdict.doubled, 1);
}

static void test_id_that_two_orders_were_given_is_doubled(void **state)
{
    struct scene *s = *state;

    claim(s, "ann", -1, TOLD_ACCEPTED, ID("1"));
    assert_int_equal(judge(s), 1);
    assert_int_equal(s->verdict.doubled, 1);
}

static void test_receipt_given_twice_is_doubled(void **state)
{
    struct scene *s = *state;

    do_sql(s->store, "UPDATE orders SET receipt_no = 101 WHERE user_id = 'bob'");
    assert_int_equal(judge(s), 1);
    assert_int_equal(s->verdict.doubled, 1);
}

static void test_receipt_from_before_the_trial_is_doubled(void **state)
{
    struct scene *s = *state;

    do_sql(s->store, "UPDATE orders SET receipt_no = 100 WHERE user_id = 'bob'");
    assert_int_equal(judge(s), 1);
    assert_int_equal(s->verdict.doubled, 1);
}

static void test_refused_order_that_is_decided_is_told_wrongly(void **state)
{
    struct scene *s = *state;

    decide(s, ID("5"), "fay", 1, 0);
    assert_int_equal(judge(s), 1);
    assert_int_equal(s->verdict.told_wrongly, 1);
}

static void test_order_that_was_never_sent_and_is_decided_is_told_wrongly(void **state)
{
    struct scene *s = *state;

    decide(s, ID("5"), "gus", 1, 0);
    decide(s, ID("6"), "zoe", 1, 0);
    decide(s, ID("7"), "aaa", 1, 0);
    assert_int_equal(judge(s), 3);
    assert_int_equal(s->verdict.told_wrongly, 3);
}

static void test_key_refused_each_time_and_decided_is_told_wrongly(void **state)
{
    struct scene *s = *state;

    claim(s, "leo", 0, TOLD_REFUSED, ID("5"));
    claim(s, "leo", 0, TOLD_REFUSED, ID("5"));
    decide(s, ID("5"), "leo", 1, 0);
    assert_int_equal(judge(s), 1);
    assert_int_equal(s->verdict.told_wrongly, 1);
}

static void test_shared_user_may_have_as_many_as_were_unanswered(void **state)
{
    struct scene *s = *state;

    claim(s, "sam", -1, TOLD_ACCEPTED, ID("5"));
    claim(s, "sam", -1, TOLD_NOTHING, "");
    claim(s, "sam", -1, TOLD_REFUSED, "");
    decide(s, ID("5"), "sam", 1, 0);
    decide(s, ID("6"), "sam", 1, 0);
    assert_int_equal(judge(s), 0);
    decide(s, ID("7"), "sam", 1, 0);
    assert_int_equal(judge(s), 1);
    assert_int_equal(s->verdict.told_wrongly, 1);
}

static void test_order_decided_as_another_is_told_wrongly(void **state)
{
    struct scene *s = *state;

    do_sql(s->store, "UPDATE orders SET quantity = 2 WHERE user_id = 'kay'");
    assert_int_equal(judge(s), 1);
    assert_int_equal(s->verdict.told_wrongly, 1);
}

static void test_202_without_an_id_is_told_wrongly(void **state)
{
    struct scene *s = *state;

    claim(s, "leo", -1, TOLD_ACCEPTED, "");
    judge(s);
    assert_int_equal(s->verdict.told_wrongly, 1);
}

static void test_more_than_the_stock_is_oversold(void **state)
{
    struct scene *s = *state;

    do_sql(s->store, "UPDATE orders SET quantity = 11 WHERE user_id = 'ann'; UPDATE item SET stock_left = 0");
    judge(s);
    assert_int_equal(s->verdict.oversold, 3);
}

static void test_units_from_nowhere_are_oversold(void **state)
{
    struct scene *s = *state;

    do_sql(s->store, "UPDATE item SET stock_left = 9");
    assert_int_equal(judge(s), 2);
    assert_int_equal(s->verdict.oversold, 2);
}

static void test_beyond_the_limit_is_oversold(void **state)
{
    struct scene *s = *state;

    s->limit = 1;
    assert_int_equal(judge(s), 0);
    decide(s, ID("5"), "eve", 0, 103);
    do_sql(s->store, "UPDATE orders SET receipt_no = 103 WHERE user_id = 'eve';"
                     "UPDATE orders SET user_id = 'ann' WHERE user_id = 'bob'");
    judge(s);
    assert_int_equal(s->verdict.oversold, 1 + 1 /* a unit more is confirmed than was taken */);
}

static void test_missing_units_are_undersold(void **state)
{
    struct scene *s = *state;

    do_sql(s->store, "UPDATE item SET stock_left = 5");
    assert_int_equal(judge(s), 2);
    assert_int_equal(s->verdict.undersold, 2);
}

static void test_answers_that_promise_nothing(void **state)
{
    (void)state;
    assert_int_equal(trial_told_by(202, SWARM_ANSWERED), TOLD_ACCEPTED);
    assert_int_equal(trial_told_by(503, SWARM_ANSWERED), TOLD_REFUSED);
    assert_int_equal(trial_told_by(409, SWARM_ANSWERED), TOLD_REFUSED);
    assert_int_equal(trial_told_by(504, SWARM_ANSWERED), TOLD_NOTHING);
    assert_int_equal(trial_told_by(500, SWARM_ANSWERED), TOLD_NOTHING);
    assert_int_equal(trial_told_by(0, SWARM_LOST), TOLD_NOTHING);
    assert_int_equal(trial_told_by(0, SWARM_LATE), TOLD_NOTHING);
    assert_int_equal(trial_told_by(0, SWARM_BAD), TOLD_NOTHING);
    assert_int_equal(trial_told_by(0, SWARM_REFUSED), NOT_SENT);
}

#define SCENE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE(test_kept_promises_are_no_violation),
        SCENE(test_order_without_an_answer_may_have_been_taken),
        SCENE(test_accepted_order_that_is_not_decided_is_lost),
        SCENE(test_second_row_of_an_accepted_order_is_doubled),
        SCENE(test_second_row_of_an_order_without_an_answer_is_doubled),
        SCENE(test_unknown_order_decided_under_another_id_is_doubled),
        SCENE(test_key_with_two_ids_is_doubled),
        SCENE(test_id_that_two_orders_were_given_is_doubled),
        SCENE(test_receipt_given_twice_is_doubled),
        SCENE(test_receipt_from_before_the_trial_is_doubled),
        SCENE(test_refused_order_that_is_decided_is_told_wrongly),
        SCENE(test_order_that_was_never_sent_and_is_decided_is_told_wrongly),
        SCENE(test_key_refused_each_time_and_decided_is_told_wrongly),
        SCENE(test_shared_user_may_have_as_many_as_were_unanswered),
        SCENE(test_order_decided_as_another_is_told_wrongly),
        SCENE(test_202_without_an_id_is_told_wrongly),
        SCENE(test_more_than_the_stock_is_oversold),
        SCENE(test_units_from_nowhere_are_oversold),
        SCENE(test_beyond_the_limit_is_oversold),
        SCENE(test_missing_units_are_undersold),
        cmocka_unit_test(test_answers_that_promise_nothing),
    };

    return cmocka_run_group_tests_name("trial_judge", tests, NULL, NULL);
}
