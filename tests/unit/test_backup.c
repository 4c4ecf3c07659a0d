/* Copies of a database that is written to meanwhile, and how a worker is asked for one. */
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/pipeline/backup_request.h"
#include "tests/unit/store_support.h"

#define SCHEMA                                                                                               \
    "CREATE TABLE t (id INTEGER PRIMARY KEY, payload BLOB NOT NULL) STRICT; PRAGMA user_version = 1;"

struct fixture {
    struct place place;
    struct store *store;
    char dir[160], copy[192];
};

static int setup(void **state)
{
    static struct fixture f;
    f = (struct fixture){.store = NULL};
    place_make(&f.place);
    snprintf(f.dir, sizeof f.dir, "%s/" BACKUP_DIR, f.place.dir);
    snprintf(f.copy, sizeof f.copy, "%s/copy.db", f.dir);
    assert_int_equal(mkdir(f.dir, 0700), 0);
    f.store = open_or_fail(&f.place, STORE_CREATE);
    do_sql(f.store, SCHEMA);
    do_sql(f.store, "INSERT INTO t (payload) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
                    "WHERE i < 400)"
                    " SELECT randomblob(4000) FROM n");
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    static const char *const suffixes[] = {BACKUP_REQUEST, BACKUP_COPYING, BACKUP_COPY, BACKUP_FAILED};
    store_close(f->store);
    unlink(f->copy);
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        char path[BACKUP_PATH_SIZE];
        backup_path(f->place.path, suffixes[i], path);
        unlink(path);
    }
    assert_int_equal(rmdir(f->dir), 0);
    place_remove(&f->place);
    return 0;
}

static const char *path_of(const struct fixture *f, const char *suffix)
{
    static char path[BACKUP_PATH_SIZE];
    backup_path(f->place.path, suffix, path);
    return path;
}

static void touch(const char *path)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fclose(file), 0);
}

static int64_t rows_in(const char *path)
{
    struct store *s;
    struct detail why = {.text = ""};
    if (store_open(&s, path, STORE_READER, &why) != 0)
        fail_msg("%s", why.text);
    int64_t rows = ask_int(s, "SELECT count(*) FROM t");
    store_close(s);
    return rows;
}

static void test_copy_has_what_is_written_while_it_is_made(void **state)
{
    struct fixture *f = *state;
    struct store_backup *b;
    struct detail why = {.text = ""};
    int more, steps = 0;
    assert_int_equal(store_backup_begin(&b, f->store, f->copy, &why), 0);
    while ((more = store_backup_step(b, 16, &why)) == 1) {
        steps++;
        do_sql(f->store, "INSERT INTO t (payload) VALUES (randomblob(100))");
    }
    assert_int_equal(more, 0);
    assert_true(steps > 5);
    store_backup_end(b);
    assert_int_equal(store_verify(f->copy, &why), 0);
    assert_int_equal(rows_in(f->copy), 400 + steps);
}

static void test_copy_that_is_given_up_leaves_no_file(void **state)
{
    struct fixture *f = *state;
    struct store_backup *b;
    struct detail why = {.text = ""};
    assert_int_equal(store_backup_begin(&b, f->store, f->copy, &why), 0);
    assert_int_equal(store_backup_step(b, 16, &why), 1);
    store_backup_end(b);
    assert_false(file_exists(f->copy));
}

static void test_damaged_copy_is_found(void **state)
{
    struct fixture *f = *state;
    struct store_backup *b;
    struct detail why = {.text = ""};
    assert_int_equal(store_backup_begin(&b, f->store, f->copy, &why), 0);
    assert_int_equal(store_backup_step(b, -1, &why), 0);
    store_backup_end(b);
    FILE *file = fopen(f->copy, "r+");
    assert_non_null(file);
    assert_int_equal(fseek(file, 2 * 4096, SEEK_SET), 0);
    for (int i = 0; i < 4096; i++)
        fputc(0xa5, file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(store_verify(f->copy, &why), E_CORRUPT);
    assert_non_null(strstr(why.text, f->copy));
}

static void test_empty_database_is_no_backup(void **state)
{
    struct fixture *f = *state;
    struct detail why = {.text = ""};
    touch(f->copy);
    assert_int_equal(store_verify(f->copy, &why), E_CORRUPT);
}

/* The rounds of a worker's loop, until it may sleep again. */
static void run_rounds(struct fixture *f, struct backup_request *r)
{
    int64_t now_ns = clock_mono_ns() + 2 * NS_PER_S;
    while (backup_request_run(r, f->store, f->place.path, now_ns))
        now_ns += NS_PER_MS;
}

static void test_worker_copies_when_it_is_asked(void **state)
{
    struct fixture *f = *state;
    struct backup_request r = {.running = NULL};
    struct detail why = {.text = ""};
    run_rounds(f, &r);
    assert_false(file_exists(path_of(f, BACKUP_COPY)));
    r.look_due_ns = 0;
    touch(path_of(f, BACKUP_REQUEST));
    run_rounds(f, &r);
    assert_false(file_exists(path_of(f, BACKUP_REQUEST)));
    assert_false(file_exists(path_of(f, BACKUP_COPYING)));
    assert_int_equal(store_verify(path_of(f, BACKUP_COPY), &why), 0);
    assert_int_equal(rows_in(path_of(f, BACKUP_COPY)), 400);
}

static void test_worker_that_stops_or_dies_says_that_there_is_no_copy(void **state)
{
    struct fixture *f = *state;
    struct backup_request r = {.running = NULL};
    touch(path_of(f, BACKUP_REQUEST));
    assert_true(backup_request_run(&r, f->store, f->place.path, clock_mono_ns()));
    backup_request_end(&r, f->place.path);
    assert_true(file_exists(path_of(f, BACKUP_FAILED)));
    assert_false(file_exists(path_of(f, BACKUP_COPYING)));

    unlink(path_of(f, BACKUP_FAILED));
    touch(path_of(f, BACKUP_COPYING)); /* as kill -9 leaves it */
    backup_request_recover(f->place.path);
    assert_true(file_exists(path_of(f, BACKUP_FAILED)));
    assert_false(file_exists(path_of(f, BACKUP_COPYING)));
}

static void test_copy_that_cannot_be_made_does_not_end_the_worker(void **state)
{
    struct fixture *f = *state;
    struct backup_request r = {.running = NULL};
    assert_int_equal(mkdir(path_of(f, BACKUP_COPYING), 0700), 0); /* in the way */
    touch(path_of(f, BACKUP_REQUEST));
    run_rounds(f, &r);
    assert_null(r.running);
    assert_true(file_exists(path_of(f, BACKUP_FAILED)));
    assert_int_equal(rmdir(path_of(f, BACKUP_COPYING)), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_copy_has_what_is_written_while_it_is_made, setup, teardown),
        cmocka_unit_test_setup_teardown(test_copy_that_is_given_up_leaves_no_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damaged_copy_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(test_empty_database_is_no_backup, setup, teardown),
        cmocka_unit_test_setup_teardown(test_worker_copies_when_it_is_asked, setup, teardown),
        cmocka_unit_test_setup_teardown(test_worker_that_stops_or_dies_says_that_there_is_no_copy, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_copy_that_cannot_be_made_does_not_end_the_worker, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
