/* Networks, and the way back through proxies. */
#include "services/order/http_forwarded.h"

#include <arpa/inet.h>
#include <string.h>

#include "common/base/list.h"
#include "common/base/number.h"

#define V4_BITS  96 /* of the prefix that IPv4 stands behind */
#define HOP_SIZE 64
#define HOPS_MAX 64 /* no honest way is longer */
#define BLANK    " \t"

/* "192.0.2.7" or "2001:db8::1". */
static bool read_address(const char *text, struct in6_addr *out)
{
    struct in_addr v4;
    if (inet_pton(AF_INET6, text, out) == 1)
        return true;
    if (inet_pton(AF_INET, text, &v4) != 1)
        return false;
    *out = (struct in6_addr){0};
    out->s6_addr[10] = out->s6_addr[11] = 0xff;
    memcpy(&out->s6_addr[12], &v4, sizeof v4);
    return true;
}

static bool address_of(const struct sockaddr *address, struct in6_addr *out)
{
    if (address->sa_family == AF_INET6) {
        memcpy(out, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, sizeof *out);
        return true;
    }
    if (address->sa_family != AF_INET)
        return false;
    *out = (struct in6_addr){0};
    out->s6_addr[10] = out->s6_addr[11] = 0xff;
    memcpy(&out->s6_addr[12], &((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
    return true;
}

/* ---- networks ---- */

static bool read_network(char *entry, struct network *out)
{
    char *slash = strchr(entry, '/');
    int64_t bits;
    if (slash)
        *slash = '\0';
    if (!read_address(entry, &out->address))
        return false;
    const bool is_mapped = strchr(entry, ':') && IN6_IS_ADDR_V4MAPPED(&out->address);
    const unsigned before = strchr(entry, ':') ? 0 : V4_BITS;
    out->bits = 128;
    if (!slash)
        return true;
    /* Of ::ffff:10.0.0.0/8 the first 8 bits are 0, as they are of every IPv4 address. */
    if (number_parse(slash + 1, is_mapped ? V4_BITS : 0, 128 - before, &bits) != 0)
        return false;
    out->bits = before + (unsigned)bits;
    return true;
}

int networks_parse(const char *text, struct networks *out, struct detail *why)
{
    struct networks n = {.count = list_count(text)};
    if (n.count > NETWORKS_MAX) {
        detail_set(why, "http.trusted_proxies: at most %d networks, got %zu", NETWORKS_MAX, n.count);
        return E_INVALID;
    }
    for (size_t i = 0; i < n.count; i++) {
        char entry[HOP_SIZE], copy[HOP_SIZE];
        if (!list_at(text, i, entry, sizeof entry))
            entry[0] = '\0';
        memcpy(copy, entry, sizeof copy);
        if (!read_network(copy, &n.items[i])) {
            detail_set(why, "http.trusted_proxies: expected an address or ADDRESS/BITS, got \"%s\"", entry);
            return E_INVALID;
        }
    }
    *out = n;
    return 0;
}

static bool network_has(const struct network *n, const struct in6_addr *address)
{
    size_t whole = n->bits / 8;
    unsigned rest = n->bits % 8;
    if (memcmp(n->address.s6_addr, address->s6_addr, whole) != 0)
        return false;
    unsigned mask = 0xffu << (8 - rest) & 0xff;
    return rest == 0 || ((n->address.s6_addr[whole] ^ address->s6_addr[whole]) & mask) == 0;
}

static bool has(const struct networks *n, const struct in6_addr *address)
{
    for (size_t i = 0; i < n->count; i++)
        if (network_has(&n->items[i], address))
            return true;
    return false;
}

bool networks_have(const struct networks *n, const struct sockaddr *address)
{
    struct in6_addr in;
    return n->count > 0 && address_of(address, &in) && has(n, &in);
}

/* ---- the way back ---- */

void forwarded_note(struct forwarded *f, const char *value)
{
    f->lines[f->count++ % FORWARDED_LINES] = value;
}

/* "192.0.2.7", "192.0.2.7:4711", "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:4711". */
static bool read_hop(const char *begin, size_t len, struct in6_addr *out)
{
    char text[HOP_SIZE];
    if (len == 0 || len >= sizeof text)
        return false;
    memcpy(text, begin, len);
    text[len] = '\0';
    char *address = text, *colon = strchr(text, ':');
    if (*text == '[') {
        char *close = strchr(text, ']');
        if (!close || (close[1] != '\0' && close[1] != ':'))
            return false;
        *close = '\0';
        address++;
    } else if (colon && !strchr(colon + 1, ':')) {
        *colon = '\0';
    }
    return read_address(address, out);
}

/* The hops of one line, from its end. true: the client was found, or the way ended. */
static bool walk_line(const char *line, const struct networks *trusted, struct in6_addr *client, int *hops)
{
    const char *end = line + strlen(line);
    for (;;) {
        const char *begin = end;
        while (begin > line && begin[-1] != ',')
            begin--;
        const char *from = begin, *to = end;
        while (from < to && strchr(BLANK, *from))
            from++;
        while (to > from && strchr(BLANK, to[-1]))
            to--;
        struct in6_addr hop;
        if (++*hops > HOPS_MAX || !read_hop(from, (size_t)(to - from), &hop))
            return true;
        *client = hop;
        if (!has(trusted, &hop))
            return true;
        if (begin == line)
            return false;
        end = begin - 1;
    }
}

bool forwarded_client(const struct forwarded *f, const struct networks *trusted, const struct sockaddr *peer,
                      struct sockaddr_in6 *out)
{
    struct in6_addr client = IN6ADDR_ANY_INIT;
    int hops = 0;
    if (f->count == 0 || !networks_have(trusted, peer))
        return false;
    size_t kept = f->count < FORWARDED_LINES ? f->count : FORWARDED_LINES;
    for (size_t i = 1; i <= kept; i++)
        if (walk_line(f->lines[(f->count - i) % FORWARDED_LINES], trusted, &client, &hops))
            break;
    if (memcmp(&client, &in6addr_any, sizeof client) == 0)
        return false;
    *out = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_addr = client};
    return true;
}

void forwarded_text(const struct sockaddr_in6 *client, char out[INET6_ADDRSTRLEN])
{
    const struct in6_addr *in = &client->sin6_addr;
    if (IN6_IS_ADDR_V4MAPPED(in))
        inet_ntop(AF_INET, &in->s6_addr[12], out, INET6_ADDRSTRLEN);
    else
        inet_ntop(AF_INET6, in, out, INET6_ADDRSTRLEN);
}
