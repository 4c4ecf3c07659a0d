/*
 * Members of JSON objects that came from outside, checked as they are read. Every failure is E_INVALID, with
 * a sentence that begins with the member's name. Unknown members are ignored; repeated ones are refused.
 */
#ifndef SECKILL_PIPELINE_JSON_READ_H
#define SECKILL_PIPELINE_JSON_READ_H

#include <jansson.h>
#include <stdint.h>

#include "common/base/error.h"
#include "common/base/slice.h"

/* Milliseconds of 9999-12-31T23:59:59.999Z: a moment that RFC 3339 can still write. */
#define MOMENT_MAX_MS 253402300799999LL

/* Parses text that must be one object and nothing else. NUL is let in as a character, so that the rule for
 * the member's text can name it. The caller owns *out (json_decref). */
int json_read_object(struct slice text, json_t **out, struct detail *why) MUST_USE;

/* What the library says of a text that is no JSON, as a sentence about "the body" in plain ASCII: it quotes
 * the sender's bytes, which may be anything. */
void json_read_syntax_error(const json_error_t *error, struct detail *why);

/* The member "v" must be this version. */
int json_read_version(const json_t *object, int version, struct detail *why) MUST_USE;

int json_read_int(const json_t *object, const char *member, int64_t min, int64_t max, int64_t *out,
                  struct detail *why) MUST_USE;

/* Has the object no other members than these (ends with NULL)? A mistyped one must not be left out unseen. */
int json_read_known_members(const json_t *object, const char *const *known, struct detail *why) MUST_USE;

/* As json_read_int; an absent member leaves *out as it is. */
int json_read_optional_int(const json_t *object, const char *member, int64_t min, int64_t max, int64_t *out,
                           struct detail *why) MUST_USE;

/* Text of at most size - 1 bytes without control characters; a NUL is written behind it. */
int json_read_text(const json_t *object, const char *member, char *out, size_t size,
                   struct detail *why) MUST_USE;

/* A user_id or sku (name_is_valid); out has NAME_SIZE bytes. */
int json_read_name(const json_t *object, const char *member, char *out, struct detail *why) MUST_USE;

/* A well-formed order id; out has ORDER_ID_SIZE bytes. */
int json_read_order_id(const json_t *object, const char *member, char *out, struct detail *why) MUST_USE;

/* RFC 3339 text; null or absent: 0. */
int json_read_moment(const json_t *object, const char *member, int64_t *wall_ms, struct detail *why) MUST_USE;

#endif
