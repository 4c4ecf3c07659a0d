/* An operator's changes: what is left out stays, what is wrong is named, what is sold cannot be taken back.
 */
#include "tests/unit/stock_support.h"

#include <jansson.h>

#include "common/pipeline/shard.h"
#include "services/inventory/put_item.h"
#include "services/inventory/restock_item.h"

static struct put_item done;
static struct item item; /* done.item */
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
                         &done, &refusal);
    item = done.item;
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
    assert_int_equal(put_item(f->stock, 1, json, 1000, &done, &refusal),
                     E_REFUSED); /* as if all were on shard 0 */
    assert_string_equal(refusal.code, "conflict");
    assert_non_null(strstr(refusal.detail.text, "belongs to shard 0"));
    assert_null(stock_find(f->stock, "tv"));
    assert_int_equal(put_item(f->stock, shards, json, 1000, &done, &refusal), 0);
    assert_int_equal(put_item(f->stock, 1, json, 1000, &done, &refusal), 0); /* it is here now, and stays */
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

/* ---- versions ---- */

#define TV "{\"sku\":\"tv\",\"unit_price\":5,\"stock\":7}"

static void test_version_rises_with_changes_alone(void **state)
{
    struct stock_fixture *f = *state;
    assert_int_equal(put(f, TV), 0);
    assert_true(done.is_created && done.is_changed);
    assert_int_equal(item.version, 1);
    assert_int_equal(put(f, TV), 0); /* says what is so */
    assert_false(done.is_created || done.is_changed);
    assert_int_equal(item.version, 1);
    do_sql(f->store, "UPDATE item SET stock_left = 3"); /* a sale */
    assert_int_equal(stock_store_load(f->stock), 0);
    assert_int_equal(put(f, "{\"sku\":\"tv\",\"paused\":true}"), 0);
    assert_true(done.is_changed && !done.is_created);
    assert_int_equal(item.version, 2);
    assert_int_equal(ask_int(f->store, "SELECT version FROM item"), 2);
}

static void test_change_bound_to_a_version(void **state)
{
    struct stock_fixture *f = *state;
    refused(f, "{\"sku\":\"tv\",\"unit_price\":5,\"stock\":7,\"if_match\":\"*\"}", "precondition", "no item");
    refused(f, "{\"sku\":\"tv\",\"if_match\":[1]}", "precondition", "no item");
    assert_int_equal(put(f, TV), 0);
    refused(f, "{\"sku\":\"tv\",\"paused\":true,\"if_match\":[2,3]}", "precondition", "version is 1");
    refused(f, "{\"sku\":\"tv\",\"paused\":true,\"if_match\":[]}", "precondition", "version is 1");
    refused(f, "{\"sku\":\"tv\",\"paused\":true,\"if_match\":1}", "invalid", "if_match");
    refused(f, "{\"sku\":\"tv\",\"paused\":true,\"if_match\":\"1\"}", "invalid", "if_match");
    assert_int_equal(put(f, "{\"sku\":\"tv\",\"paused\":true,\"if_match\":[7,1]}"), 0);
    assert_int_equal(put(f, "{\"sku\":\"tv\",\"paused\":false,\"if_match\":\"*\"}"), 0);
    assert_int_equal(item.version, 3);
    refused(f, "{\"sku\":\"tv\",\"if_absent\":true}", "precondition", "there already");
    refused(f, "{\"sku\":\"tv\",\"if_absent\":1}", "invalid", "if_absent");
}

/* ---- restocks ---- */

static struct restock restocked;
static bool is_new;

static int restock(struct stock_fixture *f, const char *question)
{
    json_t *json = json_loads(question, 0, NULL);
    assert_non_null(json);
    refusal = (struct rpc_refusal){.code = NULL};
    int error = restock_item(f->stock, json, 1000, &restocked, &is_new, &refusal);
    json_decref(json);
    return error;
}

static void restock_refused(struct stock_fixture *f, const char *question, const char *code, const char *word)
{
    if (restock(f, question) != E_REFUSED)
        fail_msg("taken: %s", question);
    assert_string_equal(refusal.code, code);
    if (!strstr(refusal.detail.text, word))
        fail_msg("\"%s\" does not name %s", refusal.detail.text, word);
}

static void test_restock_counts_once_for_its_key(void **state)
{
    struct stock_fixture *f = *state;
    assert_int_equal(put(f, TV), 0);
    do_sql(f->store, "UPDATE item SET stock_left = 0"); /* sold out */
    assert_int_equal(stock_store_load(f->stock), 0);
    for (int again = 0; again < 3; again++) {
        assert_int_equal(restock(f, "{\"sku\":\"tv\",\"quantity\":5,\"key\":\"k1\"}"), 0);
        assert_int_equal(is_new, again == 0);
        assert_int_equal(restocked.stock_total, 12);
        assert_int_equal(restocked.version, 2);
        assert_int_equal(restocked.at_ms, 1000);
        if (again == 1) { /* another process takes over */
            stock_close(f);
            stock_open(f);
        }
    }
    assert_int_equal(stock_find(f->stock, "tv")->item.stock_left, 5);
    restock_refused(f, "{\"sku\":\"tv\",\"quantity\":6,\"key\":\"k1\"}", "idempotency_mismatch",
                    "by 5 already");
    assert_int_equal(restock(f, "{\"sku\":\"tv\",\"quantity\":6,\"key\":\"k2\"}"), 0);
    assert_int_equal(restocked.stock_total, 18);
    /* The first one's answer stays what it was. */
    assert_int_equal(restock(f, "{\"sku\":\"tv\",\"quantity\":5,\"key\":\"k1\"}"), 0);
    assert_int_equal(restocked.stock_total, 12);
    assert_int_equal(ask_int(f->store, "SELECT stock_total - stock_left FROM item"), 7);
}

static void test_a_key_is_the_items_own(void **state)
{
    struct stock_fixture *f = *state;
    assert_int_equal(put(f, TV), 0);
    assert_int_equal(put(f, "{\"sku\":\"hifi\",\"unit_price\":5,\"stock\":1}"), 0);
    assert_int_equal(restock(f, "{\"sku\":\"tv\",\"quantity\":5,\"key\":\"k\"}"), 0);
    assert_int_equal(restock(f, "{\"sku\":\"hifi\",\"quantity\":2,\"key\":\"k\"}"), 0);
    assert_true(is_new);
    assert_int_equal(restocked.stock_total, 3);
}

static void test_what_is_wrong_with_a_restock_is_named(void **state)
{
    struct stock_fixture *f = *state;
    restock_refused(f, "{\"sku\":\"tv\",\"quantity\":5,\"key\":\"k\"}", "not_found", "tv");
    assert_int_equal(put(f, TV), 0);
    restock_refused(f, "{\"quantity\":5,\"key\":\"k\"}", "invalid", "sku");
    restock_refused(f, "{\"sku\":\"tv\",\"key\":\"k\"}", "invalid", "quantity");
    restock_refused(f, "{\"sku\":\"tv\",\"quantity\":0,\"key\":\"k\"}", "invalid", "quantity");
    restock_refused(f, "{\"sku\":\"tv\",\"quantity\":-5,\"key\":\"k\"}", "invalid", "quantity");
    restock_refused(f, "{\"sku\":\"tv\",\"quantity\":5}", "invalid", "key");
    restock_refused(f, "{\"sku\":\"tv\",\"quantity\":5,\"key\":\"a b\"}", "invalid", "key");
    restock_refused(f, "{\"sku\":\"tv\",\"quantity\":5,\"key\":\"k\",\"stok\":1}", "invalid", "stok");
    restock_refused(f, "{\"sku\":\"tv\",\"quantity\":1000000000,\"key\":\"k\"}", "conflict", "in all");
    assert_int_equal(ask_int(f->store, "SELECT count(*) FROM restock"), 0);
    assert_int_equal(ask_int(f->store, "SELECT version FROM item"), 1);
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
        TEST(test_version_rises_with_changes_alone),
        TEST(test_change_bound_to_a_version),
        TEST(test_restock_counts_once_for_its_key),
        TEST(test_a_key_is_the_items_own),
        TEST(test_what_is_wrong_with_a_restock_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
