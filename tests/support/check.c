/* Shared assertions. */
#include "tests/support/check.h"

#include <stdio.h>
#include <string.h>

#include "tests/support/clock.h"
#include "tests/support/http_client.h"
#include "tests/support/json.h"

enum { DECIDE_SECONDS = 60 };

void post_order(struct stack *s, const char *headers, const char *body, struct http_response *response)
{
    if (http_request(s->http_port, "POST", "/v1/orders", headers, body, response) < 0)
        fail_msg("no answer to the order %s", body);
}

json_t *assert_problem(const struct http_response *response, int status, const char *code)
{
    char type[HTTP_VALUE_SIZE] = "", urn[100];
    json_t *body = json_body(response);

    if (response->status != status || strcmp(json_text(body, "code"), code) != 0)
        fail_msg("expected %d %s, got %d %s", status, code, response->status, response->body);
    http_header(response, "Content-Type", type);
    assert_int_equal(strncmp(type, "application/problem+json", 24), 0);
    snprintf(urn, sizeof urn, "urn:seckill:problem:%s", code);
    assert_string_equal(json_text(body, "type"), urn);
    assert_int_equal(json_number(body, "status"), status);
    assert_string_not_equal(json_text(body, "title"), "");
    assert_string_not_equal(json_text(body, "detail"), "");
    return body;
}

void assert_accepted(const struct http_response *response, char order_id[27])
{
    char location[HTTP_VALUE_SIZE] = "";
    json_t *body = json_body(response);

    if (response->status != 202)
        fail_msg("expected 202, got %d %s", response->status, response->body);
    assert_int_equal(strlen(json_text(body, "order_id")), 26);
    assert_string_equal(json_text(body, "status"), "accepted");
    snprintf(order_id, 27, "%.26s", json_text(body, "order_id"));
    assert_true(http_header(response, "Location", location));
    assert_int_equal(strncmp(location, "/v1/orders/", 11), 0);
    assert_string_equal(location + 11, order_id);
    json_decref(body);
}

void assert_retry_after(const struct http_response *response)
{
    char value[HTTP_VALUE_SIZE] = "";
    int seconds = 0;

    if (!http_header(response, "Retry-After", value) || strspn(value, "0123456789") != strlen(value) ||
        sscanf(value, "%d", &seconds) != 1 || seconds < 1 || seconds > 60)
        fail_msg("Retry-After is '%s'", value);
}

struct awaited {
    int port;
    const char *order_id, *status;
    struct http_response response;
};

static bool has_status(void *context)
{
    struct awaited *a = context;
    char path[64];
    json_t *body;
    bool has;

    snprintf(path, sizeof path, "/v1/orders/%s", a->order_id);
    http_response_free(&a->response);
    http_request(a->port, "GET", path, NULL, NULL, &a->response);
    body = json_body(&a->response);
    has = a->response.status == 200 && strcmp(json_text(body, "status"), a->status) == 0;
    json_decref(body);
    return has;
}

json_t *assert_becomes(struct stack *s, const char *order_id, const char *status)
{
    struct awaited a = {.port = s->http_port, .order_id = order_id, .status = status};
    json_t *body;

    if (!wait_until(has_status, &a, DECIDE_SECONDS))
        fail_msg("order %s does not become %s: %d %s", order_id, status, a.response.status,
                 a.response.body ? a.response.body : "");
    body = json_body(&a.response);
    http_response_free(&a.response);
    assert_string_equal(json_text(body, "order_id"), order_id);
    return body;
}
