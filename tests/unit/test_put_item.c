/* An operator's changes: what is left out stays, what is wrong is named, what is sold cannot be taken back.
 */
#include "tests/unit/stock_support.h"

#include <jansson.h>

#include "common/pipeline/shard.h"
#include "services/inventory/put_item.h"

static struct item item;
static struct rpc_refusal refusal;

/* A number of shards of which this sku names the fixture's. */
static int shards_for(const struct stock_fixture *f, const char *sku)
{
    int shards = stock_store_shard(f->stock) + 1;
    while (sku && *sku && shard_of_new_item(sku, shards) != stock_store_shard(f->stock))
        shards++;
    return shards;
}

static int put(struct stock_fixture *f, const char *question)
{
    json_t *json = json_loads(question, 0, NULL);
    assert_non_null(json);
    refusal = (struct rpc_refusal){.code = NULL};
    int error = put_item(f->stock, shards_for(f, json_string_value(json_object_get(json, "sku"))), json, 1000,
                         &item, &refusal);
    json_decref(json);
    return error;
}

static void refused(struct stock_fixture *f, const char *question, const char *code, const char *word)
{
    if (put(f, question) != E_REFUSED)
        fail_msg("taken: %s", question);
    assert_string_equal(refusal.code, code);
    if (!strstr(refusal.detail.text, word))
        fail_msg("\"%s\" does not name %s", refusal.detail.text, word);
}

static void test_new_item_of_another_shard_is_not_made_here(void **state)
{
    struct stock_fixture *f = *state;
    const int shards = shards_for(f, "tv");
    const char *question = "{\"sku\":\"tv\",\"unit_price\":5,\"stock\":7}";
    json_t *json = json_loads(question, 0, NULL);
    refusal = (struct rpc_refusal){.code = NULL};
    assert_int_equal(put_item(f->stock, 1, json, 1000, &item, &refusal),
                     E_REFUSED); /* as if all were on shard 0 */
    assert_string_equal(refusal.code, "conflict");
    assert_non_null(strstr(refusal.detail.text, "belongs to shard 0"));
    assert_null(stock_find(f->stock, "tv"));
    assert_int_equal(put_item(f->stock, shards, json, 1000, &item, &refusal), 0);
    assert_int_equal(put_item(f->stock, 1, json, 1000, &item, &refusal), 0); /* it is here now, and stays */
    json_decref(json);
}

static void test_new_item_has_sensible_defaults(void **state)
{
    struct stock_fixture *f = *state;
    assert_int_equal(put(f, "{\"sku\":\"tv\",\"unit_price\":5,\"stock\":7}"), 0);
    assert_string_equal(item.name, "tv");
    assert_int_equal(item.unit_price, 5);
    assert_int_equal(item.stock_total, 7);
    assert_int_equal(item.stock_left, 7);
    assert_int_equal(item.limit_per_user, 0);
    assert_int_equal(item.starts_ms, 0);
    assert_int_equal(item.ends_ms, 0);
    assert_false(item.paused);
    assert_int_equal(item.shard, 3);
}

static void test_what_is_left_out_stays(void **state)
{
    struct stock_fixture *f = *state;
    assert_int_equal(
        put(f,
            "{\"sku\":\"tv\",\"name\":\"电视\",\"unit_price\":5,\"stock\":7,\"limit_per_user\":2,"
            "\"starts_at\":\"1970-01-01T00:00:01Z\",\"ends_at\":\"1970-01-01T00:00:02Z\",\"paused\":true}"),
        0);
    assert_int_equal(put(f, "{\"sku\":\"tv\",\"paused\":false,\"ends_at\":null}"), 0);
    assert_string_equal(item.name, "电视");
    assert_int_equal(item.unit_price, 5);
    assert_int_equal(item.stock_total, 7);
    assert_int_equal(item.limit_per_user, 2);
    assert_int_equal(item.starts_ms, 1000);
    assert_int_equal(item.ends_ms, 0);
    assert_false(item.paused);
}

static void test_stock_moves_what_is_left_by_the_difference(void **state)
{
    struct stock_fixture *f = *state;
    assert_int_equal(put(f, "{\"sku\":\"tv\",\"unit_price\":5,\"stock\":7}"), 0);
    do_sql(f->store, "UPDATE item SET stock_left = 3");
    assert_int_equal(stock_store_load(f->stock), 0);
    assert_int_equal(put(f, "{\"sku\":\"tv\",\"stock\":10}"), 0);
    assert_int_equal(item.stock_left, 6);
    assert_int_equal(put(f, "{\"sku\":\"tv\",\"stock\":4}"), 0);
    assert_int_equal(item.stock_left, 0);
    refused(f, "{\"sku\":\"tv\",\"stock\":3}", "conflict", "at least 4");
    assert_int_equal(ask_int(f->store, "SELECT stock_total FROM item"), 4);
}

static void test_what_is_wrong_is_named(void **state)
{
    struct stock_fixture *f = *state;
    refused(f, "{}", "invalid", "sku");
    refused(f, "{\"sku\":\"\"}", "invalid", "sku");
    refused(f, "{\"sku\":\"tv\",\"stock\":1}", "invalid", "unit_price");
    refused(f, "{\"sku\":\"tv\",\"unit_price\":1}", "invalid", "stock");
    refused(f, "{\"sku\":\"tv\",\"unit_price\":-1,\"stock\":1}", "invalid", "unit_price");
    refused(f, "{\"sku\":\"tv\",\"unit_price\":1.5,\"stock\":1}", "invalid", "unit_price");
    refused(f, "{\"sku\":\"tv\",\"unit_price\":1,\"stock\":-1}", "invalid", "stock");
    refused(f, "{\"sku\":\"tv\",\"unit_price\":1,\"stock\":1,\"limit_per_user\":-1}", "invalid",
            "limit_per_user");
    refused(f, "{\"sku\":\"tv\",\"unit_price\":1,\"stock\":1,\"paused\":1}", "invalid", "paused");
    refused(f, "{\"sku\":\"tv\",\"unit_price\":1,\"stock\":1,\"starts_at\":\"soon\"}", "invalid",
            "starts_at");
    refused(f, "{\"sku\":\"tv\",\"unit_price\":1,\"stock\":1,\"stok\":1}", "invalid", "stok");
    assert_int_equal(ask_int(f->store, "SELECT count(*) FROM item"), 0);
}

static void test_window_is_checked_against_what_stays(void **state)
{
    struct stock_fixture *f = *state;
    assert_int_equal(
        put(f, "{\"sku\":\"tv\",\"unit_price\":1,\"stock\":1,\"starts_at\":\"2026-01-02T00:00:00Z\"}"), 0);
    refused(f, "{\"sku\":\"tv\",\"ends_at\":\"2026-01-01T00:00:00Z\"}", "invalid", "ends_at");
    refused(f, "{\"sku\":\"tv\",\"ends_at\":\"2026-01-02T00:00:00Z\"}", "invalid", "ends_at");
    assert_int_equal(put(f, "{\"sku\":\"tv\",\"ends_at\":\"2026-01-03T00:00:00Z\"}"), 0);
}

static void test_many_items_are_all_found(void **state)
{
    struct stock_fixture *f = *state;
    char text[128], sku[32];
    for (int i = 0; i < 300; i++) {
        snprintf(text, sizeof text, "{\"sku\":\"item-%d\",\"unit_price\":%d,\"stock\":1}", i, i);
        assert_int_equal(put(f, text), 0);
    }
    for (int i = 0; i < 300; i++) {
        snprintf(sku, sizeof sku, "item-%d", i);
        const struct stock_item *found = stock_find(f->stock, sku);
        assert_non_null(found);
        assert_int_equal(found->item.unit_price, i);
    }
    assert_null(stock_find(f->stock, "item-300"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, stock_set_up, stock_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_new_item_of_another_shard_is_not_made_here),
        TEST(test_new_item_has_sensible_defaults),
        TEST(test_what_is_left_out_stays),
        TEST(test_stock_moves_what_is_left_by_the_difference),
        TEST(test_what_is_wrong_is_named),
        TEST(test_window_is_checked_against_what_stays),
        TEST(test_many_items_are_all_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
