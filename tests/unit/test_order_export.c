/* What order export is made of: pages of two files, lines of CSV and NDJSON, a file that is whole or not
 * there. */
#include "tests/unit/audit_support.h"

#include <jansson.h>
#include <sys/stat.h>

#include "services/ctl/order_format.h"
#include "services/ctl/order_pages.h"
#include "services/ctl/output_file.h"

static void add_orders(struct store *store, int first, int step, int count)
{
    char sql[400];
    snprintf(sql, sizeof(sql),
             "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < %d)"
             "INSERT INTO orders SELECT printf('1%%025d', %d + i * %d), 'u', 's', 1, 5, 6, 1, NULL, NULL, "
             "NULL FROM n",
             count, first, step);
    run_sql_on(store, sql);
}

static struct store *make_archive(int shard)
{
    struct store *archive = NULL;
    struct buffer sql = {0};
    char path[160];
    snprintf(path, sizeof(path), "%s/inventory.%d.archive.db", dir, shard);
    assert_int_equal(store_open(&archive, path, STORE_CREATE, NULL), 0);
    assert_int_equal(file_read(SECKILL_SOURCE_DIR "/schema/archive/001_archive.sql", 1 << 20, &sql, NULL), 0);
    run_sql_on(archive, buffer_text(&sql));
    run_sql_on(archive, "PRAGMA user_version = 1");
    buffer_free(&sql);
    return archive;
}

/* Walks the pages: each id once, in order. Returns how many. */
static int walk(void)
{
    struct order_pages *pages = NULL;
    struct detail why = {""};
    const struct order_row *rows;
    size_t count;
    char last[ORDER_ID_SIZE] = "";
    int all = 0, rc;
    if (order_pages_open(&pages, paths[1], &why))
        fail_msg("%s", why.text);
    while ((rc = order_pages_next(pages, &rows, &count, &why)) == 1) {
        assert_true(count > 0);
        for (size_t i = 0; i < count; i++, all++) {
            assert_true(strcmp(rows[i].decision.order_id, last) > 0);
            memcpy(last, rows[i].decision.order_id, sizeof(last));
        }
    }
    assert_int_equal(rc, 0);
    order_pages_close(pages);
    return all;
}

static void test_pages_have_each_order_once(void **state)
{
    (void)state;
    run_sql(1, "DELETE FROM orders");
    assert_int_equal(walk(), 0);
    add_orders(stores[1], 0, 1, 1000); /* exactly a page */
    assert_int_equal(walk(), 1000);
    add_orders(stores[1], 1000, 1, 1501);
    assert_int_equal(walk(), 2501);
}

static void test_pages_of_file_and_archive_are_merged(void **state)
{
    (void)state;
    struct store *archive = make_archive(1);
    run_sql(1, "DELETE FROM orders");
    assert_int_equal(walk(), 0);
    add_orders(archive, 0, 1,
               2500); /* many more here than there, then some that are in both, then alternating */
    assert_int_equal(walk(), 2500);
    add_orders(stores[1], 2400, 1, 200);
    assert_int_equal(walk(), 2600);
    add_orders(stores[1], 10000, 2, 1700);
    add_orders(archive, 10001, 2, 1700);
    assert_int_equal(walk(), 6000);
    store_close(archive);
}

static struct order_row row_of(const char *user, const char *sku)
{
    struct order_row row = {.accepted_ms = 1795348800000,
                            .decision = {.status = ORDER_CONFIRMED,
                                         .order_id = "0CNS3SCGWEPS1FVRN5022WM2A9",
                                         .quantity = 2,
                                         .at_ms = 1795348800123,
                                         .unit_price = 100,
                                         .total = 200,
                                         .receipt_no = 7}};
    snprintf(row.decision.user_id, sizeof(row.decision.user_id), "%s", user);
    snprintf(row.decision.sku, sizeof(row.decision.sku), "%s", sku);
    return row;
}

static void assert_csv(const struct order_row *row, const char *expected)
{
    struct buffer line = {0};
    order_csv_line(&line, row);
    assert_string_equal(buffer_text(&line), expected);
    buffer_free(&line);
}

static void test_csv_quotes_what_must_be_quoted(void **state)
{
    (void)state;
    struct order_row row = row_of("a,\"b\"", "手机");
    assert_csv(&row, "0CNS3SCGWEPS1FVRN5022WM2A9,confirmed,,\"a,\"\"b\"\"\",手机,2,100,200,7,"
                     "2026-11-22T12:00:00.000Z,2026-11-22T12:00:00.123Z\r\n");
    row = row_of("u1", "s");
    row.decision.status = ORDER_REJECTED;
    row.decision.reason = REASON_SOLD_OUT;
    assert_csv(&row, "0CNS3SCGWEPS1FVRN5022WM2A9,rejected,sold_out,u1,s,2,,,,2026-11-22T12:00:00.000Z,"
                     "2026-11-22T12:00:00.123Z\r\n");
}

static void test_csv_has_no_formula(void **state)
{
    (void)state;
    static const char *const names[][2] = {{"=1+1", ",'=1+1,"},
                                           {"+1", ",'+1,"},
                                           {"-1", ",'-1,"},
                                           {"@x", ",'@x,"},
                                           {"=\"a\",1", ",\"'=\"\"a\"\",1\","},
                                           {"u=1", ",u=1,"}};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct buffer line = {0};
        const struct order_row row = row_of(names[i][0], "s");
        order_csv_line(&line, &row);
        if (!strstr(buffer_text(&line), names[i][1]))
            fail_msg("%s: %s", names[i][0], buffer_text(&line));
        buffer_free(&line);
    }
}

static void test_ndjson_has_names_as_they_are(void **state)
{
    (void)state;
    struct buffer line = {0};
    const struct order_row row = row_of("=a,\"b\"\\", "手机");
    order_ndjson_line(&line, &row);
    json_t *order = json_loadb(line.data, line.len, 0, NULL);
    assert_non_null(order);
    assert_string_equal(json_string_value(json_object_get(order, "user_id")), "=a,\"b\"\\");
    assert_string_equal(json_string_value(json_object_get(order, "sku")), "手机");
    assert_int_equal(json_integer_value(json_object_get(order, "total")), 200);
    assert_string_equal(json_string_value(json_object_get(order, "decided_at")), "2026-11-22T12:00:00.123Z");
    json_decref(order);
    buffer_free(&line);
}

static void assert_file(const char *path, const char *expected)
{
    struct buffer text = {0};
    assert_int_equal(file_read(path, 100, &text, NULL), 0);
    assert_string_equal(buffer_text(&text), expected);
    buffer_free(&text);
}

static void test_output_is_whole_or_not_there(void **state)
{
    (void)state;
    struct output_file out;
    struct stat st;
    char path[160];
    snprintf(path, sizeof(path), "%s/export.csv", dir);
    assert_int_equal(output_file_open(&out, path, NULL), 0);
    fputs("first\n", out.file);
    assert_false(file_exists(path));
    assert_int_equal(output_file_keep(&out, NULL), 0);
    output_file_discard(&out);
    assert_file(path, "first\n");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);

    assert_int_equal(output_file_open(&out, path, NULL), 0);
    fputs("second", out.file);
    char *temporary = strdup(out.temporary);
    output_file_discard(&out);
    assert_false(file_exists(temporary));
    free(temporary);
    assert_file(path, "first\n");
    assert_int_equal(output_file_open(&out, "/no/such/folder/x", NULL), E_IO);
}

/* The audit reads both files as one. */
static void test_the_audit_counts_archived_orders(void **state)
{
    (void)state;
    struct store *archive = make_archive(0);
    audit(0);
    assert_true(audit_holds(&report));
    run_sql(0, "ATTACH (SELECT replace(file, '.0.db', '.0.archive.db') FROM pragma_database_list WHERE name "
               "= 'main')"
               " AS archive; INSERT INTO archive.orders SELECT * FROM main.orders LIMIT 3; DETACH archive");
    audit(0); /* in both: each once */
    if (!audit_holds(&report))
        fail_msg("%s", printed);
    run_sql(0, "DELETE FROM orders WHERE order_id <= '00000000000000000000000003'");
    audit(0);
    if (!audit_holds(&report))
        fail_msg("%s", printed);
    assert_int_equal(report.decided, 7);
    assert_int_equal(report.confirmed, 5);
    run_sql_on(archive, "UPDATE orders SET quantity = 9 WHERE order_id = '00000000000000000000000001'");
    audit(0);
    assert_false(audit_holds(&report));
    assert_non_null(strstr(printed, "oversold by 7"));
    audit_report_free(&report);
    run_sql_on(archive, "UPDATE orders SET quantity = 2 WHERE order_id LIKE '%1'; DELETE FROM orders WHERE "
                        "order_id LIKE '%3'");
    audit(0);
    assert_broken(AUDIT_DECIDED_ONCE, "5 decided orders, and the file has 4");
    store_close(archive);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_pages_have_each_order_once),
        TEST(test_pages_of_file_and_archive_are_merged),
        cmocka_unit_test(test_csv_quotes_what_must_be_quoted),
        cmocka_unit_test(test_csv_has_no_formula),
        cmocka_unit_test(test_ndjson_has_names_as_they_are),
        TEST(test_output_is_whole_or_not_there),
        TEST(test_the_audit_counts_archived_orders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
