/* A simple HTTP client. */
#include "tests/support/http_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "tests/support/clock.h"

int http_open(struct http_connection *c, int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct timeval limit = {.tv_sec = HTTP_SECONDS};

    *c = (struct http_connection){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    if (c->fd < 0)
        return -1;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    if (connect(c->fd, (const struct sockaddr *)&address, sizeof address) < 0) {
        http_close(c);
        return -1;
    }
    return 0;
}

void http_close(struct http_connection *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    text_free(&c->received);
}

int http_send(struct http_connection *c, const void *bytes, size_t len)
{
    const char *from = bytes;

    while (len > 0) {
        ssize_t sent = send(c->fd, from, len, MSG_NOSIGNAL);

        if (sent <= 0)
            return -1;
        from += sent;
        len -= (size_t)sent;
    }
    return 0;
}

int http_receive(struct http_connection *c, bool to_head, struct http_response *response)
{
    int64_t deadline = clock_ms() + HTTP_SECONDS * 1000;
    bool ended = false;

    for (;;) {
        char chunk[16384];
        ssize_t len;
        size_t used;
        enum http_parse parsed =
            http_parse(text_c(&c->received), c->received.len, to_head, ended, response, &used);

        if (parsed == HTTP_DONE) {
            text_drop_front(&c->received, used);
            return 0;
        }
        if (parsed == HTTP_BAD || ended || clock_ms() > deadline)
            return -1;
        len = recv(c->fd, chunk, sizeof chunk, 0);
        if (len < 0)
            return -1;
        ended = len == 0;
        text_add(&c->received, chunk, (size_t)len);
    }
}

bool http_is_closed_by_server(struct http_connection *c)
{
    char byte;
    ssize_t len = recv(c->fd, &byte, 1, 0);

    /* A reset is how a server closes that does not read what we still sent. */
    return len == 0 || (len < 0 && errno == ECONNRESET);
}

int http_request(int port, const char *method, const char *path, const char *headers, const char *body,
                 struct http_response *response)
{
    struct http_connection c;
    struct text request = {0};
    int result = -1;

    *response = (struct http_response){0};
    http_format(&request, method, path, headers, body);
    if (http_open(&c, port) == 0 && http_send(&c, text_c(&request), request.len) == 0)
        result = http_receive(&c, strcmp(method, "HEAD") == 0, response);
    http_close(&c);
    text_free(&request);
    return result;
}
