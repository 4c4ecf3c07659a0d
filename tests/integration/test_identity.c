/* Authentication end to end: who may order, who may look, and keys that change while orders come. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "tests/support/check.h"
#include "tests/support/clock.h"
#include "tests/support/ctl.h"
#include "tests/support/front_ends.h"
#include "tests/support/http_client.h"
#include "tests/support/json.h"
#include "tests/unit/token_support.h"

enum { WAIT_SECONDS = 60 };

#define SECRET_1 "the-first-secret-of-32-bytes-or-more"
#define SECRET_2 "the-second-secret-of-32-bytes-or-more"
#define SECRET_3 "the-third-secret-of-32-bytes-or-more"

static char dir[] = "/tmp/test_identity.XXXXXX";

static void write_file(const char *name, const char *text)
{
    char path[128];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    file = fopen(path, "w");
    if (!file)
        abort();
    fputs(text, file);
    fclose(file);
}

/* "Authorization: Bearer …\r\n" for this user, good for a minute. */
static const char *as(const char *secret, const char *user)
{
    static char header[1024];
    char claims[256];

    snprintf(claims, sizeof claims, "{\"sub\":\"%s\",\"aud\":\"shop\",\"exp\":%lld}", user,
             (long long)time(NULL) + 60);
    snprintf(header, sizeof header, "Authorization: Bearer %.900s\r\n",
             hs256_token(secret, strlen(secret), "{\"alg\":\"HS256\"}", claims));
    return header;
}

static const char *with_key(const char *headers, const char *key)
{
    static char both[1200];

    snprintf(both, sizeof both, "%sIdempotency-Key: %s\r\n", headers, key);
    return both;
}

static int order(struct stack *s, const char *headers, const char *user, struct http_response *response)
{
    char body[128];

    snprintf(body, sizeof body, "{\"user_id\":\"%s\",\"sku\":\"phone\"}", user);
    post_order(s, headers, body, response);
    return response->status;
}

static int get(int port, const char *path, const char *headers, struct http_response *response)
{
    if (http_request(port, "GET", path, headers, NULL, response) < 0)
        fail_msg("no answer to %s", path);
    return response->status;
}

/* The status alone of GET /v1/orders/{id}{more}. */
static int look(struct stack *s, const char *id, const char *more, const char *headers)
{
    struct http_response response;
    char path[128];
    int status;

    snprintf(path, sizeof path, "/v1/orders/%s%s", id, more);
    status = get(s->http_port, path, headers, &response);
    http_response_free(&response);
    return status;
}

static void test_an_item_to_sell(void **state)
{
    assert_int_equal(item_put(*state, &(struct item_terms){.sku = "phone", .stock = 1000}), 0);
}

static void test_without_a_good_token_nobody_orders(void **state)
{
    struct stack *s = *state;
    struct http_response response;
    char challenge[HTTP_VALUE_SIZE] = "";

    order(s, NULL, "u1", &response);
    json_decref(assert_problem(&response, 401, "unauthenticated"));
    assert_true(http_header(&response, "WWW-Authenticate", challenge));
    assert_string_equal(challenge, "Bearer realm=\"seckill\"");
    assert_false(response.closes);
    http_response_free(&response);

    order(s, with_key(as(SECRET_3, "u1"), "k"), "u1", &response);
    json_decref(assert_problem(&response, 401, "unauthenticated"));
    assert_true(http_header(&response, "WWW-Authenticate", challenge));
    assert_non_null(strstr(challenge, "error=\"invalid_token\""));
    assert_false(http_header(&response, "Location", challenge));
    http_response_free(&response);

    assert_int_equal(http_request(s->http_port, "POST", "/v1/orders",
                                  "Authorization: Bearer x\r\nAuthorization: Bearer y\r\n", "{}", &response),
                     0);
    json_decref(assert_problem(&response, 400, "malformed"));
    http_response_free(&response);
    assert_true(front_end_metric(s->http_port, "seckill_order_answers_total{code=\"unauthenticated\"}") == 2);
}

static void test_a_user_orders_for_themselves_only(void **state)
{
    struct stack *s = *state;
    struct http_response response;
    char id[27], value[HTTP_VALUE_SIZE];

    order(s, with_key(as(SECRET_1, "u1"), "mine"), "u1", &response);
    assert_accepted(&response, id);
    http_response_free(&response);
    /* with the key that u1 has used: the refusal names no order */
    order(s, with_key(as(SECRET_1, "u2"), "mine"), "u1", &response);
    json_decref(assert_problem(&response, 403, "forbidden"));
    assert_false(http_header(&response, "Location", value));
    assert_null(strstr(response.body, id));
    http_response_free(&response);
}

static void test_details_are_for_the_buyer_and_the_administrator(void **state)
{
    struct stack *s = *state;
    struct http_response response;
    struct text token = {0};
    char id[27], path[STACK_PATH], admin[256], page[64];
    json_t *body;

    order(s, as(SECRET_1, "u1"), "u1", &response);
    assert_accepted(&response, id);
    http_response_free(&response);
    assert_int_equal(look(s, id, "?wait=30", as(SECRET_1, "u1")), 200);
    assert_int_equal(look(s, id, "", NULL), 401);
    assert_int_equal(look(s, id, "", as(SECRET_1, "u2")), 403);
    assert_int_equal(look(s, id, "?wait=30", as(SECRET_1, "u2")), 403);
    assert_int_equal(look(s, "7ZZZZZZZZZZZZZZZZZZZZZZZZZ", "", as(SECRET_1, "u2")), 404);

    snprintf(path, sizeof path, "%.200s/secrets/admin_token", s->dir);
    assert_int_equal(text_add_file(&token, path), 0);
    snprintf(admin, sizeof admin, "Authorization: Bearer %.200s\r\n", text_c(&token));
    snprintf(path, sizeof path, "/v1/orders/%s", id);
    assert_int_equal(get(s->http_port, path, admin, &response), 200);
    body = json_body(&response);
    assert_string_equal(json_text(body, "user_id"), "u1");
    json_decref(body);
    http_response_free(&response);
    order(s, admin, "u1", &response); /* sees everything, and still buys for nobody */
    json_decref(assert_problem(&response, 403, "forbidden"));
    http_response_free(&response);
    text_free(&token);

    snprintf(page, sizeof page, "/order?id=%s", id);
    assert_int_equal(get(s->http_port, page, NULL, &response), 401);
    assert_non_null(strstr(response.body, "It is not known who you are"));
    assert_null(strstr(response.body, "u1"));
    http_response_free(&response);
    assert_int_equal(get(s->http_port, page, as(SECRET_1, "u2"), &response), 403);
    http_response_free(&response);
}

/* A front end that did not take the order asks inventory, and holds what it learns to the same rule. */
static void test_details_from_inventory_are_for_the_buyer_too(void **state)
{
    struct stack *s = *state;
    struct http_response response;
    char id[27], path[64];
    int other = front_end_start(s, "order@2", NULL);

    order(s, as(SECRET_1, "u1"), "u1", &response);
    assert_accepted(&response, id);
    http_response_free(&response);
    assert_int_equal(look(s, id, "?wait=30", as(SECRET_1, "u1")), 200);
    snprintf(path, sizeof path, "/v1/orders/%s", id);
    assert_int_equal(get(other, path, as(SECRET_1, "u2"), &response), 403);
    assert_null(strstr(response.body, "u1"));
    http_response_free(&response);
    assert_int_equal(get(other, path, as(SECRET_1, "u1"), &response), 200);
    http_response_free(&response);
}

struct awaited {
    struct stack *s;
    const char *file, *words, *secret;
};

static bool log_says(void *context)
{
    const struct awaited *a = context;
    struct text log = {0};
    char path[STACK_PATH];
    bool says;

    snprintf(path, sizeof path, "%.200s/log/%s", a->s->dir, a->file);
    text_add_file(&log, path);
    says = strstr(text_c(&log), a->words) != NULL;
    text_free(&log);
    return says;
}

static bool is_taken(void *context)
{
    const struct awaited *a = context;
    struct http_response response;
    int status = order(a->s, as(a->secret, "u4"), "u4", &response);

    http_response_free(&response);
    return status != 401;
}

static bool is_not_taken(void *context)
{
    return !is_taken(context);
}

static void test_keys_change_at_sighup(void **state)
{
    struct stack *s = *state;
    struct awaited second = {.s = s, .secret = SECRET_2}, third = {.s = s, .secret = SECRET_3},
                   trouble = {.s = s, .file = "order.log", .words = "authentication_not_reloaded"};
    pid_t pid = stack_pid(s, "seckill-order");

    if (pid < 0)
        pid = front_end_pid(s, s->http_port);
    assert_true(is_taken(&second) && is_not_taken(&third));
    write_file("new", SECRET_3);
    kill(pid, SIGHUP);
    assert_true(wait_until(is_taken, &third, WAIT_SECONDS));
    assert_true(is_not_taken(&second)); /* its key is gone, and what was found good by it forgotten */
    write_file("new", "too short");
    kill(pid, SIGHUP);
    assert_true(wait_until(log_says, &trouble, WAIT_SECONDS));
    assert_true(is_taken(&third));
    write_file("new", SECRET_3);
}

static void test_a_retry_is_the_same_order_while_the_id_key_is_changed(void **state)
{
    struct stack *s = *state;
    struct http_response response;
    char id[27], setting[STACK_PATH], fresh[27], path[64];
    const char *const sets[] = {"--set", setting, NULL};
    int other;

    write_file("id_key", "another-key-behind-the-order-ids");
    snprintf(setting, sizeof setting, "order.id_key_file=%s/id_key,%.200s/secrets/id_key", dir, s->dir);
    other = front_end_start(s, "order@3", sets);
    order(s, with_key(as(SECRET_1, "u5"), "same"), "u5", &response);
    assert_accepted(&response, id);
    http_response_free(&response);
    assert_int_equal(http_request(other, "POST", "/v1/orders", with_key(as(SECRET_1, "u5"), "same"),
                                  "{\"user_id\":\"u5\",\"sku\":\"phone\"}", &response),
                     0);
    assert_accepted(&response, fresh);
    assert_string_equal(fresh, id);
    http_response_free(&response);
    /* an order without a key is made by the new one, and decided like any other */
    assert_int_equal(http_request(other, "POST", "/v1/orders", as(SECRET_1, "u5"),
                                  "{\"user_id\":\"u5\",\"sku\":\"phone\"}", &response),
                     0);
    assert_accepted(&response, fresh);
    http_response_free(&response);
    snprintf(path, sizeof path, "/v1/orders/%s?wait=30", fresh);
    assert_int_equal(get(other, path, as(SECRET_1, "u5"), &response), 200);
    http_response_free(&response);
    assert_int_equal(stack_do(s, "stop", "order@2", NULL), 0);
    assert_int_equal(stack_do(s, "stop", "order@3", NULL), 0);
}

static void test_no_secret_is_in_a_log_or_in_the_printed_configuration(void **state)
{
    struct stack *s = *state;
    static const char *const secrets[] = {SECRET_1, SECRET_2, SECRET_3, "too short", "eyJ"};
    struct process_output output;
    char pattern[STACK_PATH], program[STACK_PATH];
    const char *const print[] = {stack_program(s, "seckill-order", program), "--config", s->config,
                                 "--print-config", NULL};

    snprintf(pattern, sizeof pattern, "%.200s/log", s->dir);
    for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++) {
        const char *const grep[] = {"grep", "-rlF", secrets[i], pattern, NULL};

        process_run(grep, NULL, NULL, WAIT_SECONDS, &output);
        if (output.status != 1)
            fail_msg("%s is in %s", secrets[i], text_c(&output.out));
        process_output_free(&output);
    }
    process_run(print, stack_environment(s), NULL, WAIT_SECONDS, &output);
    assert_int_equal(output.status, 0);
    assert_non_null(strstr(text_c(&output.out), ":***@"));
    process_output_free(&output);
}

int main(void)
{
    static char keys[STACK_PATH];
    const char *const sets[] = {"auth.mode=jwt",
                                "auth.jwt_algorithm=HS256",
                                "auth.jwt_audience=shop",
                                keys,
                                "log.orders=on",
                                "admission.user_rate=0",
                                NULL};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_item_to_sell),
        cmocka_unit_test(test_without_a_good_token_nobody_orders),
        cmocka_unit_test(test_a_user_orders_for_themselves_only),
        cmocka_unit_test(test_details_are_for_the_buyer_and_the_administrator),
        cmocka_unit_test(test_details_from_inventory_are_for_the_buyer_too),
        cmocka_unit_test(test_keys_change_at_sighup),
        cmocka_unit_test(test_a_retry_is_the_same_order_while_the_id_key_is_changed),
        cmocka_unit_test(test_no_secret_is_in_a_log_or_in_the_printed_configuration),
        STACK_END,
    };
    int failed;

    umask(077);
    if (!mkdtemp(dir))
        return 1;
    write_file("old", SECRET_1);
    write_file("new", SECRET_2);
    snprintf(keys, sizeof keys, "auth.jwt_keys=%s/old,%s/new", dir, dir);
    failed = run_with_stack("identity", tests, sizeof tests / sizeof *tests, sets);
    for (int i = 0; i < 3; i++) {
        static const char *const names[] = {"old", "new", "id_key"};
        char path[128];

        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        remove(path);
    }
    remove(dir);
    return failed;
}
