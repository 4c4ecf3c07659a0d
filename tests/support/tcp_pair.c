/* One connection through a bad network. See tcp_pair.h. */
#include "tests/support/tcp_pair.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/clock.h"
#include "tests/support/text.h"

enum { WAY_BYTES = 256 * 1024, PIECE_BYTES = 16 * 1024, RATE_TICK_MS = 10 };

struct tcp_piece {
    struct tcp_piece *next;
    int64_t due_ms;
    size_t len, sent;
    char bytes[];
};

static void way_clear(struct tcp_way *w)
{
    while (w->head) {
        struct tcp_piece *next = w->head->next;

        free(w->head);
        w->head = next;
    }
    w->tail = &w->head;
    w->queued = 0;
}

void tcp_pair_close(struct tcp_pair *c, bool reset)
{
    const struct linger hard = {.l_onoff = 1};

    if (!c->open)
        return;
    if (reset) {
        setsockopt(c->client, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
        setsockopt(c->server, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    }
    close(c->client);
    close(c->server);
    way_clear(&c->up);
    way_clear(&c->down);
    c->open = false;
    c->net->counts.open--;
}

bool tcp_pair_is_meant(const struct tcp_pair *c, const char *only)
{
    return !only || memmem(c->head, c->head_len, only, strlen(only)) != NULL;
}

void tcp_pair_open(struct tcp_pair *c, struct tcp_net *net, int client, int server)
{
    *c = (struct tcp_pair){.open = true,
                           .client = client,
                           .server = server,
                           .up = {.from = client, .to = server},
                           .down = {.from = server, .to = client},
                           .net = net};
    c->up.tail = &c->up.head;
    c->down.tail = &c->down.head;
    net->counts.accepted++;
    net->counts.open++;
}

/* ---- one way of a connection ---- */

static enum tcp_flow flow_of(const struct tcp_pair *c, const struct tcp_way *w)
{
    if (w->lossy)
        return TCP_SWALLOW;
    if (!tcp_pair_is_meant(c, c->net->rule.only))
        return TCP_PASS;
    return w == &c->up ? c->net->rule.to_server : c->net->rule.to_client;
}

static bool wants_to_read(const struct tcp_pair *c, const struct tcp_way *w)
{
    return !w->ended && w->queued < WAY_BYTES && flow_of(c, w) != TCP_HOLD;
}

static void note_head(struct tcp_pair *c, const struct tcp_way *w, const char *bytes, size_t len)
{
    if (w != &c->up || c->head_len == sizeof c->head)
        return;
    if (len > sizeof c->head - c->head_len)
        len = sizeof c->head - c->head_len;
    memcpy(c->head + c->head_len, bytes, len);
    c->head_len += len;
}

/* false: the connection broke. */
static bool way_read(struct tcp_pair *c, struct tcp_way *w, int64_t now)
{
    char bytes[PIECE_BYTES];
    ssize_t len = recv(w->from, bytes, sizeof bytes, 0);
    struct tcp_piece *piece;

    if (len < 0)
        return errno == EAGAIN || errno == EINTR;
    if (len == 0) {
        w->ended = true;
        w->lossy |= flow_of(c, w) == TCP_SWALLOW;
        return true;
    }
    note_head(c, w, bytes, (size_t)len);
    if (flow_of(c, w) == TCP_SWALLOW) {
        w->lossy = true;
        c->net->counts.swallowed += len;
        return true;
    }
    piece = take_memory(sizeof *piece + (size_t)len);
    piece->due_ms = now + (tcp_pair_is_meant(c, c->net->rule.only) ? c->net->rule.delay_ms : 0);
    piece->len = (size_t)len;
    memcpy(piece->bytes, bytes, (size_t)len);
    *w->tail = piece;
    w->tail = &piece->next;
    w->queued += (size_t)len;
    return true;
}

/* How many bytes of this way may go on now. */
static size_t allowance(struct tcp_pair *c, struct tcp_way *w, int64_t now)
{
    int64_t cut = w == &c->up ? c->net->rule.cut_after_to_server : c->net->rule.cut_after_to_client;
    size_t most = WAY_BYTES;

    if (!w->head || w->head->due_ms > now || flow_of(c, w) != TCP_PASS)
        return 0;
    if (!tcp_pair_is_meant(c, c->net->rule.only))
        return most;
    if (c->net->rule.bytes_per_s > 0) {
        if (w->paid_ms < now - 10 * RATE_TICK_MS) /* an idle time is not saved up */
            w->paid_ms = now - RATE_TICK_MS;
        most = now > w->paid_ms ? (size_t)((now - w->paid_ms) * c->net->rule.bytes_per_s / 1000) : 0;
    }
    if (cut > 0 && (int64_t)most > cut - w->forwarded)
        most = (size_t)(cut - w->forwarded);
    return most;
}

static void piece_done(struct tcp_way *w)
{
    struct tcp_piece *done = w->head;

    w->head = done->next;
    if (!w->head)
        w->tail = &w->head;
    free(done);
}

enum passing { WENT, BROKEN, CUT };

static enum passing way_write(struct tcp_pair *c, struct tcp_way *w, int64_t now)
{
    bool meant = tcp_pair_is_meant(c, c->net->rule.only);
    int64_t *cut = w == &c->up ? &c->net->rule.cut_after_to_server : &c->net->rule.cut_after_to_client;
    size_t most;

    while ((most = allowance(c, w, now)) > 0) {
        struct tcp_piece *piece = w->head;
        size_t len = piece->len - piece->sent < most ? piece->len - piece->sent : most;
        ssize_t sent = send(w->to, piece->bytes + piece->sent, len, MSG_NOSIGNAL);

        if (sent < 0)
            return errno == EAGAIN || errno == EINTR ? WENT : BROKEN;
        piece->sent += (size_t)sent;
        w->queued -= (size_t)sent;
        *(w == &c->up ? &c->net->counts.to_server : &c->net->counts.to_client) += sent;
        if (c->net->rule.bytes_per_s > 0 && meant)
            w->paid_ms += 1 + sent * 1000 / c->net->rule.bytes_per_s;
        if (meant)
            w->forwarded += sent;
        if (piece->sent == piece->len)
            piece_done(w);
        if (meant && *cut > 0 && w->forwarded >= *cut) {
            *cut = 0;
            c->net->counts.cut++;
            return CUT;
        }
    }
    if (w->ended && !w->head && !w->finished && flow_of(c, w) != TCP_HOLD) {
        w->finished = true;
        if (flow_of(c, w) == TCP_PASS)
            shutdown(w->to, SHUT_WR);
    }
    return WENT;
}

/* ---- both ways ---- */

/* A socket broke. Its peer gets to know at once, unless what this side says does not come through: then the
 * peer keeps its end until it gives up by itself. */
static void pair_mend(struct tcp_pair *c)
{
    bool tells = (c->client_broke && flow_of(c, &c->up) == TCP_PASS) ||
                 (c->server_broke && flow_of(c, &c->down) == TCP_PASS);
    bool alone = (c->client_broke || c->up.ended) && (c->server_broke || c->down.ended);

    if (tells || (alone && (c->client_broke || c->server_broke)))
        tcp_pair_close(c, true);
    else if (c->up.finished && c->down.finished)
        tcp_pair_close(c, false);
}

static void way_broke(struct tcp_way *from_it, struct tcp_way *to_it, bool *broke)
{
    *broke = true;
    from_it->ended = from_it->finished = true; /* not by an orderly end */
    to_it->lossy = true;                       /* nobody is there to get it */
    way_clear(to_it);
}

void tcp_pair_turn(struct tcp_pair *c, const struct pollfd *client, const struct pollfd *server)
{
    const short in = POLLIN | POLLHUP | POLLERR;
    bool client_readable = client->revents & in, server_readable = server->revents & in;
    int64_t now = clock_ms();
    enum passing went;

    if (client_readable && wants_to_read(c, &c->up) && !way_read(c, &c->up, now))
        way_broke(&c->up, &c->down, &c->client_broke);
    if (server_readable && wants_to_read(c, &c->down) && !way_read(c, &c->down, now))
        way_broke(&c->down, &c->up, &c->server_broke);
    went = way_write(c, &c->up, now);
    if (went == BROKEN)
        way_broke(&c->down, &c->up, &c->server_broke);
    if (went != CUT)
        went = way_write(c, &c->down, now);
    if (went == BROKEN)
        way_broke(&c->up, &c->down, &c->client_broke);
    if (went == CUT)
        tcp_pair_close(c, true);
    else
        pair_mend(c);
}

static short events_of(struct tcp_pair *c, const struct tcp_way *from_it, struct tcp_way *to_it, int64_t now)
{
    return (short)((wants_to_read(c, from_it) ? POLLIN : 0) | (allowance(c, to_it, now) > 0 ? POLLOUT : 0));
}

/* A descriptor of which nothing is wanted is left out: poll would tell of its hang-up for ever. */
static void watch(struct pollfd *fd, int number, short events)
{
    *fd = (struct pollfd){.fd = events ? number : -1, .events = events};
}

bool tcp_pair_prepare(struct tcp_pair *c, struct pollfd *client, struct pollfd *server)
{
    int64_t now = clock_ms();

    watch(client, c->client, events_of(c, &c->up, &c->down, now));
    watch(server, c->server, events_of(c, &c->down, &c->up, now));
    return !c->up.head && !c->down.head;
}
