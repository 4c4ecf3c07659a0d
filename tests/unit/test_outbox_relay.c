/* The relay against a broker that is a few lines: what is published, what is kept, what is published again.
 */
#include "tests/unit/store_support.h"

#include "common/base/clock.h"
#include "common/broker/publish.h"
#include "common/pipeline/names.h"
#include "common/pipeline/outbox.h"
#include "common/pipeline/outbox_relay.h"
#include "services/inventory/stock_store.h"

#define WINDOW 2

/* The broker: these two take the place of the library's. */
static struct {
    uint64_t tag; /* of the latest message */
    bool blocked, broken;
    char ids[64][64], keys[64][16], bodies[64][64]; /* by tag */
    int persistent, mandatory;
} broker;

int broker_publish(struct broker_connection *c, const struct broker_message *message, uint64_t *tag)
{
    (void)c;
    if (broker.broken)
        return E_CLOSED;
    *tag = ++broker.tag;
    assert_true(*tag < 64);
    snprintf(broker.ids[*tag], sizeof broker.ids[0], "%.*s", (int)message->properties.message_id.len,
             message->properties.message_id.data);
    snprintf(broker.keys[*tag], sizeof broker.keys[0], "%s", message->routing_key);
    snprintf(broker.bodies[*tag], sizeof broker.bodies[0], "%.*s", (int)message->body.len,
             message->body.data);
    broker.persistent += message->properties.persistent;
    broker.mandatory += message->mandatory;
    return 0;
}

bool broker_connection_blocked(const struct broker_connection *c)
{
    (void)c;
    return broker.blocked;
}

struct fixture {
    struct place place;
    struct store *store;
    struct outbox *outbox;
    struct outbox_relay *relay;
};

static const char *const exchanges[] = {EXCHANGE_EVENTS, EXCHANGE_DEAD, NULL};
static const struct outbox_relay_options options = {
    .name = "inventory.0", .exchanges = exchanges, .window = WINDOW, .confirm_timeout_ms = 30000};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    memset(&broker, 0, sizeof broker);
    place_make(&f->place);
    f->store = open_or_fail(&f->place, STORE_CREATE);
    assert_int_equal(migrate_apply(f->store, inventory_migrations, NULL, NULL), 0);
    assert_int_equal(outbox_new(&f->outbox, f->store, NULL), 0);
    assert_int_equal(outbox_relay_new(&f->relay, f->store, &options, NULL), 0);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    outbox_relay_free(f->relay);
    outbox_free(f->outbox);
    store_close(f->store);
    place_remove(&f->place);
    free(f);
    return 0;
}

static void add_lines(struct fixture *f, const char *routing_key, const char *lines)
{
    assert_int_equal(outbox_add_message(f->outbox, &(struct outbox_message){.exchange = EXCHANGE_EVENTS,
                                                                            .routing_key = routing_key,
                                                                            .body = slice_of(lines)}),
                     0);
    outbox_relay_wake(f->relay);
}

static void add(struct fixture *f, const char *exchange, const char *id)
{
    assert_int_equal(outbox_add_message(f->outbox, &(struct outbox_message){.exchange = exchange,
                                                                            .routing_key = "k",
                                                                            .message_id = id,
                                                                            .body = slice_of("x\n")}),
                     0);
    outbox_relay_wake(f->relay);
}

static void run(struct fixture *f, int64_t now_ns)
{
    assert_int_equal(outbox_relay_run(f->relay, NULL, now_ns), 0);
}

static int64_t rows(struct fixture *f)
{
    return ask_int(f->store, "SELECT count(*) FROM outbox");
}

static void test_rows_with_ids_go_out_within_the_window_and_end_when_confirmed(void **state)
{
    struct fixture *f = *state;
    static const char *const ids[] = {"dead-1", "dead-2", "dead-3"};
    for (int i = 0; i < 3; i++)
        add(f, EXCHANGE_DEAD, ids[i]);
    run(f, 0);
    assert_int_equal(broker.tag, WINDOW);
    assert_string_equal(broker.ids[1], "dead-1");
    assert_int_equal(broker.persistent, WINDOW);
    assert_int_equal(broker.mandatory, WINDOW);

    outbox_relay_confirmed(f->relay, 2, true, true, 0);
    run(f, 0);
    assert_int_equal(broker.tag, 3);
    assert_int_equal(outbox_relay_tidy(f->relay, 0, true), 0);
    assert_int_equal(rows(f), 1);
    outbox_relay_confirmed(f->relay, 3, false, true, 0);
    assert_int_equal(outbox_relay_tidy(f->relay, 0, true), 0);
    assert_int_equal(rows(f), 0);
    run(f, 0);
    assert_int_equal(broker.tag, 3);
    assert_true(outbox_relay_is_done(f->relay));
}

/* The first goes out at once and alone; what comes until its confirm goes out together, by routing key. */
static void test_rows_of_lines_gather_while_one_is_on_its_way(void **state)
{
    struct fixture *f = *state;
    add_lines(f, "a", "1\n");
    run(f, 0);
    assert_int_equal(broker.tag, 1);
    assert_string_equal(broker.ids[1], "inventory.0-1");
    add_lines(f, "a", "2\n");
    add_lines(f, "b", "3\n");
    add_lines(f, "a", "4\n5\n");
    run(f, 0);
    assert_int_equal(broker.tag, 1);
    assert_false(outbox_relay_is_done(f->relay));

    outbox_relay_confirmed(f->relay, 1, false, true, 0);
    run(f, 0);
    assert_int_equal(broker.tag, 3);
    assert_string_equal(broker.keys[2], "a");
    assert_string_equal(broker.bodies[2], "2\n4\n5\n");
    assert_string_equal(broker.ids[2], "inventory.0-2-4");
    assert_string_equal(broker.keys[3], "b");
    assert_string_equal(broker.bodies[3], "3\n");
    assert_string_equal(broker.ids[3], "inventory.0-3");
    outbox_relay_confirmed(f->relay, 2, false, true, 0);
    assert_int_equal(outbox_relay_tidy(f->relay, 0, true), 0);
    assert_int_equal(ask_int(f->store, "SELECT id FROM outbox"), 3);
    outbox_relay_confirmed(f->relay, 3, false, true, 0);
    assert_int_equal(outbox_relay_tidy(f->relay, 0, true), 0);
    assert_int_equal(rows(f), 0);
    assert_true(outbox_relay_is_done(f->relay));
}

/* More keys than messages that may be in flight: the rest follows. */
static void test_every_key_has_its_turn(void **state)
{
    struct fixture *f = *state;
    static const char *const keys[] = {"a", "b", "c", "a", "d", "e"};
    for (int i = 0; i < 6; i++)
        add_lines(f, keys[i], "x\n");
    uint64_t confirmed = 0;
    for (int round = 0; round < 6 && rows(f) > 0; round++) {
        run(f, 0);
        assert_true(broker.tag <= confirmed + WINDOW);
        confirmed = broker.tag;
        outbox_relay_confirmed(f->relay, confirmed, true, true, 0);
        assert_int_equal(outbox_relay_tidy(f->relay, 0, true), 0);
    }
    assert_int_equal(rows(f), 0);
    assert_int_equal(broker.tag, 6);
}

/* Whole rows only, and no message above what a frame takes. */
static void test_a_bundle_ends_before_it_is_too_large(void **state)
{
    struct fixture *f = *state;
    static char half[OUTBOX_BODY_MAX / 2 + 1];
    memset(half, 'x', sizeof half - 1);
    half[sizeof half - 2] = '\n';
    add_lines(f, "k", half);
    add_lines(f, "k", half);
    add_lines(f, "k", "y\n");
    run(f, 0);
    assert_int_equal(broker.tag, 1);
    assert_string_equal(broker.ids[1], "inventory.0-1-2");
    outbox_relay_confirmed(f->relay, 1, false, true, 0);
    run(f, 0);
    assert_string_equal(broker.ids[2], "inventory.0-3");
}

/* All rows of a bundle that was refused, or was on its way when the connection broke, come again. */
static void test_a_bundle_that_was_refused_or_lost_comes_again_whole(void **state)
{
    struct fixture *f = *state;
    add_lines(f, "k", "1\n");
    add_lines(f, "k", "2\n");
    run(f, 0);
    assert_string_equal(broker.bodies[1], "1\n2\n");
    outbox_relay_confirmed(f->relay, 1, false, false, 0);
    add_lines(f, "k", "3\n");
    run(f, NS_PER_S);
    assert_string_equal(broker.bodies[2], "1\n2\n3\n");
    assert_string_not_equal(broker.ids[2], broker.ids[1]); /* it is another message */
    outbox_relay_lost(f->relay);
    run(f, NS_PER_S);
    assert_string_equal(broker.bodies[3], "1\n2\n3\n");
    assert_int_equal(rows(f), 3);
}

static void test_large_rows_go_out_one_after_the_other(void **state)
{
    struct fixture *f = *state;
    static char large[OUTBOX_BODY_MAX];
    memset(large, 'x', sizeof large);
    for (int i = 0; i < 2; i++)
        assert_int_equal(
            outbox_add_message(f->outbox,
                               &(struct outbox_message){.exchange = EXCHANGE_EVENTS,
                                                        .routing_key = "k",
                                                        .body = {.data = large, .len = sizeof large}}),
            0);
    outbox_relay_wake(f->relay);
    run(f, 0);
    assert_int_equal(broker.tag, 1);
    add(f, EXCHANGE_DEAD, NULL); /* another lane */
    run(f, 0);
    assert_int_equal(broker.tag, 2);
    outbox_relay_confirmed(f->relay, 1, false, true, 0);
    run(f, 0);
    assert_int_equal(broker.tag, 3);
    outbox_relay_lost(f->relay); /* what was in flight does not count against the next connection */
    assert_int_equal(outbox_relay_tidy(f->relay, 0, true), 0);
    run(f, 0);
    assert_int_equal(broker.tag, 5);
    outbox_relay_confirmed(f->relay, 5, true, true, 0);
    assert_int_equal(outbox_relay_tidy(f->relay, 0, true), 0);
    assert_int_equal(rows(f), 0);
}

static void test_rows_of_an_earlier_run_go_out(void **state)
{
    struct fixture *f = *state;
    add(f, EXCHANGE_EVENTS, NULL);
    outbox_relay_free(f->relay);
    assert_int_equal(outbox_relay_new(&f->relay, f->store, &options, NULL), 0);
    run(f, 0);
    assert_int_equal(broker.tag, 1);
}

static void test_confirms_of_other_messages_are_none_of_ours(void **state)
{
    struct fixture *f = *state;
    broker.tag = 10; /* replies and snapshots went out before */
    add(f, EXCHANGE_EVENTS, NULL);
    run(f, 0);
    outbox_relay_confirmed(f->relay, 10, true, true, 0);
    assert_int_equal(outbox_relay_tidy(f->relay, 0, true), 0);
    assert_int_equal(rows(f), 1);
}

static void test_a_refused_row_is_kept_and_tried_again_later(void **state)
{
    struct fixture *f = *state;
    add(f, EXCHANGE_EVENTS, NULL);
    run(f, 0);
    outbox_relay_confirmed(f->relay, 1, false, false, 0);
    run(f, 0);
    assert_int_equal(broker.tag, 1);
    assert_int_equal(rows(f), 1);
    assert_int_equal(outbox_relay_due_ns(f->relay), NS_PER_S);
    run(f, NS_PER_S);
    assert_int_equal(broker.tag, 2);
    assert_string_equal(broker.ids[2], broker.ids[1]);
    outbox_relay_confirmed(f->relay, 2, false, false, NS_PER_S);
    assert_int_equal(outbox_relay_due_ns(f->relay), 3 * NS_PER_S); /* the pause doubles */
}

static void test_a_returned_row_is_kept_though_the_broker_acks_it(void **state)
{
    struct fixture *f = *state;
    add(f, EXCHANGE_EVENTS, NULL);
    run(f, 0);
    outbox_relay_returned(f->relay,
                          &(struct broker_returned){.properties.message_id = slice_of("inventory.0-1")});
    outbox_relay_confirmed(f->relay, 1, false, true, 0);
    assert_int_equal(outbox_relay_tidy(f->relay, 0, true), 0);
    assert_int_equal(rows(f), 1);
    run(f, NS_PER_S);
    assert_int_equal(broker.tag, 2);
}

static void test_what_was_confirmed_beside_a_refused_row_is_not_published_again(void **state)
{
    struct fixture *f = *state;
    add(f, EXCHANGE_DEAD, "dead-1");
    add(f, EXCHANGE_DEAD, "dead-2");
    run(f, 0);
    outbox_relay_confirmed(f->relay, 1, false, false, 0);
    outbox_relay_confirmed(f->relay, 2, false, true, 0);
    run(f, 5 * NS_PER_S); /* before the sweep nothing may go out */
    assert_int_equal(broker.tag, 2);
    assert_int_equal(outbox_relay_tidy(f->relay, 5 * NS_PER_S, false), 0);
    run(f, 5 * NS_PER_S);
    assert_int_equal(broker.tag, 3);
    assert_string_equal(broker.ids[3], "dead-1");
    run(f, 5 * NS_PER_S);
    assert_int_equal(broker.tag, 3);
}

static void test_a_lane_that_pauses_does_not_hold_the_other(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 5; i++)
        add(f, EXCHANGE_EVENTS, NULL);
    run(f, 0);
    outbox_relay_confirmed(f->relay, 1, true, false, 0);
    add(f, EXCHANGE_DEAD, "dead-1");
    run(f, 0);
    assert_int_equal(broker.tag, 2);
    assert_string_equal(broker.ids[2], "dead-1");
}

static void test_after_a_lost_connection_unconfirmed_rows_go_out_again(void **state)
{
    struct fixture *f = *state;
    add(f, EXCHANGE_DEAD, "dead-1");
    add(f, EXCHANGE_DEAD, "dead-2");
    run(f, 0);
    outbox_relay_confirmed(f->relay, 1, false, true, 0);
    outbox_relay_lost(f->relay);
    assert_int_equal(outbox_relay_tidy(f->relay, 0, false),
                     0); /* a restart waits for it, so it is due at once */
    assert_int_equal(rows(f), 1);
    run(f, 0);
    assert_int_equal(broker.tag, 3);
    assert_string_equal(broker.ids[3], "dead-2");
}

static void test_nothing_goes_out_while_the_broker_is_blocked(void **state)
{
    struct fixture *f = *state;
    add(f, EXCHANGE_EVENTS, NULL);
    broker.blocked = true;
    run(f, 0);
    assert_int_equal(broker.tag, 0);
    broker.blocked = false;
    run(f, 0);
    assert_int_equal(broker.tag, 1);
}

/* Looks so often as a worker does, for so long. Returns how often it was overdue. */
static int look(struct fixture *f, int64_t *now_ns, int64_t for_ns)
{
    int overdue = 0;
    for (int64_t end_ns = *now_ns + for_ns; *now_ns < end_ns;) {
        *now_ns += NS_PER_S / 2;
        overdue += outbox_relay_is_overdue(f->relay, NULL, *now_ns);
    }
    return overdue;
}

static void test_a_confirm_that_does_not_come_is_noticed(void **state)
{
    struct fixture *f = *state;
    const int64_t limit_ns = options.confirm_timeout_ms * NS_PER_MS;
    int64_t now_ns = 0;
    assert_int_equal(look(f, &now_ns, 2 * limit_ns), 0); /* nothing is on its way */
    add(f, EXCHANGE_DEAD, "dead-1");
    run(f, now_ns);
    assert_int_equal(look(f, &now_ns, 2 * NS_PER_S), 0);
    add(f, EXCHANGE_DEAD, "dead-2");
    run(f, now_ns);
    assert_int_equal(look(f, &now_ns, limit_ns - 2 * NS_PER_S), 0);
    assert_int_equal(look(f, &now_ns, NS_PER_S), 2);
    outbox_relay_confirmed(f->relay, 1, false, true, now_ns);
    assert_int_equal(look(f, &now_ns, NS_PER_S), 0); /* the other one was sent later */
    assert_int_equal(look(f, &now_ns, NS_PER_S), 2);
    outbox_relay_lost(f->relay);
    assert_int_equal(look(f, &now_ns, 2 * limit_ns), 0);
}

/* An alarm may hold back what was published before it, for as long as it lasts. */
static void test_the_time_of_an_alarm_does_not_count_against_a_confirm(void **state)
{
    struct fixture *f = *state;
    const int64_t limit_ns = options.confirm_timeout_ms * NS_PER_MS;
    int64_t now_ns = 0;
    add(f, EXCHANGE_DEAD, "dead-1");
    run(f, now_ns);
    broker.blocked = true;
    assert_int_equal(look(f, &now_ns, 10 * limit_ns), 0);
    broker.blocked = false;
    assert_int_equal(look(f, &now_ns, limit_ns), 0);
    assert_int_equal(look(f, &now_ns, NS_PER_S), 2);
}

/* A process that was stopped, or waited for its disk, did not wait for the broker. */
static void test_the_time_of_a_stop_does_not_count_against_a_confirm(void **state)
{
    struct fixture *f = *state;
    const int64_t limit_ns = options.confirm_timeout_ms * NS_PER_MS;
    int64_t now_ns = 0;
    assert_int_equal(look(f, &now_ns, NS_PER_S), 0);
    now_ns += 10 * limit_ns; /* before the publish, in the same round */
    add(f, EXCHANGE_DEAD, "dead-1");
    run(f, now_ns);
    assert_int_equal(look(f, &now_ns, NS_PER_S), 0);
    now_ns += 10 * limit_ns;
    assert_int_equal(look(f, &now_ns, limit_ns / 2), 0);
    assert_true(look(f, &now_ns, limit_ns) > 0);
}

static void test_a_rolled_back_sweep_is_done_again(void **state)
{
    struct fixture *f = *state;
    add(f, EXCHANGE_EVENTS, NULL);
    run(f, 0);
    outbox_relay_confirmed(f->relay, 1, false, true, 0);
    assert_int_equal(store_begin(f->store), 0);
    assert_int_equal(outbox_relay_sweep(f->relay), 0);
    store_rollback(f->store);
    assert_int_equal(rows(f), 1);
    assert_int_equal(store_begin(f->store), 0);
    assert_int_equal(outbox_relay_sweep(f->relay), 0);
    assert_int_equal(store_commit(f->store), 0);
    outbox_relay_swept(f->relay);
    assert_int_equal(rows(f), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_rows_with_ids_go_out_within_the_window_and_end_when_confirmed),
        TEST(test_rows_of_lines_gather_while_one_is_on_its_way),
        TEST(test_every_key_has_its_turn),
        TEST(test_a_bundle_ends_before_it_is_too_large),
        TEST(test_a_bundle_that_was_refused_or_lost_comes_again_whole),
        TEST(test_large_rows_go_out_one_after_the_other),
        TEST(test_rows_of_an_earlier_run_go_out),
        TEST(test_confirms_of_other_messages_are_none_of_ours),
        TEST(test_a_refused_row_is_kept_and_tried_again_later),
        TEST(test_a_returned_row_is_kept_though_the_broker_acks_it),
        TEST(test_what_was_confirmed_beside_a_refused_row_is_not_published_again),
        TEST(test_a_lane_that_pauses_does_not_hold_the_other),
        TEST(test_after_a_lost_connection_unconfirmed_rows_go_out_again),
        TEST(test_nothing_goes_out_while_the_broker_is_blocked),
        TEST(test_a_confirm_that_does_not_come_is_noticed),
        TEST(test_the_time_of_an_alarm_does_not_count_against_a_confirm),
        TEST(test_the_time_of_a_stop_does_not_count_against_a_confirm),
        TEST(test_a_rolled_back_sweep_is_done_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
