/* Certificates into GnuTLS. */
#include "services/order/http_tls.h"

#include <errno.h>
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/base/alloc.h"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/log.h"

#define CHAIN_MAX 16
#define PEM_MAX   (256 * 1024)
#define DAY_S     86400

struct pair { /* a certificate with its chain, and its key */
    struct pair *older;
    gnutls_pcert_st chain[CHAIN_MAX];
    unsigned count;
    gnutls_privkey_t key;
    struct buffer pem; /* of the certificate, to see whether another one has come */
    int64_t expires_s;
};

struct http_tls {
    struct pair *newest;
};

static _Atomic(struct pair *) in_use;

/* ---- reading ---- */

static int broken(struct detail *why, const char *path, const char *what, int status)
{
    detail_set(why, "%s: %s: %s", path, what, gnutls_strerror(status));
    return E_INVALID;
}

static void free_pair(struct pair *p)
{
    for (unsigned i = 0; i < p->count; i++)
        gnutls_pcert_deinit(&p->chain[i]);
    if (p->key)
        gnutls_privkey_deinit(p->key);
    buffer_free(&p->pem);
    free(p);
}

static int64_t expiration(const gnutls_pcert_st *cert)
{
    gnutls_x509_crt_t crt;
    int64_t expires_s = 0;
    if (gnutls_pcert_export_x509((gnutls_pcert_st *)cert, &crt) == 0) {
        expires_s = gnutls_x509_crt_get_expiration_time(crt);
        gnutls_x509_crt_deinit(crt);
    }
    return expires_s;
}

static int read_chain(struct pair *p, const char *path, struct detail *why)
{
    int rc = file_read(path, PEM_MAX, &p->pem, why);
    if (rc != 0)
        return rc;
    const gnutls_datum_t pem = {.data = (unsigned char *)p->pem.data, .size = (unsigned)p->pem.len};
    unsigned count = CHAIN_MAX;
    int status = gnutls_pcert_list_import_x509_raw(p->chain, &count, &pem, GNUTLS_X509_FMT_PEM,
                                                   GNUTLS_X509_CRT_LIST_FAIL_IF_UNSORTED);
    if (status < 0)
        return broken(why, path, "not a certificate with its chain in PEM", status);
    p->count = count;
    p->expires_s = expiration(&p->chain[0]);
    return 0;
}

static int read_key(struct pair *p, const char *path, struct detail *why)
{
    struct buffer text = {0};
    int rc = file_read_secret(path, 1, &text, why);
    if (rc != 0)
        return rc;
    const gnutls_datum_t pem = {.data = (unsigned char *)text.data, .size = (unsigned)text.len};
    int status = gnutls_privkey_init(&p->key);
    if (status == 0)
        status = gnutls_privkey_import_x509_raw(p->key, &pem, GNUTLS_X509_FMT_PEM, NULL, 0);
    file_wipe(&text);
    return status == 0 ? 0 : broken(why, path, "not a private key in PEM without a password", status);
}

/* Is it this certificate's key? */
static bool fits(const struct pair *p)
{
    gnutls_pubkey_t of_key;
    unsigned char ids[2][64];
    size_t sizes[2] = {sizeof ids[0], sizeof ids[1]};
    bool is_same = false;
    if (gnutls_pubkey_init(&of_key) != 0)
        return false;
    if (gnutls_pubkey_import_privkey(of_key, p->key, 0, 0) == 0 &&
        gnutls_pubkey_get_key_id(of_key, 0, ids[0], &sizes[0]) == 0 &&
        gnutls_pubkey_get_key_id(p->chain[0].pubkey, 0, ids[1], &sizes[1]) == 0)
        is_same = sizes[0] == sizes[1] && memcmp(ids[0], ids[1], sizes[0]) == 0;
    gnutls_pubkey_deinit(of_key);
    return is_same;
}

static int load(struct pair **out, const char *cert_file, const char *key_file, struct detail *why)
{
    struct pair *p = xcalloc(1, sizeof *p);
    int rc = read_chain(p, cert_file, why);
    if (rc == 0)
        rc = read_key(p, key_file, why);
    if (rc == 0 && !fits(p)) {
        detail_set(why, "%s is not the key of the certificate in %s", key_file, cert_file);
        rc = E_INVALID;
    }
    if (rc != 0)
        free_pair(p);
    else
        *out = p;
    return rc;
}

/* ---- use ---- */

static void use(struct http_tls *t, struct pair *p, const char *cert_file)
{
    char quoted[256];
    int64_t days = (p->expires_s - clock_wall_ms() / 1000) / DAY_S;
    p->older = t->newest;
    t->newest = p;
    atomic_store(&in_use, p);
    log_info("certificate_in_use", "file=%s days_left=%lld", log_quote(cert_file, quoted, sizeof quoted),
             (long long)days);
}

int http_tls_new(struct http_tls **out, const char *cert_file, const char *key_file, struct detail *why)
{
    struct pair *p;
    int rc = load(&p, cert_file, key_file, why);
    if (rc != 0)
        return rc;
    struct http_tls *t = xcalloc(1, sizeof *t);
    use(t, p, cert_file);
    if (p->expires_s <= clock_wall_ms() / 1000) /* a sale that clients warn of is better than none */
        log_warn("certificate_expired", "setting=http.tls_cert_file");
    *out = t;
    return 0;
}

int http_tls_reload(struct http_tls *t, const char *cert_file, const char *key_file, struct detail *why)
{
    struct pair *p;
    int rc = load(&p, cert_file, key_file, why);
    if (rc != 0)
        return rc;
    bool is_same =
        p->pem.len == t->newest->pem.len && memcmp(p->pem.data, t->newest->pem.data, p->pem.len) == 0;
    if (!is_same && p->expires_s <= clock_wall_ms() / 1000) {
        detail_set(why, "%s: the certificate has expired", cert_file);
        rc = E_INVALID;
    }
    if (is_same || rc != 0)
        free_pair(p);
    else
        use(t, p, cert_file);
    return rc;
}

void http_tls_free(struct http_tls *t)
{
    if (!t)
        return;
    atomic_store(&in_use, NULL);
    while (t->newest) {
        struct pair *p = t->newest;
        t->newest = p->older;
        free_pair(p);
    }
    free(t);
}

static int retrieve(gnutls_session_t session, const gnutls_datum_t *names, int name_count,
                    const gnutls_pk_algorithm_t *algorithms, int algorithm_count, gnutls_pcert_st **chain,
                    unsigned *count, gnutls_privkey_t *key)
{
    (void)session, (void)names, (void)name_count, (void)algorithms, (void)algorithm_count;
    struct pair *p = atomic_load(&in_use);
    if (!p)
        return -1;
    *chain = p->chain;
    *count = p->count;
    *key = p->key;
    return 0;
}

void *http_tls_callback(void)
{
    gnutls_certificate_retrieve_function2 *function = retrieve;
    void *callback;
    memcpy(&callback, &function, sizeof callback); /* ISO C has no cast from a function to an object */
    return callback;
}

/* ---- progress ---- */

static _Thread_local uint64_t progress;

/* What GnuTLS would do itself, counted. transport: the descriptor, as libmicrohttpd sets it. */
static ssize_t pull(gnutls_transport_ptr_t transport, void *data, size_t size)
{
    ssize_t got = recv((int)(intptr_t)transport, data, size, 0);
    progress += got >= 0 || errno != EAGAIN;
    return got;
}

/* A flight of the handshake in one go: piece by piece, each would wait for the acknowledgement of the one
 * before. */
static ssize_t push(gnutls_transport_ptr_t transport, const giovec_t *pieces, int count)
{
    const struct msghdr message = {.msg_iov = (giovec_t *)pieces, .msg_iovlen = (size_t)count};
    ssize_t sent = sendmsg((int)(intptr_t)transport, &message, MSG_NOSIGNAL);
    progress += sent >= 0 || errno != EAGAIN;
    return sent;
}

void http_tls_watch(void *session)
{
    gnutls_transport_set_pull_function(session, pull);
    gnutls_transport_set_vec_push_function(session, push);
}

uint64_t http_tls_progress(void)
{
    return progress;
}
