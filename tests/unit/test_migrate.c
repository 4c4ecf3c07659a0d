/* Migrations: in order, once, recorded, undone when they fail, refused when the file is ahead. */
#include "tests/unit/store_support.h"

#include <sys/socket.h>
#include <sys/un.h>

static const struct migration two[] = {
    {1, "first", "CREATE TABLE a (id INTEGER PRIMARY KEY); INSERT INTO a VALUES (1);"},
    {2, "second", "ALTER TABLE a ADD COLUMN n INTEGER; UPDATE a SET n = 7;"},
    {0, NULL, NULL},
};

static const struct migration broken[] = {
    {1, "first", "CREATE TABLE a (id INTEGER PRIMARY KEY)"},
    {2, "second", "INSERT INTO a VALUES (5); INSERT INTO nowhere VALUES (1)"},
    {3, "third", "INSERT INTO a VALUES (6)"},
    {0, NULL, NULL},
};

struct fixture {
    struct place place;
    struct store *store;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    place_make(&f->place);
    f->store = open_or_fail(&f->place, STORE_CREATE);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    store_close(f->store);
    place_remove(&f->place);
    free(f);
    return 0;
}

static void test_all_are_applied_in_order_and_recorded(void **state)
{
    struct fixture *f = *state;
    int applied = 0, version = 0;
    assert_int_equal(migrate_apply(f->store, two, &applied, NULL), 0);
    assert_int_equal(applied, 2);
    assert_int_equal(ask_int(f->store, "SELECT n FROM a"), 7);
    assert_int_equal(store_version(f->store, &version), 0);
    assert_int_equal(version, 2);
    assert_int_equal(ask_int(f->store, "SELECT count(*) FROM migration WHERE applied_ms > 0"), 2);
    assert_int_equal(ask_int(f->store, "SELECT version FROM migration WHERE name = 'second'"), 2);
}

/* A worker that stood by is watched while it migrates. */
static void test_a_long_one_pings_the_watchdog(void **state)
{
    static const struct migration lengthy[] = {
        {1, "lengthy",
         "CREATE TABLE a (n INTEGER) STRICT;"
         " WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 200000)"
         " INSERT INTO a SELECT n FROM c;"},
        {0, NULL, NULL},
    };
    struct fixture *f = *state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char message[64];
    int systemd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%.80s/notify", f->place.dir);
    assert_int_equal(bind(systemd, (struct sockaddr *)&address, sizeof address), 0);
    setenv("WATCHDOG_USEC", "60000000", 1);
    unsetenv("WATCHDOG_PID");
    setenv("NOTIFY_SOCKET", address.sun_path, 1);
    assert_int_equal(migrate_apply(f->store, lengthy, NULL, NULL), 0);
    unsetenv("NOTIFY_SOCKET");
    assert_int_equal(recv(systemd, message, sizeof message, 0), strlen("WATCHDOG=1"));
    assert_memory_equal(message, "WATCHDOG=1", strlen("WATCHDOG=1"));
    close(systemd);
    unlink(address.sun_path);
}

static void test_the_second_start_applies_nothing(void **state)
{
    struct fixture *f = *state;
    int applied = -1;
    assert_int_equal(migrate_apply(f->store, two, NULL, NULL), 0);
    assert_int_equal(migrate_apply(f->store, two, &applied, NULL), 0);
    assert_int_equal(applied, 0);
    assert_int_equal(migrate_check(f->store, two, NULL), 0);
}

static void test_an_older_file_gets_what_is_missing(void **state)
{
    struct fixture *f = *state;
    struct migration one[] = {two[0], {0, NULL, NULL}};
    struct detail why = {.text = ""};
    int applied = 0;
    assert_int_equal(migrate_apply(f->store, one, &applied, NULL), 0);
    assert_int_equal(migrate_check(f->store, two, &why), E_INVALID);
    assert_int_equal(migrate_apply(f->store, two, &applied, NULL), 0);
    assert_int_equal(applied, 1);
}

static void test_a_newer_file_is_refused_and_not_touched(void **state)
{
    struct fixture *f = *state;
    struct detail why = {.text = ""};
    assert_int_equal(migrate_apply(f->store, two, NULL, NULL), 0);
    do_sql(f->store, "PRAGMA user_version = 3");
    assert_int_equal(migrate_apply(f->store, two, NULL, &why), E_NEWER);
    assert_non_null(strstr(why.text, "version 3"));
    assert_int_equal(migrate_check(f->store, two, &why), E_NEWER);
    assert_int_equal(ask_int(f->store, "SELECT count(*) FROM migration"), 2);
}

static void test_a_migration_that_fails_leaves_no_trace_and_ends_there(void **state)
{
    struct fixture *f = *state;
    struct detail why = {.text = ""};
    int applied = 0, version = 0;
    assert_int_equal(migrate_apply(f->store, broken, &applied, &why), E_INVALID);
    assert_non_null(strstr(why.text, "002_second"));
    assert_non_null(strstr(why.text, "nowhere"));
    assert_int_equal(applied, 1);
    assert_int_equal(store_version(f->store, &version), 0);
    assert_int_equal(version, 1);
    assert_int_equal(ask_int(f->store, "SELECT count(*) FROM a"), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_all_are_applied_in_order_and_recorded),
        TEST(test_a_long_one_pings_the_watchdog),
        TEST(test_the_second_start_applies_nothing),
        TEST(test_an_older_file_gets_what_is_missing),
        TEST(test_a_newer_file_is_refused_and_not_touched),
        TEST(test_a_migration_that_fails_leaves_no_trace_and_ends_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
