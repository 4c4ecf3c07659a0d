/* Two languages, one set of members: each reader finds name and value, set_* below judge them. JSON has a
 * second, quicker reader for the plainest orders. */
#include "services/order/order_request.h"

#include <jansson.h>
#include <string.h>
#include <strings.h>

#include "common/base/number.h"
#include "common/pipeline/json_read.h"

enum { SEEN_USER_ID = 1, SEEN_SKU = 2, SEEN_QUANTITY = 4 };

struct reader {
    struct order_request *out;
    struct detail *why;
    unsigned seen;
};

#define NAME_RULE     "must be 1 to 64 bytes of UTF-8 without control characters"
#define QUANTITY_RULE "quantity must be an integer from 1 to 1000"

static enum order_request_result invalid(struct reader *r, const char *text)
{
    detail_set(r->why, "%s", text);
    return ORDER_REQUEST_INVALID;
}

static enum order_request_result set_name(struct reader *r, const char *member, struct slice value,
                                          char out[NAME_SIZE])
{
    if (!name_is_valid(value)) {
        detail_set(r->why, "%s " NAME_RULE, member);
        return ORDER_REQUEST_INVALID;
    }
    memcpy(out, value.data, value.len);
    out[value.len] = '\0';
    return ORDER_REQUEST_OK;
}

static enum order_request_result set_quantity(struct reader *r, int64_t quantity)
{
    if (quantity < 1 || quantity > QUANTITY_MAX)
        return invalid(r, QUANTITY_RULE);
    r->out->quantity = (int32_t)quantity;
    return ORDER_REQUEST_OK;
}

/* The client's own word for a member, fit to be quoted: cut at 40 bytes between characters. */
static enum order_request_result unknown_member(struct reader *r, struct slice name)
{
    size_t len = name.len;
    if (len > 40) {
        len = 40;
        while (len > 0 && ((unsigned char)name.data[len] & 0xc0) == 0x80)
            len--;
    }
    bool is_readable = name_is_valid((struct slice){.data = name.data, .len = len});
    detail_set(r->why, "unknown member%s%.*s%s: an order has user_id, sku and quantity",
               is_readable ? " \"" : "", is_readable ? (int)len : 0, name.data,
               !is_readable     ? ""
               : len < name.len ? "…\""
                                : "\"");
    return ORDER_REQUEST_INVALID;
}

static unsigned member_named(struct slice name)
{
    if (slice_is(name, "user_id"))
        return SEEN_USER_ID;
    if (slice_is(name, "sku"))
        return SEEN_SKU;
    return slice_is(name, "quantity") ? SEEN_QUANTITY : 0;
}

static enum order_request_result check_complete(struct reader *r)
{
    if (!(r->seen & SEEN_USER_ID))
        return invalid(r, "user_id is missing");
    if (!(r->seen & SEEN_SKU))
        return invalid(r, "sku is missing");
    return ORDER_REQUEST_OK;
}

/* ---- JSON ---- */

static enum order_request_result set_json_name(struct reader *r, const char *member, const json_t *value,
                                               char out[NAME_SIZE])
{
    if (!json_is_string(value)) {
        detail_set(r->why, "%s must be a string", member);
        return ORDER_REQUEST_INVALID;
    }
    return set_name(r, member,
                    (struct slice){.data = json_string_value(value), .len = json_string_length(value)}, out);
}

static enum order_request_result set_json_member(struct reader *r, const char *name, const json_t *value)
{
    unsigned member = member_named(slice_of(name));
    r->seen |= member;
    switch (member) {
    case SEEN_USER_ID:
        return set_json_name(r, name, value, r->out->user_id);
    case SEEN_SKU:
        return set_json_name(r, name, value, r->out->sku);
    case SEEN_QUANTITY:
        if (!json_is_integer(value)) /* 1.0 is none: whole numbers are written whole */
            return invalid(r, QUANTITY_RULE);
        return set_quantity(r, json_integer_value(value));
    default:
        return unknown_member(r, slice_of(name));
    }
}

static enum order_request_result parse_json(struct reader *r, struct slice body)
{
    json_error_t error;
    json_t *root =
        json_loadb(body.data, body.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL | JSON_DECODE_ANY, &error);
    if (!root) {
        json_read_syntax_error(&error, r->why);
        return ORDER_REQUEST_MALFORMED;
    }

    enum order_request_result result = ORDER_REQUEST_OK;
    const char *name;
    json_t *value;
    if (!json_is_object(root))
        result = invalid(r, "the body must be a JSON object with user_id, sku and quantity");
    else
        json_object_foreach(root, name, value)
        {
            result = set_json_member(r, name, value);
            if (result != ORDER_REQUEST_OK)
                break;
        }
    json_decref(root);
    return result != ORDER_REQUEST_OK ? result : check_complete(r);
}

/* ---- JSON as nearly everybody writes it ---- */

/*
 * A refusal must cost little, and a JSON library's objects are most of what reading an order costs. So an
 * order in the plainest words is read here: known members, once each, names of printable ASCII without a
 * backslash, a short quantity. It says yes or nothing: whatever is not as plain as that, right or wrong, is
 * for the library, which alone finds faults.
 */
static const char *skip_space(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r'))
        at++;
    return at;
}

/* Sets *text and returns what is behind the string, or NULL. */
static const char *plain_string(const char *at, const char *end, struct slice *text)
{
    if (at == end || *at != '"')
        return NULL;
    const char *begin = ++at;
    while (at < end && *at != '"') {
        if (*at < 0x20 || *at > 0x7e || *at == '\\')
            return NULL;
        at++;
    }
    *text = (struct slice){.data = begin, .len = (size_t)(at - begin)};
    return at < end ? at + 1 : NULL;
}

static const char *plain_name(const char *at, const char *end, char out[NAME_SIZE])
{
    struct slice text;
    at = plain_string(at, end, &text);
    if (!at || text.len == 0 || text.len >= NAME_SIZE)
        return NULL;
    memcpy(out, text.data, text.len);
    out[text.len] = '\0';
    return at;
}

static const char *plain_quantity(const char *at, const char *end, int32_t *out)
{
    int32_t quantity = 0;
    if (at == end || *at < '1' || *at > '9')
        return NULL;
    for (; at < end && *at >= '0' && *at <= '9'; at++) {
        quantity = quantity * 10 + (*at - '0');
        if (quantity > QUANTITY_MAX)
            return NULL;
    }
    *out = quantity;
    return at;
}

/* One member with its value; what is behind it, or NULL. */
static const char *plain_member(struct reader *r, const char *at, const char *end)
{
    struct slice name;
    at = plain_string(at, end, &name);
    if (!at)
        return NULL;
    unsigned member = member_named(name);
    at = skip_space(at, end);
    if (at == end || *at != ':' || (r->seen & member))
        return NULL;
    r->seen |= member;
    at = skip_space(at + 1, end);
    switch (member) {
    case SEEN_USER_ID:
        return plain_name(at, end, r->out->user_id);
    case SEEN_SKU:
        return plain_name(at, end, r->out->sku);
    case SEEN_QUANTITY:
        return plain_quantity(at, end, &r->out->quantity);
    default:
        return NULL;
    }
}

static bool parse_plain_json(struct reader *r, struct slice body)
{
    const char *end = body.data + body.len, *at = skip_space(body.data, end);
    char separator = '{';
    while (at < end && *at == separator) {
        at = plain_member(r, skip_space(at + 1, end), end);
        if (!at)
            return false;
        at = skip_space(at, end);
        separator = ',';
    }
    if (at == end || *at != '}' || skip_space(at + 1, end) != end)
        return false;
    return (r->seen & SEEN_USER_ID) && (r->seen & SEEN_SKU);
}

/* ---- HTML form ---- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* Decodes "+" and "%XX" into out, which has room for in.len bytes. false: a broken "%". */
static bool decode_form(struct slice in, char *out, struct slice *decoded)
{
    size_t len = 0;
    for (size_t i = 0; i < in.len; i++) {
        char c = in.data[i];
        if (c == '+') {
            c = ' ';
        } else if (c == '%') {
            int high = i + 2 < in.len ? hex_digit(in.data[i + 1]) : -1;
            int low = i + 2 < in.len ? hex_digit(in.data[i + 2]) : -1;
            if (high < 0 || low < 0)
                return false;
            c = (char)(high << 4 | low);
            i += 2;
        }
        out[len++] = c;
    }
    *decoded = (struct slice){.data = out, .len = len};
    return true;
}

static enum order_request_result set_form_member(struct reader *r, struct slice name, struct slice value)
{
    unsigned member = member_named(name);
    if (r->seen & member) {
        detail_set(r->why, "%.*s is there twice", (int)name.len, name.data);
        return ORDER_REQUEST_MALFORMED; /* as in JSON */
    }
    r->seen |= member;
    int64_t quantity = 0;
    switch (member) {
    case SEEN_USER_ID:
        return set_name(r, "user_id", value, r->out->user_id);
    case SEEN_SKU:
        return set_name(r, "sku", value, r->out->sku);
    case SEEN_QUANTITY:
        if (number_parse_bytes(value.data, value.len, 1, QUANTITY_MAX, &quantity) != 0)
            return invalid(r, QUANTITY_RULE);
        return set_quantity(r, quantity);
    default:
        return unknown_member(r, name);
    }
}

static enum order_request_result parse_form(struct reader *r, struct slice body)
{
    char decoded[ORDER_BODY_MAX];
    const char *at = body.data, *end = body.data + body.len;
    while (at < end) {
        const char *pair_end = memchr(at, '&', (size_t)(end - at));
        if (!pair_end)
            pair_end = end;
        const char *name_end = memchr(at, '=', (size_t)(pair_end - at));
        const char *value_at = name_end ? name_end + 1 : pair_end;
        if (!name_end)
            name_end = pair_end;

        struct slice name = {.data = at, .len = (size_t)(name_end - at)};
        struct slice value = {.data = value_at, .len = (size_t)(pair_end - value_at)};
        if (!decode_form(name, decoded, &name) || !decode_form(value, decoded + name.len, &value)) {
            detail_set(r->why,
                       "the body is not a valid form: \"%%\" must be followed by two hexadecimal digits");
            return ORDER_REQUEST_MALFORMED;
        }
        enum order_request_result result = set_form_member(r, name, value);
        if (result != ORDER_REQUEST_OK)
            return result;
        at = pair_end < end ? pair_end + 1 : end;
    }
    return check_complete(r);
}

/* ---- */

static bool media_type_is(const char *header, const char *type)
{
    size_t len = strlen(type);
    return strncasecmp(header, type, len) == 0 &&
           strchr("; \t", header[len]) != NULL; /* or the NUL at its end */
}

enum body_type order_request_body_type(const char *content_type)
{
    if (!content_type || media_type_is(content_type, "application/json"))
        return BODY_JSON;
    return media_type_is(content_type, "application/x-www-form-urlencoded") ? BODY_FORM : BODY_UNSUPPORTED;
}

enum order_request_result order_request_parse(enum body_type type, struct slice body,
                                              struct order_request *out, struct detail *why)
{
    struct reader r = {.out = out, .why = why};
    out->quantity = 1;
    if (body.len == 0 || body.len > ORDER_BODY_MAX) {
        detail_set(why, body.len == 0 ? "the body is empty" : "the body is too long");
        return ORDER_REQUEST_MALFORMED;
    }
    if (type == BODY_FORM)
        return parse_form(&r, body);
    if (parse_plain_json(&r, body))
        return ORDER_REQUEST_OK;
    r.seen = 0;
    out->quantity = 1;
    return parse_json(&r, body);
}
