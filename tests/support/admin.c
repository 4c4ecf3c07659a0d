#include "tests/support/admin.h"

#include <stdio.h>
#include <string.h>

#include "tests/support/check.h"
#include "tests/support/clock.h"
#include "tests/support/http_client.h"
#include "tests/support/json.h"

enum { WAIT_SECONDS = 60 };

void admin_send(struct stack *s, int port, const char *method, const char *path, const char *headers,
                const char *body, struct http_response *response)
{
    struct text token = {0}, all = {0};
    char file[STACK_PATH];

    snprintf(file, sizeof file, "%s/secrets/admin_token", s->dir);
    assert_int_equal(text_add_file(&token, file), 0);
    text_format(&all, "Authorization: Bearer %.*s\r\n%s", (int)strcspn(text_c(&token), "\r\n"),
                text_c(&token), headers ? headers : "");
    if (http_request(port, method, path, text_c(&all), body, response) < 0)
        fail_msg("no answer to %s %s", method, path);
    text_free(&token);
    text_free(&all);
}

static json_t *expect(struct http_response *response, int status, const char *what)
{
    json_t *body = NULL;

    if (response->status != status)
        fail_msg("%s: expected %d, got %d %s", what, status, response->status, response->body);
    if (status < 300)
        body = json_body(response);
    http_response_free(response);
    return body;
}

json_t *admin_put(struct stack *s, int port, const char *sku, const char *body, int status)
{
    struct http_response response;
    char path[128];

    snprintf(path, sizeof path, "/v1/items/%s", sku);
    admin_send(s, port, "PUT", path, NULL, body, &response);
    return expect(&response, status, body);
}

json_t *admin_restock(struct stack *s, int port, const char *sku, const char *key, int quantity, int status)
{
    struct http_response response;
    char path[128], headers[200], body[64];

    snprintf(path, sizeof path, "/v1/items/%s/restock", sku);
    snprintf(headers, sizeof headers, "Idempotency-Key: %s\r\n", key);
    snprintf(body, sizeof body, "{\"quantity\":%d}", quantity);
    admin_send(s, port, "POST", path, headers, body, &response);
    return expect(&response, status, path);
}

struct awaited {
    int port;
    const char *sku;
    int64_t version;
};

static bool is_shown(void *context)
{
    const struct awaited *a = context;
    struct http_response response;
    char path[128];
    json_t *item;
    bool shown;

    snprintf(path, sizeof path, "/v1/items/%s", a->sku);
    http_request(a->port, "GET", path, NULL, NULL, &response);
    item = json_body(&response);
    shown = json_number(item, "version") == a->version;
    json_decref(item);
    http_response_free(&response);
    return shown;
}

int64_t admin_assert_shown(int port, const char *sku, int64_t version)
{
    struct awaited a = {.port = port, .sku = sku, .version = version};
    int64_t began = clock_ms();

    if (!wait_until(is_shown, &a, WAIT_SECONDS))
        fail_msg("%s does not come to version %lld", sku, (long long)version);
    return clock_ms() - began;
}
