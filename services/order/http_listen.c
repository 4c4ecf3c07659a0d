/* From the text of an address to sockets that listen there. */
#include "services/order/http_listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 4096 /* a sale's first second; the kernel cuts it at net.core.somaxconn */

/* Splits "host:port", "[host]:port", "*:port", ":port"; host is "" for all addresses. */
static int split_address(const char *address, char host[NI_MAXHOST], char port[NI_MAXSERV],
                         struct detail *why)
{
    const char *colon = strrchr(address, ':');
    const char *begin = address;
    size_t len = colon ? (size_t)(colon - address) : 0;
    if (len >= 2 && begin[0] == '[' && begin[len - 1] == ']') {
        begin++;
        len -= 2;
    } else if (len == 1 && begin[0] == '*') {
        len = 0;
    }
    if (!colon || len >= NI_MAXHOST || strlen(colon + 1) >= NI_MAXSERV || colon[1] == '\0') {
        detail_set(why, "\"%s\" is not of the form address:port", address);
        return E_INVALID;
    }
    memcpy(host, begin, len);
    host[len] = '\0';
    snprintf(port, NI_MAXSERV, "%s", colon + 1);
    return 0;
}

static int open_socket(const struct addrinfo *a)
{
    const int on = 1, off = 0;
    int fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    bool is_ready = setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
                    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0;
    if (is_ready &&
        a->ai_family == AF_INET6) /* "all addresses" means IPv4 too, whatever the system's default */
        is_ready = setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) == 0;
    if (is_ready && bind(fd, a->ai_addr, a->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

static void show_address(const struct sockaddr *address, socklen_t len, char shown[LISTEN_ADDRESS_SIZE])
{
    char host[INET6_ADDRSTRLEN + 16], port[NI_MAXSERV];
    if (getnameinfo(address, len, host, sizeof host, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        snprintf(shown, LISTEN_ADDRESS_SIZE, "?");
    else
        snprintf(shown, LISTEN_ADDRESS_SIZE, address->sa_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host,
                 port);
}

/* All sockets on one resolved address, or none. The first one fixes the port if it was 0. */
static int open_all(struct addrinfo a, int *sockets, int count, char shown[LISTEN_ADDRESS_SIZE])
{
    struct sockaddr_storage bound;
    socklen_t bound_len = sizeof bound;
    int opened = 0;
    for (; opened < count; opened++) {
        sockets[opened] = open_socket(&a);
        if (sockets[opened] < 0)
            break;
        if (opened > 0)
            continue;
        if (getsockname(sockets[0], (struct sockaddr *)&bound, &bound_len) != 0) {
            opened++;
            break;
        }
        a.ai_addr = (struct sockaddr *)&bound;
        a.ai_addrlen = bound_len;
        show_address(a.ai_addr, a.ai_addrlen, shown);
    }
    if (opened == count)
        return 0;
    int saved = errno;
    while (opened > 0)
        close(sockets[--opened]);
    errno = saved;
    return E_IO;
}

int http_listen(const char *address, int *sockets, int count, char shown[LISTEN_ADDRESS_SIZE],
                struct detail *why)
{
    char host[NI_MAXHOST], port[NI_MAXSERV];
    int rc = split_address(address, host, port, why);
    if (rc != 0)
        return rc;

    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    int failure = getaddrinfo(*host ? host : NULL, port, &hints, &found);
    if (failure != 0) {
        detail_set(why, "%s: %s", address, gai_strerror(failure));
        return E_INVALID;
    }
    /* For all addresses: IPv6, which takes IPv4 in as well; IPv4 alone where there is no IPv6. */
    rc = E_IO;
    if (!*host)
        for (struct addrinfo *a = found; a && rc != 0; a = a->ai_next)
            if (a->ai_family == AF_INET6)
                rc = open_all(*a, sockets, count, shown);
    for (struct addrinfo *a = found; a && rc != 0; a = a->ai_next)
        rc = open_all(*a, sockets, count, shown);
    if (rc != 0)
        detail_set(why, "%s: %s", address, strerror(errno));
    freeaddrinfo(found);
    return rc;
}
