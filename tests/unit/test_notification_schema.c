/* notification's file: what an older program left, and what each event costs. */
#include "tests/unit/schema_support.h"

#include "services/notification/notification_sql.h"

extern const struct migration notification_migrations[];

static void test_records_of_an_older_program_stay(void **state)
{
    struct place p;
    (void)state;
    struct store *s = open_at_version(&p, notification_migrations, 3);
    do_sql(s, "INSERT INTO notification VALUES ('b', 1, 2, 1, NULL, 10, 20), ('a', 2, 4, 5, 'gone', 11, 21)");
    assert_int_equal(migrate_apply(s, notification_migrations, NULL, NULL), 0);
    assert_int_equal(ask_int(s, "SELECT count(*) FROM notification"), 2);
    assert_int_equal(ask_int(s, "SELECT count(*) FROM notification WHERE order_id = 'a' AND kind = 2 AND"
                                " state = 4 AND attempts = 5 AND last_error = 'gone' AND created_ms = 11 AND"
                                " changed_ms = 21"),
                     1);
    assert_int_equal(store_execute(s, "INSERT INTO notification VALUES ('b', 1, 2, 1, NULL, 10, 20)"),
                     E_EXISTS);
    store_close(s);
    place_remove(&p);
}

static void test_states_are_those_that_there_are(void **state)
{
    struct place p;
    (void)state;
    place_make(&p);
    struct store *s = open_or_fail(&p, STORE_CREATE);
    assert_int_equal(migrate_apply(s, notification_migrations, NULL, NULL), 0);
    for (int i = -1; i <= 6; i++) {
        char sql[120];
        snprintf(sql, sizeof sql, "INSERT INTO notification VALUES ('a', %d, %d, 1, NULL, 1, 1)", i, i);
        assert_int_equal(store_execute(s, sql), i >= 1 && i <= 4 ? 0 : E_INVALID);
    }
    assert_builds_no_table(s, SQL_RECORD_ADD);
    assert_builds_no_table(s, SQL_RECORD_FIND);
    assert_builds_no_table(s, SQL_RECORD_CHANGE);
    assert_builds_no_table(s, SQL_TO_SEND_ADD);
    assert_builds_no_table(s, SQL_TO_SEND_NEXT);
    store_close(s);
    place_remove(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records_of_an_older_program_stay),
        cmocka_unit_test(test_states_are_those_that_there_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
