/* The page cache's memory, taken at once: the stores of the process work in it, and beyond it. */
#include "tests/unit/store_support.h"

#include <sqlite3.h>

#include "common/store/page_cache.h"

#define BEYOND (PAGE_CACHE_PAGES + 1000) /* rows of a page each */

static int64_t status(int op)
{
    sqlite3_int64 now = -1, most;
    assert_int_equal(sqlite3_status64(op, &now, &most, 0), SQLITE_OK);
    return now;
}

static void fill(struct store *s, int rows)
{
    char sql[200];
    snprintf(sql, sizeof sql,
             "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)"
             " INSERT INTO big SELECT randomblob(3000) FROM n",
             rows);
    assert_int_equal(store_begin(s), 0);
    do_sql(s, sql);
    assert_int_equal(store_commit(s), 0);
}

static struct store *make_large(struct place *p, int rows)
{
    place_make(p);
    struct store *s = open_or_fail(p, STORE_CREATE);
    do_sql(s, "CREATE TABLE big (b BLOB)");
    fill(s, rows);
    return s;
}

static void pages_are_in_it(void **state)
{
    struct place p;
    (void)state;
    struct store *s = make_large(&p, 1000);
    assert_in_range(status(SQLITE_STATUS_PAGECACHE_USED), 1000, PAGE_CACHE_PAGES);
    assert_int_equal(status(SQLITE_STATUS_PAGECACHE_OVERFLOW), 0);
    store_close(s);
    assert_int_equal(status(SQLITE_STATUS_PAGECACHE_USED), 0);
    place_remove(&p);
}

static void check_and_close(struct store *s, const struct place *p)
{
    assert_int_equal(ask_int(s, "SELECT sum(length(b)) FROM big"), BEYOND * 3000);
    store_close(s);
    place_remove(p);
}

/* Two files, each larger than its cache: neither is in the other's way, and all of it comes back. */
static void more_than_it_holds(void **state)
{
    struct place first, second;
    (void)state;
    struct store *one = make_large(&first, BEYOND);
    struct store *other = make_large(&second, BEYOND);
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
