#include "services/order/admin_request.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/number.h"
#include "common/pipeline/item_change.h"
#include "common/pipeline/json_read.h"

static const char *const put_members[] = {ITEM_CHANGE_MEMBERS, NULL};
static const char *const restock_members[] = {"quantity", NULL};

static enum admin_request_result invalid(struct detail *why, const char *text)
{
    detail_set(why, "%s", text);
    return ADMIN_REQUEST_INVALID;
}

static enum admin_request_result read_body(struct slice text, const char *const *members, json_t **out,
                                           struct detail *why)
{
    json_error_t error;
    if (text.len == 0) {
        detail_set(why, "the body is empty");
        return ADMIN_REQUEST_MALFORMED;
    }
    json_t *body =
        json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL | JSON_DECODE_ANY, &error);
    if (!body) {
        json_read_syntax_error(&error, why);
        return ADMIN_REQUEST_MALFORMED;
    }
    enum admin_request_result result = ADMIN_REQUEST_OK;
    if (!json_is_object(body))
        result = invalid(why, "the body must be a JSON object");
    else if (json_read_known_members(body, members, why) != 0)
        result = ADMIN_REQUEST_INVALID;
    if (result != ADMIN_REQUEST_OK) {
        json_decref(body);
        return result;
    }
    *out = body;
    return ADMIN_REQUEST_OK;
}

/* ---- If-Match ---- */

static const char *skip_blanks(const char *at)
{
    return at + strspn(at, " \t");
}

/* One entity-tag; what is behind it, or NULL. Those of items are numbers; another one, or a weak one, is
 * none of theirs: it matches nothing. */
static const char *read_tag(const char *at, json_t *versions)
{
    int64_t version;
    bool is_weak = strncmp(at, "W/", 2) == 0;
    at += is_weak ? 2 : 0;
    if (*at++ != '"')
        return NULL;
    size_t len = strcspn(at, "\"");
    if (at[len] != '"')
        return NULL;
    if (!is_weak && number_parse_bytes(at, len, 1, INT64_MAX, &version) == 0)
        json_array_append_new(versions, json_integer(version));
    return at + len + 1;
}

/* The header's value as if_match; NULL: it is not such a list. */
static json_t *read_if_match(const char *value)
{
    const char *at = skip_blanks(value);
    if (strcmp(at, "*") == 0)
        return json_string("*");
    json_t *versions = json_array();
    while ((at = read_tag(at, versions)) != NULL) {
        at = skip_blanks(at);
        if (*at == '\0')
            return versions;
        if (*at != ',')
            break;
        at = skip_blanks(at + 1);
    }
    json_decref(versions);
    return NULL;
}

static enum admin_request_result add_preconditions(const struct admin_request *r, json_t *question,
                                                   struct detail *why)
{
    if (r->if_none_match && strcmp(r->if_none_match, "*") != 0)
        return invalid(why, "If-None-Match may be \"*\" only: the item is made if there is none yet");
    if (r->if_none_match)
        json_object_set_new(question, "if_absent", json_true());
    if (!r->if_match)
        return ADMIN_REQUEST_OK;
    json_t *match = read_if_match(r->if_match);
    if (!match) {
        detail_set(why, "If-Match must be \"*\", or ETags of the item, separated by commas");
        return ADMIN_REQUEST_MALFORMED;
    }
    json_object_set_new(question, "if_match", match);
    return ADMIN_REQUEST_OK;
}

/* ---- the questions ---- */

static enum admin_request_result check_sku(const char *sku, struct detail *why)
{
    if (name_is_valid(slice_of(sku)))
        return ADMIN_REQUEST_OK;
    return invalid(why, "sku must be 1 to 64 bytes of UTF-8 without control characters");
}

static enum admin_request_result check_change(const json_t *body, struct detail *why)
{
    struct item_change change;
    return item_change_decode_json(body, &change, why) == 0 ? ADMIN_REQUEST_OK : ADMIN_REQUEST_INVALID;
}

/* Takes the object over. */
static char *dump(json_t *question, const char *sku)
{
    json_object_set_new(question, "sku", json_string(sku));
    char *text = json_dumps(question, JSON_COMPACT);
    json_decref(question);
    return text;
}

enum admin_request_result admin_request_put(const struct admin_request *r, char **question,
                                            struct detail *why)
{
    json_t *body = NULL;
    enum admin_request_result result = check_sku(r->sku, why);
    if (result == ADMIN_REQUEST_OK)
        result = read_body(r->body, put_members, &body, why);
    if (result == ADMIN_REQUEST_OK)
        result = check_change(body, why);
    if (result == ADMIN_REQUEST_OK)
        result = add_preconditions(r, body, why);
    if (result != ADMIN_REQUEST_OK) {
        json_decref(body);
        return result;
    }
    *question = dump(body, r->sku);
    return ADMIN_REQUEST_OK;
}

enum admin_request_result admin_request_restock(const struct admin_request *r, char **question,
                                                struct detail *why)
{
    json_t *body = NULL;
    int64_t quantity;
    enum admin_request_result result = check_sku(r->sku, why);
    if (result == ADMIN_REQUEST_OK && !r->idempotency_key)
        result = invalid(why, "Idempotency-Key is missing: with one a restock may be repeated, and counts "
                              "once");
    else if (result == ADMIN_REQUEST_OK && !idempotency_key_is_valid(r->idempotency_key))
        result = invalid(why, "Idempotency-Key must be 1 to 128 visible ASCII characters");
    if (result == ADMIN_REQUEST_OK)
        result = read_body(r->body, restock_members, &body, why);
    if (result == ADMIN_REQUEST_OK && json_read_int(body, "quantity", 1, STOCK_MAX, &quantity, why) != 0)
        result = ADMIN_REQUEST_INVALID;
    if (result != ADMIN_REQUEST_OK) {
        json_decref(body);
        return result;
    }
    json_object_set_new(body, "key", json_string(r->idempotency_key));
    *question = dump(body, r->sku);
    return ADMIN_REQUEST_OK;
}
