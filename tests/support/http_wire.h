/* HTTP/1.1 as bytes: writing a request, reading an answer. Knows no sockets. */
#ifndef SECKILL_TESTS_HTTP_WIRE_H
#define SECKILL_TESTS_HTTP_WIRE_H

#include <stdbool.h>
#include <stddef.h>

#include "tests/support/text.h"

struct http_response {
    int status;
    bool closes;   /* the server said, or HTTP says, that the connection ends after this */
    char *headers; /* the lines after the status line, each with its "\r\n" */
    char *body;    /* with a NUL after it; chunks put together */
    size_t body_len;
};

void http_response_free(struct http_response *response); /* leaves an empty one */

/* Appends a request. headers: whole lines with "\r\n" each, or NULL. body: NULL for none; else a
 * Content-Length and, unless the headers have one, "Content-Type: application/json" are added. */
void http_format(struct text *out, const char *method, const char *path, const char *headers,
                 const char *body);

enum http_parse { HTTP_MORE, HTTP_DONE, HTTP_BAD };

/* Reads one answer from the front of the bytes. to_head: it answers a HEAD and has no body. ended: nothing
 * follows. HTTP_DONE: *response is filled (free it) and *used says how many bytes it had. */
enum http_parse http_parse(const char *data, size_t len, bool to_head, bool ended,
                           struct http_response *response, size_t *used);

/* Copies the header's value into out. false: there is none. */
#define HTTP_VALUE_SIZE 256
bool http_header(const struct http_response *response, const char *name, char out[HTTP_VALUE_SIZE]);

#endif
