/* Old orders in the archive: they are duplicates when they come again, whatever their ids, however often, and
 * whatever happened in between; and the two files are never taken for a pair when they are none. */
#include "tests/unit/stock_support.h"

#include "common/base/clock.h"
#include "services/inventory/archive_orders.h"
#include "services/inventory/id_filter.h"

struct archive_fixture {
    struct stock_fixture stock; /* first: what stock_support.h goes by */
    char path[160];
    struct archive_orders *archiver;
    struct archive_store *archive;
};

static int open_archive(struct archive_fixture *f, struct detail *why)
{
    assert_int_equal(archive_orders_new(&f->archiver, f->stock.store, NULL), 0);
    int error = archive_open(&f->archive, f->path, 3, archive_orders_moved(f->archiver), why);
    if (error)
        return error;
    stock_store_use_archive(f->stock.stock, f->archive);
    return archive_orders_finish(f->archiver, f->archive);
}

static void close_archive(struct archive_fixture *f)
{
    archive_orders_free(f->archiver);
    archive_close(f->archive);
    f->archiver = NULL;
    f->archive = NULL;
    stock_store_use_archive(f->stock.stock, NULL);
}

/* As a process that ends and another one that begins. */
static int reopen(struct archive_fixture *f, struct detail *why)
{
    close_archive(f);
    stock_close(&f->stock);
    stock_open(&f->stock);
    return open_archive(f, why);
}

static int set_up(void **state)
{
    struct archive_fixture *f = calloc(1, sizeof *f);
    memset(&reply, 0, sizeof reply);
    place_make(&f->stock.place);
    stock_open(&f->stock);
    snprintf(f->path, sizeof f->path, "%s/test.archive.db", f->stock.place.dir);
    *state = f;
    return open_archive(f, NULL);
}

static void remove_archive_file(const struct archive_fixture *f)
{
    static const char *const endings[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        char path[170];
        snprintf(path, sizeof path, "%s%s", f->path, endings[i]);
        unlink(path);
    }
}

static int tear_down(void **state)
{
    struct archive_fixture *f = *state;
    close_archive(f);
    stock_close(&f->stock);
    remove_archive_file(f);
    place_remove(&f->stock.place);
    free(f);
    return 0;
}

static void put(struct archive_fixture *f, int limit)
{
    const struct item item = {.sku = "phone",
                              .name = "phone",
                              .unit_price = 100,
                              .stock_total = 100000,
                              .stock_left = 100000,
                              .limit_per_user = limit,
                              .shard = 3};
    assert_int_equal(stock_put_item(f->stock.stock, &item, clock_wall_ms()), 0);
}

static struct order order_of(const char *id, const char *user)
{
    struct order o = {.quantity = 1, .accepted_ms = clock_wall_ms(), .sku = "phone"};
    snprintf(o.order_id, sizeof o.order_id, "%s", id);
    snprintf(o.user_id, sizeof o.user_id, "%s", user);
    return o;
}

static void send(struct archive_fixture *f, const struct order *orders, int count)
{
    struct buffer body = {0};
    for (int i = 0; i < count; i++)
        order_encode(&body, &orders[i]);
    struct inbound m = {.producer = slice_of("p"),
                        .seq = ++f->stock.next_seq,
                        .orders = count,
                        .reply_to = slice_of("asker"),
                        .body = {.data = body.data, .len = body.len}};
    struct inbound *list[] = {&m};
    assert_int_equal(transaction_handle(&f->stock.t, list, 1), 0);
    buffer_free(&body);
}

static void buy(struct archive_fixture *f, const char *id, const char *user)
{
    const struct order o = order_of(id, user);
    send(f, &o, 1);
}

/* All that was decided by now. Returns how many were moved. */
static int64_t archive_all(struct archive_fixture *f, int limit)
{
    char after[ORDER_ID_SIZE] = "";
    int64_t moved = 0;
    do {
        struct archiving a = {.after = after, .decided_before_ms = clock_wall_ms() + 1, .limit = limit};
        assert_int_equal(archive_orders(f->archiver, f->archive, &a), 0);
        moved += a.moved;
        memcpy(after, a.next, sizeof after);
    } while (after[0]);
    return moved;
}

static int64_t left(struct archive_fixture *f)
{
    return stock_find(f->stock.stock, "phone")->item.stock_left;
}

static int64_t rows(struct archive_fixture *f)
{
    return ask_int(f->stock.store, "SELECT count(*) FROM orders");
}

/* An id without a key, made now; one that only a key makes, beyond all of those; one with a key that is
 * below. */
#define LATER  "7ZZZZZZZZZZZZZZZZZZZZZZZZ1"
#define KEYED  "4TQQD2159K0EP5K6WX00N6AMRV"
#define BEFORE "00000000000000000000000009"

static void now_id(char id[ORDER_ID_SIZE])
{
    order_id_ceiling(clock_wall_ms(), id);
    memcpy(id + 12, "00000000000001", 15);
}

static void test_archived_orders_are_duplicates(void **state)
{
    struct archive_fixture *f = *state;
    char ids[4][ORDER_ID_SIZE] = {LATER, KEYED, BEFORE};
    now_id(ids[3]);
    put(f, 0);
    for (int i = 0; i < 4; i++)
        buy(f, ids[i], "u1");
    assert_int_equal(left(f), 99996);
    assert_int_equal(archive_all(f, 2), 4);
    assert_int_equal(rows(f), 0);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 4; i++) {
            buy(f, ids[i], "u1");
            assert_string_equal(reply.decision.order_id, ids[i]);
            assert_int_equal(reply.decision.status, ORDER_CONFIRMED);
            assert_int_equal(reply.decision.receipt_no, i + 1); /* the stored decision is sent again */
        }
        assert_int_equal(left(f), 99996);
        assert_int_equal(rows(f), 0);
        assert_int_equal(reopen(f, NULL), 0); /* the filter is made again from the file */
    }
    /* Another user's with the same id is the same order, as ever. */
    buy(f, KEYED, "u2");
    assert_string_equal(reply.decision.user_id, "u1");
    assert_int_equal(ask_int(f->stock.store, "SELECT mismatches FROM shard"), 1);
}

static void test_new_orders_go_on_beside_the_archive(void **state)
{
    struct archive_fixture *f = *state;
    struct order_record record;
    put(f, 0);
    buy(f, KEYED, "u1");
    buy(f, BEFORE, "u1");
    archive_all(f, 100);
    buy(f, LATER, "u1");
    buy(f, "00000000000000000000000008", "u1"); /* below the horizon, and looked for, and not there */
    assert_int_equal(left(f), 99996);
    assert_int_equal(rows(f), 2);
    assert_int_equal(stock_find_record(f->stock.stock, KEYED, &record), 0);
    assert_true(record.archived);
    assert_int_equal(record.limit_per_user, 0);
    assert_int_equal(stock_find_record(f->stock.stock, LATER, &record), 0);
    assert_false(record.archived);
    assert_int_equal(stock_find_record(f->stock.stock, "00000000000000000000000007", &record), E_NOT_FOUND);
    assert_int_equal(archive_all(f, 100), 2);
    assert_int_equal(archive_all(f, 100), 0);
}

static void test_only_old_orders_are_moved(void **state)
{
    struct archive_fixture *f = *state;
    put(f, 0);
    buy(f, KEYED, "u1");
    struct archiving a = {.after = "", .decided_before_ms = clock_wall_ms() - 60000, .limit = 10};
    assert_int_equal(archive_orders(f->archiver, f->archive, &a), 0);
    assert_int_equal(a.moved, 0);
    assert_int_equal(a.looked_at, 1);
    assert_string_equal(a.next, "");
    assert_int_equal(access(f->path, F_OK), -1); /* nothing, so no file */
}

static void test_none_of_many_random_ids_is_forgotten(void **state)
{
    enum { MANY = 6000 };
    struct archive_fixture *f = *state;
    struct order *orders = calloc(MANY, sizeof *orders);
    put(f, 0);
    for (int i = 0; i < MANY; i++) {
        char id[ORDER_ID_SIZE];
        snprintf(id, sizeof id, "7%025d", i * 7919);
        orders[i] = order_of(id, "u1");
    }
    send(f, orders, MANY);
    assert_int_equal(archive_all(f, 1000), MANY); /* the filter grows several times */
    send(f, orders, MANY);
    assert_int_equal(rows(f), 0);
    assert_int_equal(left(f), 100000 - MANY);
    free(orders);
}

static void test_limit_that_comes_later_counts_archived_orders(void **state)
{
    struct archive_fixture *f = *state;
    put(f, 0);
    buy(f, KEYED, "u1");
    archive_all(f, 100);
    buy(f, BEFORE, "u1");
    struct item item = stock_find(f->stock.stock, "phone")->item;
    item.limit_per_user = 2;
    assert_int_equal(stock_put_item(f->stock.stock, &item, clock_wall_ms()), 0);
    buy(f, LATER, "u1");
    assert_int_equal(reply.decision.reason, REASON_LIMIT_EXCEEDED);
    assert_int_equal(ask_int(f->stock.store, "SELECT units FROM buyer WHERE user_id = 'u1'"), 2);
}

/* Copies everything and takes nothing out: as a crash in between leaves it. */
static void copy_only(struct archive_fixture *f)
{
    static const char *const ids[] = {BEFORE, KEYED};
    struct order_record record;
    assert_int_equal(archive_begin(f->archive, clock_wall_ms() + 1), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(stock_find_record(f->stock.stock, ids[i], &record), 0);
        assert_int_equal(archive_add(f->archive, &record), 0);
    }
    assert_int_equal(archive_commit(f->archive, "", KEYED), 0);
}

static void test_a_crash_between_the_files_is_made_good(void **state)
{
    struct archive_fixture *f = *state;
    put(f, 0);
    buy(f, KEYED, "u1");
    buy(f, BEFORE, "u1");
    copy_only(f);
    buy(f, KEYED, "u1"); /* in both: still a duplicate */
    assert_int_equal(rows(f), 2);
    assert_int_equal(reopen(f, NULL), 0);
    assert_int_equal(rows(f), 0);
    assert_int_equal(archive_orders_moved(f->archiver), 2);
    buy(f, KEYED, "u1");
    buy(f, BEFORE, "u1");
    assert_int_equal(left(f), 99998);
    assert_int_equal(rows(f), 0);
}

static void test_a_lost_or_older_archive_is_refused(void **state)
{
    struct archive_fixture *f = *state;
    struct detail why = {.text = ""};
    put(f, 0);
    buy(f, KEYED, "u1");
    archive_all(f, 100);
    do_sql(f->stock.store, "UPDATE shard SET archived = 2");
    assert_int_equal(reopen(f, &why), E_INVALID);
    assert_non_null(strstr(why.text, "older copy"));
    close_archive(f);
    remove_archive_file(f);
    assert_int_equal(open_archive(f, &why), E_NOT_FOUND);
    assert_non_null(strstr(why.text, "restore it"));
    assert_int_equal(access(f->path, F_OK), -1);
}

static void test_another_shards_archive_is_refused(void **state)
{
    struct archive_fixture *f = *state;
    struct archive_store *other = NULL;
    struct detail why = {.text = ""};
    put(f, 0);
    buy(f, KEYED, "u1");
    archive_all(f, 100);
    close_archive(f);
    assert_int_equal(archive_open(&other, f->path, 4, 0, &why), E_INVALID);
    assert_non_null(strstr(why.text, "belongs to shard 3"));
}

/* A copy of inventory's file from before an archiving, with the archive from after it. */
static void test_an_older_file_beside_a_newer_archive_has_each_order_once(void **state)
{
    struct archive_fixture *f = *state;
    put(f, 0);
    buy(f, KEYED, "u1");
    buy(f, BEFORE, "u1");
    copy_only(f);
    assert_int_equal(archive_begin(f->archive, clock_wall_ms() + 1), 0); /* and a later one, of other ids */
    assert_int_equal(archive_commit(f->archive, KEYED, LATER), 0);
    assert_int_equal(reopen(f, NULL), 0);
    assert_int_equal(rows(f), 0);
    assert_int_equal(archive_orders_moved(f->archiver), 2);
}

static void test_filter_is_seldom_wrong(void **state)
{
    (void)state;
    enum { IDS = 20000 };
    struct id_filter filter = {.words = NULL};
    int wrong = 0;
    char id[ORDER_ID_SIZE];
    assert_false(id_filter_may_have(&filter, KEYED));
    id_filter_reset(&filter, IDS);
    for (int i = 0; i < IDS; i++) {
        assert_false(id_filter_is_full(&filter));
        snprintf(id, sizeof id, "5%025d", i);
        id_filter_add(&filter, id);
    }
    for (int i = 0; i < IDS; i++) {
        snprintf(id, sizeof id, "5%025d", i);
        assert_true(id_filter_may_have(&filter, id));
        snprintf(id, sizeof id, "6%025d", i);
        wrong += id_filter_may_have(&filter, id);
    }
    assert_in_range(wrong, 0, IDS / 200);
    id_filter_free(&filter);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_archived_orders_are_duplicates),
        TEST(test_new_orders_go_on_beside_the_archive),
        TEST(test_only_old_orders_are_moved),
        TEST(test_none_of_many_random_ids_is_forgotten),
        TEST(test_limit_that_comes_later_counts_archived_orders),
        TEST(test_a_crash_between_the_files_is_made_good),
        TEST(test_a_lost_or_older_archive_is_refused),
        TEST(test_another_shards_archive_is_refused),
        TEST(test_an_older_file_beside_a_newer_archive_has_each_order_once),
        cmocka_unit_test(test_filter_is_seldom_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
