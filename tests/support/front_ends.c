/* One front end of several. */
#include "tests/support/front_ends.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/check.h"
#include "tests/support/clock.h"
#include "tests/support/http_client.h"
#include "tests/support/json.h"
#include "tests/support/process.h"

enum { WAIT_SECONDS = 60 };

static bool is_ready(void *context)
{
    const int *port = context;
    struct http_response response;
    bool ready = http_request(*port, "GET", "/readyz", NULL, NULL, &response) == 0 && response.status == 200;

    http_response_free(&response);
    return ready;
}

int front_end_start(struct stack *s, const char *instance, const char *const sets[])
{
    const char *more[16] = {"--http-port"};
    int port = stack_free_port(), count = 2;
    char text[16];

    snprintf(text, sizeof text, "%d", port);
    more[1] = text;
    for (int i = 0; sets && sets[i] && count < 15; i++)
        more[count++] = sets[i];
    assert_int_equal(stack_do(s, "start", instance, more), 0);
    assert_true(wait_until(is_ready, &port, WAIT_SECONDS));
    return port;
}

pid_t front_end_pid(struct stack *s, int port)
{
    pid_t pid = process_listening_on(s->mark, port);

    assert_true(pid > 0);
    return pid;
}

int front_end_ask(int port, const char *order_id, const char *query, json_t **body)
{
    struct http_response response;
    char path[128];
    int status;

    snprintf(path, sizeof path, "/v1/orders/%s%s", order_id, query);
    if (http_request(port, "GET", path, NULL, NULL, &response) < 0)
        fail_msg("no answer to %s", path);
    status = response.status;
    if (status == 429 || status == 503)
        assert_retry_after(&response);
    if (body)
        *body = json_body(&response);
    http_response_free(&response);
    return status;
}

struct awaited {
    int port;
    const char *name, *status;
    int64_t value;
};

static bool has_status(void *context)
{
    const struct awaited *a = context;
    json_t *body;
    bool has = front_end_ask(a->port, a->name, "", &body) == 200 &&
               strcmp(json_text(body, "status"), a->status) == 0;

    json_decref(body);
    return has;
}

void front_end_assert_becomes(int port, const char *order_id, const char *status)
{
    struct awaited a = {.port = port, .name = order_id, .status = status};

    if (!wait_until(has_status, &a, WAIT_SECONDS))
        fail_msg("order %s does not become %s", order_id, status);
}

int front_end_order(int port, const char *user, const char *sku, const char *key, char order_id[27])
{
    struct http_response response;
    char text[256], headers[200] = "", location[HTTP_VALUE_SIZE] = "";
    json_t *body;
    int status;

    snprintf(text, sizeof text, "{\"user_id\":\"%s\",\"sku\":\"%s\"}", user, sku);
    if (key)
        snprintf(headers, sizeof headers, "Idempotency-Key: %s\r\n", key);
    if (http_request(port, "POST", "/v1/orders", headers, text, &response) < 0)
        fail_msg("no answer to the order %s", text);
    body = json_body(&response);
    snprintf(order_id, 27, "%s", json_text(body, "order_id"));
    json_decref(body);
    if (http_header(&response, "Location", location) != (order_id[0] != '\0') ||
        (order_id[0] && strcmp(location + strlen("/v1/orders/"), order_id) != 0))
        fail_msg("%d: Location '%s', order_id '%s'", response.status, location, order_id);
    status = response.status;
    if (status == 429 || status == 503)
        assert_retry_after(&response);
    http_response_free(&response);
    return status;
}

int64_t front_end_metric(int port, const char *name)
{
    struct http_response response;
    int64_t value = -1;
    size_t len = strlen(name);

    http_request(port, "GET", "/metrics", NULL, NULL, &response);
    for (const char *line = response.body; line && value < 0;) {
        if (strncmp(line, name, len) == 0 && line[len] == ' ')
            value = atoll(line + len);
        line = strchr(line, '\n');
        line = line ? line + 1 : NULL;
    }
    http_response_free(&response);
    return value;
}

static bool metric_is(void *context)
{
    const struct awaited *a = context;

    return front_end_metric(a->port, a->name) == a->value;
}

bool front_end_wait_metric(int port, const char *name, int64_t value, int seconds)
{
    return wait_until(metric_is, &(struct awaited){.port = port, .name = name, .value = value}, seconds);
}

static bool shows_left(void *context)
{
    const struct awaited *a = context;
    struct http_response response;
    char path[100];
    json_t *item;
    bool shows;

    snprintf(path, sizeof path, "/v1/items/%s", a->name);
    http_request(a->port, "GET", path, NULL, NULL, &response);
    item = json_body(&response);
    shows = json_number(item, "stock_left") == a->value;
    json_decref(item);
    http_response_free(&response);
    return shows;
}

void front_end_assert_left(int port, const char *sku, int64_t left)
{
    assert_true(
        wait_until(shows_left, &(struct awaited){.port = port, .name = sku, .value = left}, WAIT_SECONDS));
}
