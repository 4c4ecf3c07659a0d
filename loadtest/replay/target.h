/* Where requests go: one front end, by plain HTTP. */
#ifndef SECKILL_REPLAY_TARGET_H
#define SECKILL_REPLAY_TARGET_H

#include <stdbool.h>
#include <sys/socket.h>

#include "common/base/error.h"

struct target {
    char host[272]; /* as in the Host header: "127.0.0.1:8080", "[::1]:8080" */
    struct sockaddr_storage address;
    socklen_t address_len;
    bool is_loopback;
};

/* "http://HOST[:PORT][/]", looked up. E_INVALID if it is no such address, E_NOT_FOUND if there is no such
 * host. */
int target_parse(const char *url, struct target *out, struct detail *why) MUST_USE;

#endif
