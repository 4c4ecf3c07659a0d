/*
 * seckill-order, the order front end: start-up, the main thread's small loop, and the way out.
 *
 * The order matters. Up: what others point to comes first, and the door (HTTP) opens last. Down: the door
 * closes first; then the broker thread ends, when every order that it was given has its verdict; then the
 * HTTP threads answer what waited for those and end.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/base/alloc.h"
#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/base/notify.h"
#include "common/base/program.h"
#include "common/base/signals.h"
#include "common/pipeline/broker_login.h"
#include "common/pipeline/ledger.h"
#include "common/pipeline/settings.h"
#include "services/order/front_end.h"
#include "services/order/http_server.h"
#include "services/order/http_tls.h"
#include "services/order/id_key_file.h"

#define TURN_MS           200
#define STATUS_EVERY_NS   (5 * NS_PER_S)
#define HTTP_ALIVE_NS     (5 * NS_PER_S)
#define BROKER_ALIVE_NS   (15 * NS_PER_S) /* connecting takes seconds */
#define STOP_GRACE_MS     3000            /* for clients that are slow to send or to read, on the way out */
#define SPARE_DESCRIPTORS 2048 /* beside the connections: the sockets of those being shed, and our own */

struct service {
    struct settings settings;
    struct config *config;
    struct broker_addresses addresses;
    struct order_id_key **id_keys; /* the last one is in use; threads may still be using those before */
    size_t id_key_count;
    struct metrics metrics;
    struct front_end front_end;
    struct http_server *http;
    struct http_tls *tls; /* NULL: plain HTTP */
    char producer[PRODUCER_SIZE];
    int signals;
};

/* ---- start ---- */

static void use_id_key(struct service *s, struct order_id_key *key)
{
    s->id_keys = xrealloc(s->id_keys, (s->id_key_count + 1) * sizeof *s->id_keys);
    s->id_keys[s->id_key_count++] = key;
    atomic_store(&s->front_end.id_key, key);
}

static void load_secrets(struct service *s)
{
    struct detail why;
    struct order_id_key *key;
    if (id_key_load(&key, s->settings.order.id_key_file, &why) != 0)
        log_fatal(EXIT_CONFIG, "no_id_key", "setting=order.id_key_file reason=\"%s\"", why.text);
    use_id_key(s, key);
    if (admin_token_new(&s->front_end.admin_token, s->settings.auth.admin_token_file, &why) != 0)
        log_fatal(EXIT_CONFIG, "no_admin_token", "setting=auth.admin_token_file reason=\"%s\"", why.text);
    if (authenticator_new(&s->front_end.authenticator, &s->settings, s->front_end.admin_token, &why) != 0)
        log_fatal(EXIT_CONFIG, "no_authentication", "reason=\"%s\"", why.text);
    if (*s->settings.http.tls_cert_file &&
        http_tls_new(&s->tls, s->settings.http.tls_cert_file, s->settings.http.tls_key_file, &why) != 0)
        log_fatal(EXIT_CONFIG, "no_certificate", "reason=\"%s\"", why.text);
}

static void base36(uint64_t value, char out[16])
{
    char reversed[16];
    size_t len = 0;
    do {
        reversed[len++] = "0123456789abcdefghijklmnopqrstuvwxyz"[value % 36];
        value /= 36;
    } while (value > 0);
    for (size_t i = 0; i < len; i++)
        out[i] = reversed[len - 1 - i];
    out[len] = '\0';
}

/* "<name or host>-<pid>-<start>-<random>": names this run in message headers and the ledger, once and for
 * all. */
static void name_producer(const char *name, char out[PRODUCER_SIZE])
{
    char host[33] = "", start[16], random[16];
    uint32_t bits = 0;
    if (*name == '\0' && gethostname(host, sizeof host - 1) != 0)
        host[0] = '\0';
    for (char *c = host; *c; c++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-", *c))
            *c = '-';
    if (getrandom(&bits, sizeof bits, 0) != (ssize_t)sizeof bits)
        bits = (uint32_t)clock_mono_ns();
    base36((uint64_t)clock_wall_ms(), start);
    base36(bits, random);
    const char *shown = *name ? name : *host ? host : "order";
    snprintf(out, PRODUCER_SIZE, "%.32s-%d-%.10s-%.7s", shown, (int)getpid(), start, random);
}

/* As many descriptors as there may be connections. Returns for how many connections there are enough. */
static int64_t raise_descriptor_limit(int64_t connections)
{
    struct rlimit limit;
    rlim_t wanted = (rlim_t)connections + SPARE_DESCRIPTORS;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return connections;
    if (limit.rlim_cur < wanted) {
        limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
            getrlimit(RLIMIT_NOFILE, &limit);
    }
    if (limit.rlim_cur >= wanted)
        return connections;
    int64_t enough = limit.rlim_cur > 2 * SPARE_DESCRIPTORS ? (int64_t)limit.rlim_cur - SPARE_DESCRIPTORS
                                                            : (int64_t)limit.rlim_cur / 2;
    log_warn("few_descriptors", "http.connections=%lld limit=%llu taken=%lld", (long long)connections,
             (unsigned long long)limit.rlim_cur, (long long)enough);
    return enough;
}

static void take_thresholds(struct front_end *fe, const struct settings *settings)
{
    atomic_store(&fe->max_rate, settings->admission.max_rate);
    atomic_store(&fe->user_rate, settings->admission.user_rate);
    atomic_store(&fe->user_burst, settings->admission.user_burst);
    atomic_store(&fe->max_pending, settings->admission.max_pending);
    atomic_store(&fe->log_orders, settings->log.orders);
}

/* What the threads share, and the broker thread. */
static void start_front_end(struct service *s)
{
    struct front_end *fe = &s->front_end;
    struct detail why;
    fe->shards = (int)s->settings.topology.shards;
    fe->max_connections = raise_descriptor_limit(s->settings.http.connections);
    fe->users = user_rates_new(NULL);
    take_thresholds(fe, &s->settings);
    fe->addresses = address_limit_new(s->settings.http.connections_per_address);
    fe->clients = address_limit_new(s->settings.http.connections_per_address);
    if (networks_parse(s->settings.http.trusted_proxies, &fe->proxies, &why) != 0)
        log_fatal(EXIT_CONFIG, "bad_setting", "reason=\"%s\"", why.text);
    fe->pages.order = s->settings.http.order_page;
    fe->pages.busy = s->settings.http.busy_page;
    fe->pages.sold_out = s->settings.http.sold_out_page;
    fe->metrics = &s->metrics;
    fe->stats = stats_new(fe->metrics, clock_mono_ns());
    fe->alive = alive_new();
    fe->instance = s->producer;
    fe->pending = pending_new(s->settings.order.keep_decided);
    fe->catalogue = catalogue_new(fe->shards);
    if (status_desk_new(&fe->desk, fe->pending, fe->shards) != 0)
        log_fatal(EXIT_FAILED, "no_status_desk", "reason=\"%s\"", strerror(errno));
    if (packet_desk_new(&fe->packets) != 0)
        log_fatal(EXIT_FAILED, "no_packet_desk", "reason=\"%s\"", strerror(errno));
    if (admin_desk_new(&fe->admin) != 0)
        log_fatal(EXIT_FAILED, "no_admin_desk", "reason=\"%s\"", strerror(errno));
    const struct publisher_options options = {
        .settings = &s->settings,
        .addresses = &s->addresses,
        .pending = fe->pending,
        .catalogue = fe->catalogue,
        .desk = fe->desk,
        .packets = fe->packets,
        .admin = fe->admin,
        .metrics = fe->metrics,
        .alive = fe->alive,
        .log_orders = &fe->log_orders,
        .producer = s->producer,
    };
    if (*s->settings.trace.file) {
        const struct trace_recorder_options trace = {.path = s->settings.trace.file,
                                                     .by = "seckill-order " SECKILL_VERSION,
                                                     .hash_users = s->settings.trace.hash_users};
        if (trace_recorder_start(&fe->trace, &trace, &why) != 0)
            log_fatal(EXIT_DISK, "trace_not_started", "setting=trace.file reason=\"%s\"", why.text);
        log_info("trace_started", "file=\"%s\" users=%s", trace_recorder_path(fe->trace),
                 trace.hash_users ? "hashed" : "plain");
    }
    if (publisher_start(&fe->publisher, &options, &why) != 0)
        log_fatal(EXIT_DISK, "publisher_not_started", "reason=\"%s\"", why.text);
}

static void start(struct service *s)
{
    struct detail why;
    log_set_level((enum log_level)s->settings.log.level);
    s->signals = signals_start();
    if (s->signals < 0)
        log_fatal(EXIT_FAILED, "no_signals", "reason=\"%s\"", strerror(errno));
    load_secrets(s);
    if (broker_login_addresses(&s->settings, &s->addresses, &why) != 0)
        log_fatal(EXIT_CONFIG, "bad_broker_login", "reason=\"%s\"", why.text);
    name_producer(s->settings.order.name, s->producer);
    start_front_end(s);

    const struct http_options http = {
        .listen = s->settings.http.listen,
        .admin_listen = s->settings.http.admin_listen,
        .threads = (int)s->settings.http.threads,
        .is_tls = s->tls != NULL,
        .connection_memory = (size_t)s->settings.http.connection_memory,
        .request_timeout_s = (int)s->settings.http.request_timeout_s,
        .idle_timeout_s = (unsigned)s->settings.http.idle_timeout_s,
        .front_end = &s->front_end,
    };
    /* An address that cannot be bound is a wrong setting, or one that another program has as well: 78, so
     * that a supervisor that knows the sysexits does not try the same again and again. */
    if (http_server_start(&s->http, &http, &why) != 0)
        log_fatal(EXIT_CONFIG, "cannot_listen", "reason=\"%s\"", why.text);
    if (*http_server_admin_address(s->http))
        log_info("admin_listener", "address=%s", http_server_admin_address(s->http));
    log_info("started", "address=%s producer=%s threads=%lld version=" SECKILL_VERSION,
             http_server_address(s->http), s->producer, (long long)s->settings.http.threads);
    FAULT_POINT("front_end.listening");
    notify_ready();
}

/* ---- run ---- */

/* What cannot be read leaves what was there. */
static void reload_secrets(struct service *s, const struct settings *fresh)
{
    struct detail why;
    struct order_id_key *key, *old = s->id_keys[s->id_key_count - 1];
    if (authenticator_reload(s->front_end.authenticator, fresh, &why) != 0)
        log_error("authentication_not_reloaded", "reason=\"%s\"", why.text);
    if (s->tls && http_tls_reload(s->tls, fresh->http.tls_cert_file, fresh->http.tls_key_file, &why) != 0)
        log_error("certificate_not_renewed", "reason=\"%s\"", why.text);
    if (id_key_load(&key, fresh->order.id_key_file, &why) != 0) {
        log_error("id_key_not_reloaded", "setting=order.id_key_file reason=\"%s\"", why.text);
    } else if (order_id_key_equals(key, old)) {
        order_id_key_free(key);
    } else {
        if (!order_id_key_retries_alike(key, old))
            log_warn("keyed_orders_begin_anew",
                     "hint=\"the last of order.id_key_file is another one now: an order that is sent again "
                     "with its "
                     "Idempotency-Key is a new order. This is for when nobody retries\"");
        use_id_key(s, key);
        log_info("id_key_reloaded", "");
    }
}

static void reload(struct service *s)
{
    struct settings fresh = s->settings; /* other threads read s->settings: it stays as it is */
    struct detail why;
    notify_reloading();
    if (config_reload(s->config, &fresh, &why) != 0) {
        log_error("reload_failed", "reason=\"%s\"", why.text);
    } else {
        log_set_level((enum log_level)fresh.log.level);
        take_thresholds(&s->front_end, &fresh);
        if (admin_token_reload(s->front_end.admin_token, &why) != 0)
            log_error("admin_token_not_reloaded", "reason=\"%s\"", why.text);
        reload_secrets(s, &fresh);
        log_info("reloaded", "max_rate=%lld user_rate=%lld user_burst=%lld max_pending=%lld",
                 (long long)fresh.admission.max_rate, (long long)fresh.admission.user_rate,
                 (long long)fresh.admission.user_burst, (long long)fresh.admission.max_pending);
    }
    notify_ready();
}

static void report_status(const struct front_end *fe)
{
    static const char *const states[] = {
        [BROKER_USABLE] = "taking orders",
        [BROKER_UNREACHABLE] = "refusing orders: no broker",
        [BROKER_BLOCKED] = "refusing orders: the broker is short of memory or disk",
        [BROKER_NO_LEDGER] = "refusing orders: the ledger cannot be written",
    };
    struct pending_counts counts = pending_counts(fe->pending);
    notify_status("%s; %lld undecided; %lld connections", states[publisher_state(fe->publisher)],
                  (long long)counts.undecided, (long long)atomic_load(&fe->connections));
}

static bool is_alive(const struct service *s, int64_t now_ns)
{
    return http_server_is_alive(s->http, now_ns, HTTP_ALIVE_NS) &&
           now_ns - publisher_turn_ns(s->front_end.publisher) < BROKER_ALIVE_NS;
}

static void take_stats(struct front_end *fe, int64_t now_ns)
{
    struct pending_counts counts = pending_counts(fe->pending);
    stats_take(fe->stats, counts.decided_confirmed + counts.decided_rejected, now_ns);
}

/* Until SIGTERM. */
static void run(struct service *s)
{
    int64_t status_ns = 0;
    for (;;) {
        struct pollfd fd = {.fd = s->signals, .events = POLLIN};
        poll(&fd, 1, TURN_MS);
        switch (signals_next(s->signals)) {
        case SIGNAL_STOP:
            return;
        case SIGNAL_RELOAD:
            reload(s);
            break;
        case SIGNAL_NONE:
            break;
        }
        int64_t now_ns = clock_mono_ns();
        publisher_watchdog(s->front_end.publisher, now_ns);
        take_stats(&s->front_end, now_ns);
        if (is_alive(s, now_ns))
            notify_watchdog(now_ns);
        if (now_ns - status_ns > STATUS_EVERY_NS) {
            report_status(&s->front_end);
            status_ns = now_ns;
        }
    }
}

/* ---- stop ---- */

static void stop(struct service *s)
{
    struct front_end *fe = &s->front_end;
    notify_stopping();
    log_info("draining", "connections=%lld", (long long)atomic_load(&fe->connections));
    atomic_store(&fe->draining, true);
    FAULT_POINT("front_end.draining");
    status_desk_close(fe->desk);
    packet_desk_close(fe->packets);
    admin_desk_close(fe->admin);
    http_server_quiesce(s->http);
    FAULT_POINT("front_end.quiesced");
    publisher_stop(fe->publisher);
    FAULT_POINT("front_end.publisher_stopped");
    http_server_stop(s->http, STOP_GRACE_MS);
    FAULT_POINT("front_end.http_stopped");
    log_info("stopped", "undecided=%lld", (long long)pending_counts(fe->pending).undecided);

    trace_recorder_stop(fe->trace);
    http_server_free(s->http);
    http_tls_free(s->tls);
    publisher_free(fe->publisher);
    status_desk_free(fe->desk);
    packet_desk_free(fe->packets);
    admin_desk_free(fe->admin);
    alive_free(fe->alive);
    stats_free(fe->stats);
    admin_token_free(fe->admin_token);
    catalogue_free(fe->catalogue);
    pending_free(fe->pending);
    address_limit_free(fe->addresses);
    address_limit_free(fe->clients);
    user_rates_free(fe->users);
    authenticator_free(fe->authenticator);
    while (s->id_key_count > 0)
        order_id_key_free(s->id_keys[--s->id_key_count]);
    free(s->id_keys);
    broker_addresses_free(&s->addresses);
    config_free(s->config);
    close(s->signals);
}

int main(int argc, char **argv)
{
    static const struct program_spec spec = {
        .name = "seckill-order",
        .summary = "The order front end: takes orders over HTTP and queues them durably.",
        .usage = "",
        .config = {.options = settings_table},
        .check = settings_check,
    };
    static struct service service;
    service.config = program_start(&spec, argc, argv, &service.settings, NULL);
    start(&service);
    run(&service);
    stop(&service);
    return EXIT_OK;
}
