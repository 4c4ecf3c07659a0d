/* settings.h: the defaults that the README promises, and the values that do not go together. */
#include "tests/unit/base_support.h"

#include "common/base/log.h"
#include "common/pipeline/settings.h"

static const struct config_spec spec = {.options = settings_table};

struct fixture {
    struct settings settings;
    struct config *config;
    struct detail why;
};

static int set_up(void **state)
{
    static struct fixture f;
    f = (struct fixture){0};
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    config_free(f->config);
    return 0;
}

/* Loads up to two sets and says what the check makes of them. */
static int check(struct fixture *f, const char *set1, const char *set2)
{
    const char *sets[] = {set1, set2};
    config_free(f->config);
    f->config = NULL;
    if (config_load(&f->config, &spec, NULL, false, sets, (size_t)((set1 != NULL) + (set2 != NULL)),
                    &f->settings, &f->why) != 0)
        fail_msg("refused: %s", f->why.text);
    return settings_check(&f->settings, &f->why);
}

static void test_the_defaults_are_those_of_the_contract(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(check(f, NULL, NULL), 0);
    const struct settings *s = &f->settings;
    assert_int_equal(s->log.level, LOG_LEVEL_INFO);
    assert_string_equal(s->broker.url, "amqp://guest:guest@127.0.0.1:5672/");
    assert_string_equal(s->http.listen, "127.0.0.1:8080");
    assert_int_equal(s->topology.shards, 1);
    assert_int_equal(s->publisher.max_batch, 500);
    assert_int_equal(s->publisher.window, 1);
    assert_int_equal(s->publisher.confirm_timeout_ms, 5000);
    assert_int_equal(s->admission.max_rate, 20000);
    assert_int_equal(s->admission.user_rate, 5);
    assert_int_equal(s->admission.user_burst, 10);
    assert_int_equal(s->admission.max_pending, 200000);
    assert_string_equal(s->auth.admin_token_file, "");
    assert_int_equal(s->inventory.max_attempts, 5);
}

static void test_every_field_has_one_key_and_every_key_its_help(void **state)
{
    (void)state;
    for (const struct config_option *o = settings_table; o->key; o++) {
        assert_non_null(strchr(o->key, '.'));
        assert_non_null(o->fallback);
        assert_non_null(o->help);
        assert_int_equal(o->help[strlen(o->help) - 1], '.');
        for (const struct config_option *other = settings_table; other < o; other++) {
            assert_string_not_equal(other->key, o->key);
            assert_int_not_equal(other->offset, o->offset);
        }
    }
}

static void test_thresholds_logging_and_secrets_are_what_can_be_reloaded(void **state)
{
    (void)state;
    static const char *const beginnings[] = {"admission.", "log.", "auth.jwt_", "order.id_key_file",
                                             "http.tls_"};
    for (const struct config_option *o = settings_table; o->key; o++) {
        bool may = false;
        for (size_t i = 0; i < sizeof beginnings / sizeof *beginnings; i++)
            may |= strncmp(o->key, beginnings[i], strlen(beginnings[i])) == 0;
        if (o->reloadable != may)
            fail_msg("%s", o->key);
    }
}

static void test_tokens_need_keys_and_an_algorithm(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(check(f, "auth.mode=jwt", NULL), E_INVALID);
    assert_non_null(strstr(f->why.text, "auth.jwt_keys"));
    assert_int_equal(check(f, "auth.mode=jwt", "auth.jwt_keys=/a"), E_INVALID);
    assert_non_null(strstr(f->why.text, "auth.jwt_algorithm"));
    /* Who lists keys and forgets the mode would serve everybody in any name. */
    assert_int_equal(check(f, "auth.jwt_keys=/a", NULL), E_INVALID);
    assert_non_null(strstr(f->why.text, "auth.mode"));
}

static void test_log_levels_are_in_the_logs_order(void **state)
{
    struct fixture *f = *state;
    const char *const sets[] = {"log.level=debug", "log.level=info", "log.level=warn", "log.level=error"};
    for (int level = LOG_LEVEL_DEBUG; level <= LOG_LEVEL_ERROR; level++) {
        assert_int_equal(check(f, sets[level], NULL), 0);
        assert_int_equal(f->settings.log.level, level);
    }
}

static void test_a_shard_beyond_the_topology_is_refused(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(check(f, "inventory.shard=1", NULL), E_INVALID);
    assert_string_equal(f->why.text, "inventory.shard: expected less than topology.shards (1), got 1");
    assert_int_equal(check(f, "inventory.shard=1", "topology.shards=2"), 0);
}

static void test_values_that_make_no_sense_are_refused_by_name(void **state)
{
    struct fixture *f = *state;
    const char *const sets[] = {"http.listen=8080",
                                "http.listen=127.0.0.1:",
                                "http.listen=127.0.0.1:65536",
                                "http.listen=:x",
                                "store.dir=",
                                "order.name=a/b",
                                "order.name=..",
                                "order.name=a-name-of-33-characters-is-no-good",
                                "http.busy_page=busy",
                                "http.sold_out_page=",
                                "http.order_page=javascript:x",
                                "http.order_page=/order#top",
                                "http.order_page=/a b",
                                "http.order_page=/a\r\nX: y",
                                "broker.url=",
                                "broker.url=http://host/"};
    for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
        char key[64];
        if (check(f, sets[i], NULL) != E_INVALID)
            fail_msg("\"%s\" was taken", sets[i]);
        snprintf(key, sizeof(key), "%.*s", (int)strcspn(sets[i], "="), sets[i]);
        assert_contains(f->why.text, key);
    }
}

static void test_values_at_the_edge_of_sense_are_taken(void **state)
{
    struct fixture *f = *state;
    const char *const sets[] = {"http.listen=127.0.0.1:0",
                                "http.listen=[::1]:8080",
                                "http.listen=localhost:65535",
                                "order.name=front-1.example_org",
                                "http.busy_page=https://cdn.example.org/busy",
                                "broker.url=amqp://a:b@h1:5672/v,amqps://a:b@h2/"};
    for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++)
        if (check(f, sets[i], NULL) != 0)
            fail_msg("\"%s\" was refused: %s", sets[i], f->why.text);
}

static void test_a_bad_broker_address_is_refused_without_its_password(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(check(f, "broker.url=amqp://u:hidden@host:port/", NULL), E_INVALID);
    assert_lacks(f->why.text, "hidden");
}

static void test_webhook_needs_an_address_and_does_not_show_it(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(check(f, "notification.sink=webhook", NULL), E_INVALID);
    assert_contains(f->why.text, "notification.webhook_url");
    assert_int_equal(check(f, "notification.sink=webhook", "notification.webhook_url=ftp://h/?key=hidden"),
                     E_INVALID);
    assert_contains(f->why.text, "notification.webhook_url");
    assert_lacks(f->why.text, "hidden");
    assert_int_equal(check(f, "notification.sink=webhook", "notification.webhook_url=HTTPS://h/sms"), 0);
    assert_int_equal(check(f, "notification.sink=file", "notification.webhook_url=ftp://h/"), 0); /* unused */
}

static void test_paths_are_inside_the_store(void **state)
{
    struct fixture *f = *state;
    char path[STORE_PATH_SIZE];
    assert_int_equal(check(f, "store.dir=/data", NULL), 0);
    assert_string_equal(settings_inventory_path(&f->settings, 7, path), "/data/inventory.7.db");
    assert_string_equal(settings_ledger_dir(&f->settings, path), "/data/ledger");
}

#define with_settings(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_settings(test_the_defaults_are_those_of_the_contract),
        with_settings(test_every_field_has_one_key_and_every_key_its_help),
        with_settings(test_thresholds_logging_and_secrets_are_what_can_be_reloaded),
        with_settings(test_tokens_need_keys_and_an_algorithm),
        with_settings(test_log_levels_are_in_the_logs_order),
        with_settings(test_a_shard_beyond_the_topology_is_refused),
        with_settings(test_values_that_make_no_sense_are_refused_by_name),
        with_settings(test_values_at_the_edge_of_sense_are_taken),
        with_settings(test_a_bad_broker_address_is_refused_without_its_password),
        with_settings(test_webhook_needs_an_address_and_does_not_show_it),
        with_settings(test_paths_are_inside_the_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
