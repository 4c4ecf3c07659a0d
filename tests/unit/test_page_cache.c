/* The page cache's memory, taken at once: the stores of the process work in it, and beyond it. */
#include "tests/unit/store_support.h"

#include <sqlite3.h>

#include "common/store/page_cache.h"

static int64_t status(int op)
{
    sqlite3_int64 now = -1, most;
    assert_int_equal(sqlite3_status64(op, &now, &most, 0), SQLITE_OK);
    return now;
}

static void open_it(struct store **s, const struct place *p)
{
    struct detail why;
    if (store_open(s, p->path, STORE_CREATE, &why) != 0)
        fail_msg("%s", why.text);
}

static void fill(struct store *s, int rows)
{
    char sql[200];
    snprintf(sql, sizeof sql,
             "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)"
             " INSERT INTO big SELECT randomblob(3000) FROM n",
             rows);
    assert_int_equal(store_begin(s), 0);
    assert_int_equal(store_execute(s, sql), 0);
    assert_int_equal(store_commit(s), 0);
}

static void pages_are_in_it(void **state)
{
    struct place p;
    struct store *s;
    (void)state;
    place_make(&p);
    open_it(&s, &p);
    assert_int_equal(store_execute(s, "CREATE TABLE big (b BLOB)"), 0);
    fill(s, 1000);
    assert_in_range(status(SQLITE_STATUS_PAGECACHE_USED), 1000, PAGE_CACHE_PAGES);
    assert_int_equal(status(SQLITE_STATUS_PAGECACHE_OVERFLOW), 0);
    assert_int_equal(store_execute(s, "SELECT sum(length(b)) FROM big"), 0);
    store_close(s);
    assert_int_equal(status(SQLITE_STATUS_PAGECACHE_USED), 0);
    place_remove(&p);
}

static void make_large(struct store **s, struct place *p)
{
    place_make(p);
    open_it(s, p);
    assert_int_equal(store_execute(*s, "CREATE TABLE big (b BLOB)"), 0);
    fill(*s, PAGE_CACHE_PAGES + 1000);
}

static void check_and_close(struct store *s, const struct place *p)
{
    struct statement *sum;
    assert_int_equal(statement_prepare(&sum, s, "SELECT sum(length(b)) FROM big", NULL), 0);
    assert_int_equal(statement_next(sum), 1);
    assert_int_equal(statement_int(sum, 0), (PAGE_CACHE_PAGES + 1000) * 3000);
    statement_free(sum);
    store_close(s);
    place_remove(p);
}

/* Two files, each larger than its cache: neither is in the other's way, and all of it comes back. */
static void more_than_it_holds(void **state)
{
    struct place first, second;
    struct store *one, *other;
    (void)state;
    make_large(&one, &first);
    make_large(&other, &second);
    assert_in_range(status(SQLITE_STATUS_PAGECACHE_USED), PAGE_CACHE_PAGES / 2, PAGE_CACHE_PAGES + 512);
    check_and_close(one, &first);
    check_and_close(other, &second);
}

int main(void)
{
    page_cache_reserve();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_are_in_it),
        cmocka_unit_test(more_than_it_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
