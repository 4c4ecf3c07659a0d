/* What an operator meets: exit codes, a missing database, a standby that takes over, a topology with a hole.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/support/amqp.h"
#include "tests/support/check.h"
#include "tests/support/clock.h"
#include "tests/support/ctl.h"
#include "tests/support/http_client.h"
#include "tests/support/json.h"
#include "tests/support/orders.h"
#include "tests/support/process.h"
#include "tests/support/text.h"

enum { WAIT_SECONDS = 60, RUN_SECONDS = 30 };

static void test_seckillctl_exit_codes(void **state)
{
    static const struct {
        int status;
        const char *words[6];
    } cases[] = {
        {0, {"--version"}},
        {0, {"--help"}},
        {64, {NULL}},
        {64, {"frobnicate"}},
        {64, {"item"}},
        {64, {"item", "show"}},
        {64, {"item", "list", "--no-such-option"}},
        {64, {"item", "list", "superfluous", "words"}},
        {64, {"item", "put", "thing", "--stock", "many"}},
        {78, {"--set", "no.such_key=1", "item", "list"}},
        {78, {"--set", "admission.max_pending=lots", "item", "list"}},
        {69, {"--set", "broker.url=amqp://127.0.0.1:1/", "item", "list"}},
        {0, {"item", "list"}},
        {0, {"topology", "definitions"}},
        {0, {"topology", "check"}},
        {0, {"audit"}},
        {1, {"item", "show", "no-such-thing"}},
        {1, {"order", "show", "01ARZ3NDEKTSV4RRFFQ69G5FAV"}},
        {64, {"order", "show", "no-id"}},
        {64, {"archive"}},
        {64, {"archive", "--older-than", "-1"}},
        {0, {"archive", "--older-than", "36500"}},
    };
    int wrong = 0;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        wrong += ctl_status(*state, cases[i].status, cases[i].words) != cases[i].status;
    assert_int_equal(wrong, 0);
}

static void test_items_are_shown_as_they_were_put(void **state)
{
    struct stack *s = *state;
    struct ctl_answer answer;
    const json_t *item;
    size_t i;
    bool listed = false;

    assert_int_equal(
        item_put(
            s,
            &(struct item_terms){.sku = "shown", .stock = 7, .unit_price = 1999, .limit = 2, .paused = true}),
        0);
    ctl(s, &answer, (const char *[]){"item", "show", "shown", NULL});
    assert_int_equal(answer.output.status, 0);
    assert_string_equal(json_text(answer.json, "sku"), "shown");
    assert_int_equal(json_number(answer.json, "unit_price"), 1999);
    assert_int_equal(json_number(answer.json, "stock_total"), 7);
    assert_int_equal(json_number(answer.json, "stock_left"), 7);
    assert_int_equal(json_number(answer.json, "limit_per_user"), 2);
    assert_true(json_is_true(json_object_get(answer.json, "paused")));
    ctl_free(&answer);
    ctl(s, &answer, (const char *[]){"item", "list", NULL});
    json_array_foreach(json_object_get(answer.json, "items"), i, item)
    {
        listed |= strcmp(json_text(item, "sku"), "shown") == 0;
    }
    assert_true(listed);
    ctl_free(&answer);
}

/* Runs a program of the stack with these words; returns its exit status. */
static int run_program(struct stack *s, const char *program, const char *const words[],
                       struct process_output *o)
{
    char path[STACK_PATH];
    const char *argv[16] = {stack_program(s, program, path), "--config", s->config};
    int count = 3;

    for (int i = 0; words[i] && count < 15; i++)
        argv[count++] = words[i];
    process_run(argv, stack_environment(s), NULL, RUN_SECONDS, o);
    stack_note_report(s, program, text_c(&o->err));
    return o->status;
}

static void test_services_refuse_bad_usage_and_configuration(void **state)
{
    static const char *const programs[] = {"seckill-order", "seckill-inventory"};
    static const struct {
        int status;
        const char *words[4];
    } cases[] = {
        {64, {"--no-such-option"}},
        {78, {"--set", "no.such_key=1"}},
        {78, {"--set", "http.listen=nowhere", "--check-config"}},
        {78, {"--set", "publisher.max_batch=-1", "--check-config"}},
        {0, {"--check-config"}},
        {0, {"--print-config"}},
        {0, {"--version"}},
    };

    for (int p = 0; p < 2; p++) {
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            struct process_output o;

            if (run_program(*state, programs[p], cases[i].words, &o) != cases[i].status)
                fail_msg("%s %s: exit status %d: %s%s", programs[p], cases[i].words[0], o.status,
                         text_c(&o.out), text_c(&o.err));
            process_output_free(&o);
        }
    }
}

static void test_password_is_not_printed(void **state)
{
    struct stack *s = *state;
    struct process_output o;
    char password[STACK_PATH];

    assert_int_equal(sscanf(s->amqp_url, "amqp://%*[^:]:%511[^@]", password), 1);
    assert_int_equal(run_program(s, "seckill-order", (const char *[]){"--print-config", NULL}, &o), 0);
    assert_non_null(strstr(text_c(&o.out), "broker.url"));
    assert_null(strstr(text_c(&o.out), password));
    process_output_free(&o);
}

/* A lost disk must not become a new, empty stock. */
static void test_inventory_without_its_database_does_not_begin_a_new_one(void **state)
{
    struct stack *s = *state;
    struct process_output o;
    char dir[STACK_PATH], setting[STACK_PATH + 16], database[STACK_PATH + 32];

    snprintf(dir, sizeof dir, "%s/empty", s->base);
    assert_int_equal(mkdir(dir, 0700), 0);
    snprintf(setting, sizeof setting, "store.dir=%s", dir);
    snprintf(database, sizeof database, "%s/inventory.0.db", dir);
    if (run_program(s, "seckill-inventory", (const char *[]){"--set", setting, NULL}, &o) != 78)
        fail_msg("exit status %d: %s%s", o.status, text_c(&o.out), text_c(&o.err));
    assert_non_null(strstr(text_c(&o.err), "--init"));
    process_output_free(&o);
    assert_int_equal(access(database, F_OK), -1);
}

/* The output of seckillctl as people see it. */
static void read_ctl(struct stack *s, const char *const words[], struct text *out)
{
    struct process_output o;

    if (run_program(s, "seckillctl", words, &o) != 0)
        fail_msg("seckillctl %s: %d %s%s", words[0], o.status, text_c(&o.out), text_c(&o.err));
    text_clear(out);
    text_format(out, "%s", text_c(&o.out));
    process_output_free(&o);
}

static void assert_has(const struct text *t, const char *words)
{
    if (!strstr(text_c(t), words))
        fail_msg("\"%s\" is not in:\n%s", words, text_c(t));
}

static bool all_is_told(void *context)
{
    struct stack *s = ((void **)context)[0];
    struct text shown = {0};
    read_ctl(s, (const char *[]){"order", "show", ((void **)context)[1], NULL}, &shown);
    bool is = strstr(text_c(&shown), "message of redpacket.granted: sent, 1 attempt") != NULL;

    text_free(&shown);
    return is;
}

static void post_as(struct stack *s, const char *headers, const char *user, char order_id[27])
{
    struct http_response response;
    char body[100];

    snprintf(body, sizeof body, "{\"user_id\":\"%s\",\"sku\":\"lived\"}", user);
    post_order(s, headers, body, &response);
    assert_accepted(&response, order_id);
    http_response_free(&response);
}

static void assert_json_is_what_http_answers(struct stack *s, const char *order_id)
{
    struct ctl_answer answer;
    json_t *http = assert_becomes(s, order_id, "confirmed");

    ctl(s, &answer, (const char *[]){"order", "show", order_id, NULL});
    assert_int_equal(answer.output.status, 0);
    if (!json_equal(answer.json, http))
        fail_msg("order show --json differs from GET: %s", text_c(&answer.output.out));
    ctl_free(&answer);
    json_decref(http);
}

static void test_an_orders_life_is_shown_and_survives_the_archive(void **state)
{
    struct stack *s = *state;
    struct text shown = {0};
    char keyed[27], plain[27], again[27];

    assert_int_equal(item_put(s, &(struct item_terms){.sku = "lived", .stock = 10, .limit = 5}), 0);
    assert_int_equal(
        ctl_status(s, 0,
                   (const char *[]){"campaign", "put", "lived", "--budget", "500", "--packets", "5", NULL}),
        0);
    post_as(s, "Idempotency-Key: cart-1\r\n", "=who", keyed);
    post_as(s, NULL, "=who", plain);
    json_decref(assert_becomes(s, plain, "confirmed"));
    assert_true(wait_until(all_is_told, (void *[]){s, keyed}, WAIT_SECONDS));
    read_ctl(s, (const char *[]){"order", "show", keyed, NULL}, &shown);
    assert_has(&shown, "confirmed, within the limit of 5 for each buyer");
    assert_has(&shown, "red packet of ");
    assert_has(&shown, "message of order.confirmed: sent, 1 attempt");
    assert_json_is_what_http_answers(s, keyed);

    read_ctl(s, (const char *[]){"archive", "--older-than", "0", NULL}, &shown);
    assert_has(&shown, " orders moved into the archive");
    read_ctl(s, (const char *[]){"order", "show", plain, NULL}, &shown);
    assert_has(&shown, "now in the archive");
    read_ctl(s, (const char *[]){"order", "export", "--sku", "lived", "--status", "confirmed", NULL}, &shown);
    assert_has(&shown, keyed);
    assert_has(&shown, plain);
    assert_has(&shown, ",'=who,lived,1,");
    /* The client comes back with its key, and by another process that remembers nothing. */
    assert_int_equal(stack_do(s, "stop", "order", NULL), 0);
    assert_int_equal(stack_do(s, "stop", "inventory", NULL), 0);
    assert_int_equal(stack_do(s, "start", "inventory", NULL), 0);
    assert_int_equal(stack_do(s, "start", "order", NULL), 0);
    post_as(s, "Idempotency-Key: cart-1\r\n", "=who", again);
    assert_string_equal(again, keyed);
    json_decref(assert_becomes(s, again, "confirmed"));
    assert_int_equal(item_left(s, "lived"), 8);
    assert_json_is_what_http_answers(s, keyed);
    assert_true(audit_passes(s));
    text_free(&shown);
}

static void test_without_inventory_its_files_are_read(void **state)
{
    struct stack *s = *state;
    struct process_output o;
    char order_id[27];

    post_as(s, NULL, "reader", order_id);
    json_decref(assert_becomes(s, order_id, "confirmed"));
    assert_int_equal(stack_do(s, "stop", "inventory", NULL), 0);
    assert_int_equal(run_program(s, "seckillctl", (const char *[]){"order", "show", order_id, NULL}, &o), 0);
    assert_non_null(strstr(text_c(&o.out), "confirmed"));
    assert_non_null(strstr(text_c(&o.err), "files of this host instead"));
    process_output_free(&o);
}

/* systemd's end of the notification protocol: what the standby says of itself. */
static int notify_socket(struct stack *s, char entry[STACK_PATH])
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof address.sun_path, "%s/notify", s->base);
    snprintf(entry, STACK_PATH, "NOTIFY_SOCKET=%s", address.sun_path);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

/* Reads messages until one holds the word. */
static bool wait_notified(int fd, const char *word, int seconds)
{
    int64_t deadline = clock_ms() + (int64_t)seconds * 1000;
    struct timeval limit = {.tv_sec = 1};
    char message[1024];

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    while (clock_ms() < deadline) {
        ssize_t len = recv(fd, message, sizeof message - 1, 0);

        if (len <= 0)
            continue;
        message[len] = '\0';
        if (strstr(message, word))
            return true;
    }
    return false;
}

static void buy(struct stack *s, const char *user)
{
    struct http_response response;
    char body[100], order_id[27];

    snprintf(body, sizeof body, "{\"user_id\":\"%s\",\"sku\":\"handed-over\"}", user);
    post_order(s, NULL, body, &response);
    assert_accepted(&response, order_id);
    http_response_free(&response);
    json_decref(assert_becomes(s, order_id, "confirmed"));
}

static void test_standby_takes_over_when_the_active_one_is_killed(void **state)
{
    struct stack *s = *state;
    char program[STACK_PATH], notify[STACK_PATH], log[STACK_PATH];
    const char *environment[10];
    int fd = notify_socket(s, notify), status = -1, count = 0;
    pid_t standby;

    for (const char *const *e = stack_environment(s); *e; e++)
        environment[count++] = *e;
    environment[count++] = notify;
    environment[count] = NULL;
    snprintf(log, sizeof log, "%s/standby.log", s->base);
    assert_int_equal(item_put(s, &(struct item_terms){.sku = "handed-over", .stock = 10}), 0);
    standby = process_start(
        (const char *[]){stack_program(s, "seckill-inventory", program), "--config", s->config, NULL},
        environment, log);
    assert_true(standby > 0);
    /* It says that it waits, and the active one goes on. */
    assert_true(wait_notified(fd, "STATUS=", WAIT_SECONDS));
    buy(s, "first");
    assert_int_equal(stack_do(s, "kill", "inventory", NULL), 0);
    buy(s, "second");
    assert_int_equal(item_left(s, "handed-over"), 8);
    /* And now the other way round, by SIGTERM. */
    assert_int_equal(stack_do(s, "start", "inventory", (const char *[]){"--no-wait", NULL}), 0);
    kill(standby, SIGTERM);
    assert_true(process_wait(standby, WAIT_SECONDS, &status));
    assert_int_equal(status, 0);
    buy(s, "third");
    assert_int_equal(item_left(s, "handed-over"), 7);
    assert_true(audit_passes(s));
    close(fd);
}

static void test_topology_check_names_a_missing_queue(void **state)
{
    struct stack *s = *state;
    struct process_output o;
    struct ctl_answer answer;
    char definitions[STACK_PATH + 32], rabbitmqctl[STACK_PATH];
    FILE *file;

    assert_int_equal(amqp_delete_queue(s, "seckill.redpacket"), 0);
    ctl(s, &answer, (const char *[]){"topology", "check", NULL});
    assert_int_equal(answer.output.status, 1);
    if (!strstr(text_c(&answer.output.out), "seckill.redpacket") &&
        !strstr(text_c(&answer.output.err), "seckill.redpacket"))
        fail_msg("seckill.redpacket is not named: %s%s", text_c(&answer.output.out),
                 text_c(&answer.output.err));
    ctl_free(&answer);

    /* What it prints is what mends it. */
    assert_int_equal(run_program(s, "seckillctl", (const char *[]){"topology", "definitions", NULL}, &o), 0);
    snprintf(definitions, sizeof definitions, "%s/definitions.json", s->base);
    file = fopen(definitions, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(text_c(&o.out), 1, o.out.len, file), o.out.len);
    fclose(file);
    process_output_free(&o);
    snprintf(rabbitmqctl, sizeof rabbitmqctl, "%s/rabbitmqctl", s->dir);
    process_run((const char *[]){rabbitmqctl, "import_definitions", definitions, NULL}, NULL, NULL,
                WAIT_SECONDS, &o);
    if (o.status != 0)
        fail_msg("import_definitions: %d %s%s", o.status, text_c(&o.out), text_c(&o.err));
    process_output_free(&o);
    assert_int_equal(ctl_status(s, 0, (const char *[]){"topology", "check", NULL}), 0);
}

static void test_up_brings_a_deleted_queue_back(void **state)
{
    /* Its worker goes on asking for it, so that all of the stack runs; and then something does not. */
    for (int kills = 0; kills < 2; kills++) {
        assert_int_equal(amqp_delete_queue(*state, "seckill.redpacket"), 0);
        if (kills > 0)
            assert_int_equal(stack_do(*state, "kill", "redpacket", NULL), 0);
        assert_int_equal(stack_do(*state, "up", NULL, NULL), 0);
        assert_int_equal(ctl_status(*state, 0, (const char *[]){"topology", "check", NULL}), 0);
    }
}

static bool audit_is_connected(void *context)
{
    struct text printed = {0};
    bool is =
        amqp_ctl(context, (const char *[]){"list_connections", "client_properties", NULL}, &printed) == 0 &&
        strstr(text_c(&printed), "\"seckillctl\"") != NULL;

    text_free(&printed);
    return is;
}

/* As where it reads large files for longer than the broker waits for a heartbeat. */
static void test_audit_outlives_its_connection(void **state)
{
    struct stack *s = *state;
    char program[STACK_PATH], order_id[27];
    struct http_response response;
    int status;
    pid_t pid;

    assert_int_equal(item_put(s, &(struct item_terms){.sku = "audited", .stock = 10}), 0);
    assert_int_equal(stack_do(s, "stop", "inventory", NULL), 0);
    post_order(s, NULL, "{\"user_id\":\"u1\",\"sku\":\"audited\"}", &response);
    assert_accepted(&response, order_id);
    http_response_free(&response);
    pid = process_start((const char *[]){stack_program(s, "seckillctl", program), "--config", s->config,
                                         "audit", "--wait", "60", NULL},
                        stack_environment(s), NULL);
    assert_true(pid > 0);
    assert_true(wait_until(audit_is_connected, s, WAIT_SECONDS));
    assert_int_equal(amqp_ctl(s, (const char *[]){"close_all_connections", "test", NULL}, NULL), 0);
    assert_int_equal(stack_do(s, "start", "inventory", NULL), 0);
    assert_true(process_wait(pid, 2 * WAIT_SECONDS, &status));
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seckillctl_exit_codes),
        cmocka_unit_test(test_items_are_shown_as_they_were_put),
        cmocka_unit_test(test_services_refuse_bad_usage_and_configuration),
        cmocka_unit_test(test_password_is_not_printed),
        cmocka_unit_test(test_inventory_without_its_database_does_not_begin_a_new_one),
        cmocka_unit_test(test_an_orders_life_is_shown_and_survives_the_archive),
        cmocka_unit_test(test_without_inventory_its_files_are_read),
        cmocka_unit_test_setup(test_standby_takes_over_when_the_active_one_is_killed, everything_runs),
        cmocka_unit_test_setup(test_audit_outlives_its_connection, everything_runs),
        cmocka_unit_test_setup(test_topology_check_names_a_missing_queue, everything_runs),
        cmocka_unit_test_setup(test_up_brings_a_deleted_queue_back, everything_runs),
        STACK_END,
    };

    return run_with_stack("operator", tests, sizeof tests / sizeof *tests, NULL);
}
