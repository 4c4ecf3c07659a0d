/* redpacket's file: what an older program left, and what each event costs. */
#include "tests/unit/schema_support.h"

#include "services/redpacket/red_packet_sql.h"

extern const struct migration redpacket_migrations[];

static void test_packets_of_an_older_program_stay(void **state)
{
    struct place p;
    (void)state;
    struct store *s = open_at_version(&p, redpacket_migrations, 3);
    do_sql(s, "INSERT INTO packet VALUES ('b', 'u1', 'phone', 1, 88, 10), ('a', 'u2', 'phone', 2, 0, 11)");
    assert_int_equal(migrate_apply(s, redpacket_migrations, NULL, NULL), 0);
    assert_int_equal(ask_int(s, "SELECT count(*) FROM packet"), 2);
    assert_int_equal(ask_int(s, "SELECT count(*) FROM packet WHERE order_id = 'b' AND user_id = 'u1' AND"
                                " sku = 'phone' AND status = 1 AND amount = 88 AND at_ms = 10"),
                     1);
    assert_int_equal(store_execute(s, "INSERT INTO packet VALUES ('b', 'u1', 'phone', 2, 0, 12)"), E_EXISTS);
    store_close(s);
    place_remove(&p);
}

static void test_statuses_are_those_that_there_are(void **state)
{
    struct place p;
    (void)state;
    place_make(&p);
    struct store *s = open_or_fail(&p, STORE_CREATE);
    assert_int_equal(migrate_apply(s, redpacket_migrations, NULL, NULL), 0);
    for (int i = -1; i <= 5; i++) {
        char sql[120];
        snprintf(sql, sizeof sql, "INSERT INTO packet VALUES ('order %d', 'u', 'p', %d, %d, 1)", i, i,
                 i == 1);
        assert_int_equal(store_execute(s, sql), i >= 1 && i <= 3 ? 0 : E_INVALID);
    }
    assert_builds_no_table(s, SQL_PACKET_ADD);
    assert_builds_no_table(s, SQL_BALANCE_ADD);
    assert_builds_no_table(s, SQL_PACKET_FIND);
    store_close(s);
    place_remove(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_packets_of_an_older_program_stay),
        cmocka_unit_test(test_statuses_are_those_that_there_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
