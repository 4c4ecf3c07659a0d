/* Opening, transactions, statements, checkpoints, and which error means what. */
#include "tests/unit/store_support.h"

#include <sys/wait.h>

#define TABLE "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER CHECK (n >= 0), x BLOB) STRICT"

struct fixture {
    struct place place;
    struct store *store;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    place_make(&f->place);
    f->store = open_or_fail(&f->place, STORE_CREATE);
    do_sql(f->store, TABLE);
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

static void test_missing_file_is_not_made_by_its_owner(void **state)
{
    (void)state;
    struct place p;
    struct store *s = NULL;
    struct detail why = {.text = ""};
    place_make(&p);
    assert_int_equal(store_open(&s, p.path, STORE_OWNER, &why), E_NOT_FOUND);
    assert_non_null(strstr(why.text, p.path));
    assert_int_equal(store_open(&s, p.path, STORE_READER, &why), E_NOT_FOUND);
    assert_int_not_equal(access(p.path, F_OK), 0);
    place_remove(&p);
}

/* What a restore that broke off, or a lost disk, leaves behind. */
static void test_empty_file_is_not_filled_by_its_owner(void **state)
{
    (void)state;
    struct place p;
    struct store *s = NULL;
    struct detail why = {.text = ""};
    struct stat st;
    place_make(&p);
    FILE *file = fopen(p.path, "w");
    assert_non_null(file);
    fclose(file);
    assert_int_equal(store_open(&s, p.path, STORE_OWNER, &why), E_NOT_FOUND);
    assert_non_null(strstr(why.text, p.path));
    assert_int_equal(stat(p.path, &st), 0);
    assert_int_equal(st.st_size, 0);
    s = open_or_fail(&p, STORE_CREATE); /* a first start that died before its first write is begun again */
    store_close(s);
    place_remove(&p);
}

/* What goes into a log is why it was undone, and not that the undoing went well. */
static void test_a_rollback_keeps_the_words_of_the_failure(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(store_begin(f->store), 0);
    assert_int_equal(store_execute(f->store, "INSERT INTO t (n) VALUES (-1)"), E_INVALID);
    store_rollback(f->store);
    assert_non_null(strstr(store_error(f->store), "CHECK"));
    assert_int_equal(store_begin(f->store), 0);
    store_rollback(f->store);
    assert_null(strstr(store_error(f->store), "CHECK"));
    assert_int_equal(store_execute(f->store, "SELECT nothing"), E_INVALID);
    assert_non_null(strstr(store_error(f->store), "nothing"));
}

static void test_what_is_not_ours_is_refused(void **state)
{
    struct fixture *f = *state;
    struct store *s = NULL;
    struct detail why = {.text = ""};
    do_sql(f->store, "PRAGMA application_id = 77");
    assert_int_equal(store_open(&s, f->place.path, STORE_OWNER, &why), E_CORRUPT);
    assert_non_null(strstr(why.text, "another application"));

    struct place p;
    place_make(&p);
    FILE *file = fopen(p.path, "w");
    assert_non_null(file);
    for (int i = 0; i < 1000; i++)
        fputs("this is no database\n", file);
    fclose(file);
    assert_int_equal(store_open(&s, p.path, STORE_OWNER, &why), E_CORRUPT);
    assert_int_equal(store_open(&s, p.path, STORE_READER, &why), E_CORRUPT);
    place_remove(&p);
}

static void test_settings_that_durability_rests_on(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(ask_int(f->store, "PRAGMA synchronous"), 2); /* FULL */
    assert_int_equal(ask_int(f->store, "PRAGMA wal_autocheckpoint"), 0);
    assert_int_equal(ask_int(f->store, "SELECT journal_mode = 'wal' FROM pragma_journal_mode"), 1);
    assert_int_equal(ask_int(f->store, "PRAGMA application_id"), STORE_APPLICATION_ID);
}

static void test_errors_of_rows_are_told_from_errors_of_the_disk(void **state)
{
    struct fixture *f = *state;
    do_sql(f->store, "INSERT INTO t VALUES (1, 1, NULL)");
    assert_int_equal(store_execute(f->store, "INSERT INTO t VALUES (1, 1, NULL)"), E_EXISTS);
    assert_int_equal(store_execute(f->store, "INSERT INTO t VALUES (2, -1, NULL)"), E_INVALID);
    assert_int_equal(store_execute(f->store, "INSERT INTO nowhere VALUES (1)"), E_INVALID);
    assert_false(store_is_fault(E_EXISTS) || store_is_fault(E_INVALID));

    make_full(f->store);
    int error = store_execute(f->store, "INSERT INTO t VALUES (3, 1, zeroblob(100000))");
    assert_int_equal(error, E_IO);
    assert_true(store_is_fault(error));
}

static void test_full_disk_ends_the_transaction_and_spares_what_was_committed(void **state)
{
    struct fixture *f = *state;
    do_sql(f->store, "INSERT INTO t VALUES (1, 1, NULL)");
    make_full(f->store);
    assert_int_equal(store_begin(f->store), 0);
    do_sql(f->store, "UPDATE t SET n = 2");
    assert_int_equal(store_execute(f->store, "INSERT INTO t VALUES (3, 1, zeroblob(100000))"), E_IO);
    store_rollback(f->store);
    assert_false(store_in_transaction(f->store));
    assert_int_equal(ask_int(f->store, "SELECT n FROM t"), 1);
    make_room(f->store);
    do_sql(f->store, "INSERT INTO t VALUES (3, 1, zeroblob(100000))");
}

static void test_rollback_and_savepoint_undo_what_they_span(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(store_begin(f->store), 0);
    assert_true(store_in_transaction(f->store));
    do_sql(f->store, "INSERT INTO t VALUES (1, 1, NULL)");
    assert_int_equal(store_savepoint(f->store), 0);
    do_sql(f->store, "INSERT INTO t VALUES (2, 1, NULL)");
    assert_int_equal(store_savepoint_undo(f->store), 0);
    assert_int_equal(store_savepoint(f->store), 0);
    do_sql(f->store, "INSERT INTO t VALUES (3, 1, NULL)");
    assert_int_equal(store_savepoint_keep(f->store), 0);
    assert_int_equal(store_commit(f->store), 0);
    assert_int_equal(ask_int(f->store, "SELECT sum(id) FROM t"), 4);

    assert_int_equal(store_begin(f->store), 0);
    do_sql(f->store, "DELETE FROM t");
    store_rollback(f->store);
    store_rollback(f->store); /* nothing to undo is fine */
    assert_int_equal(ask_int(f->store, "SELECT sum(id) FROM t"), 4);
}

/* Also while a checkpoint is wanted, and before a transaction that writes. */
static void test_reading_transaction_ends_and_is_in_nobodys_way(void **state)
{
    struct fixture *f = *state;
    do_sql(f->store, "INSERT INTO t VALUES (1, 1, NULL)");
    assert_int_equal(store_begin_reading(f->store), 0);
    assert_true(store_in_transaction(f->store));
    assert_int_equal(ask_int(f->store, "SELECT count(*) FROM t"), 1);
    store_end_reading(f->store);
    assert_false(store_in_transaction(f->store));
    assert_int_equal(store_checkpoint_truncate(f->store), 0);
    assert_false(store_has_wal(f->store));
    assert_int_equal(store_begin(f->store), 0);
    assert_int_not_equal(store_begin_reading(f->store), 0); /* one at a time */
    store_rollback(f->store);
    assert_int_equal(store_begin_reading(f->store), 0);
    store_end_reading(f->store);
}

static void test_reader_sees_what_is_committed_while_the_owner_works(void **state)
{
    struct fixture *f = *state;
    do_sql(f->store, "INSERT INTO t VALUES (1, 1, NULL)");
    assert_int_equal(store_begin(f->store), 0);
    do_sql(f->store, "INSERT INTO t VALUES (2, 1, NULL)");
    struct store *reader = open_or_fail(&f->place, STORE_READER);
    assert_int_equal(ask_int(reader, "SELECT count(*) FROM t"), 1);
    assert_int_equal(store_commit(f->store), 0);
    assert_int_equal(ask_int(reader, "SELECT count(*) FROM t"), 2);
    assert_int_equal(store_execute(reader, "DELETE FROM t"), E_IO);
    store_close(reader);
}

static void test_reader_works_while_nobody_runs(void **state)
{
    struct fixture *f = *state;
    do_sql(f->store, "INSERT INTO t VALUES (1, 1, NULL)");
    store_close(f->store);
    struct store *reader = open_or_fail(&f->place, STORE_READER);
    assert_int_equal(ask_int(reader, "SELECT count(*) FROM t"), 1);
    store_close(reader);
    f->store = open_or_fail(&f->place, STORE_OWNER);
}

/* An operator who may read the file, but not write in its folder: root may do anything, so the child becomes
 * nobody. */
static void test_reader_needs_no_right_to_write(void **state)
{
    struct fixture *f = *state;
    do_sql(f->store, "INSERT INTO t VALUES (1, 1, NULL)");
    store_close(f->store);
    assert_int_equal(chmod(f->place.dir, 0555), 0);
    assert_int_equal(chmod(f->place.path, 0444), 0);
    pid_t child = fork();
    if (child == 0) {
        struct store *reader = NULL;
        struct statement *st = NULL;
        if (geteuid() == 0 && setuid(65534) != 0)
            _exit(2);
        if (store_open(&reader, f->place.path, STORE_READER, NULL) != 0)
            _exit(3);
        if (statement_prepare(&st, reader, "SELECT count(*) FROM t", NULL) != 0 || statement_next(st) != 1)
            _exit(4);
        _exit(statement_int(st, 0) == 1 ? 0 : 5);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(chmod(f->place.dir, 0755), 0);
    assert_int_equal(chmod(f->place.path, 0644), 0);
    f->store = open_or_fail(&f->place, STORE_OWNER);
}

/* The database file alone, as it would be without its WAL. */
static void copy_of(const struct place *from, const struct place *to)
{
    char command[300];
    snprintf(command, sizeof command, "cp '%s' '%s'", from->path, to->path);
    assert_int_equal(system(command), 0);
}

/* After a failed fsync what is in the WAL may be readable and yet not on the disk: the process that saw it
 * fail writes nothing more, and the next one writes it all again before it rests on it. */
static void test_after_a_fault_the_next_owner_makes_durable_what_is_in_the_wal(void **state)
{
    struct fixture *f = *state;
    struct place alone;
    place_make(&alone);
    assert_int_equal(store_checkpoint_truncate(f->store), 0);
    do_sql(f->store, "INSERT INTO t VALUES (1, 1, NULL)");
    store_abandon(f->store);
    copy_of(&f->place, &alone);
    struct store *s = open_or_fail(&alone, STORE_READER);
    assert_int_equal(ask_int(s, "SELECT count(*) FROM t"), 0);
    store_close(s);

    f->store = open_or_fail(&f->place, STORE_OWNER);
    copy_of(&f->place, &alone);
    s = open_or_fail(&alone, STORE_READER);
    assert_int_equal(ask_int(s, "SELECT count(*) FROM t"), 1);
    store_close(s);
    place_remove(&alone);
}

static void test_truncating_checkpoint_empties_the_wal(void **state)
{
    struct fixture *f = *state;
    char wal[160];
    struct stat st;
    snprintf(wal, sizeof wal, "%s-wal", f->place.path);
    do_sql(f->store, "INSERT INTO t VALUES (1, 1, zeroblob(100000))");
    assert_true(store_has_wal(f->store));
    assert_int_equal(stat(wal, &st), 0);
    assert_true(st.st_size > 100000);
    assert_int_equal(store_checkpoint_truncate(f->store), 0);
    assert_false(store_has_wal(f->store));
    assert_int_equal(stat(wal, &st), 0);
    assert_int_equal(st.st_size, 0);
}

static void test_wal_does_not_grow_without_bound(void **state)
{
    struct fixture *f = *state;
    char wal[160];
    struct stat st;
    snprintf(wal, sizeof wal, "%s-wal", f->place.path);
    for (int i = 0; i < 60; i++) { /* about 120 MB in all */
        do_sql(f->store, "INSERT OR REPLACE INTO t VALUES (1, 1, zeroblob(2000000))");
        assert_int_equal(store_checkpoint_if_large(f->store), 0);
    }
    assert_int_equal(stat(wal, &st), 0);
    assert_true(st.st_size < 50000000);
}

static void test_reader_in_the_way_of_a_checkpoint_is_no_error(void **state)
{
    struct fixture *f = *state;
    do_sql(f->store, "INSERT INTO t VALUES (1, 1, NULL)");
    struct store *reader = open_or_fail(&f->place, STORE_READER);
    struct statement *st = NULL;
    assert_int_equal(statement_prepare(&st, reader, "SELECT id FROM t", NULL), 0);
    assert_int_equal(statement_next(st), 1); /* its view is held open */
    do_sql(f->store, "INSERT INTO t VALUES (2, 1, NULL)");
    assert_int_equal(store_checkpoint_truncate(f->store), 0);
    assert_true(store_has_wal(f->store)); /* for the next time */
    statement_free(st);
    assert_int_equal(store_checkpoint_truncate(f->store), 0);
    assert_false(store_has_wal(f->store));
    store_close(reader);
}

static void test_statement_binds_reads_and_is_ready_again(void **state)
{
    struct fixture *f = *state;
    struct statement *add = NULL, *find = NULL;
    int64_t changed = 0;
    assert_int_equal(
        statement_prepare(&add, f->store, "INSERT INTO t VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING", NULL),
        0);
    assert_int_equal(statement_prepare(&find, f->store, "SELECT n, x FROM t WHERE id = ?1", NULL), 0);
    for (int i = 0; i < 2; i++) { /* the second time nothing is inserted */
        statement_bind_int(add, 1, INT64_MAX);
        statement_bind_null(add, 2);
        statement_bind_blob(add, 3, (struct slice){.data = "a\0b", .len = 3});
        assert_int_equal(statement_run_counted(add, &changed), 0);
        assert_int_equal(changed, i == 0);
    }
    statement_bind_int(find, 1, INT64_MAX);
    assert_int_equal(statement_next(find), 1);
    assert_true(statement_is_null(find, 0));
    struct slice x = statement_blob(find, 1);
    assert_int_equal(x.len, 3);
    assert_memory_equal(x.data, "a\0b", 3);
    assert_int_equal(statement_next(find), 0);
    statement_bind_int(find, 1, 5);
    assert_int_equal(statement_next(find), 0);
    statement_free(add);
    statement_free(find);
}

static void test_binding_that_fails_shows_in_the_run(void **state)
{
    struct fixture *f = *state;
    struct statement *st = NULL;
    assert_int_equal(statement_prepare(&st, f->store, "INSERT INTO t (id) VALUES (?1)", NULL), 0);
    statement_bind_int(st, 2, 1); /* there is no second one */
    statement_bind_int(st, 1, 1);
    assert_int_equal(statement_run(st), E_INVALID);
    assert_int_equal(ask_int(f->store, "SELECT count(*) FROM t"), 0);
    assert_int_equal(statement_run(st), 0); /* and is forgotten */
    statement_free(st);
}

static void test_statement_that_does_not_fit_names_itself(void **state)
{
    struct fixture *f = *state;
    struct statement *st[2];
    struct detail why = {.text = ""};
    const char *const sql[] = {"SELECT id FROM t", "SELECT nothing FROM t"};
    assert_int_equal(statements_prepare(st, f->store, sql, 2, &why), E_INVALID);
    assert_non_null(strstr(why.text, "SELECT nothing"));
    assert_null(st[0]);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_missing_file_is_not_made_by_its_owner),
        cmocka_unit_test(test_empty_file_is_not_filled_by_its_owner),
        TEST(test_a_rollback_keeps_the_words_of_the_failure),
        TEST(test_what_is_not_ours_is_refused),
        TEST(test_settings_that_durability_rests_on),
        TEST(test_errors_of_rows_are_told_from_errors_of_the_disk),
        TEST(test_full_disk_ends_the_transaction_and_spares_what_was_committed),
        TEST(test_rollback_and_savepoint_undo_what_they_span),
        TEST(test_reading_transaction_ends_and_is_in_nobodys_way),
        TEST(test_reader_sees_what_is_committed_while_the_owner_works),
        TEST(test_reader_works_while_nobody_runs),
        TEST(test_reader_needs_no_right_to_write),
        TEST(test_after_a_fault_the_next_owner_makes_durable_what_is_in_the_wal),
        TEST(test_truncating_checkpoint_empties_the_wal),
        TEST(test_wal_does_not_grow_without_bound),
        TEST(test_reader_in_the_way_of_a_checkpoint_is_no_error),
        TEST(test_statement_binds_reads_and_is_ready_again),
        TEST(test_binding_that_fails_shows_in_the_run),
        TEST(test_statement_that_does_not_fit_names_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
