/* The addresses in broker.url: one or more "amqp[s]://user:password@host:port/vhost", separated by commas. */
#ifndef SECKILL_BROKER_ADDRESS_H
#define SECKILL_BROKER_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/error.h"

struct broker_address {
    bool tls;
    const char *host, *user, *password, *vhost; /* percent-decoded; owned by the list */
    int port;
    /* For TLS, PEM files; "" or NULL: the system's certificates, and none of our own. Set after parsing, and
     * not owned. */
    const char *ca_file, *cert_file, *key_file;
};

struct broker_addresses {
    struct broker_address *items;
    size_t count; /* at least 1 */
    char *storage;
    char *user, *password; /* of broker_addresses_login; NULL: the addresses' own */
};

/* Parses the whole list or nothing. E_INVALID with a detail that never shows a password. */
int broker_addresses_parse(const char *text, struct broker_addresses *out, struct detail *why) MUST_USE;

/* From here on all of them are logged in at as this user, with this password; NULL leaves what the addresses
 * say. */
void broker_addresses_login(struct broker_addresses *a, const char *user, const char *password);

void broker_addresses_free(
    struct broker_addresses *a); /* overwrites the password of broker_addresses_login */

#endif
