/*
 * Asks a front end for orders at a fixed rate, whatever it answers (wrk only knows "as fast as it can"), or
 * has many clients wait for decisions at once.
 *
 *   status_load order PORT SKU COUNT                     posts COUNT orders one by one; prints their ids
 *   status_load ask PORT RATE SECONDS CONNECTIONS <IDS   asks for the ids in turn, RATE a second
 *   status_load wait PORT WAIT_S CONNECTIONS <IDS        each connection asks once with ?wait=WAIT_S; prints
 * the same when all are answered
 *
 * "ask" and "wait" print one line for each status, then "asked", "late" (questions that were due while no
 * connection was free: they were asked later), "rate", and "p50" and "p99" in milliseconds. Any failure of a
 * connection ends the program: these are measurements, not a test. Loopback only.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ID_CHARS     26
#define MAX_IDS      100000
#define ANSWER_BYTES 4096
#define NS_PER_MS    INT64_C(1000000)
#define NS_PER_S     INT64_C(1000000000)

struct client {
    int fd;
    int64_t sent_ns;
    size_t len;
    char answer[ANSWER_BYTES];
};

static struct {
    char (*ids)[ID_CHARS + 1];
    int id_count, next_id;
    struct client *clients;
    int *idle, idle_count; /* clients without a question under way */
    int64_t statuses[600];
    float *took_ms;
    int64_t asked, answered, late;
} run;

static _Noreturn void give_up(const char *what)
{
    perror(what);
    exit(1);
}

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * NS_PER_S + t.tv_nsec;
}

static int open_client(int port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
        give_up("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static void send_all(int fd, const char *text, size_t len)
{
    if (send(fd, text, len, MSG_NOSIGNAL) != (ssize_t)len)
        give_up("send");
}

/* The status of a whole answer with a Content-Length, or 0: more is to come. */
static int whole_answer(const char *text, size_t len)
{
    const char *end = memmem(text, len, "\r\n\r\n", 4);
    const char *length = end ? strcasestr(text, "\r\nContent-Length:") : NULL;
    if (!end || !length || length > end)
        return 0;
    size_t body = strtoul(length + strlen("\r\nContent-Length:"), NULL, 10);
    return len >= (size_t)(end - text) + 4 + body ? (int)strtol(text + strlen("HTTP/1.1 "), NULL, 10) : 0;
}

/* ---- orders ---- */

static int order(int port, const char *sku, int count)
{
    int fd = open_client(port);
    for (int i = 0; i < count; i++) {
        char body[200], text[500], answer[ANSWER_BYTES];
        size_t got = 0;
        int body_len = snprintf(body, sizeof body, "{\"user_id\":\"s%d\",\"sku\":\"%s\"}", i, sku);
        int len = snprintf(text, sizeof text,
                           "POST /v1/orders HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                           "Content-Length: %d\r\n\r\n%s",
                           body_len, body);
        send_all(fd, text, (size_t)len);
        do {
            ssize_t n = recv(fd, answer + got, sizeof answer - 1 - got, 0);
            if (n <= 0)
                give_up("recv");
            got += (size_t)n;
            answer[got] = '\0';
        } while (!whole_answer(answer, got));
        const char *id = strstr(answer, "\"order_id\":\"");
        if (whole_answer(answer, got) != 202 || !id) {
            fprintf(stderr, "status_load: an order was not accepted: %s\n", answer);
            return 1;
        }
        printf("%.26s\n", id + strlen("\"order_id\":\""));
    }
    return 0;
}

/* ---- questions ---- */

static void read_ids(void)
{
    char line[100];
    run.ids = calloc(MAX_IDS, sizeof *run.ids);
    while (run.ids && run.id_count < MAX_IDS && fgets(line, sizeof line, stdin))
        if (strlen(line) > ID_CHARS)
            snprintf(run.ids[run.id_count++], ID_CHARS + 1, "%.26s", line);
    if (run.id_count == 0) {
        fputs("status_load: no ids on standard input\n", stderr);
        exit(64);
    }
}

static int open_clients(int port, int count)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    run.clients = calloc((size_t)count, sizeof *run.clients);
    run.idle = calloc((size_t)count, sizeof *run.idle);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!run.clients || !run.idle || epoll < 0)
        give_up("epoll");
    for (int i = 0; i < count; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)i};
        run.clients[i].fd = open_client(port);
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, run.clients[i].fd, &event) != 0)
            give_up("epoll_ctl");
        run.idle[run.idle_count++] = i;
    }
    return epoll;
}

static void ask(const char *query)
{
    struct client *c = &run.clients[run.idle[--run.idle_count]];
    char text[200];
    int len = snprintf(text, sizeof text, "GET /v1/orders/%s%s HTTP/1.1\r\nHost: x\r\n\r\n",
                       run.ids[run.next_id++ % run.id_count], query);
    c->sent_ns = now_ns();
    c->len = 0;
    send_all(c->fd, text, (size_t)len);
    run.asked++;
}

static void receive(int epoll, int timeout_ms)
{
    struct epoll_event events[256];
    int count = epoll_wait(epoll, events, 256, timeout_ms);
    for (int i = 0; i < count; i++) {
        struct client *c = &run.clients[events[i].data.u32];
        ssize_t n = recv(c->fd, c->answer + c->len, sizeof c->answer - 1 - c->len, 0);
        if (n <= 0)
            give_up("recv");
        c->len += (size_t)n;
        c->answer[c->len] = '\0';
        int status = whole_answer(c->answer, c->len);
        if (status < 100 || status > 599)
            continue;
        run.statuses[status]++;
        run.took_ms[run.answered++] = (float)(now_ns() - c->sent_ns) / (float)NS_PER_MS;
        run.idle[run.idle_count++] = (int)events[i].data.u32;
    }
}

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static void report(int64_t took_ns)
{
    qsort(run.took_ms, (size_t)run.answered, sizeof *run.took_ms, by_value);
    for (int i = 0; i < 600; i++)
        if (run.statuses[i])
            printf("%d %lld\n", i, (long long)run.statuses[i]);
    printf("asked %lld\nlate %lld\nrate %.0f\n", (long long)run.asked, (long long)run.late,
           (double)run.answered * (double)NS_PER_S / (double)took_ns);
    if (run.answered > 0)
        printf("p50 %.2f\np99 %.2f\n", (double)run.took_ms[run.answered / 2],
               (double)run.took_ms[run.answered * 99 / 100]);
}

static void ask_at_rate(int epoll, int64_t rate, int64_t seconds)
{
    int64_t begin = now_ns(), end = begin + seconds * NS_PER_S, now;
    while ((now = now_ns()) < end) {
        int64_t due = (now - begin) * rate / NS_PER_S;
        while (run.asked < due && run.idle_count > 0)
            ask("");
        if (run.asked < due)
            run.late++; /* counted once a turn, which is a millisecond or an answer */
        receive(epoll, 1);
    }
    while (run.answered < run.asked)
        receive(epoll, 100);
    report(now_ns() - begin);
}

static void wait_once(int epoll, const char *wait_s)
{
    char query[32];
    int64_t begin = now_ns();
    snprintf(query, sizeof query, "?wait=%.4s", wait_s);
    while (run.idle_count > 0)
        ask(query);
    while (run.answered < run.asked)
        receive(epoll, 100);
    report(now_ns() - begin);
}

int main(int argc, char **argv)
{
    int port = argc > 2 ? atoi(argv[2]) : 0;
    if (argc == 5 && strcmp(argv[1], "order") == 0)
        return order(port, argv[3], atoi(argv[4]));
    if (argc == 6 && strcmp(argv[1], "ask") == 0) {
        int64_t rate = atoll(argv[3]), seconds = atoll(argv[4]);
        read_ids();
        run.took_ms = calloc((size_t)(rate * seconds + 1), sizeof *run.took_ms);
        if (!run.took_ms)
            give_up("memory");
        ask_at_rate(open_clients(port, atoi(argv[5])), rate, seconds);
        return 0;
    }
    if (argc == 5 && strcmp(argv[1], "wait") == 0) {
        int count = atoi(argv[4]);
        read_ids();
        run.took_ms = calloc((size_t)count, sizeof *run.took_ms);
        if (!run.took_ms)
            give_up("memory");
        wait_once(open_clients(port, count), argv[3]);
        return 0;
    }
    fputs("usage: see the top of status_load.c\n", stderr);
    return 64;
}
