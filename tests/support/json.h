/* What tests ask of JSON. A missing or differently typed member reads as "" or as JSON_NONE. Thin over
 * jansson. */
#ifndef SECKILL_TESTS_JSON_H
#define SECKILL_TESTS_JSON_H

#include <jansson.h>
#include <stdint.h>

#include "tests/support/http_wire.h"

#define JSON_NONE INT64_MIN

json_t *json_read(const char *text);                     /* NULL: it is not JSON */
json_t *json_body(const struct http_response *response); /* … with a JSON content type; else NULL */
const char *json_text(const json_t *object, const char *member);
int64_t json_number(const json_t *object, const char *member);

#endif
