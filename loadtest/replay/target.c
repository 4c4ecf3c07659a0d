/* Where requests go. */
#include "loadtest/replay/target.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "common/base/number.h"

static bool address_is_loopback(const struct sockaddr *a)
{
    if (a->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)(const void *)a)->sin_addr.s_addr) >> 24 == 127;
    const struct in6_addr *six = &((const struct sockaddr_in6 *)(const void *)a)->sin6_addr;
    return IN6_IS_ADDR_LOOPBACK(six) || (IN6_IS_ADDR_V4MAPPED(six) && six->s6_addr[12] == 127);
}

static int bad(const char *url, struct detail *why)
{
    detail_set(why, "replay.url: expected http://HOST[:PORT], got \"%s\"", url);
    return E_INVALID;
}

/* Cuts "HOST[:PORT]" or "[V6][:PORT]" into its parts. */
static int cut(const char *text, size_t len, char host[256], char port[8])
{
    const bool is_six = len > 0 && text[0] == '[';
    const char *end = is_six ? memchr(text, ']', len) : memchr(text, ':', len);
    int64_t number;
    if (is_six && !end)
        return E_INVALID;
    const char *begin = text + is_six;
    const size_t host_len = end ? (size_t)(end - begin) : len;
    const char *rest = is_six ? end + 1 : end ? end : text + len;
    size_t rest_len = (size_t)(text + len - rest);
    if (host_len == 0 || host_len > 255)
        return E_INVALID;
    memcpy(host, begin, host_len);
    host[host_len] = '\0';
    if (rest_len == 0) {
        strcpy(port, "80");
        return 0;
    }
    if (rest[0] != ':' || number_parse_bytes(rest + 1, rest_len - 1, 1, 65535, &number) != 0)
        return E_INVALID;
    snprintf(port, 8, "%d", (int)number);
    return 0;
}

int target_parse(const char *url, struct target *out, struct detail *why)
{
    static const char scheme[] = "http://";
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found;
    char host[256], port[8];
    if (strncmp(url, scheme, sizeof scheme - 1) != 0)
        return bad(url, why);
    const char *text = url + sizeof scheme - 1;
    const size_t len = strcspn(text, "/");
    if (text[len] == '/' && text[len + 1] != '\0') /* a path: paths are ours */
        return bad(url, why);
    if (strpbrk(text, " \t\r\n@?#") || cut(text, len, host, port) != 0)
        return bad(url, why);
    const int failed = getaddrinfo(host, port, &hints, &found);
    if (failed) {
        detail_set(why, "replay.url: %s: %s", host, gai_strerror(failed));
        return E_NOT_FOUND;
    }
    memset(out, 0, sizeof *out);
    snprintf(out->host, sizeof out->host, "%.*s", (int)len, text);
    memcpy(&out->address, found->ai_addr, found->ai_addrlen);
    out->address_len = found->ai_addrlen;
    out->is_loopback = address_is_loopback(found->ai_addr);
    freeaddrinfo(found);
    return 0;
}
