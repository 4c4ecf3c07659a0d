/*
 * Clients that take room and do nothing: N keep-alive connections after one request each, and S senders that
 * dribble a request, a byte every 100 ms, and begin anew when they are cut off. Prints "ready" when all are
 * there, and after the seconds how many were closed in between. For bench runs beside it: see the README,
 * "Speed".
 *
 *   idle_connections PORT IDLE SLOW SECONDS
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define DRIBBLE_MS 100

static const char request[] = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
static const char dribble[] = "POST /v1/orders HTTP/1.1\r\nHost: x\r\nX-Slow: ";

struct slow {
    int fd;
    size_t sent;
};

static long long now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static int open_connection(int port)
{
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a) != 0) {
        perror("idle_connections: connect");
        exit(EXIT_FAILURE);
    }
    return fd;
}

/* A connection that had one whole answer. */
static int open_idle(int port)
{
    char answer[1024];
    int fd = open_connection(port);
    if (send(fd, request, sizeof request - 1, MSG_NOSIGNAL) < 0 || recv(fd, answer, sizeof answer, 0) <= 0) {
        perror("idle_connections: no answer");
        exit(EXIT_FAILURE);
    }
    return fd;
}

static bool is_closed(int fd)
{
    char byte;
    ssize_t len = recv(fd, &byte, 1, MSG_DONTWAIT);
    return len == 0 || (len < 0 && errno != EAGAIN);
}

static int dribble_all(struct slow *slow, int count, int port)
{
    int cut_off = 0;
    for (int i = 0; i < count; i++) {
        struct slow *s = &slow[i];
        char byte = s->sent < sizeof dribble - 1 ? dribble[s->sent] : 'y';
        if (!is_closed(s->fd) && send(s->fd, &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT) == 1) {
            s->sent++;
            continue;
        }
        close(s->fd);
        *s = (struct slow){.fd = open_connection(port)};
        cut_off++;
    }
    return cut_off;
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fputs("Usage: idle_connections PORT IDLE SLOW SECONDS\n", stderr);
        return 64;
    }
    int port = atoi(argv[1]), idle_count = atoi(argv[2]), slow_count = atoi(argv[3]), cut_off = 0, lost = 0;
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
    int *idle = calloc((size_t)idle_count + 1, sizeof *idle);
    struct slow *slow = calloc((size_t)slow_count + 1, sizeof *slow);
    if (!idle || !slow)
        return EXIT_FAILURE;
    for (int i = 0; i < idle_count; i++)
        idle[i] = open_idle(port);
    for (int i = 0; i < slow_count; i++)
        slow[i].fd = open_connection(port);
    puts("ready");
    fflush(stdout);
    for (long long until_ms = now_ms() + atoi(argv[4]) * 1000LL; now_ms() < until_ms;) {
        cut_off += dribble_all(slow, slow_count, port);
        poll(NULL, 0, DRIBBLE_MS);
    }
    for (int i = 0; i < idle_count; i++)
        lost += is_closed(idle[i]);
    printf("%d of %d idle connections were closed; slow senders were cut off %d times\n", lost, idle_count,
           cut_off);
    free(idle);
    free(slow);
    return EXIT_SUCCESS;
}
