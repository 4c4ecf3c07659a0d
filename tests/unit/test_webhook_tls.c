/* HTTPS to the gateway is verified: against the certificates of webhook_ca_file, and the host's name. */
#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/pipeline/settings.h"
#include "services/notification/sink.h"
#include "tests/unit/base_support.h"

enum { PATIENCE_S = 60 };

static struct temp_dir dir;

/* A certificate that signs itself, NAME.pem with NAME.key, for these subjectAltNames. */
static void make_certificate(const char *name, const char *names)
{
    char command[2 * PATH_SIZE];
    snprintf(command, sizeof(command),
             "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=%s "
             "-addext subjectAltName=%s -keyout %s/%s.key -out %s/%s.pem >%s/openssl.log 2>&1",
             name, names, dir.path, name, dir.path, name, dir.path);
    if (system(command) != 0)
        fail_msg("%s", command);
}

/* ---- The gateway ---- */

struct tls_gateway {
    struct MHD_Daemon *daemon;
    struct buffer key, certificate;
    atomic_int requests;
    int port;
};

static enum MHD_Result answer(void *context, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *data, size_t *size,
                              void **state)
{
    struct tls_gateway *g = context;
    (void)url;
    (void)version;
    (void)data;
    if (!*state || *size > 0) { /* the head, then the body */
        *state = g;
        *size = 0;
        return MHD_YES;
    }
    atomic_fetch_add(&g->requests, 1);
    struct MHD_Response *response = MHD_create_response_from_buffer(2, (void *)"{}", MHD_RESPMEM_PERSISTENT);
    enum MHD_Result result =
        MHD_queue_response(connection, strcmp(method, "POST") == 0 ? 200 : 405, response);
    MHD_destroy_response(response);
    return result;
}

static void read_file(const char *name, const char *suffix, struct buffer *out)
{
    char path[PATH_SIZE], file[64];
    snprintf(file, sizeof(file), "%s.%s", name, suffix);
    assert_int_equal(file_read(temp_path(&dir, file, path), 65536, out, NULL), 0);
    buffer_text(out);
}

static void tls_gateway_start(struct tls_gateway *g, const char *certificate)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    read_file(certificate, "key", &g->key);
    read_file(certificate, "pem", &g->certificate);
    g->daemon = MHD_start_daemon(MHD_USE_TLS | MHD_USE_POLL | MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL,
                                 answer, g, MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_HTTPS_MEM_KEY,
                                 g->key.data, MHD_OPTION_HTTPS_MEM_CERT, g->certificate.data, MHD_OPTION_END);
    assert_non_null(g->daemon);
    g->port = MHD_get_daemon_info(g->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
}

static void tls_gateway_stop(struct tls_gateway *g)
{
    MHD_stop_daemon(g->daemon);
    buffer_free(&g->key);
    buffer_free(&g->certificate);
}

/* ---- A message to it ---- */

static struct sink_outcome send_one(struct sink *s)
{
    struct event e = {
        .kind = EVENT_KIND_GRANTED,
        .grant = {.order_id = "01JDXWBXG0000000000000000Z", .user_id = "u", .sku = "s", .amount = 1}};
    struct sink_outcome o;
    int64_t until = clock_mono_ns() + PATIENCE_S * NS_PER_S;
    s->ops->start(s, &(struct sink_message){.event = &e, .text = slice_of("x"), .attempt = 1});
    while (s->ops->run(s, clock_mono_ns(), &o, 1) == 0) {
        struct pollfd p = {.fd = s->ops->wait_fd(s), .events = POLLIN};
        int64_t now = clock_mono_ns(), due = s->ops->due_ns(s);
        if (now > until)
            fail_msg("no outcome");
        poll(&p, 1, due <= now ? 0 : due - now > NS_PER_S ? 1000 : (int)((due - now) / NS_PER_MS) + 1);
    }
    return o;
}

/* ca: the certificate that is trusted, or NULL for the system's. */
static struct sink_outcome send_to(struct tls_gateway *g, const char *host, const char *ca, int times)
{
    struct settings settings = {.notification = {.webhook_token_file = "",
                                                 .in_flight = 4,
                                                 .connect_timeout_ms = 30000,
                                                 .total_timeout_ms = 30000}};
    char url[128], path[PATH_SIZE], file[64];
    struct detail why = {.text = ""};
    struct sink *sink;
    struct sink_outcome o = {.token = 0};
    snprintf(url, sizeof(url), "https://%s:%d/", host, g->port);
    snprintf(file, sizeof(file), "%s.pem", ca ? ca : "");
    settings.notification.webhook_url = url;
    settings.notification.webhook_ca_file = ca ? temp_path(&dir, file, path) : "";
    if (sink_webhook_new(&sink, &settings, &why) != 0)
        fail_msg("%s", why.text);
    for (int i = 0; i < times; i++)
        o = send_one(sink);
    sink_free(sink);
    return o;
}

static void assert_not_sent(struct tls_gateway *g, struct sink_outcome o, const char *reason)
{
    assert_int_equal(o.verdict, SINK_RETRY); /* a slip in the set-up must not make messages fail for good */
    assert_int_equal(atomic_load(&g->requests), 0);
    if (!strstr(o.why.text, "no answer: ") || !strcasestr(o.why.text, reason))
        fail_msg("%s", o.why.text);
}

static void test_a_gateway_that_is_verified_gets_messages(void **state)
{
    (void)state;
    struct tls_gateway g = {0};
    tls_gateway_start(&g, "good");
    assert_int_equal(send_to(&g, "127.0.0.1", "good", 3).verdict, SINK_SENT);
    assert_int_equal(send_to(&g, "localhost", "good", 1).verdict, SINK_SENT);
    assert_int_equal(atomic_load(&g.requests), 4);
    tls_gateway_stop(&g);
}

static void test_a_certificate_that_nobody_vouches_for_is_refused(void **state)
{
    (void)state;
    struct tls_gateway g = {0};
    tls_gateway_start(&g, "good");
    assert_not_sent(&g, send_to(&g, "127.0.0.1", "wrong", 1), "certificate");
    assert_not_sent(&g, send_to(&g, "127.0.0.1", NULL, 1), "certificate");
    tls_gateway_stop(&g);
}

static void test_another_hosts_certificate_is_refused(void **state)
{
    (void)state;
    struct tls_gateway g = {0};
    tls_gateway_start(&g, "wrong");
    assert_not_sent(&g, send_to(&g, "127.0.0.1", "wrong", 1), "subject");
    assert_not_sent(&g, send_to(&g, "localhost", "wrong", 1), "subject");
    tls_gateway_stop(&g);
}

static void test_http_to_an_https_port_is_no_answer(void **state)
{
    (void)state;
    struct tls_gateway g = {0};
    struct settings settings = {.notification = {.webhook_token_file = "",
                                                 .webhook_ca_file = "",
                                                 .in_flight = 1,
                                                 .connect_timeout_ms = 30000,
                                                 .total_timeout_ms = 30000}};
    char url[64];
    struct sink *sink;
    tls_gateway_start(&g, "good");
    snprintf(url, sizeof(url), "http://127.0.0.1:%d/", g.port);
    settings.notification.webhook_url = url;
    assert_int_equal(sink_webhook_new(&sink, &settings, NULL), 0);
    assert_int_equal(send_one(sink).verdict, SINK_RETRY);
    sink_free(sink);
    assert_int_equal(atomic_load(&g.requests), 0);
    tls_gateway_stop(&g);
}

static int make_certificates(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    temp_dir_make(&dir);
    make_certificate("good", "DNS:localhost,IP:127.0.0.1");
    make_certificate("wrong", "DNS:sms.example");
    return 0;
}

static int remove_certificates(void **state)
{
    (void)state;
    temp_dir_remove(&dir);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_gateway_that_is_verified_gets_messages),
        cmocka_unit_test(test_a_certificate_that_nobody_vouches_for_is_refused),
        cmocka_unit_test(test_another_hosts_certificate_is_refused),
        cmocka_unit_test(test_http_to_an_https_port_is_no_answer),
    };
    return cmocka_run_group_tests(tests, make_certificates, remove_certificates);
}
