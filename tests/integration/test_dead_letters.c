/* What no worker could take: listed, shown, replayed, dropped, by an operator who may be killed on the way;
 * and no letter disappears unseen. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/amqp.h"
#include "tests/support/buyers.h"
#include "tests/support/check.h"
#include "tests/support/clock.h"
#include "tests/support/ctl.h"
#include "tests/support/dead_letters.h"
#include "tests/support/http_client.h"
#include "tests/support/json.h"
#include "tests/support/orders.h"
#include "tests/support/process.h"

enum { SECONDS = 60 };

#define ORDERS_COPY "test.orders" /* a queue of the test's own: a copy of each message to inventory */

static const char *letter_id(const json_t *letters, size_t index)
{
    return json_text(json_array_get(letters, index), "id");
}

/* ---- what the files are made to do ---- */

/* While the service does not run. */
static void change_file(struct stack *s, const char *service, const char *file, const char *sql)
{
    char path[STACK_PATH];
    struct process_output o;

    assert_int_equal(stack_do(s, "stop", service, NULL), 0);
    snprintf(path, sizeof path, "%s/store/%s", s->dir, file);
    process_run((const char *[]){"sqlite3", path, sql, NULL}, NULL, NULL, 30, &o);
    if (o.status != 0)
        fail_msg("sqlite3: %s", text_c(&o.err));
    process_output_free(&o);
    assert_int_equal(stack_do(s, "start", service, NULL), 0);
}

/* The audit's exit status is 1, and it says this. */
static void assert_audit_fails(struct stack *s, const char *words)
{
    char program[STACK_PATH];
    struct process_output o;

    process_run(
        (const char *[]){stack_program(s, "seckillctl", program), "--config", s->config, "audit", NULL},
        stack_environment(s), NULL, SECONDS, &o);
    assert_int_equal(o.status, 1);
    if (!strstr(text_c(&o.out), words))
        fail_msg("\"%s\" is not said in:\n%s", words, text_c(&o.out));
    process_output_free(&o);
}

/* ---- the tests ---- */

static void test_malformed_lines_come_back_until_they_are_dropped(void **state)
{
    struct stack *s = *state;
    struct ctl_answer answer;
    json_t *letters, *again, *letter;
    char *body;

    assert_int_equal(amqp_publish(s, "seckill.orders", "0",
                                  "not an order\n"
                                  "{\"v\":1,\"order_id\":\"01ARZ3NDEKTSV4RRFFQ69G5FC1\",\"user_id\":\"u\","
                                  "\"sku\":\"phone\"}\n{\"v\":99}\n"),
                     0);
    letters = dead_wait(s, 2);
    for (size_t i = 0; i < 2; i++) {
        letter = json_array_get(letters, i);
        assert_string_equal(json_text(letter, "queue"), "seckill.orders.0");
        assert_string_equal(json_text(letter, "reason"), "malformed");
        assert_int_equal(strncmp(json_text(letter, "id"), "dead-", 5), 0);
        assert_true(strlen(json_text(letter, "detail")) > 0);
        assert_true(strlen(json_text(letter, "at")) > 0);
        assert_int_equal(json_number(letter, "attempts"), 1);
        assert_int_equal(json_number(letter, "times"), 1);
    }
    body = dead_body(s, letter_id(letters, 0));
    assert_string_equal(body, "not an order");
    free(body);
    body = dead_body(s, letter_id(letters, 1));
    assert_string_equal(body, "{\"v\":99}");
    free(body);
    again = dead_wait(s, 2); /* who only looks leaves everything as it was */
    assert_true(json_equal(letters, again));
    json_decref(again);
    assert_audit_fails(s, letter_id(letters, 0));

    /* What is malformed stays so: the same letter, made once more. */
    assert_int_equal(ctl_status(s, 0, (const char *[]){"dead", "replay", letter_id(letters, 0), NULL}), 0);
    again = dead_wait(s, 2);
    assert_string_equal(letter_id(again, 0), letter_id(letters, 1));
    assert_string_equal(letter_id(again, 1), letter_id(letters, 0));
    assert_int_equal(json_number(json_array_get(again, 1), "times"), 2);
    json_decref(again);
    assert_audit_fails(s, letter_id(letters, 0));

    assert_int_equal(ctl_status(s, 64, (const char *[]){"dead", "drop", "--all", NULL}),
                     64); /* nobody to ask */
    assert_int_equal(ctl_status(s, 64, (const char *[]){"dead", "drop", "--yes", NULL}), 64);
    assert_int_equal(ctl_status(s, 1, (const char *[]){"dead", "drop", "--yes", "dead-x-1", NULL}), 1);
    json_decref(dead_wait(s, 2));
    ctl(s, &answer, (const char *[]){"dead", "drop", "--yes", letter_id(letters, 1), NULL});
    assert_int_equal(answer.output.status, 0);
    assert_int_equal(json_number(answer.json, "dropped"), 1);
    ctl_free(&answer);
    again = dead_wait(s, 1);
    assert_string_equal(letter_id(again, 0), letter_id(letters, 0));
    json_decref(again);
    dead_drop(s, 1);
    assert_true(audit_passes(s));
    json_decref(letters);
}

static void test_foreign_letters_can_be_listed_and_dropped(void **state)
{
    struct stack *s = *state;
    struct ctl_answer answer;
    json_t *letters;
    char *body;

    assert_int_equal(amqp_publish(s, "seckill.dead", "", "from somebody else"), 0);
    letters = dead_wait(s, 1);
    body = dead_body(s, letter_id(letters, 0));
    assert_string_equal(body, "from somebody else");
    free(body);
    assert_audit_fails(s, "1 dead letters are in seckill.dead beside those");
    ctl(s, &answer, (const char *[]){"dead", "replay", "--all", NULL});
    assert_int_equal(answer.output.status, 1);
    assert_int_equal(json_number(answer.json, "left"), 1);
    ctl_free(&answer);
    json_decref(dead_wait(s, 1));
    assert_int_equal(ctl_status(s, 0, (const char *[]){"dead", "drop", "--yes", letter_id(letters, 0), NULL}),
                     0);
    json_decref(dead_wait(s, 0));
    assert_true(audit_passes(s));
    json_decref(letters);
}

/* Until it is dropped by name, which is possible without it. */
static void test_a_purge_by_hand_is_seen(void **state)
{
    struct stack *s = *state;
    json_t *letters, *purged;

    assert_int_equal(amqp_publish(s, "seckill.events", "order.confirmed", "no event"), 0);
    letters = dead_wait(s, 2); /* of both that read it */
    assert_string_equal(letter_id(letters, 0), letter_id(letters, 1));
    purged = amqp_take(s, "seckill.dead", 2, SECONDS);
    assert_int_equal(json_array_size(purged), 2);
    json_decref(purged);
    assert_audit_fails(s, "2 of the dead letters above are not in seckill.dead: purged by hand");
    assert_int_equal(ctl_status(s, 0, (const char *[]){"dead", "drop", "--yes", letter_id(letters, 0), NULL}),
                     0);
    assert_true(audit_passes(s));
    json_decref(letters);
}

static bool is_published(void *context)
{
    json_t *messages = amqp_take(context, ORDERS_COPY, 1, 0);
    bool came = messages && json_array_size(messages) > 0;

    json_decref(messages);
    return came;
}

/* A letter's copy, from the outbox of an inventory that ended before it could delete the row, may come later.
 */
static bool nothing_is_left_to_replay(void *context)
{
    struct ctl_answer answer;
    bool is_empty;

    assert_int_equal(ctl_status(context, 0, (const char *[]){"dead", "replay", "--reason", "failed", NULL}),
                     0);
    ctl(context, &answer, (const char *[]){"dead", "list", NULL});
    is_empty = json_array_size(json_object_get(answer.json, "letters")) == 0;
    ctl_free(&answer);
    return is_empty;
}

/* Accepted orders that inventory's file does not take. Their replay is killed when letters are published and
 * not settled; then all of it is replayed again. Each is decided once. */
static void test_orders_are_decided_once_though_their_replay_is_killed(void **state)
{
    enum { ORDERS = 250, STOCK = 1000 };
    static const char curse[] = "CREATE TRIGGER curse BEFORE INSERT ON orders WHEN NEW.sku = 'cursed'"
                                " BEGIN SELECT RAISE(ABORT, 'cursed'); END";
    static const char hold[] =
        "import sqlite3, sys, time; c = sqlite3.connect(sys.argv[1], isolation_level=None);"
        " c.execute('BEGIN IMMEDIATE'); open(sys.argv[2], 'w').close(); time.sleep(300)";
    struct stack *s = *state;
    char path[STACK_PATH], held[STACK_PATH], program[STACK_PATH];
    struct orders_tally tally;
    pid_t holder, operator;
    struct load *l;
    json_t *letters;
    int status;

    assert_int_equal(item_put(s, &(struct item_terms){.sku = "cursed", .stock = STOCK}), 0);
    change_file(s, "inventory", "inventory.0.db", curse);
    assert_true(stack_wait_ready(s, SECONDS));
    l = load_run(&(struct load_spec){
        .port = s->http_port, .connections = 16, .max_orders = ORDERS, .seconds = SECONDS, .sku = "cursed"});
    assert_int_equal(load_count_status(l, 202), ORDERS);
    letters = dead_wait(s, ORDERS);
    assert_string_equal(json_text(json_array_get(letters, 0), "reason"), "failed");
    json_decref(letters);
    assert_audit_fails(s, "invariant 1 is broken, 250 times");
    change_file(s, "inventory", "inventory.0.db", "DROP TRIGGER curse");
    assert_true(stack_wait_ready(s, SECONDS));

    /* Inventory can answer, and write nothing. */
    assert_int_equal(amqp_make_queue(s, ORDERS_COPY, "seckill.orders", "0"), 0);
    snprintf(path, sizeof path, "%s/store/inventory.0.db", s->dir);
    snprintf(held, sizeof held, "%s/held", s->base);
    holder = process_start((const char *[]){"/usr/bin/python3", "-c", hold, path, held, NULL}, NULL, NULL);
    assert_true(holder > 0);
    while (access(held, F_OK) != 0)
        assert_false(process_wait(holder, 0, &status));
    operator= process_start((const char *[]){stack_program(s, "seckillctl", program), "--config", s->config,
                                             "dead", "replay", "--all", NULL},
                            stack_environment(s), NULL);
    assert_true(operator> 0);
    assert_true(wait_until(is_published, s, SECONDS));
    kill(operator, SIGKILL);
    assert_true(process_wait(operator, SECONDS, &status));
    assert_int_equal(status, 128 + SIGKILL); /* it was still at it */
    kill(holder, SIGKILL);
    assert_true(process_wait(holder, SECONDS, &status));
    assert_int_equal(everything_runs(state), 0); /* it may have ended over a locked file */

    json_decref(dead_wait(s, ORDERS));
    assert_true(wait_until(nothing_is_left_to_replay, s, SECONDS));
    assert_int_equal(amqp_delete_queue(s, ORDERS_COPY), 0);
    assert_load_is_accounted_for(s, l, "cursed", STOCK, &tally);
    assert_int_equal(tally.confirmed, ORDERS);
    assert_int_equal(item_left(s, "cursed"), STOCK - ORDERS);
    json_decref(dead_wait(s, 0));
    load_free(l);
}

static void test_nothing_is_sent_while_the_owner_does_not_answer(void **state)
{
    struct stack *s = *state;
    struct ctl_answer answer;

    assert_int_equal(amqp_publish(s, "seckill.orders", "0", "still no order"), 0);
    json_decref(dead_wait(s, 1));
    assert_int_equal(amqp_make_queue(s, ORDERS_COPY, "seckill.orders", "0"), 0);
    assert_int_equal(stack_do(s, "stop", "inventory", NULL), 0);
    ctl(s, &answer, (const char *[]){"dead", "replay", "--all", NULL});
    assert_int_equal(answer.output.status, 69);
    assert_non_null(strstr(text_c(&answer.output.err), "inventory of shard 0"));
    ctl_free(&answer);
    ctl(s, &answer, (const char *[]){"dead", "drop", "--all", "--yes", NULL});
    assert_int_equal(answer.output.status, 69);
    assert_int_equal(json_number(answer.json, "left"), 1);
    ctl_free(&answer);
    json_decref(dead_wait(s, 1));
    assert_int_equal(stack_do(s, "start", "inventory", NULL), 0);
    dead_drop(s, 1);
    assert_false(is_published(s));
    assert_int_equal(amqp_delete_queue(s, ORDERS_COPY), 0);
}

/* An event that was begun again and again is one letter as a whole; its replay is a message like any other.
 */
static void test_poison_is_replayed_when_the_cause_is_gone(void **state)
{
    struct stack *s = *state;
    json_t *letters;
    char order_id[27], *body;

    change_file(s, "notification", "notification.db",
                "CREATE TRIGGER curse BEFORE INSERT ON attempt"
                " BEGIN INSERT OR IGNORE INTO attempt VALUES (NEW.message, 99, 0); END");
    assert_int_equal(stack_do(s, "stop", "notification", NULL), 0);
    buy(s, "poisoned", order_id);
    assert_int_equal(amqp_touch(s, "seckill.notification", 1, SECONDS), 0);
    assert_int_equal(stack_do(s, "start", "notification", NULL), 0);
    letters = dead_wait(s, 1);
    assert_string_equal(json_text(json_array_get(letters, 0), "reason"), "poison");
    assert_int_equal(json_number(json_array_get(letters, 0), "attempts"), 99);
    body = dead_body(s, letter_id(letters, 0));
    assert_non_null(strstr(body, order_id));
    free(body);
    change_file(s, "notification", "notification.db", "DROP TRIGGER curse");
    assert_int_equal(ctl_status(s, 0, (const char *[]){"dead", "replay", letter_id(letters, 0), NULL}), 0);
    assert_is_taken(order_id);
    json_decref(dead_wait(s, 0));
    assert_true(audit_passes(s));
    json_decref(letters);
}

/* The gateway refuses, and refuses the replay too; then the number is right. */
static void test_a_failed_notification_is_replayed_until_it_is_taken(void **state)
{
    struct stack *s = *state;
    json_t *letters, *again;
    char order_id[27], key[MESSAGE_KEY_SIZE], select[128];

    gateway_set(buyers_gateway(), &(struct gateway_rule){.status = 400, .user_prefix = "wrong"});
    buy(s, "wrong", order_id);
    letters = dead_wait(s, 1);
    assert_string_equal(json_text(json_array_get(letters, 0), "queue"), "seckill.notification");
    assert_string_equal(json_text(json_array_get(letters, 0), "reason"), "refused");
    assert_non_null(strstr(letter_id(letters, 0), order_id));
    assert_int_equal(
        ctl_status(s, 0, (const char *[]){"dead", "replay", "--queue", "seckill.notification", NULL}), 0);
    again = dead_wait(s, 1);
    assert_string_equal(letter_id(again, 0), letter_id(letters, 0));
    assert_int_equal(json_number(json_array_get(again, 0), "times"), 2);
    json_decref(again);
    assert_audit_fails(s, letter_id(letters, 0));
    gateway_set(buyers_gateway(), NULL);
    assert_int_equal(ctl_status(s, 0, (const char *[]){"dead", "replay", letter_id(letters, 0), NULL}), 0);
    assert_is_taken(order_id);
    assert_int_equal(gateway_tries(buyers_gateway(), message_key(order_id, key)), 3);
    snprintf(select, sizeof select, "SELECT state FROM notification WHERE order_id = '%s'", order_id);
    assert_records_come_to(s, select, 2);
    assert_true(audit_passes(s));
    json_decref(letters);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_malformed_lines_come_back_until_they_are_dropped, buyers_ready),
        cmocka_unit_test_setup(test_foreign_letters_can_be_listed_and_dropped, buyers_ready),
        cmocka_unit_test_setup(test_a_purge_by_hand_is_seen, buyers_ready),
        cmocka_unit_test_setup(test_orders_are_decided_once_though_their_replay_is_killed, buyers_ready),
        cmocka_unit_test_setup(test_nothing_is_sent_while_the_owner_does_not_answer, buyers_ready),
        cmocka_unit_test_setup(test_a_failed_notification_is_replayed_until_it_is_taken, buyers_ready),
        cmocka_unit_test_setup(test_poison_is_replayed_when_the_cause_is_gone, buyers_ready),
        cmocka_unit_test(test_audit_passes),
        cmocka_unit_test_teardown(test_stack_ends_cleanly, buyers_end),
    };

    return run_with_stack("dead_letters", tests, sizeof tests / sizeof *tests, buyers_settings());
}
