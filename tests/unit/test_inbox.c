/* Dead letters on their way: made once, made anew when a replay comes to nothing, settled by name. */
#include "tests/unit/store_support.h"

#include <jansson.h>

#include "common/pipeline/answer_dead_settle.h"
#include "common/pipeline/names.h"
#include "services/inventory/stock_store.h"
#include "tests/unit/schema_examples.h"

#define KEY "00112233445566778899aabbccddeeff"

struct fixture {
    struct place place;
    struct store *store;
    struct inbox *inbox;
    struct outbox *outbox;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    place_make(&f->place);
    f->store = open_or_fail(&f->place, STORE_CREATE);
    assert_int_equal(migrate_apply(f->store, inventory_migrations, NULL, NULL), 0);
    assert_int_equal(inbox_new(&f->inbox, f->store, "seckill.orders.0", NULL), 0);
    assert_int_equal(outbox_new(&f->outbox, f->store, NULL), 0);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    inbox_free(f->inbox);
    outbox_free(f->outbox);
    store_close(f->store);
    place_remove(&f->place);
    free(f);
    return 0;
}

static void bury(struct fixture *f, const struct inbound *m, int64_t line)
{
    assert_int_equal(inbox_bury(f->inbox, f->outbox,
                                &(struct dead_letter){.message = m,
                                                      .line = line,
                                                      .orders = 1,
                                                      .body = slice_of("x"),
                                                      .reason = "malformed",
                                                      .detail = "no \"JSON\"",
                                                      .attempts = 3,
                                                      .at_ms = 5}),
                     0);
}

static void bury_line(struct fixture *f, const char *detail)
{
    assert_int_equal(inbox_bury_line(f->inbox, f->outbox,
                                     &(struct dead_line){.key = "ORDER-1",
                                                         .body = slice_of("{}\n"),
                                                         .reason = "refused",
                                                         .detail = detail,
                                                         .attempts = 5,
                                                         .at_ms = 7}),
                     0);
}

static int settle(struct fixture *f, const char *key, int64_t line, int64_t times, const char *how)
{
    return inbox_settle(f->inbox, &(struct dead_name){.key = key, .line = line, .times = times}, how, 9);
}

static int64_t letters(struct fixture *f)
{
    return ask_int(f->store, "SELECT count(*) FROM outbox WHERE exchange = 'seckill.dead'");
}

static int64_t unsettled(struct fixture *f)
{
    return ask_int(f->store, "SELECT count(*) FROM dead_letter WHERE settled IS NULL");
}

/* The headers in the outbox, to be freed. */
static json_t *headers_of(struct fixture *f, const char *select)
{
    struct statement *st = NULL;
    assert_int_equal(statement_prepare(&st, f->store, select, NULL), 0);
    assert_int_equal(statement_next(st), 1);
    struct slice text = statement_text(st, 0);
    json_t *headers = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES, NULL);
    statement_free(st);
    assert_non_null(headers);
    return headers;
}

static void test_a_letter_says_where_from_why_when_and_how_often(void **state)
{
    struct fixture *f = *state;
    json_t *schema = schema_load("dead_letter"), *examples = json_object_get(schema, "examples");
    struct inbound m = {
        .body = slice_of("x"), .message_id = slice_of("front-1-7"), .reply_to = slice_of("q")};
    bury(f, &m, 2);
    m = (struct inbound){.body = slice_of("x")};
    bury(f, &m, 1);
    json_t *first = headers_of(f, "SELECT headers FROM outbox WHERE id = 1");
    json_t *second = headers_of(f, "SELECT headers FROM outbox WHERE id = 2");
    assert_true(json_equal(first, json_array_get(examples, 0)));
    assert_true(json_equal(second, json_array_get(examples, 1)));
    assert_int_equal(ask_int(f->store, "SELECT o.message_id = 'dead-' || d.message || '-2' FROM outbox AS o,"
                                       " dead_letter AS d WHERE o.id = 1 AND d.line = 2"),
                     1);
    json_decref(first);
    json_decref(second);
    json_decref(schema);
}

/* Or the relay could not read the headers, and the letter would go out without any. */
static void test_whatever_bytes_came_the_headers_are_json(void **state)
{
    struct fixture *f = *state;
    struct inbound m = {.body = slice_of("x"),
                        .message_id = {.data = "a\0\"\\\xff\n", .len = 6},
                        .reply_to = slice_of("\xc3\xa9\"\\")};
    bury(f, &m, 1);
    bury_line(f, "cut in a character \xe6\x89");
    assert_int_equal(ask_int(f->store, "SELECT sum(json_valid(headers)) FROM outbox"), 2);
    assert_int_equal(ask_int(f->store,
                             "SELECT json_extract(headers, '$.seckill-message-id') = 'a?\"\\?\?'"
                             " AND json_extract(headers, '$.seckill-reply-to') = 'é\"\\' FROM outbox"),
                     1);
    assert_int_equal(ask_int(f->store,
                             "SELECT json_extract(headers, '$.seckill-detail') = 'cut in a character ?\?'"
                             " FROM outbox WHERE id = 2"),
                     1);
}

static void test_the_ids_of_letters_and_replays_are_read_back(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "replay-",
                                      "replay-a",
                                      "replay-a-1",
                                      "replay--1-1",
                                      "replay-a-x-1",
                                      "replay-a-1-",
                                      "dead-a-1-1x",
                                      "replay-a-1--1",
                                      "replay-" KEY "0-1-1",
                                      "Replay-a-1-1",
                                      "replay-a-1-99999999999999999999"};
    char key[MESSAGE_KEY_SIZE];
    int64_t line, times;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (replay_id_parse(slice_of(bad[i]), key, &line, &times))
            fail_msg("\"%s\" was read", bad[i]);
    assert_true(replay_id_parse(slice_of("replay-" KEY "-12-3"), key, &line, &times));
    assert_string_equal(key, KEY);
    assert_int_equal(line, 12);
    assert_int_equal(times, 3);
    assert_true(replay_id_parse(slice_of("replay-ORDER-1-1-4"), key, &line, &times));
    assert_string_equal(key, "ORDER-1");
    assert_true(dead_id_parse(slice_of("dead-ORDER-2-1"), key, &line));
    assert_string_equal(key, "ORDER-2");
    assert_int_equal(line, 1);
    assert_false(dead_id_parse(slice_of("replay-" KEY "-1-1"), key, &line));
    assert_false(dead_id_parse(slice_of("dead-" KEY "0-1"), key, &line));
}

/* Two operators, or one that was killed: both copies come to nothing. Whether the owner was told in between
 * does not matter. */
static void test_a_replay_that_comes_to_nothing_makes_the_letter_anew_once(void **state)
{
    for (int told = 0; told < 3; told++) { /* never, before, in between */
        assert_int_equal(set_up(state), 0);
        struct fixture *f = *state;
        do_sql(f->store, "INSERT INTO dead_letter (message, line, orders, reason, detail, at_ms)"
                         " VALUES ('" KEY "', 3, 1, 'malformed', '', 1)");
        struct inbound m = {.body = slice_of("x"), .message_id = slice_of("replay-" KEY "-3-1")};
        if (told == 1)
            assert_int_equal(settle(f, KEY, 3, 1, "replayed"), 0);
        bury(f, &m, 1);
        assert_int_equal(letters(f), 1);
        if (told == 2)
            assert_int_equal(settle(f, KEY, 3, 1, "replayed"), 0);
        bury(f, &m, 1); /* the second copy: new to the broker */
        m.redelivered = true;
        bury(f, &m, 1);
        bury(f, &m, 0); /* as poison */
        assert_int_equal(letters(f), 1);
        assert_int_equal(ask_int(f->store, "SELECT times FROM dead_letter WHERE settled IS NULL"), 2);
        assert_int_equal(ask_int(f->store, "SELECT count(*) FROM dead_letter"), 1);
        assert_int_equal(ask_int(f->store, "SELECT message_id = 'dead-" KEY "-3' AND"
                                           " json_extract(headers, '$.seckill-times') = 2 FROM outbox"),
                         1);
        m.message_id = slice_of("replay-" KEY "-3-2"); /* the letter that was made anew is replayed */
        bury(f, &m, 0);
        assert_int_equal(letters(f), 2);
        assert_int_equal(ask_int(f->store, "SELECT times FROM dead_letter"), 3);
        tear_down(state);
    }
}

static void test_lines_of_a_replayed_message_are_letters_of_their_own(void **state)
{
    struct fixture *f = *state;
    do_sql(f->store, "INSERT INTO dead_letter (message, line, orders, reason, detail, at_ms)"
                     " VALUES ('" KEY "', 0, 2, 'poison', '', 1)");
    struct inbound m = {.body = slice_of("x\ny"), .message_id = slice_of("replay-" KEY "-0-1")};
    bury(f, &m, 1);
    bury(f, &m, 2);
    bury(f, &m, 1); /* the second copy of the replay */
    bury(f, &m, 2);
    assert_int_equal(letters(f), 2);
    bury(f, &m, 0);
    assert_int_equal(letters(f), 3);
    assert_int_equal(ask_int(f->store, "SELECT times FROM dead_letter WHERE message = '" KEY "'"), 2);
}

static void test_a_letter_of_which_the_file_knows_nothing_is_made(void **state)
{
    struct fixture *f = *state;
    struct inbound m = {.body = slice_of("x"), .message_id = slice_of("replay-" KEY "-3-7")};
    bury(f, &m, 1);
    bury(f, &m, 1);
    assert_int_equal(letters(f), 1);
    assert_int_equal(ask_int(f->store, "SELECT times FROM dead_letter WHERE message = '" KEY "'"), 8);
}

static void test_settling_is_for_one_making_and_once(void **state)
{
    struct fixture *f = *state;
    bury_line(f, "no");
    assert_int_equal(settle(f, "ORDER-1", 1, 1, "replayed"), 0);
    assert_int_equal(unsettled(f), 0);
    assert_int_equal(settle(f, "ORDER-1", 1, 1, "dropped"), 0); /* the first word stands */
    assert_int_equal(ask_int(f->store, "SELECT settled = 'replayed' AND settled_ms = 9 FROM dead_letter"), 1);
    bury_line(f, "no again");
    assert_int_equal(unsettled(f), 1);
    assert_int_equal(ask_int(f->store, "SELECT settled_ms IS NULL FROM dead_letter"), 1);
    assert_int_equal(settle(f, "ORDER-1", 1, 1, "dropped"), 0); /* late: of the letter before */
    assert_int_equal(unsettled(f), 1);
    assert_int_equal(settle(f, "ORDER-1", 1, 3, "dropped"), E_NOT_FOUND);
    assert_int_equal(settle(f, "ORDER-1", 2, 1, "dropped"), E_NOT_FOUND);
    assert_int_equal(settle(f, "ORDER-2", 1, 0, "dropped"), E_NOT_FOUND);
    assert_int_equal(unsettled(f), 1);
    assert_int_equal(settle(f, "ORDER-1", 1, 0, "dropped"), 0); /* whichever there is */
    assert_int_equal(unsettled(f), 0);
    assert_int_equal(letters(f), 2);
}

/* The replay's failure overtakes the operator's word that it was replayed. */
static void test_a_letter_that_is_made_before_the_word_of_its_replay_stays_unsettled(void **state)
{
    struct fixture *f = *state;
    bury_line(f, "no");
    bury_line(f, "no again");
    assert_int_equal(settle(f, "ORDER-1", 1, 1, "replayed"), 0);
    assert_int_equal(unsettled(f), 1);
    assert_int_equal(letters(f), 2);
}

/* ---- RPC_DEAD_SETTLE ---- */

static int ask(struct fixture *f, const char *question, struct buffer *result, struct rpc_refusal *refusal)
{
    struct answer_dead_settle a = {.store = f->store, .inbox = f->inbox};
    json_t *q = json_loads(question, 0, NULL);
    assert_non_null(q);
    buffer_clear(result);
    int rc = answer_dead_settle(&a, q, result, refusal);
    json_decref(q);
    assert_false(store_in_transaction(f->store));
    return rc;
}

static void test_the_answer_counts_what_is_known(void **state)
{
    struct fixture *f = *state;
    struct buffer result = {0};
    struct rpc_refusal refusal;
    static const char question[] = "{\"how\":\"dropped\",\"letters\":[{\"message\":\"ORDER-1\",\"line\":1,"
                                   "\"times\":1},{\"message\":\"ORDER-9\",\"line\":1}]}";
    bury_line(f, "no");
    for (int i = 0; i < 2; i++) { /* asked again it says the same */
        assert_int_equal(ask(f, question, &result, &refusal), 0);
        assert_string_equal(buffer_text(&result), "{\"settled\":1,\"unknown\":1}");
    }
    assert_int_equal(ask_int(f->store, "SELECT settled = 'dropped' FROM dead_letter"), 1);
    assert_int_equal(ask(f, "{\"how\":\"replayed\",\"letters\":[]}", &result, &refusal), 0);
    assert_string_equal(buffer_text(&result), "{\"settled\":0,\"unknown\":0}");
    buffer_free(&result);
}

static void test_a_question_that_is_wrong_in_part_changes_nothing(void **state)
{
    static const struct {
        const char *question, *names;
    } bad[] = {
        {"{\"letters\":[]}", "how"},
        {"{\"how\":\"burnt\",\"letters\":[]}", "how"},
        {"{\"how\":\"dropped\"}", "letters"},
        {"{\"how\":\"dropped\",\"letters\":[{\"message\":\"ORDER-1\",\"line\":1},{\"line\":1}]}", "message"},
        {"{\"how\":\"dropped\",\"letters\":[{\"message\":\"ORDER-1\",\"line\":1},{\"message\":\"x\"}]}",
         "line"},
        {"{\"how\":\"dropped\",\"letters\":[{\"message\":\"ORDER-1\",\"line\":1},7]}", "message"},
        {"{\"how\":\"dropped\",\"letters\":[{\"message\":\"ORDER-1\",\"line\":1,\"times\":0}]}", "times"},
    };
    struct fixture *f = *state;
    struct buffer result = {0};
    bury_line(f, "no");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct rpc_refusal refusal = {.code = NULL};
        assert_int_equal(ask(f, bad[i].question, &result, &refusal), E_REFUSED);
        assert_string_equal(refusal.code, "invalid");
        if (!strstr(refusal.detail.text, bad[i].names))
            fail_msg("%s: %s", bad[i].question, refusal.detail.text);
    }
    assert_int_equal(unsettled(f), 1);
    buffer_free(&result);
}

static void test_a_full_disk_is_the_environments_fault(void **state)
{
    struct fixture *f = *state;
    struct buffer result = {0};
    struct rpc_refusal refusal = {.code = NULL};
    bury_line(f, "no");
    do_sql(f->store, "CREATE TRIGGER full AFTER UPDATE ON dead_letter BEGIN"
                     " INSERT INTO write_test (payload) VALUES (zeroblob(1000000)); END");
    make_full(f->store);
    int rc =
        ask(f, "{\"how\":\"dropped\",\"letters\":[{\"message\":\"ORDER-1\",\"line\":1}]}", &result, &refusal);
    assert_true(store_is_fault(rc));
    make_room(f->store);
    assert_int_equal(unsettled(f), 1);
    buffer_free(&result);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_a_letter_says_where_from_why_when_and_how_often),
        TEST(test_whatever_bytes_came_the_headers_are_json),
        cmocka_unit_test(test_the_ids_of_letters_and_replays_are_read_back),
        cmocka_unit_test(test_a_replay_that_comes_to_nothing_makes_the_letter_anew_once),
        TEST(test_lines_of_a_replayed_message_are_letters_of_their_own),
        TEST(test_a_letter_of_which_the_file_knows_nothing_is_made),
        TEST(test_settling_is_for_one_making_and_once),
        TEST(test_a_letter_that_is_made_before_the_word_of_its_replay_stays_unsettled),
        TEST(test_the_answer_counts_what_is_known),
        TEST(test_a_question_that_is_wrong_in_part_changes_nothing),
        TEST(test_a_full_disk_is_the_environments_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
