/* TLS to the broker, for the files of this folder: how a connection is set up, and what went wrong in plain
 * words. */
#ifndef SECKILL_BROKER_TLS_H
#define SECKILL_BROKER_TLS_H

#include <amqp.h>

#include "common/base/error.h"
#include "common/broker/address.h"

/* Filled during the handshake; it must live as long as the connection. */
struct broker_tls {
    int verify_error;  /* of the broker's certificate or its chain, as OpenSSL numbers them; 0: none */
    char subject[128]; /* of that certificate */
};

/* The socket verifies the broker's certificate and name, without exception, and shows ours if there is one.
 * E_CLOSED with a detail that names the file that cannot be used. */
int broker_tls_prepare(amqp_socket_t *socket, const struct broker_address *address, struct broker_tls *t,
                       struct detail *why) MUST_USE;

/* Why a handshake ended, by this thread's last call: writes a sentence that says what to look at. status:
 * rabbitmq-c's. */
void broker_tls_explain(const struct broker_address *address, const struct broker_tls *t, int status,
                        char *out, size_t size);

#endif
