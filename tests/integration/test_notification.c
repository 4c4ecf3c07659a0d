/* Messages to buyers, with the sink "file": one record for each (order, kind of event), each message in the
 * file at least once, whatever comes again and however often the worker is killed. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/amqp.h"
#include "tests/support/check.h"
#include "tests/support/clock.h"
#include "tests/support/ctl.h"
#include "tests/support/json.h"
#include "tests/support/load.h"
#include "tests/support/orders.h"
#include "tests/support/process.h"

enum { WAIT_SECONDS = 90, STOCK = 300, LINES_A_MESSAGE = 40 };

#define EVENTS_QUEUE "test.events" /* of the test's own: a copy of each event */

/* ---- what the files say ---- */

static const char *store_path(const struct stack *s, const char *name, char out[STACK_PATH])
{
    if (snprintf(out, STACK_PATH, "%s/store/%s", s->dir, name) >= STACK_PATH)
        fail();
    return out;
}

/* One number from notification.db, with inventory.db beside it as i; -1 after having said why. */
static int64_t ask(struct stack *s, const char *select)
{
    char notification[STACK_PATH], inventory[STACK_PATH];
    struct text sql = {0};
    struct process_output o;
    int64_t number = -1;

    text_format(&sql, "ATTACH 'file:%s?mode=ro' AS i; %s", store_path(s, "inventory.0.db", inventory),
                select);
    process_run((const char *[]){"sqlite3", "-readonly", "-cmd", ".timeout 5000",
                                 store_path(s, "notification.db", notification), text_c(&sql), NULL},
                NULL, NULL, 30, &o);
    if (o.status != 0 || sscanf(text_c(&o.out), "%ld", &number) != 1)
        fprintf(stderr, "sqlite3: exit status %d: %s%s\n", o.status, text_c(&o.out), text_c(&o.err));
    process_output_free(&o);
    text_free(&sql);
    return number;
}

#define KIND_OF_ORDER "CASE o.reason WHEN 0 THEN 1 ELSE 2 END"

/* Decided orders whose message is not recorded as sent. */
static int64_t untold(struct stack *s)
{
    return ask(s, "SELECT count(*) FROM i.orders AS o LEFT JOIN notification AS n ON n.order_id = o.order_id"
                  " AND n.kind = " KIND_OF_ORDER " WHERE n.state IS NOT 2");
}

/* Records of something that never was decided like that. */
static int64_t invented(struct stack *s)
{
    return ask(s, "SELECT count(*) FROM notification AS n LEFT JOIN i.orders AS o ON n.order_id = o.order_id"
                  " AND n.kind = " KIND_OF_ORDER " WHERE n.kind IN (1, 2) AND o.order_id IS NULL");
}

static bool all_told(void *context)
{
    return untold(context) == 0;
}

/* Everything in the records, as one text to be compared. */
static void dump_records(struct stack *s, struct text *out)
{
    char path[STACK_PATH];
    struct process_output o;

    process_run((const char *[]){"sqlite3", "-readonly", store_path(s, "notification.db", path),
                                 "SELECT * FROM notification ORDER BY order_id, kind", NULL},
                NULL, NULL, 30, &o);
    assert_int_equal(o.status, 0);
    text_add(out, text_c(&o.out), o.out.len);
    process_output_free(&o);
}

/* How often each "order_id kind" is in the file; every line is whole. */
static json_t *count_messages(const char *path)
{
    struct text text = {0};
    json_t *counts = json_object();
    char *rest, *line;

    assert_int_equal(text_add_file(&text, path), 0);
    if (text.len > 0 && text.data[text.len - 1] != '\n')
        fail_msg("%s ends with half a line", path);
    rest = text.data;
    while (rest && (line = strtok_r(rest, "\n", &rest))) {
        json_t *message = json_read(line);
        char key[64];

        if (!message || !*json_text(message, "user_id") || !*json_text(message, "text"))
            fail_msg("no message: %.200s", line);
        if (!strstr(json_text(message, "text"), json_text(message, "order_id")))
            fail_msg("the text is of another order: %.300s", line);
        snprintf(key, sizeof key, "%s %s", json_text(message, "order_id"), json_text(message, "kind"));
        json_object_set_new(counts, key, json_integer(json_integer_value(json_object_get(counts, key)) + 1));
        json_decref(message);
    }
    text_free(&text);
    return counts;
}

/* The file has each recorded message at least once, and no other. */
static void assert_file_has_what_is_recorded(struct stack *s)
{
    char path[STACK_PATH];
    json_t *counts = count_messages(store_path(s, "notifications.ndjson", path));
    struct process_output o;
    char *rest, *line;
    size_t recorded = 0;

    process_run(
        (const char *[]){"sqlite3", "-readonly", store_path(s, "notification.db", path),
                         "SELECT order_id || ' ' || CASE kind WHEN 1 THEN 'order.confirmed'"
                         " WHEN 2 THEN 'order.rejected' ELSE 'redpacket.granted' END FROM notification",
                         NULL},
        NULL, NULL, 30, &o);
    assert_int_equal(o.status, 0);
    rest = o.out.data;
    while (rest && (line = strtok_r(rest, "\n", &rest))) {
        recorded++;
        if (!json_object_get(counts, line))
            fail_msg("recorded, but not in the file: %s", line);
    }
    assert_int_equal(json_object_size(counts), recorded);
    process_output_free(&o);
    json_decref(counts);
}

static void assert_everybody_was_told(struct stack *s)
{
    if (!wait_until(all_told, s, WAIT_SECONDS))
        fail_msg("%ld decided orders without a message", (long)untold(s));
    assert_int_equal(invented(s), 0);
    assert_int_equal(ask(s, "SELECT count(*) FROM to_send"), 0);
    assert_int_equal(ask(s, "SELECT count(*) FROM notification WHERE state <> 2 OR attempts <> 1"), 0);
    assert_file_has_what_is_recorded(s);
}

/* ---- the tests ---- */

static void test_every_decided_order_is_told_once(void **state)
{
    struct stack *s = *state;
    struct orders_tally tally;
    char path[STACK_PATH];
    struct load *l;
    json_t *counts, *count;
    const char *key;

    assert_int_equal(amqp_make_queue(s, EVENTS_QUEUE, "seckill.events", "#"), 0);
    assert_int_equal(item_put(s, &(struct item_terms){.sku = "told", .stock = STOCK}), 0);
    l = load_run(&(struct load_spec){
        .port = s->http_port, .connections = 32, .max_orders = 2 * STOCK, .seconds = 120, .sku = "told"});
    assert_load_is_accounted_for(s, l, "told", STOCK, &tally);
    load_free(l);
    assert_int_equal(tally.confirmed, STOCK);
    assert_everybody_was_told(s);
    assert_true(ask(s, "SELECT count(*) FROM notification WHERE kind = 1") >= STOCK);
    /* Nothing died, so nobody was told twice. */
    counts = count_messages(store_path(s, "notifications.ndjson", path));
    json_object_foreach(counts, key, count)
    {
        if (json_integer_value(count) != 1)
            fail_msg("%s is there %d times", key, (int)json_integer_value(count));
    }
    json_decref(counts);
}

struct line {
    const char *event;
    const char *text;
};

/* Publishes all lines once, shuffled, a few of one kind in each message. */
static void replay(struct stack *s, struct line *lines, size_t count)
{
    for (size_t i = count; i > 1; i--) { /* Fisher and Yates */
        size_t k = (size_t)random() % i;
        struct line kept = lines[k];
        lines[k] = lines[i - 1];
        lines[i - 1] = kept;
    }
    for (int kind = 0; kind < 2; kind++) {
        const char *event = kind ? "order.rejected" : "order.confirmed";
        struct text body = {0};
        int held = 0;

        for (size_t i = 0; i < count; i++) {
            if (strcmp(lines[i].event, event) != 0)
                continue;
            text_format(&body, "%s\n", lines[i].text);
            if (++held == LINES_A_MESSAGE) {
                assert_int_equal(amqp_publish(s, "seckill.events", event, text_c(&body)), 0);
                text_clear(&body);
                held = 0;
            }
        }
        if (held)
            assert_int_equal(amqp_publish(s, "seckill.events", event, text_c(&body)), 0);
        text_free(&body);
    }
}

struct seen {
    struct stack *stack;
    int64_t duplicates;
};

static bool duplicates_came(void *context)
{
    const struct seen *w = context;

    return ask(w->stack, "SELECT coalesce(sum(duplicates), 0) FROM batch_seen") >= w->duplicates;
}

static void test_every_event_replayed_twice_and_shuffled_changes_nothing(void **state)
{
    struct stack *s = *state;
    int64_t orders = ask(s, "SELECT count(*) FROM i.orders");
    int64_t before = ask(s, "SELECT coalesce(sum(duplicates), 0) FROM batch_seen");
    json_t *messages = amqp_take_lines(s, EVENTS_QUEUE, (int)orders, WAIT_SECONDS), *message;
    struct line *lines = calloc((size_t)orders, sizeof *lines);
    struct text records = {0}, after = {0};
    char path[STACK_PATH];
    struct text file = {0}, file_after = {0};
    size_t count = 0, i;

    assert_non_null(messages);
    srandom(20261123);
    json_array_foreach(messages, i, message)
    {
        char *rest = (char *)json_text(message, "body"), *line;

        while ((line = strtok_r(rest, "\n", &rest)) && count < (size_t)orders) {
            json_t *event = json_read(line);

            lines[count].event = strcmp(json_text(event, "event"), "order.confirmed") == 0 ? "order.confirmed"
                                                                                           : "order.rejected";
            lines[count++].text = line;
            json_decref(event);
        }
    }
    assert_int_equal(count, orders);
    dump_records(s, &records);
    text_add_file(&file, store_path(s, "notifications.ndjson", path));
    for (int time = 0; time < 2; time++)
        replay(s, lines, count);
    if (!wait_until(duplicates_came, &(struct seen){s, before + 2 * orders}, WAIT_SECONDS))
        fail_msg("not every replayed event has come");
    dump_records(s, &after);
    assert_string_equal(text_c(&records), text_c(&after));
    text_add_file(&file_after, path);
    assert_string_equal(text_c(&file), text_c(&file_after));
    text_free(&records);
    text_free(&after);
    text_free(&file);
    text_free(&file_after);
    free(lines);
    json_decref(messages);
    assert_int_equal(amqp_delete_queue(s, EVENTS_QUEUE), 0);
}

struct progress {
    struct stack *stack;
    int64_t records;
};

static bool has_moved_on(void *context)
{
    struct progress *p = context;
    int64_t now = ask(p->stack, "SELECT count(*) FROM notification");

    if (now <= p->records)
        return false;
    p->records = now;
    return true;
}

static void test_killed_again_and_again_under_load_it_tells_everybody(void **state)
{
    enum { KILLS = 5 };
    struct stack *s = *state;
    struct progress progress = {.stack = s};
    struct orders_tally tally;
    struct load *l;
    bool moved = true;

    assert_int_equal(item_put(s, &(struct item_terms){.sku = "killed", .stock = 1000000}), 0);
    progress.records = ask(s, "SELECT count(*) FROM notification");
    l = load_start(&(struct load_spec){.port = s->http_port,
                                       .connections = 16,
                                       .max_orders = 100000,
                                       .seconds = 150,
                                       .sku = "killed",
                                       .pace_ms = 10});
    for (int i = 0; i < KILLS && moved; i++) {
        pid_t pid = stack_pid(s, "seckill-notification");

        moved = wait_until(has_moved_on, &progress, WAIT_SECONDS) && pid > 0 && kill(pid, SIGKILL) == 0 &&
                stack_do(s, "kill", "notification", NULL) == 0 &&
                /* orders go on without it, and their events wait */
                load_wait_accepted(l, load_accepted(l) + 200, WAIT_SECONDS) &&
                stack_do(s, "start", "notification", NULL) == 0;
    }
    load_stop(l);
    load_join(l);
    assert_true(moved);
    assert_load_is_accounted_for(s, l, "killed", 1000000, &tally);
    load_free(l);
    assert_everybody_was_told(s);
}

static void test_sigterm_under_load_ends_it_in_order(void **state)
{
    struct stack *s = *state;
    struct orders_tally tally;
    struct load *l;
    int status;

    assert_int_equal(item_put(s, &(struct item_terms){.sku = "drained", .stock = 1000000}), 0);
    l = load_start(&(struct load_spec){.port = s->http_port,
                                       .connections = 16,
                                       .max_orders = 100000,
                                       .seconds = 120,
                                       .sku = "drained",
                                       .pace_ms = 10});
    if (!load_wait_accepted(l, 300, WAIT_SECONDS))
        fail_msg("no orders are taken");
    status = stack_stop_gracefully(s, "notification", "seckill-notification");
    load_stop(l);
    load_join(l);
    assert_int_equal(status, 0);
    assert_int_equal(stack_do(s, "start", "notification", NULL), 0);
    assert_load_is_accounted_for(s, l, "drained", 1000000, &tally);
    load_free(l);
    assert_everybody_was_told(s);
}

static bool has_message(void *context)
{
    struct text text = {0};
    bool has = text_add_file(&text, context) == 0 && text.len > 0;

    text_free(&text);
    return has;
}

static bool is_there(void *context)
{
    FILE *file = fopen(context, "r");

    if (file)
        fclose(file);
    return file != NULL;
}

/* As logrotate does it. The last test that looks at the file: what was rotated away is not in it. */
static void test_sighup_opens_a_new_file(void **state)
{
    struct stack *s = *state;
    struct http_response response;
    char path[STACK_PATH], rotated[STACK_PATH], order_id[27], key[64];
    json_t *counts;

    assert_int_equal(item_put(s, &(struct item_terms){.sku = "rotated", .stock = 10}), 0);
    assert_int_equal(
        rename(store_path(s, "notifications.ndjson", path), store_path(s, "notifications.ndjson.1", rotated)),
        0);
    assert_int_equal(kill(stack_pid(s, "seckill-notification"), SIGHUP), 0);
    assert_true(wait_until(is_there, path, WAIT_SECONDS));
    post_order(s, NULL, "{\"user_id\":\"u1\",\"sku\":\"rotated\"}", &response);
    assert_accepted(&response, order_id);
    http_response_free(&response);
    assert_true(wait_until(has_message, path, WAIT_SECONDS));
    counts = count_messages(path);
    snprintf(key, sizeof key, "%s order.confirmed", order_id);
    assert_non_null(json_object_get(counts, key));
    json_decref(counts);
}

int main(void)
{
    static const char *const sets[] = {"notification.sink=file", "admission.user_rate=0",
                                       "admission.max_rate=0",
                                       /* Many small transactions: a kill meets one. */
                                       "notification.max_batch=50", NULL};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_every_decided_order_is_told_once, everything_runs),
        cmocka_unit_test_setup(test_every_event_replayed_twice_and_shuffled_changes_nothing, everything_runs),
        cmocka_unit_test_setup(test_killed_again_and_again_under_load_it_tells_everybody, everything_runs),
        cmocka_unit_test_setup(test_sigterm_under_load_ends_it_in_order, everything_runs),
        cmocka_unit_test_setup(test_sighup_opens_a_new_file, everything_runs),
        STACK_END,
    };

    return run_with_stack("notification", tests, sizeof tests / sizeof *tests, sets);
}
