/* Questions about red packets, and an operator's changes: what is left out stays, what is wrong is named,
 * what was granted cannot be taken back. */
#include "tests/unit/red_packet_support.h"

static void test_a_new_campaign_needs_budget_and_packets(void **state)
{
    struct packet_fixture *f = *state;
    assert_answer(f, answer_campaign_put, "{\"sku\":\"电\\\"视\",\"budget\":100,\"packets\":7}",
                  "{\"sku\":\"电\\\"视\",\"budget\":100,\"packets\":7,\"min_amount\":1,\"budget_left\":100,"
                  "\"packets_left\":7}");
    assert_refused(f, answer_campaign_put, "{\"sku\":\"tv\",\"packets\":7}", "invalid", "budget is missing");
    assert_refused(f, answer_campaign_put, "{\"sku\":\"tv\",\"budget\":7}", "invalid", "packets is missing");
    assert_refused(f, answer_campaign_show, "{\"sku\":\"tv\"}", "not_found", "tv");
    assert_answer(f, answer_campaign_put, "{\"sku\":\"tv\",\"budget\":0,\"packets\":0}",
                  "{\"sku\":\"tv\",\"budget\":0,\"packets\":0,\"min_amount\":1,\"budget_left\":0,"
                  "\"packets_left\":0}");
}

static void test_what_is_left_out_stays(void **state)
{
    struct packet_fixture *f = *state;
    put_or_fail(f, "{\"sku\":\"tv\",\"budget\":1000,\"packets\":10,\"min_amount\":3}");
    assert_answer(f, answer_campaign_put, "{\"sku\":\"tv\",\"packets\":20}",
                  "{\"sku\":\"tv\",\"budget\":1000,\"packets\":20,\"min_amount\":3,\"budget_left\":1000,"
                  "\"packets_left\":20}");
    assert_answer(f, answer_campaign_put, "{\"sku\":\"tv\",\"v\":1}",
                  "{\"sku\":\"tv\",\"budget\":1000,\"packets\":20,\"min_amount\":3,\"budget_left\":1000,"
                  "\"packets_left\":20}");
}

static void test_what_is_left_moves_by_the_difference_and_no_further_than_what_was_granted(void **state)
{
    struct packet_fixture *f = *state;
    char question[96], expected[160];
    put_or_fail(f, "{\"sku\":\"tv\",\"budget\":1000,\"packets\":10}");
    for (int i = 0; i < 4; i++)
        send_event(f, confirmed(i, "u1", "tv"));
    const long long granted = ask_int(f->store, "SELECT sum(amount) FROM packet");

    snprintf(expected, sizeof expected,
             "{\"sku\":\"tv\",\"budget\":3000,\"packets\":12,\"min_amount\":1,\"budget_left\":%lld,"
             "\"packets_left\":8}",
             3000 - granted);
    assert_answer(f, answer_campaign_put, "{\"sku\":\"tv\",\"budget\":3000,\"packets\":12}", expected);
    assert_packets_conserved(f);

    snprintf(question, sizeof question, "{\"sku\":\"tv\",\"budget\":%lld,\"packets\":4}", granted - 1);
    snprintf(expected, sizeof expected, "budget must be at least %lld", granted);
    assert_refused(f, answer_campaign_put, question, "conflict", expected);
    assert_refused(f, answer_campaign_put, "{\"sku\":\"tv\",\"packets\":3}", "conflict",
                   "packets must be at least 4");
    assert_int_equal(ask_int(f->store, "SELECT budget FROM campaign"), 3000);

    snprintf(question, sizeof question, "{\"sku\":\"tv\",\"budget\":%lld,\"packets\":4}", granted);
    put_or_fail(f, question);
    assert_int_equal(ask_int(f->store, "SELECT budget_left + packets_left FROM campaign"), 0);
    send_event(f, confirmed(99, "u2", "tv"));
    assert_int_equal(ask_int(f->store, "SELECT status FROM packet WHERE user_id = 'u2'"), PACKET_NONE_LEFT);
    assert_packets_conserved(f);
}

/* The money stays where it is while there is no packet for it. */
static void test_packets_may_run_out_before_the_budget(void **state)
{
    struct packet_fixture *f = *state;
    put_or_fail(f, "{\"sku\":\"tv\",\"budget\":1000,\"packets\":2}");
    send_event(f, confirmed(1, "u1", "tv"));
    put_or_fail(f, "{\"sku\":\"tv\",\"packets\":1}");
    send_event(f, confirmed(2, "u2", "tv"));
    assert_int_equal(ask_int(f->store, "SELECT status FROM packet WHERE user_id = 'u2'"), PACKET_NONE_LEFT);
    put_or_fail(f, "{\"sku\":\"tv\",\"packets\":2}");
    send_event(f, confirmed(3, "u3", "tv"));
    assert_int_equal(ask_int(f->store, "SELECT budget_left FROM campaign"), 0);
    assert_int_equal(ask_int(f->store, "SELECT sum(amount) FROM balance"), 1000);
    assert_packets_conserved(f);
}

static void test_each_packet_left_must_have_its_minimum(void **state)
{
    struct packet_fixture *f = *state;
    put_or_fail(f, "{\"sku\":\"tv\",\"budget\":1000,\"packets\":10,\"min_amount\":100}");
    assert_refused(f, answer_campaign_put, "{\"sku\":\"tv\",\"min_amount\":101}", "conflict", "101");
    assert_refused(f, answer_campaign_put, "{\"sku\":\"tv\",\"packets\":11}", "conflict", "11 packets");
    assert_refused(f, answer_campaign_put, "{\"sku\":\"tv\",\"budget\":999}", "conflict", "999");
    assert_refused(f, answer_campaign_put,
                   "{\"sku\":\"x\",\"budget\":1000000000000000,\"packets\":1000000000,\"min_amount\":"
                   "1000000000000000}",
                   "conflict", "1000000000 packets");
    assert_int_equal(ask_int(f->store, "SELECT budget * 100000 + packets * 1000 + min_amount FROM campaign"),
                     100010100);
    put_or_fail(f, "{\"sku\":\"tv\",\"budget\":1010,\"packets\":10,\"min_amount\":101}");
}

static void test_what_is_wrong_is_named(void **state)
{
    struct packet_fixture *f = *state;
    static const struct {
        const char *question, *word;
    } cases[] = {
        {"{}", "sku"},
        {"{\"sku\":\"\"}", "sku"},
        {"{\"sku\":\"tv\",\"budget\":-1,\"packets\":1}", "budget"},
        {"{\"sku\":\"tv\",\"budget\":1.5,\"packets\":1}", "budget"},
        {"{\"sku\":\"tv\",\"budget\":1000000000000001,\"packets\":1}", "budget"},
        {"{\"sku\":\"tv\",\"budget\":1,\"packets\":-1}", "packets"},
        {"{\"sku\":\"tv\",\"budget\":1,\"packets\":1000000001}", "packets"},
        {"{\"sku\":\"tv\",\"budget\":1,\"packets\":1,\"min_amount\":0}", "min_amount"},
        {"{\"sku\":\"tv\",\"budget\":1,\"packets\":1,\"min_amount\":null}", "min_amount"},
        {"{\"sku\":\"tv\",\"budget\":1,\"packets\":1,\"budget_left\":1}", "budget_left"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_refused(f, answer_campaign_put, cases[i].question, "invalid", cases[i].word);
    assert_int_equal(ask_int(f->store, "SELECT count(*) FROM campaign"), 0);
    assert_refused(f, answer_campaign_show, "{\"sku\":7}", "invalid", "sku");
    assert_refused(f, answer_packet_show, "{\"order_id\":\"x\"}", "invalid", "order_id");
    assert_refused(f, answer_balance_show, "{}", "invalid", "user_id");
}

static void test_campaigns_are_found_among_many(void **state)
{
    struct packet_fixture *f = *state;
    char question[96], word[32];
    assert_answer(f, answer_campaign_list, "{}", "{\"campaigns\":[]}");
    for (int i = 0; i < 100; i++) {
        snprintf(question, sizeof question, "{\"sku\":\"item-%d\",\"budget\":%d,\"packets\":1}", i * 37 % 100,
                 1000 + i * 37 % 100);
        put_or_fail(f, question);
    }
    for (int i = 0; i < 100; i++) {
        snprintf(question, sizeof question, "{\"sku\":\"item-%d\"}", i);
        snprintf(word, sizeof word, "\"budget\":%d,", 1000 + i);
        assert_int_equal(ask(f, answer_campaign_show, question), 0);
        assert_non_null(strstr(buffer_text(&f->result), word));
        snprintf(question, sizeof question, "{\"sku\":\"item-%d-\"}", i);
        assert_refused(f, answer_campaign_show, question, "not_found", "item");
    }
    assert_int_equal(ask(f, answer_campaign_list, "{}"), 0);
    json_t *all = json_loads(buffer_text(&f->result), 0, NULL);
    assert_int_equal(json_array_size(json_object_get(all, "campaigns")), 100);
    json_decref(all);
}

static void test_orders_and_balances_are_told(void **state)
{
    struct packet_fixture *f = *state;
    put_or_fail(f, "{\"sku\":\"tv\",\"budget\":50,\"packets\":1}");
    assert_refused(f, answer_packet_show, "{\"order_id\":\"00000000000000000000000001\"}", "not_found",
                   "00000000000000000000000001");
    assert_answer(f, answer_balance_show, "{\"user_id\":\"u\\\"1\"}",
                  "{\"user_id\":\"u\\\"1\",\"amount\":0,\"packets\":0}");
    send_events(f,
                (const struct decision[]){confirmed(1, "u\"1", "tv"), confirmed(2, "u\"1", "tv"),
                                          confirmed(3, "u\"1", "phone")},
                3);
    assert_answer(
        f, answer_packet_show, "{\"order_id\":\"00000000000000000000000001\"}",
        "{\"order_id\":\"00000000000000000000000001\",\"status\":\"granted\",\"amount\":50,\"at_ms\":NOW}");
    assert_answer(
        f, answer_packet_show, "{\"order_id\":\"00000000000000000000000002\"}",
        "{\"order_id\":\"00000000000000000000000002\",\"status\":\"none_left\",\"amount\":0,\"at_ms\":NOW}");
    assert_answer(f, answer_packet_show, "{\"order_id\":\"00000000000000000000000003\"}",
                  "{\"order_id\":\"00000000000000000000000003\",\"status\":\"no_campaign\",\"amount\":0,\"at_"
                  "ms\":NOW}");
    assert_answer(f, answer_balance_show, "{\"user_id\":\"u\\\"1\"}",
                  "{\"user_id\":\"u\\\"1\",\"amount\":50,\"packets\":1}");
}

static void test_many_orders_are_told_at_once_and_one_that_is_unknown_too(void **state)
{
    struct packet_fixture *f = *state;
    struct buffer many = {0};
    assert_answer(f, answer_packet_show, "{\"ids\":[]}", "{\"packets\":[]}");
    put_or_fail(f, "{\"sku\":\"tv\",\"budget\":50,\"packets\":1}");
    send_events(f, (const struct decision[]){confirmed(1, "u1", "tv"), confirmed(2, "u1", "tv")}, 2);
    assert_answer(
        f, answer_packet_show,
        "{\"ids\":[\"00000000000000000000000002\",\"00000000000000000000000009\","
        "\"00000000000000000000000001\"]}",
        "{\"packets\":[{\"order_id\":\"00000000000000000000000002\",\"status\":\"none_left\",\"amount\":0},"
        "{\"order_id\":\"00000000000000000000000009\",\"status\":\"unknown\"},"
        "{\"order_id\":\"00000000000000000000000001\",\"status\":\"granted\",\"amount\":50}]}");
    assert_refused(f, answer_packet_show, "{\"ids\":\"00000000000000000000000001\"}", "invalid", "ids must");
    assert_refused(f, answer_packet_show, "{\"ids\":[\"00000000000000000000000001\",7]}", "invalid",
                   "ids[1]");
    assert_refused(f, answer_packet_show, "{\"ids\":[\"'; DROP TABLE packet; --  \"]}", "invalid", "ids[0]");

    buffer_add_text(&many, "{\"ids\":[");
    for (int i = 0; i < PACKET_IDS_MAX; i++)
        buffer_printf(&many, "%s\"%026d\"", i ? "," : "", i + 1);
    size_t len = many.len;
    buffer_add_text(&many, "]}");
    assert_int_equal(ask(f, answer_packet_show, buffer_text(&many)), 0);
    json_t *answer = json_loads(buffer_text(&f->result), 0, NULL);
    assert_int_equal(json_array_size(json_object_get(answer, "packets")), PACKET_IDS_MAX);
    json_decref(answer);
    many.len = len;
    buffer_add_text(&many, ",\"00000000000000000000000001\"]}");
    assert_refused(f, answer_packet_show, buffer_text(&many), "invalid", "at most 500");
    buffer_free(&many);
}

static void test_a_change_that_cannot_be_written_leaves_the_campaign_as_it_was(void **state)
{
    struct packet_fixture *f = *state;
    put_or_fail(f, "{\"sku\":\"tv\",\"budget\":50,\"packets\":1}");
    do_sql(f->store, "CREATE TRIGGER trouble BEFORE UPDATE ON campaign BEGIN SELECT raise(ABORT, 'no'); END");
    int error = ask(f, answer_campaign_put, "{\"sku\":\"tv\",\"budget\":60}");
    assert_true(error && error != E_REFUSED);
    assert_int_equal(campaign_find(f->packets, "tv")->budget, 50);
    assert_packets_conserved(f);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, packets_set_up, packets_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_a_new_campaign_needs_budget_and_packets),
        TEST(test_what_is_left_out_stays),
        TEST(test_what_is_left_moves_by_the_difference_and_no_further_than_what_was_granted),
        TEST(test_packets_may_run_out_before_the_budget),
        TEST(test_each_packet_left_must_have_its_minimum),
        TEST(test_what_is_wrong_is_named),
        TEST(test_campaigns_are_found_among_many),
        TEST(test_orders_and_balances_are_told),
        TEST(test_many_orders_are_told_at_once_and_one_that_is_unknown_too),
        TEST(test_a_change_that_cannot_be_written_leaves_the_campaign_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
