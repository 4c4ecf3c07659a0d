/* Order ids: the layout, what tells an issued one from a guess, and that no two are the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/pipeline/order_id.h"
#include "common/pipeline/shard.h"

#define NOW_MS 1795348800123

static struct order_id_key *key, *other_key;

static int make_keys(void **state)
{
    (void)state;
    return order_id_key_new(&key, "0123456789abcdef0123456789abcdef", 32, NULL) ||
           order_id_key_new(&other_key, "0123456789abcdef0123456789abcdeg", 32, NULL);
}

static int free_keys(void **state)
{
    (void)state;
    order_id_key_free(key);
    order_id_key_free(other_key);
    order_id_key_free(NULL);
    return 0;
}

/* The first 42 bits: one digit of 3 bits, seven of 5 and the upper 4 of the next. */
static int64_t time_of(const char *id)
{
    static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    uint64_t value = 0;
    for (int i = 0; i < 9; i++)
        value = value << 5 | (uint64_t)(strchr(digits, id[i]) - digits);
    return (int64_t)(value >> 1) + 1577836800000;
}

/* Computed with Python's hashlib: blake2b with key, salt and person is what crypto_kdf and crypto_generichash
 * are. */
static void test_keyed_ids_are_the_known_ones(void **state)
{
    (void)state;
    char id[ORDER_ID_SIZE];
    order_id_make_keyed(key, "u1", "phone-1", "key-1", 0, id);
    assert_string_equal(id, "2JS2HYWQATDKT055FD01KRDK8E");
    order_id_make_keyed(key, "张伟", "手机", "k", 63, id);
    assert_string_equal(id, "5AWK02EXP25T3TC0WH7XCCHWD4");
    assert_int_equal(order_id_shard(id), 63);
}

static void test_the_parts_of_a_key_do_not_run_into_each_other(void **state)
{
    (void)state;
    char a[ORDER_ID_SIZE], b[ORDER_ID_SIZE];
    order_id_make_keyed(key, "u1", "phone-1", "key-1", 0, a);
    order_id_make_keyed(key, "u1p", "hone-1", "key-1", 0, b);
    assert_string_not_equal(a, b);
    order_id_make_keyed(other_key, "u1", "phone-1", "key-1", 0, b);
    assert_string_not_equal(a, b);
}

static void test_an_id_holds_its_time_and_its_shard(void **state)
{
    (void)state;
    char id[ORDER_ID_SIZE];
    for (int shard = 0; shard < 256; shard++) {
        order_id_make(key, NOW_MS, (uint8_t)shard, id);
        assert_int_equal(strlen(id), ORDER_ID_CHARS);
        assert_true(order_id_is_well_formed(id, ORDER_ID_CHARS));
        assert_int_equal(order_id_shard(id), shard);
        assert_int_equal(time_of(id), NOW_MS);
    }
}

static void test_ids_grow_even_when_the_clock_steps_back(void **state)
{
    (void)state;
    char last[ORDER_ID_SIZE], next[ORDER_ID_SIZE];
    order_id_make(key, NOW_MS + 100, 0, last);
    for (int i = 0; i < 5000; i++) {
        int64_t now = i % 3 == 0 ? 0 : NOW_MS + 100 + i / 100 - (i % 7) * 10;
        order_id_make(key, now, (uint8_t)i, next);
        assert_true(strcmp(last, next) < 0);
        strcpy(last, next);
    }
}

static void test_an_issued_id_is_told_from_a_guess(void **state)
{
    (void)state;
    static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    char id[ORDER_ID_SIZE], guess[ORDER_ID_SIZE];
    for (int keyed = 0; keyed < 2; keyed++) {
        if (keyed)
            order_id_make_keyed(key, "u", "s", "k", 5, id);
        else
            order_id_make(key, NOW_MS, 5, id);
        assert_true(order_id_is_issued(key, id, ORDER_ID_CHARS));
        assert_false(order_id_is_issued(other_key, id, ORDER_ID_CHARS));
        assert_false(order_id_is_issued(key, id, ORDER_ID_CHARS - 1));
        for (int at = 0; at < ORDER_ID_CHARS; at++) {
            strcpy(guess, id);
            guess[at] = digits[(strchr(digits, id[at]) - digits) ^ 1];
            assert_false(order_id_is_issued(key, guess, ORDER_ID_CHARS));
        }
    }
}

static void test_only_26_digits_of_the_alphabet_are_well_formed(void **state)
{
    (void)state;
    assert_true(order_id_is_well_formed("7ZZZZZZZZZZZZZZZZZZZZZZZZZ", 26));
    static const char *const bad[] = {
        "",
        "8ZZZZZZZZZZZZZZZZZZZZZZZZZ",
        "0000000000000000000000000",
        "000000000000000000000000000",
        "0000000000000I000000000000",
        "0000000000000L000000000000",
        "0000000000000O000000000000",
        "0000000000000U000000000000",
        "0000000000000a000000000000",
        "0000000000000-000000000000",
        "0000000000000\xc3\xa9ZZZZZZZZZZZ",
        "Z0000000000000000000000000",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(order_id_is_well_formed(bad[i], strlen(bad[i])));
    assert_false(order_id_is_well_formed("0000000000000\0000000000000", 26));
}

static void test_an_id_is_16_bytes_in_the_same_order(void **state)
{
    (void)state;
    unsigned char bytes[ORDER_ID_BYTES], last[ORDER_ID_BYTES] = {0};
    char id[ORDER_ID_SIZE], again[ORDER_ID_SIZE];
    for (int i = 0; i < 5000; i++) {
        order_id_make(key, NOW_MS + i / 10, (uint8_t)i, id);
        assert_true(order_id_pack(id, bytes));
        order_id_unpack(bytes, again);
        assert_string_equal(again, id);
        assert_true(memcmp(last, bytes, sizeof bytes) < 0);
        memcpy(last, bytes, sizeof bytes);
    }
    assert_true(order_id_pack("7ZZZZZZZZZZZZZZZZZZZZZZZZZ", bytes));
    for (size_t i = 0; i < sizeof bytes; i++)
        assert_int_equal(bytes[i], 0xff);
    assert_false(order_id_pack("8ZZZZZZZZZZZZZZZZZZZZZZZZZ", bytes));
    assert_false(order_id_pack("0000000000000U000000000000", bytes));
    assert_false(order_id_pack("00000", bytes));
    assert_false(order_id_pack("", bytes));
}

static void test_a_short_key_file_is_refused(void **state)
{
    (void)state;
    struct order_id_key *none = NULL;
    struct detail why;
    assert_int_equal(order_id_key_new(&none, "0123456789abcde", 15, &why), E_INVALID);
    assert_non_null(strstr(why.text, "15 bytes"));
    assert_null(none);
}

#define THREADS 4
#define EACH    250000

struct maker {
    pthread_t thread;
    char (*ids)[ORDER_ID_SIZE];
};

static void *make_many(void *context)
{
    struct maker *m = context;
    for (int i = 0; i < EACH; i++)
        order_id_make(key, NOW_MS + 1000 + i / 100, 0, m->ids[i]);
    return NULL;
}

static int compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void test_a_million_ids_of_four_threads_are_all_different(void **state)
{
    (void)state;
    char(*all)[ORDER_ID_SIZE] = malloc(THREADS * EACH * sizeof(*all));
    struct maker makers[THREADS];
    assert_non_null(all);
    for (int t = 0; t < THREADS; t++) {
        makers[t].ids = all + t * EACH;
        assert_int_equal(pthread_create(&makers[t].thread, NULL, make_many, &makers[t]), 0);
    }
    for (int t = 0; t < THREADS; t++)
        pthread_join(makers[t].thread, NULL);
    for (int t = 0; t < THREADS; t++)
        for (int i = 1; i < EACH; i++)
            if (strcmp(makers[t].ids[i - 1], makers[t].ids[i]) >= 0)
                fail_msg("thread %d: id %d is not after the one before", t, i);
    qsort(all, THREADS * EACH, sizeof(*all), compare);
    for (int i = 1; i < THREADS * EACH; i++)
        if (strcmp(all[i - 1], all[i]) == 0)
            fail_msg("twice: %s", all[i]);
    free(all);
}

static void test_a_new_items_shard_never_changes(void **state)
{
    (void)state;
    assert_int_equal(shard_of_new_item("a", 64), 12);
    assert_int_equal(shard_of_new_item("phone-1", 64), 21);
    assert_int_equal(shard_of_new_item("手机", 64), 51);
    assert_int_equal(shard_of_new_item("phone-1", 1), 0);
}

/* While the key is changed: new ids by the first, retries by the last, all recognised. */
static void test_a_retry_is_the_same_order_while_the_key_is_changed(void **state)
{
    (void)state;
    struct order_id_key *both = NULL;
    char before[ORDER_ID_SIZE], during[ORDER_ID_SIZE], fresh[ORDER_ID_SIZE];
    assert_int_equal(order_id_key_new(&both, "0123456789abcdef0123456789abcdeg", 32, NULL),
                     0);                                                                       /* other_key */
    assert_int_equal(order_id_key_add(both, "0123456789abcdef0123456789abcdef", 32, NULL), 0); /* key */

    order_id_make_keyed(key, "u1", "phone-1", "key-1", 0, before);
    order_id_make_keyed(both, "u1", "phone-1", "key-1", 0, during);
    assert_string_equal(during, before);
    assert_true(order_id_is_issued(both, before, ORDER_ID_CHARS));
    assert_true(order_id_key_retries_alike(key, both));
    assert_false(order_id_key_equals(key, both));

    order_id_make(both, NOW_MS, 0, fresh);
    assert_true(order_id_is_issued(both, fresh, ORDER_ID_CHARS));
    assert_true(order_id_is_issued(other_key, fresh, ORDER_ID_CHARS));
    assert_false(order_id_is_issued(key, fresh, ORDER_ID_CHARS));
    /* the old key is dropped: now a retry is another order, and that is told apart */
    assert_false(order_id_key_retries_alike(other_key, both));
    order_id_make_keyed(other_key, "u1", "phone-1", "key-1", 0, during);
    assert_string_not_equal(during, before);
    order_id_key_free(both);
}

static void test_there_is_a_bound_on_keys(void **state)
{
    (void)state;
    struct order_id_key *many = NULL;
    struct detail why;
    assert_int_equal(order_id_key_new(&many, "0123456789abcdef", 16, NULL), 0);
    for (int i = 1; i < ORDER_ID_KEYS_MAX; i++)
        assert_int_equal(order_id_key_add(many, "0123456789abcdef", 16, NULL), 0);
    assert_int_equal(order_id_key_add(many, "0123456789abcdef", 16, &why), E_FULL);
    assert_int_equal(order_id_key_add(many, "short", 5, &why), E_INVALID);
    order_id_key_free(many);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keyed_ids_are_the_known_ones),
        cmocka_unit_test(test_the_parts_of_a_key_do_not_run_into_each_other),
        cmocka_unit_test(test_an_id_holds_its_time_and_its_shard),
        cmocka_unit_test(test_ids_grow_even_when_the_clock_steps_back),
        cmocka_unit_test(test_an_issued_id_is_told_from_a_guess),
        cmocka_unit_test(test_only_26_digits_of_the_alphabet_are_well_formed),
        cmocka_unit_test(test_an_id_is_16_bytes_in_the_same_order),
        cmocka_unit_test(test_a_short_key_file_is_refused),
        cmocka_unit_test(test_a_million_ids_of_four_threads_are_all_different),
        cmocka_unit_test(test_a_new_items_shard_never_changes),
        cmocka_unit_test(test_a_retry_is_the_same_order_while_the_key_is_changed),
        cmocka_unit_test(test_there_is_a_bound_on_keys),
    };
    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
