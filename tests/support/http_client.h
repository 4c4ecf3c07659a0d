/*
 * A simple HTTP client over one blocking socket with a deadline, for single requests and for bytes that no
 * well-behaved client sends. Any thread. Loopback only.
 */
#ifndef SECKILL_TESTS_HTTP_CLIENT_H
#define SECKILL_TESTS_HTTP_CLIENT_H

#include "tests/support/http_wire.h"

#define HTTP_SECONDS 30 /* every answer is there after this, or it is an error */

/* One request on a connection of its own. 0, or -1 if there was no answer. The response is to be freed in any
 * case. */
int http_request(int port, const char *method, const char *path, const char *headers, const char *body,
                 struct http_response *response);

struct http_connection {
    int fd; /* -1: not open */
    struct text received;
};

int http_open(struct http_connection *c, int port); /* 0 or -1 */
int http_send(struct http_connection *c, const void *bytes, size_t len);
int http_receive(struct http_connection *c, bool to_head, struct http_response *response);

/* Waits for the server to close. false: it did not within HTTP_SECONDS, or sent something else first. */
bool http_is_closed_by_server(struct http_connection *c);
void http_close(struct http_connection *c);

#endif
