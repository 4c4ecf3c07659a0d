/* Items changed and restocked over HTTP: who may, each error, what becomes of it everywhere; restocks under
 * load; and who is alive. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/admin.h"
#include "tests/support/check.h"
#include "tests/support/clock.h"
#include "tests/support/ctl.h"
#include "tests/support/front_ends.h"
#include "tests/support/http_client.h"
#include "tests/support/json.h"
#include "tests/support/orders.h"

enum { WAIT_SECONDS = 60 };

#define TV "{\"unit_price\":5,\"stock\":7}"

static int second; /* the port of another front end */

static void start_second(struct stack *s)
{
    if (second == 0)
        second = front_end_start(s, "order@2", NULL);
}

/* ---- who may ---- */

static void test_without_a_token_nobody_may(void **state)
{
    struct stack *s = *state;
    struct http_response response;
    const char *sets[] = {"--set", "auth.admin_token_file=", NULL};
    int port = front_end_start(s, "order@3", sets);

    admin_send(s, port, "PUT", "/v1/items/closed", NULL, TV, &response);
    json_decref(assert_problem(&response, 403, "forbidden"));
    http_response_free(&response);
    admin_send(s, port, "POST", "/v1/items/closed/restock", "Idempotency-Key: k\r\n", "{\"quantity\":1}",
               &response);
    json_decref(assert_problem(&response, 403, "forbidden"));
    http_response_free(&response);
    assert_int_equal(http_request(port, "GET", "/v1/items", NULL, NULL, &response), 0);
    assert_int_equal(response.status, 200);
    assert_null(strstr(response.body, "closed"));
    http_response_free(&response);
    assert_int_equal(stack_do(s, "stop", "order@3", NULL), 0);
}

static void test_another_token_is_401_and_says_how(void **state)
{
    static const char *const headers[] = {
        NULL, "Authorization: Bearer\r\n", "Authorization: Bearer 0123456789abcdef\r\n",
        "Authorization: Basic YWRtaW46YWRtaW4=\r\n", "authorization: bearer x\r\nX-Admin-Token: y\r\n"};
    static const char *const paths[][2] = {{"PUT", "/v1/items/tv"}, {"POST", "/v1/items/tv/restock"}};
    struct stack *s = *state;

    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
        for (int p = 0; p < 2; p++) {
            struct http_response response;
            char value[HTTP_VALUE_SIZE] = "";

            assert_int_equal(http_request(s->http_port, paths[p][0], paths[p][1], headers[i], TV, &response),
                             0);
            json_decref(assert_problem(&response, 401, "unauthenticated"));
            assert_true(http_header(&response, "WWW-Authenticate", value));
            assert_int_equal(strncmp(value, "Bearer realm=", 13), 0);
            http_response_free(&response);
        }
}

/* ---- each error ---- */

static void problem(struct stack *s, const char *method, const char *path, const char *headers,
                    const char *body, int status, const char *code, const char *word)
{
    struct http_response response;
    json_t *json;

    admin_send(s, s->http_port, method, path, headers, body, &response);
    json = assert_problem(&response, status, code);
    if (!strstr(json_text(json, "detail"), word))
        fail_msg("%s: \"%s\" does not name %s", body ? body : path, json_text(json, "detail"), word);
    json_decref(json);
    http_response_free(&response);
}

static void test_each_error_is_named(void **state)
{
    static const char key[] = "Idempotency-Key: k\r\n";
    struct stack *s = *state;
    char long_body[2100];

    json_decref(admin_put(s, s->http_port, "errors", TV, 201));
    problem(s, "PUT", "/v1/items/errors", NULL, "", 400, "malformed", "empty");
    problem(s, "PUT", "/v1/items/errors", NULL, "{\"stock\":1", 400, "malformed", "JSON");
    problem(s, "PUT", "/v1/items/errors", NULL, "{\"stock\":1,\"stock\":2}", 400, "malformed", "duplicate");
    problem(s, "PUT", "/v1/items/errors", NULL, "[]", 422, "invalid", "object");
    problem(s, "PUT", "/v1/items/errors", NULL, "{\"stok\":1}", 422, "invalid", "stok");
    problem(s, "PUT", "/v1/items/errors", NULL, "{\"unit_price\":-1}", 422, "invalid", "unit_price");
    problem(s, "PUT", "/v1/items/errors", NULL, "{\"starts_at\":\"soon\"}", 422, "invalid", "starts_at");
    problem(s, "PUT", "/v1/items/errors", NULL,
            "{\"starts_at\":\"2026-11-11T00:00:01Z\",\"ends_at\":\"2026-11-11T00:00:00Z\"}", 422, "invalid",
            "ends_at");
    json_decref(admin_put(s, s->http_port, "errors", "{\"starts_at\":\"2020-11-11T00:00:00Z\"}", 200));
    problem(s, "PUT", "/v1/items/errors", NULL, "{\"ends_at\":\"2019-01-01T00:00:00Z\"}", 422, "invalid",
            "ends_at");
    problem(s, "PUT", "/v1/items/new-one", NULL, "{\"stock\":1}", 422, "invalid", "unit_price");
    problem(s, "PUT", "/v1/items/a%07b", NULL, TV, 422, "invalid", "sku");
    problem(s, "PUT", "/v1/items/errors", "Content-Type: text/plain\r\n", TV, 415, "unsupported_media_type",
            "application/json");
    problem(s, "PUT", "/v1/items/errors", "If-Match: 1\r\n", TV, 400, "malformed", "If-Match");
    problem(s, "PUT", "/v1/items/errors", "If-Match: \"99\"\r\n", TV, 412, "precondition_failed", "version");
    problem(s, "PUT", "/v1/items/new-one", "If-Match: *\r\n", TV, 412, "precondition_failed", "new-one");
    problem(s, "PUT", "/v1/items/errors", "If-None-Match: *\r\n", TV, 412, "precondition_failed", "already");
    memset(long_body, ' ', sizeof long_body - 1);
    long_body[sizeof long_body - 1] = '\0';
    problem(s, "PUT", "/v1/items/errors", NULL, long_body, 413, "too_large", "2048");

    problem(s, "POST", "/v1/items/errors/restock", NULL, "{\"quantity\":1}", 422, "invalid",
            "Idempotency-Key");
    problem(s, "POST", "/v1/items/errors/restock", "Idempotency-Key: a b\r\n", "{\"quantity\":1}", 422,
            "invalid", "Idempotency-Key");
    problem(s, "POST", "/v1/items/errors/restock", key, "{}", 422, "invalid", "quantity");
    problem(s, "POST", "/v1/items/errors/restock", key, "{\"quantity\":-1}", 422, "invalid", "quantity");
    problem(s, "POST", "/v1/items/errors/restock", key, "{\"quantity\":1000000000}", 409, "conflict",
            "in all");
    problem(s, "POST", "/v1/items/nothing/restock", key, "{\"quantity\":1}", 404, "not_found", "nothing");
    json_decref(admin_restock(s, s->http_port, "errors", "k", 1, 200));
    problem(s, "POST", "/v1/items/errors/restock", key, "{\"quantity\":2}", 422, "idempotency_mismatch",
            "by 1 already");
    problem(s, "DELETE", "/v1/items/errors", NULL, NULL, 405, "method_not_allowed", "Allow");
    problem(s, "GET", "/v1/items/errors/restock", NULL, NULL, 405, "method_not_allowed", "Allow");
    problem(s, "POST", "/v1/items/errors/restocks", key, "{\"quantity\":1}", 404, "not_found", "path");
    problem(s, "POST", "/v1/items//restock", key, "{\"quantity\":1}", 404, "not_found", "path");
}

/* Stock cannot go below what was sold. */
static void test_stock_below_what_is_confirmed_is_a_conflict(void **state)
{
    struct stack *s = *state;
    char id[27];

    json_decref(admin_put(s, s->http_port, "sold", TV, 201));
    admin_assert_shown(s->http_port, "sold", 1);
    assert_int_equal(front_end_order(s->http_port, "u1", "sold", NULL, id), 202);
    assert_int_equal(front_end_order(s->http_port, "u2", "sold", NULL, id), 202);
    front_end_assert_left(s->http_port, "sold", 5);
    problem(s, "PUT", "/v1/items/sold", NULL, "{\"stock\":1}", 409, "conflict", "at least 2");
    json_t *item = admin_put(s, s->http_port, "sold", "{\"stock\":2}", 200);
    assert_int_equal(json_number(item, "stock_left"), 0);
    json_decref(item);
}

/* ---- changes ---- */

static void test_a_change_is_made_once_seen_everywhere_and_bound_to_its_version(void **state)
{
    struct stack *s = *state;
    struct http_response response;
    char location[HTTP_VALUE_SIZE] = "", etag[HTTP_VALUE_SIZE] = "", cache[HTTP_VALUE_SIZE] = "";
    json_t *item;

    start_second(s);
    admin_send(s, s->http_port, "PUT", "/v1/items/m%C3%BC%20%251", "If-None-Match: *\r\n",
               "{\"name\":\"Müller 1\",\"unit_price\":5,\"stock\":7,\"limit_per_user\":2,"
               "\"ends_at\":\"2099-11-11T00:00:00+08:00\"}",
               &response);
    assert_int_equal(response.status, 201);
    assert_true(http_header(&response, "Location", location));
    assert_string_equal(location, "/v1/items/m%C3%BC%20%251");
    item = json_body(&response);
    assert_string_equal(json_text(item, "sku"), "mü %1");
    assert_string_equal(json_text(item, "ends_at"), "2099-11-10T16:00:00.000Z");
    assert_true(json_is_null(json_object_get(item, "starts_at")));
    assert_int_equal(json_number(item, "version"), 1);
    assert_int_equal(json_number(item, "age_ms"), 0);
    json_decref(item);
    http_response_free(&response);

    admin_assert_shown(s->http_port, location + strlen("/v1/items/"), 1);
    assert_int_equal(http_request(s->http_port, "GET", location, NULL, NULL, &response), 0);
    item = json_body(&response);
    assert_string_equal(json_text(item, "name"), "Müller 1");
    assert_true(json_number(item, "age_ms") >= 0);
    assert_true(http_header(&response, "ETag", etag));
    assert_string_equal(etag, "\"1\"");
    assert_true(http_header(&response, "Cache-Control", cache));
    assert_string_equal(cache, "max-age=1");
    json_decref(item);
    http_response_free(&response);

    admin_send(s, second, "PUT", location, "If-Match: \"1\"\r\n", "{\"unit_price\":6}", &response);
    assert_int_equal(response.status, 200);
    item = json_body(&response);
    assert_int_equal(json_number(item, "unit_price"), 6);
    assert_int_equal(json_number(item, "limit_per_user"), 2);
    assert_int_equal(json_number(item, "version"), 2);
    json_decref(item);
    http_response_free(&response);
    /* Sent again it finds another version; without one it says what is so. */
    admin_send(s, second, "PUT", location, "If-Match: \"1\"\r\n", "{\"unit_price\":6}", &response);
    json_decref(assert_problem(&response, 412, "precondition_failed"));
    http_response_free(&response);
    item = admin_put(s, second, location + strlen("/v1/items/"), "{\"unit_price\":6}", 200);
    assert_int_equal(json_number(item, "version"), 2);
    json_decref(item);
    int64_t first_ms = admin_assert_shown(s->http_port, location + strlen("/v1/items/"), 2);
    int64_t second_ms = admin_assert_shown(second, location + strlen("/v1/items/"), 2);
    printf("a change is seen after %lld and %lld ms\n", (long long)first_ms, (long long)second_ms);
    assert_true(first_ms < 10000 && second_ms < 10000);
    assert_int_equal(http_request(s->http_port, "HEAD", "/v1/items/sold", NULL, NULL, &response), 0);
    http_response_free(&response);
}

static void test_pause_and_resume(void **state)
{
    struct stack *s = *state;
    struct ctl_answer answer;
    char id[27];

    json_decref(admin_put(s, s->http_port, "pausing", TV, 201));
    json_decref(admin_put(s, s->http_port, "pausing", "{\"paused\":true}", 200));
    admin_assert_shown(s->http_port, "pausing", 2);
    assert_int_equal(front_end_order(s->http_port, "u1", "pausing", NULL, id), 409);
    json_decref(admin_put(s, s->http_port, "pausing", "{\"paused\":false}", 200));
    admin_assert_shown(s->http_port, "pausing", 3);
    assert_int_equal(front_end_order(s->http_port, "u1", "pausing", NULL, id), 202);

    ctl(s, &answer, (const char *[]){"item", "pause", "pausing", NULL});
    assert_int_equal(answer.output.status, 0);
    assert_true(json_is_true(json_object_get(answer.json, "paused")));
    assert_int_equal(json_number(answer.json, "version"), 4);
    ctl_free(&answer);
    admin_assert_shown(s->http_port, "pausing", 4);
    assert_int_equal(front_end_order(s->http_port, "u1", "pausing", NULL, id), 409);
    assert_int_equal(ctl_status(s, 0, (const char *[]){"item", "resume", "pausing", NULL}), 0);
    assert_int_equal(ctl_status(s, 1, (const char *[]){"item", "pause", "no-such-thing", NULL}), 1);
    ctl(s, &answer, (const char *[]){"item", "put", "pausing", "--name", "P", NULL});
    assert_null(json_object_get(answer.json, "created"));
    ctl_free(&answer);
}

static void test_seckillctl_restocks_once_for_its_key(void **state)
{
    struct stack *s = *state;
    struct ctl_answer first, again;
    static const char *const words[] = {"item", "restock", "by-ctl", "--quantity", "5", "--key", "k-1", NULL};

    json_decref(admin_put(s, s->http_port, "by-ctl", TV, 201));
    ctl(s, &first, words);
    ctl(s, &again, words);
    assert_int_equal(first.output.status, 0);
    assert_int_equal(json_number(first.json, "stock_total"), 12);
    assert_true(json_equal(first.json, again.json));
    ctl_free(&again);
    /* The same question over HTTP has the same answer. */
    json_t *http = admin_restock(s, s->http_port, "by-ctl", "k-1", 5, 200);
    assert_true(json_equal(first.json, http));
    json_decref(http);
    ctl_free(&first);
    assert_int_equal(
        ctl_status(s, 1,
                   (const char *[]){"item", "restock", "by-ctl", "--quantity", "6", "--key", "k-1", NULL}),
        1);
    /* One that is made up is shown before it is used. */
    ctl(s, &first, (const char *[]){"item", "restock", "by-ctl", "--quantity", "1", NULL});
    assert_int_equal(first.output.status, 0);
    assert_non_null(strstr(text_c(&first.output.err), "restock-"));
    ctl_free(&first);
    assert_int_equal(item_left(s, "by-ctl"), 13);
    assert_int_equal(ctl_status(s, 64, (const char *[]){"item", "restock", "by-ctl", NULL}), 64);
    assert_int_equal(ctl_status(s, 1, (const char *[]){"item", "restock", "none", "--quantity", "1", NULL}),
                     1);
}

/* ---- under load ---- */

enum { PRESSING = 32 }; /* connections */

/* Waits until both front ends turn away anew: of the answers that are under way now there is one for each
 * connection at most. */
static void wait_sold_out(const struct stack *s, struct load *l, struct load *m)
{
    assert_true(load_wait_refused(l, load_refused(l) + PRESSING + 1, WAIT_SECONDS));
    assert_true(load_wait_refused(m, load_refused(m) + PRESSING + 1, WAIT_SECONDS));
    front_end_assert_left(s->http_port, "hot", 0);
    front_end_assert_left(second, "hot", 0);
}

/* Sold out, restocked from here and there while orders press in, each restock sent twice: nothing is oversold
 * and nothing counts twice, and at the end everybody sells again. */
static void test_restocks_under_load(void **state)
{
    enum { FIRST = 200, MORE = 300, ROUNDS = 4, LAST = 1000000 };
    struct stack *s = *state;
    char key[32], id[27];
    json_t *last;

    start_second(s);
    assert_int_equal(item_put(s, &(struct item_terms){.sku = "hot", .stock = FIRST}), 0);
    admin_assert_shown(second, "hot", 1);
    struct load *l = load_start(&(struct load_spec){.port = s->http_port,
                                                    .connections = PRESSING,
                                                    .max_orders = 400000,
                                                    .seconds = 120,
                                                    .sku = "hot",
                                                    .backoff_ms = 5});
    struct load *m = load_start(&(struct load_spec){.port = second,
                                                    .connections = PRESSING,
                                                    .max_orders = 400000,
                                                    .seconds = 120,
                                                    .sku = "hot",
                                                    .prefix = "m",
                                                    .backoff_ms = 5});
    for (int round = 0; round < ROUNDS; round++) {
        wait_sold_out(s, l, m);
        snprintf(key, sizeof key, "round-%d", round);
        json_t *once = admin_restock(s, round % 2 ? second : s->http_port, "hot", key, MORE, 200);
        json_t *twice = admin_restock(s, round % 2 ? s->http_port : second, "hot", key, MORE, 200);
        assert_true(json_equal(once, twice));
        assert_int_equal(json_number(once, "stock_total"), FIRST + (round + 1) * MORE);
        admin_assert_shown(s->http_port, "hot", json_number(once, "version"));
        admin_assert_shown(second, "hot", json_number(once, "version"));
        json_decref(once);
        json_decref(twice);
    }
    wait_sold_out(s, l, m);
    last = admin_restock(s, second, "hot", "last", LAST, 200);
    int64_t first_ms = admin_assert_shown(s->http_port, "hot", json_number(last, "version"));
    int64_t second_ms = admin_assert_shown(second, "hot", json_number(last, "version"));
    printf("sold out has ended after %lld and %lld ms\n", (long long)first_ms, (long long)second_ms);
    assert_true(first_ms < 10000 && second_ms < 10000);
    assert_int_equal(front_end_order(s->http_port, "late", "hot", NULL, id), 202);
    assert_int_equal(front_end_order(second, "later", "hot", NULL, id), 202);
    load_stop(l);
    load_stop(m);
    load_join(l);
    load_join(m);
    printf("%d and %d accepted, %d and %d sold out\n", load_count_status(l, 202), load_count_status(m, 202),
           load_count_code(l, "sold_out"), load_count_code(m, "sold_out"));
    assert_true(load_count_code(l, "sold_out") > 0 && load_count_code(m, "sold_out") > 0);
    load_free(l);
    load_free(m);
    json_decref(last);
    assert_true(audit_passes(s));
    struct ctl_answer answer;
    ctl(s, &answer, (const char *[]){"item", "show", "hot", NULL});
    assert_int_equal(json_number(answer.json, "stock_total"), FIRST + ROUNDS * MORE + LAST);
    ctl_free(&answer);
}

/* ---- who is alive ---- */

struct census {
    int port;
    int orders, inventories, redpackets, notifications;
};

static int count_service(const json_t *services, const char *name)
{
    size_t i;
    const json_t *service;
    int count = 0;

    json_array_foreach(services, i, service) count += strcmp(json_text(service, "service"), name) == 0 &&
                                                      json_number(service, "pid") > 0 &&
                                                      json_number(service, "last_seen_ms") <= 10000;
    return count;
}

static bool services_are(const json_t *stats, const struct census *c)
{
    const json_t *services = json_object_get(stats, "services");

    return count_service(services, "order") == c->orders &&
           count_service(services, "inventory.0") == c->inventories &&
           count_service(services, "redpacket") == c->redpackets &&
           count_service(services, "notification") == c->notifications;
}

static json_t *stats_of(int port)
{
    struct http_response response;

    assert_int_equal(http_request(port, "GET", "/v1/stats", NULL, NULL, &response), 0);
    assert_int_equal(response.status, 200);
    json_t *stats = json_body(&response);
    http_response_free(&response);
    return stats;
}

static bool census_holds(void *context)
{
    const struct census *c = context;
    json_t *stats = stats_of(c->port);
    bool holds = services_are(stats, c);

    json_decref(stats);
    return holds;
}

static void test_who_is_alive(void **state)
{
    struct stack *s = *state;
    struct ctl_answer answer;
    struct census c = {
        .port = s->http_port, .orders = 2, .inventories = 1, .redpackets = 1, .notifications = 1};

    start_second(s);
    assert_true(wait_until(census_holds, &c, WAIT_SECONDS));
    c.port = second;
    assert_true(wait_until(census_holds, &c, WAIT_SECONDS));
    ctl(s, &answer, (const char *[]){"stats", NULL});
    assert_int_equal(answer.output.status, 0);
    assert_true(services_are(answer.json, &c));
    ctl_free(&answer);
}

static bool has_decided_three(void *context)
{
    json_t *stats = stats_of(*(int *)context), *orders = json_object_get(stats, "orders");
    bool has = json_number(orders, "confirmed") >= 3 && json_number(orders, "undecided") == 0;

    json_decref(stats);
    return has;
}

static void test_stats_count_what_happened(void **state)
{
    struct stack *s = *state;
    char id[27];
    json_t *stats, *verdicts;
    int port = front_end_start(s, "order@4", NULL);

    json_decref(admin_put(s, port, "counted", TV, 201));
    admin_assert_shown(port, "counted", 1);
    for (int i = 0; i < 3; i++)
        assert_int_equal(front_end_order(port, "u", "counted", NULL, id), 202);
    assert_int_equal(front_end_order(port, "u", "no-such-item", NULL, id), 422);
    assert_true(wait_until(has_decided_three, &port, WAIT_SECONDS));
    stats = stats_of(port);
    verdicts = json_object_get(stats, "verdicts");
    assert_int_equal(json_number(json_object_get(verdicts, "accepted"), "count"), 3);
    assert_int_equal(json_number(json_object_get(verdicts, "unknown_item"), "count"), 1);
    assert_int_equal(json_number(json_object_get(verdicts, "sold_out"), "count"), 0);
    assert_int_equal(json_number(json_array_get(json_object_get(stats, "backlog"), 0), "orders"), 0);
    assert_true(json_number(json_array_get(json_object_get(stats, "catalogue"), 0), "items") >= 1);
    assert_string_equal(json_text(stats, "state"), "taking_orders");
    json_decref(stats);
    assert_int_equal(stack_do(s, "stop", "order@4", NULL), 0);
}

/* ---- nobody to ask ---- */

static bool is_degraded(void *context)
{
    struct stack *s = context;
    struct http_response response;
    bool degraded = http_request(s->http_port, "GET", "/readyz", NULL, NULL, &response) == 0 &&
                    strstr(response.body, "degraded");

    http_response_free(&response);
    return degraded;
}

static void unavailable(struct stack *s, const char *word)
{
    struct http_response response;

    admin_send(s, s->http_port, "PUT", "/v1/items/nobody", NULL, TV, &response);
    json_t *body = assert_problem(&response, 503, "unavailable");
    assert_retry_after(&response);
    assert_non_null(strstr(json_text(body, "detail"), word));
    assert_non_null(strstr(json_text(body, "detail"), "nothing was changed"));
    json_decref(body);
    http_response_free(&response);
}

static void test_without_inventory_or_broker_nothing_is_changed(void **state)
{
    struct stack *s = *state;
    struct http_response response;
    char cache[HTTP_VALUE_SIZE] = "";

    struct census c = {.port = second, .orders = 2, .notifications = 1};

    assert_int_equal(stack_do(s, "kill", "redpacket", NULL), 0);
    assert_int_equal(stack_do(s, "stop", "inventory", NULL), 0);
    assert_true(wait_until(is_degraded, s, WAIT_SECONDS));
    unavailable(s, "inventory");
    assert_int_equal(http_request(s->http_port, "GET", "/v1/items", NULL, NULL, &response), 0);
    assert_true(http_header(&response, "Cache-Control", cache));
    assert_string_equal(cache, "no-cache"); /* what is stale is not to be kept */
    http_response_free(&response);
    assert_int_equal(stack_do(s, "stop", "broker", NULL), 0);
    unavailable(s, "broker");
    assert_int_equal(stack_do(s, "start", "broker", NULL), 0);
    assert_true(wait_until(census_holds, &c, WAIT_SECONDS)); /* who has been silent for 10 s is gone */
    assert_int_equal(everything_runs(state), 0);
    json_decref(admin_put(s, s->http_port, "nobody", TV, 201)); /* it had not been made */
    c.redpackets = c.inventories = 1;
    assert_true(wait_until(census_holds, &c, WAIT_SECONDS));
}

/* ---- the token's file ---- */

static bool is_taken(void *context)
{
    struct stack *s = context;
    struct http_response response;
    admin_send(s, s->http_port, "PUT", "/v1/items/errors", NULL, "{}", &response);
    bool taken = response.status == 200;

    http_response_free(&response);
    return taken;
}

static void test_a_new_token_is_taken_over_on_sighup(void **state)
{
    struct stack *s = *state;
    char path[STACK_PATH];

    assert_true(is_taken(s));
    snprintf(path, sizeof path, "%s/secrets/admin_token", s->dir);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("another-token-for-the-operators\n", file);
    assert_int_equal(fclose(file), 0);
    assert_false(is_taken(s)); /* not yet */
    assert_int_equal(kill(front_end_pid(s, s->http_port), SIGHUP), 0);
    assert_true(wait_until(is_taken, s, WAIT_SECONDS));
    assert_int_equal(stack_do(s, "stop", "order@2", NULL), 0); /* the last test */
}

int main(void)
{
    static const char *const sets[] = {"admission.user_rate=0", "admission.max_rate=0", NULL};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_a_token_nobody_may),
        cmocka_unit_test(test_another_token_is_401_and_says_how),
        cmocka_unit_test(test_each_error_is_named),
        cmocka_unit_test(test_stock_below_what_is_confirmed_is_a_conflict),
        cmocka_unit_test(test_a_change_is_made_once_seen_everywhere_and_bound_to_its_version),
        cmocka_unit_test(test_pause_and_resume),
        cmocka_unit_test(test_seckillctl_restocks_once_for_its_key),
        cmocka_unit_test(test_restocks_under_load),
        cmocka_unit_test_setup(test_who_is_alive, everything_runs),
        cmocka_unit_test(test_stats_count_what_happened),
        cmocka_unit_test(test_without_inventory_or_broker_nothing_is_changed),
        cmocka_unit_test_setup(test_a_new_token_is_taken_over_on_sighup, everything_runs),
        STACK_END,
    };

    return run_with_stack("admin", tests, sizeof tests / sizeof *tests, sets);
}
