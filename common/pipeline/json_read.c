/* Members of JSON objects, checked as they are read. See json_read.h. */
#include "common/pipeline/json_read.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/pipeline/message.h"

int json_read_object(struct slice text, json_t **out, struct detail *why)
{
    json_error_t error;
    json_t *value =
        json_loadb(text.data ? text.data : "", text.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    if (!value) {
        detail_set(why, "not JSON: %s (at byte %d)", error.text, error.position);
        return E_INVALID;
    }
    if (!json_is_object(value)) {
        detail_set(why, "not a JSON object");
        json_decref(value);
        return E_INVALID;
    }
    *out = value;
    return 0;
}

void json_read_syntax_error(const json_error_t *error, struct detail *why)
{
    char text[JSON_ERROR_TEXT_LENGTH];
    snprintf(text, sizeof text, "%s", error->text);
    for (char *c = text; *c; c++)
        if (*c < 0x20 || *c > 0x7e)
            *c = '?';
    detail_set(why, "the body is not valid JSON: line %d, column %d: %s", error->line, error->column, text);
}

static int missing(const char *member, struct detail *why)
{
    detail_set(why, "%s is missing", member);
    return E_INVALID;
}

int json_read_version(const json_t *object, int version, struct detail *why)
{
    const json_t *v = json_object_get(object, "v");
    if (!v)
        return missing("v", why);
    if (!json_is_integer(v) || json_integer_value(v) != version) {
        detail_set(why, "v must be %d: another version of the message cannot be read", version);
        return E_INVALID;
    }
    return 0;
}

int json_read_int(const json_t *object, const char *member, int64_t min, int64_t max, int64_t *out,
                  struct detail *why)
{
    const json_t *value = json_object_get(object, member);
    if (!value)
        return missing(member, why);
    int64_t number = json_integer_value(value);
    if (!json_is_integer(value) || number < min || number > max) {
        detail_set(why, "%s must be an integer from %" PRId64 " to %" PRId64, member, min, max);
        return E_INVALID;
    }
    *out = number;
    return 0;
}

/* At most 64 bytes of it, cut between characters. */
static int shown_bytes(const char *name)
{
    size_t len = strlen(name);
    if (len > 64)
        for (len = 64; len > 0 && ((unsigned char)name[len] & 0xc0) == 0x80;)
            len--;
    return (int)len;
}

int json_read_known_members(const json_t *object, const char *const *known, struct detail *why)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)object, name, value)
    {
        const char *const *k = known;
        while (*k && strcmp(*k, name) != 0)
            k++;
        if (!*k) {
            detail_set(why, "there is no member \"%.*s\"", shown_bytes(name), name);
            return E_INVALID;
        }
    }
    return 0;
}

int json_read_optional_int(const json_t *object, const char *member, int64_t min, int64_t max, int64_t *out,
                           struct detail *why)
{
    return json_object_get(object, member) ? json_read_int(object, member, min, max, out, why) : 0;
}

/* The member's bytes, owned by the object. */
static int read_slice(const json_t *object, const char *member, struct slice *out, struct detail *why)
{
    const json_t *value = json_object_get(object, member);
    if (!value)
        return missing(member, why);
    if (!json_is_string(value)) {
        detail_set(why, "%s must be a string", member);
        return E_INVALID;
    }
    *out = (struct slice){.data = json_string_value(value), .len = json_string_length(value)};
    return 0;
}

static void copy_text(char *out, struct slice text)
{
    memcpy(out, text.data, text.len);
    out[text.len] = '\0';
}

int json_read_text(const json_t *object, const char *member, char *out, size_t size, struct detail *why)
{
    struct slice text;
    int rc = read_slice(object, member, &text, why);
    if (rc)
        return rc;
    if (text.len >= size || !text_is_printable(text)) {
        detail_set(why, "%s must have at most %zu bytes and no control characters", member, size - 1);
        return E_INVALID;
    }
    copy_text(out, text);
    return 0;
}

int json_read_name(const json_t *object, const char *member, char *out, struct detail *why)
{
    struct slice text;
    int rc = read_slice(object, member, &text, why);
    if (rc)
        return rc;
    if (!name_is_valid(text)) {
        detail_set(why, "%s must have 1 to %d bytes and no control characters", member, NAME_MAX_BYTES);
        return E_INVALID;
    }
    copy_text(out, text);
    return 0;
}

int json_read_order_id(const json_t *object, const char *member, char *out, struct detail *why)
{
    struct slice text;
    int rc = read_slice(object, member, &text, why);
    if (rc)
        return rc;
    if (!order_id_is_well_formed(text.data, text.len)) {
        detail_set(why, "%s must be %d characters of Crockford base32, upper case, the first one 0-7", member,
                   ORDER_ID_CHARS);
        return E_INVALID;
    }
    copy_text(out, text);
    return 0;
}

int json_read_moment(const json_t *object, const char *member, int64_t *wall_ms, struct detail *why)
{
    const json_t *value = json_object_get(object, member);
    if (!value || json_is_null(value)) {
        *wall_ms = 0;
        return 0;
    }
    char text[64];
    if (!json_is_string(value) || json_read_text(object, member, text, sizeof(text), NULL) ||
        rfc3339_parse(text, wall_ms)) {
        detail_set(why, "%s must be an RFC 3339 time such as \"2026-11-22T12:00:00Z\", or null", member);
        return E_INVALID;
    }
    return 0;
}
