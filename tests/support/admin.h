/* Changing items over HTTP, as an operator with the stack's admin token. */
#ifndef SECKILL_TESTS_ADMIN_H
#define SECKILL_TESTS_ADMIN_H

#include <jansson.h>

#include "tests/support/http_wire.h"
#include "tests/support/stack.h"

/* Sends it with the token and these further headers ("Name: value\r\n"…, or NULL); fails the test if there
 * is no answer. The response is to be freed. */
void admin_send(struct stack *s, int port, const char *method, const char *path, const char *headers,
                const char *body, struct http_response *response);

/* PUT /v1/items/{sku}: fails the test unless the answer has this status. The item, to be freed; NULL for an
 * error. */
json_t *admin_put(struct stack *s, int port, const char *sku, const char *body, int status);

/* POST /v1/items/{sku}/restock with this key, in the same way. */
json_t *admin_restock(struct stack *s, int port, const char *sku, const char *key, int quantity, int status);

/* Waits until GET /v1/items/{sku} there shows this version; fails the test after a minute. Returns the
 * milliseconds that it took. */
int64_t admin_assert_shown(int port, const char *sku, int64_t version);

#endif
