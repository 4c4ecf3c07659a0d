/*
 * rabbitmq-c verifies only after the handshake and says nothing but "failed". So OpenSSL is told to verify
 * within it, by the context that the library lends us, and remembers what it did not like. The library's own
 * check of the host's name comes after that.
 */
#include "common/broker/tls.h"

#include <amqp_ssl_socket.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>

#include "common/base/log.h"

#define CA_BUNDLE "/etc/ssl/certs/ca-certificates.crt" /* Debian's ca-certificates */

static int note_verification(int is_good, X509_STORE_CTX *store)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct broker_tls *t = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    if (!is_good && t->verify_error == 0) {
        X509 *cert = X509_STORE_CTX_get_current_cert(store);
        t->verify_error = X509_STORE_CTX_get_error(store);
        if (cert)
            X509_NAME_oneline(X509_get_subject_name(cert), t->subject, sizeof t->subject);
    }
    return is_good;
}

/* A key with a password is refused; OpenSSL would ask for it at the terminal. */
static int no_password(char *buffer, int size, int is_writing, void *context)
{
    (void)buffer, (void)size, (void)is_writing, (void)context;
    return -1;
}

static int unfit(struct detail *why, const char *setting, const char *path)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;
    detail_set(why, "%s: %s: %s", setting, path, reason ? reason : "cannot be used");
    return E_CLOSED;
}

static void warn_once_of_open_key(const char *path)
{
    static atomic_bool is_done;
    struct stat st;
    char quoted[256];
    if (stat(path, &st) == 0 && (st.st_mode & S_IROTH) && !atomic_exchange(&is_done, true))
        log_warn("secret_readable_by_all", "path=%s mode=%04o", log_quote(path, quoted, sizeof quoted),
                 (unsigned)st.st_mode & 07777u);
}

static int use_own_certificate(SSL_CTX *context, const struct broker_address *a, struct detail *why)
{
    if (SSL_CTX_use_certificate_chain_file(context, a->cert_file) != 1)
        return unfit(why, "broker.cert_file", a->cert_file);
    if (SSL_CTX_use_PrivateKey_file(context, a->key_file, SSL_FILETYPE_PEM) != 1)
        return unfit(why, "broker.key_file", a->key_file);
    warn_once_of_open_key(a->key_file);
    return 0;
}

int broker_tls_prepare(amqp_socket_t *socket, const struct broker_address *a, struct broker_tls *t,
                       struct detail *why)
{
    SSL_CTX *context = amqp_ssl_socket_get_context(socket);
    const char *ca_file = a->ca_file && *a->ca_file ? a->ca_file : CA_BUNDLE;
    *t = (struct broker_tls){0};
    ERR_clear_error();
    amqp_ssl_socket_set_verify_peer(socket, 1);
    amqp_ssl_socket_set_verify_hostname(socket, 1);
    SSL_CTX_set_app_data(context, t);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, note_verification);
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_default_passwd_cb(context, no_password);
    if (SSL_CTX_load_verify_locations(context, ca_file, NULL) != 1)
        return unfit(why, "broker.ca_file", ca_file);
    return a->cert_file && *a->cert_file ? use_own_certificate(context, a, why) : 0;
}

void broker_tls_explain(const struct broker_address *a, const struct broker_tls *t, int status, char *out,
                        size_t size)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;
    bool has_own = a->cert_file && *a->cert_file;
    if (t->verify_error != 0)
        snprintf(out, size, "the broker's certificate (%s) is not accepted: %s; see broker.ca_file",
                 t->subject, X509_verify_cert_error_string(t->verify_error));
    else if (status == AMQP_STATUS_SSL_HOSTNAME_VERIFY_FAILED)
        snprintf(out, size, "the broker's certificate is not for the name %s, which broker.url has", a->host);
    else
        snprintf(out, size, "TLS: %s%s", reason ? reason : amqp_error_string2(status),
                 has_own ? "" : " (we show no certificate: broker.cert_file)");
}
