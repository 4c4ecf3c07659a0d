/*
 * The certificate that HTTPS is served with, and its renewal. libmicrohttpd asks for it at each handshake by
 * a callback that has no closure of ours, so there is one for the process.
 *
 * A renewal is for handshakes that come later; a connection keeps what it began with. Certificates are small
 * and renewed every few weeks: old ones stay until the end, since a handshake may still be reading them.
 */
#ifndef SECKILL_ORDER_HTTP_TLS_H
#define SECKILL_ORDER_HTTP_TLS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/error.h"

/* TLS 1.2 with forward secrecy, or 1.3. */
#define HTTP_TLS_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-RSA:-SHA1:%SERVER_PRECEDENCE"

struct http_tls;

/* Both in PEM: the certificate first and then its chain; the key without a password. E_INVALID, E_NOT_FOUND,
 * E_IO with a detail that names the file: unreadable, or they do not fit. An expired certificate is served,
 * with a warning. */
int http_tls_new(struct http_tls **out, const char *cert_file, const char *key_file,
                 struct detail *why) MUST_USE;
void http_tls_free(struct http_tls *t); /* after the daemons were stopped; NULL is fine */

/* Looks at the files again. On failure, and if the new certificate has expired, the one in use stays. */
int http_tls_reload(struct http_tls *t, const char *cert_file, const char *key_file,
                    struct detail *why) MUST_USE;

/* For MHD_OPTION_HTTPS_CERT_CALLBACK: a gnutls_certificate_retrieve_function2. */
void *http_tls_callback(void);

/*
 * Counts what this session's socket gives and takes, in http_tls_progress() of the thread that drives it.
 *
 * Why: libmicrohttpd 0.9.75 takes a connection whose handshake waits for its client for one that has
 * something to read (only a read that finds nothing takes that mark away, and before the handshake is over
 * there is none). So it says "do not sleep", and a thread would spin for as long as one client is slow. A
 * turn in which no session moved a byte is how the loop sees that.
 */
void http_tls_watch(void *session); /* a gnutls_session_t */
uint64_t http_tls_progress(void);

#endif
