/* HTTP/1.1 as bytes. */
#include "tests/support/http_wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void http_response_free(struct http_response *response)
{
    free(response->headers);
    free(response->body);
    *response = (struct http_response){0};
}

void http_format(struct text *out, const char *method, const char *path, const char *headers,
                 const char *body)
{
    text_format(out, "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\n%s", method, path, headers ? headers : "");
    if (body) {
        if (!headers || !strcasestr(headers, "content-type:"))
            text_format(out, "Content-Type: application/json\r\n");
        text_format(out, "Content-Length: %zu\r\n\r\n%s", strlen(body), body);
    } else {
        text_format(out, "\r\n");
    }
}

static bool find_value(const char *headers, const char *name, char out[HTTP_VALUE_SIZE])
{
    size_t name_len = strlen(name);

    for (const char *line = headers; line && *line; line = strstr(line, "\r\n") + 2) {
        const char *value, *end = strstr(line, "\r\n");

        if (!end)
            return false;
        if (strncasecmp(line, name, name_len) != 0 || line[name_len] != ':')
            continue;
        value = line + name_len + 1;
        while (*value == ' ' || *value == '\t')
            value++;
        if ((size_t)(end - value) >= HTTP_VALUE_SIZE)
            return false;
        memcpy(out, value, (size_t)(end - value));
        out[end - value] = '\0';
        return true;
    }
    return false;
}

bool http_header(const struct http_response *response, const char *name, char out[HTTP_VALUE_SIZE])
{
    return find_value(response->headers ? response->headers : "", name, out);
}

/* A number at the front of text, ended by one of the characters in stops. -1: there is none. */
static long long number(const char *text, int base, const char *stops)
{
    char *end;
    long long value;

    errno = 0;
    value = strtoll(text, &end, base);
    return end == text || errno || value < 0 || !strchr(stops, *end) ? -1 : value;
}

/* Puts the chunks at data together. *used: with the last chunk and the trailer's end. */
static enum http_parse read_chunks(const char *data, size_t len, struct text *body, size_t *used)
{
    size_t at = 0;

    for (;;) {
        const char *line_end = len > at ? memmem(data + at, len - at, "\r\n", 2) : NULL;
        char head[32];
        size_t head_len;
        long long size;

        if (!line_end)
            return HTTP_MORE;
        head_len = (size_t)(line_end - data) - at;
        if (head_len >= sizeof head)
            return HTTP_BAD;
        memcpy(head, data + at, head_len);
        head[head_len] = '\0';
        size = number(head, 16, ";");
        if (size < 0 || size > 1 << 28)
            return HTTP_BAD;
        at += head_len + 2;
        if (len - at < (size_t)size + 2)
            return HTTP_MORE;
        if (size == 0) { /* trailers are not used by anybody here */
            *used = at + 2;
            return memcmp(data + at, "\r\n", 2) == 0 ? HTTP_DONE : HTTP_BAD;
        }
        text_add(body, data + at, (size_t)size);
        at += (size_t)size + 2;
    }
}

static enum http_parse read_body(const char *data, size_t len, bool ended, struct http_response *response,
                                 struct text *body, size_t *used)
{
    char value[HTTP_VALUE_SIZE];
    long long length;

    if (find_value(response->headers, "Transfer-Encoding", value))
        return strcasecmp(value, "chunked") == 0 ? read_chunks(data, len, body, used) : HTTP_BAD;
    if (find_value(response->headers, "Content-Length", value)) {
        length = number(value, 10, "");
        if (length < 0)
            return HTTP_BAD;
        if (len < (size_t)length)
            return HTTP_MORE;
        text_add(body, data, (size_t)length);
        *used = (size_t)length;
        return HTTP_DONE;
    }
    response->closes = true;
    if (!ended)
        return HTTP_MORE;
    text_add(body, data, len);
    *used = len;
    return HTTP_DONE;
}

enum http_parse http_parse(const char *data, size_t len, bool to_head, bool ended,
                           struct http_response *response, size_t *used)
{
    const char *head_end = len ? memmem(data, len, "\r\n\r\n", 4) : NULL;
    const char *line_end = len ? memmem(data, len, "\r\n", 2) : NULL;
    struct text headers = {0}, body = {0};
    char value[HTTP_VALUE_SIZE];
    enum http_parse result = HTTP_DONE;
    size_t head_len;

    *response = (struct http_response){0};
    *used = 0;
    if (!head_end)
        return len > 1 << 20 ? HTTP_BAD : HTTP_MORE;
    head_len = (size_t)(head_end - data) + 4;
    if (head_len < 16 || memcmp(data, "HTTP/1.1 ", 9) != 0)
        return HTTP_BAD;
    response->status = (int)number((char[]){data[9], data[10], data[11], '\0'}, 10, "");
    if (response->status < 100 || response->status > 599)
        return HTTP_BAD;
    if (response->status < 200) { /* an interim answer: the real one follows */
        result = http_parse(data + head_len, len - head_len, to_head, ended, response, used);
        *used += head_len;
        return result;
    }
    text_add(&headers, line_end + 2, (size_t)(head_end - line_end));
    response->headers = headers.data;
    if (find_value(headers.data, "Connection", value) && strcasecmp(value, "close") == 0)
        response->closes = true;
    text_add(&body, "", 0);
    if (!to_head && response->status != 204 && response->status != 304)
        result = read_body(data + head_len, len - head_len, ended, response, &body, used);
    *used += head_len;
    response->body = body.data;
    response->body_len = body.len;
    if (result != HTTP_DONE)
        http_response_free(response);
    return result;
}
