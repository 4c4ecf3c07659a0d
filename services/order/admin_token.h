/*
 * The admin token: who may change things over HTTP. It is the secret in the file that auth.admin_token_file
 * names; without one nobody may, whatever is sent. Checked from any thread, while another one reads the file
 * again. Compared in constant time, and kept as a keyed hash, so that neither its bytes nor its length show
 * in how long an answer takes.
 */
#ifndef SECKILL_ORDER_ADMIN_TOKEN_H
#define SECKILL_ORDER_ADMIN_TOKEN_H

#include "common/base/error.h"

#define ADMIN_TOKEN_MIN 16 /* bytes */

struct admin_token;

enum admin_access {
    ADMIN_GRANTED,
    ADMIN_CLOSED,  /* no token is configured: 403 for everybody */
    ADMIN_MISSING, /* no "Authorization: Bearer …": 401 */
    ADMIN_WRONG,   /* … and it is not the token: 401 */
};

/* path: the file; "": none is configured. E_NOT_FOUND, E_INVALID (too short or too long), E_IO with detail.
 */
int admin_token_new(struct admin_token **out, const char *path, struct detail *why) MUST_USE;
void admin_token_free(struct admin_token *t); /* NULL is fine */

/* Reads the same file again: a new token holds from then on. An error leaves the old one. */
int admin_token_reload(struct admin_token *t, struct detail *why) MUST_USE;

/* May this request? authorization: its Authorization header, NULL for none. */
enum admin_access admin_token_check(struct admin_token *t, const char *authorization);

#endif
