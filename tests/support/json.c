/* What tests ask of JSON. */
#include "tests/support/json.h"

#include <string.h>

json_t *json_read(const char *text)
{
    return json_loads(text, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
}

json_t *json_body(const struct http_response *response)
{
    char type[HTTP_VALUE_SIZE];

    if (!http_header(response, "Content-Type", type) ||
        (strncmp(type, "application/json", 16) != 0 && strncmp(type, "application/problem+json", 24) != 0))
        return NULL;
    return json_loadb(response->body, response->body_len, JSON_REJECT_DUPLICATES, NULL);
}

const char *json_text(const json_t *object, const char *member)
{
    const char *value = json_string_value(json_object_get(object, member));

    return value ? value : "";
}

int64_t json_number(const json_t *object, const char *member)
{
    const json_t *value = json_object_get(object, member);

    return json_is_integer(value) ? json_integer_value(value) : JSON_NONE;
}
