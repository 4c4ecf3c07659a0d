/* The table of settings, and what one value alone does not show. */
#include "common/pipeline/settings.h"

#include <stdio.h>
#include <string.h>

#include "common/base/number.h"
#include "common/broker/address.h"
#include "common/pipeline/names.h"

#define STORE_DIR_MAX (STORE_PATH_SIZE - 128) /* leaves room for the names in it */
#define PAGE_MAX      200
#define NODE_NAME_MAX 32 /* goes into the ledger's file name and into message headers */

static const char *const level_names[] = {"debug", "info", "warn", "error", NULL}; /* as enum log_level */

static const char *const auth_names[] = {"none", "jwt", NULL}; /* as enum auth_mode */

static const char *const sink_names[] = {"log", "file", "webhook", NULL}; /* as enum notification_sink */

#define FIELD(field)  .offset = offsetof(struct settings, field)
#define INT(low, top) .type = CONFIG_INT, .min = (low), .max = (top)
#define TEXT          .type = CONFIG_TEXT

/* clang-format off */
const struct config_option settings_table[] = {
    {.key = "log.level", FIELD(log.level), .type = CONFIG_CHOICE, .choices = level_names, .fallback = "info",
     .reloadable = true,
     .help = "The least important lines that are logged."},
    {.key = "log.orders", FIELD(log.orders), .type = CONFIG_BOOL, .fallback = "off", .reloadable = true,
     .help = "A line for each step of each order, with its id."},

    {.key = "broker.url", FIELD(broker.url), TEXT, .fallback = "amqp://guest:guest@127.0.0.1:5672/",
     .secret = true,
     .help = "RabbitMQ's addresses, `amqp` or `amqps`, separated by commas; they are tried in turn."},
    {.key = "broker.user", FIELD(broker.user), TEXT, .fallback = "",
     .help = "The user to log in as at all of them; empty: what each address says."},
    {.key = "broker.password_file", FIELD(broker.password_file), TEXT, .fallback = "",
     .help = "File with that user's password; empty: what each address says."},
    {.key = "broker.ca_file", FIELD(broker.ca_file), TEXT, .fallback = "",
     .help = "Certificates by which an `amqps` broker is verified, in PEM; empty: the system's. The name in `broker.url` "
             "must be a DNS name of its certificate."},
    {.key = "broker.cert_file", FIELD(broker.cert_file), TEXT, .fallback = "",
     .help = "Our own certificate for an `amqps` broker, with its chain, in PEM; empty: none is shown."},
    {.key = "broker.key_file", FIELD(broker.key_file), TEXT, .fallback = "",
     .help = "The private key of `broker.cert_file`, in PEM."},
    {.key = "broker.heartbeat_s", FIELD(broker.heartbeat_s), INT(1, 600), .fallback = "10", .unit = "s",
     .help = "How often both sides show that they are alive; twice as long without a sign is death."},
    {.key = "broker.timeout_ms", FIELD(broker.timeout_ms), INT(50, 60000), .fallback = "1000", .unit = "ms",
     .help = "Bound for connecting, for the handshake, and for each call that waits for the broker."},

    {.key = "store.dir", FIELD(store.dir), TEXT, .fallback = "/var/lib/seckill",
     .help = "Where databases and ledgers are kept."},

    {.key = "topology.shards", FIELD(topology.shards), INT(1, MAX_SHARDS), .fallback = "1",
     .help = "Order queues; each has an inventory process with a database of its own."},

    {.key = "http.listen", FIELD(http.listen), TEXT, .fallback = "127.0.0.1:8080",
     .help = "Address and port to serve HTTP on; IPv6 as `[::1]:8080`; port 0 takes a free one."},
    {.key = "http.admin_listen", FIELD(http.admin_listen), TEXT, .fallback = "",
     .help = "Another address for what concerns operators: `/metrics`, `/v1/stats`, `/dashboard` and admin routes are "
             "then served only there. Each front end of a host needs its own. Empty: they are served on "
             "`http.listen`."},
    {.key = "http.tls_cert_file", FIELD(http.tls_cert_file), TEXT, .fallback = "", .reloadable = true,
     .help = "Certificate with its chain, in PEM: HTTPS is served then, and no plain HTTP. SIGHUP reads the file again."},
    {.key = "http.tls_key_file", FIELD(http.tls_key_file), TEXT, .fallback = "", .reloadable = true,
     .help = "The certificate's private key, in PEM. SIGHUP reads the file again."},
    {.key = "http.threads", FIELD(http.threads), INT(1, 64), .fallback = "1",
     .help = "HTTP threads of a front end. Rather than many threads, start more processes on the same port."},
    {.key = "http.connections", FIELD(http.connections), INT(1, 1000000), .fallback = "12000",
     .help = "Connections that are open at once, of the whole process."},
    {.key = "http.connections_per_address", FIELD(http.connections_per_address), INT(0, 1000000),
     .fallback = "256",
     .help = "Connections of one client address (of a /64 for IPv6; loopback is not counted); 0: no limit."},
    {.key = "http.trusted_proxies", FIELD(http.trusted_proxies), TEXT, .fallback = "",
     .help = "Addresses and networks (`10.0.0.0/8, ::1`) of proxies whose `X-Forwarded-For` says who the client is. Their "
             "connections are not limited by `http.connections_per_address`; their clients' requests are."},
    {.key = "http.connection_memory", FIELD(http.connection_memory), INT(4096, 65536), .fallback = "8192",
     .unit = "bytes",
     .help = "Memory for each connection; it bounds the size of a request's headers."},
    {.key = "http.request_timeout_s", FIELD(http.request_timeout_s), INT(1, 3600), .fallback = "10", .unit = "s",
     .help = "A request that is not complete after so long ends its connection."},
    {.key = "http.idle_timeout_s", FIELD(http.idle_timeout_s), INT(1, 3600), .fallback = "60", .unit = "s",
     .help = "A connection on which nothing happens for so long is closed."},
    {.key = "http.busy_page", FIELD(http.busy_page), TEXT, .fallback = "/busy",
     .help = "Where a browser is sent on 429 and 503."},
    {.key = "http.sold_out_page", FIELD(http.sold_out_page), TEXT, .fallback = "/sold-out",
     .help = "Where a browser is sent when an item is sold out."},
    {.key = "http.order_page", FIELD(http.order_page), TEXT, .fallback = "/order",
     .help = "Where a browser is sent with an accepted order; `?id=` and the order's id are added."},

    {.key = "auth.mode", FIELD(auth.mode), .type = CONFIG_CHOICE, .choices = auth_names, .fallback = "none",
     .help = "Whether buyers need a token: `jwt` wants one as `Authorization: Bearer`, whose `sub` is the `user_id`."},
    {.key = "auth.jwt_keys", FIELD(auth.jwt_keys), TEXT, .fallback = "", .reloadable = true,
     .help = "Files with the keys that tokens are verified by, separated by commas; `KID=FILE` names one. SIGHUP reads "
             "the files again."},
    {.key = "auth.jwt_algorithm", FIELD(auth.jwt_algorithm), TEXT, .fallback = "", .reloadable = true,
     .help = "`HS256`, `RS256` or `ES256`: for all keys, or one for each, separated by commas. No key serves another "
             "algorithm."},
    {.key = "auth.jwt_audience", FIELD(auth.jwt_audience), TEXT, .fallback = "", .reloadable = true,
     .help = "What a token's `aud` must have; empty: `aud` is not looked at."},
    {.key = "auth.jwt_leeway_s", FIELD(auth.jwt_leeway_s), INT(0, 3600), .fallback = "30", .unit = "s",
     .reloadable = true,
     .help = "By how much the issuer's clock may differ from this one, for `exp` and `nbf`."},
    {.key = "auth.admin_token_file", FIELD(auth.admin_token_file), TEXT, .fallback = "",
     .help = "File with the token for admin routes. Without one they are closed."},

    {.key = "order.id_key_file", FIELD(order.id_key_file), TEXT, .fallback = "", .reloadable = true,
     .help = "File with the secret (16 bytes or more) behind order ids, the same on all front ends. Several, separated "
             "by commas, while the key is changed: the first makes new ids, all are recognised, the last makes those "
             "of orders with an `Idempotency-Key`."},
    {.key = "order.name", FIELD(order.name), TEXT, .fallback = "",
     .help = "This front end's name in messages and ledgers; empty: the host's name."},
    {.key = "order.keep_decided", FIELD(order.keep_decided), INT(0, 10000000), .fallback = "100000",
     .help = "How many decided orders a front end remembers, to answer for them from memory."},

    {.key = "publisher.max_batch", FIELD(publisher.max_batch), INT(1, 500), .fallback = "500",
     .unit = "orders",
     .help = "Orders in one message at most; 1: each order is a message."},
    {.key = "publisher.window", FIELD(publisher.window), INT(1, 10000), .fallback = "1", .unit = "messages",
     .help = "Messages that may wait for their confirm at once."},
    {.key = "publisher.confirm_timeout_ms", FIELD(publisher.confirm_timeout_ms), INT(100, 60000),
     .fallback = "5000", .unit = "ms",
     .help = "When a confirm is given up: the order's outcome is unknown then."},

    {.key = "admission.max_rate", FIELD(admission.max_rate), INT(0, 10000000), .fallback = "20000",
     .unit = "1/s", .reloadable = true,
     .help = "Orders sent to a front end (requests, repeats too) that it looks at; a tenth of a second's may come "
             "at once; 0: no threshold."},
    {.key = "admission.user_rate", FIELD(admission.user_rate), INT(0, 1000000), .fallback = "5",
     .unit = "1/s", .reloadable = true,
     .help = "Orders of one user (repeats too) that a front end looks at; 0: no threshold."},
    {.key = "admission.user_burst", FIELD(admission.user_burst), INT(1, 1000000), .fallback = "10",
     .unit = "orders", .reloadable = true,
     .help = "Orders that a user who has been quiet may send at once."},
    {.key = "admission.max_pending", FIELD(admission.max_pending), INT(0, 100000000), .fallback = "200000",
     .unit = "orders", .reloadable = true,
     .help = "Orders accepted by a front end and not yet decided, of each shard; 0: no threshold."},

    {.key = "trace.file", FIELD(trace.file), TEXT, .fallback = "",
     .help = "File to record every order sent to a front end in, for seckill-replay; `.zst` at its end compresses. "
             "Where it is there already, a number is put into the name. Empty: nothing is recorded."},
    {.key = "trace.hash_users", FIELD(trace.hash_users), .type = CONFIG_BOOL, .fallback = "off",
     .help = "Users are recorded as hashes under a key that nobody keeps."},

    {.key = "worker.confirm_timeout_ms", FIELD(worker.confirm_timeout_ms), INT(1000, 600000),
     .fallback = "30000", .unit = "ms",
     .help = "When a worker gives up a connection on which the broker does not confirm what the outbox sends; on "
             "another one it is sent again."},

    {.key = "inventory.shard", FIELD(inventory.shard), INT(0, MAX_SHARDS - 1), .fallback = "0",
     .help = "The shard that this inventory process serves; less than `topology.shards`."},
    {.key = "inventory.max_batch", FIELD(inventory.max_batch), INT(1, 100000), .fallback = "8000",
     .unit = "orders",
     .help = "Orders in one transaction at most."},
    {.key = "inventory.prefetch", FIELD(inventory.prefetch), INT(1, 65535), .fallback = "512",
     .unit = "messages",
     .help = "Messages that the broker delivers ahead of their acknowledgement."},
    {.key = "inventory.relay_window", FIELD(inventory.relay_window), INT(1, 10000), .fallback = "64",
     .unit = "messages",
     .help = "Messages of the outbox that may wait for their confirm at once."},
    {.key = "inventory.max_attempts", FIELD(inventory.max_attempts), INT(1, 100), .fallback = "5",
     .help = "How often a redelivered message is tried before it is a dead letter."},

    {.key = "redpacket.max_batch", FIELD(redpacket.max_batch), INT(1, 100000), .fallback = "8000",
     .unit = "events",
     .help = "Events in one transaction at most."},

    {.key = "notification.max_batch", FIELD(notification.max_batch), INT(1, 100000), .fallback = "16000",
     .unit = "events",
     .help = "Events in one transaction at most."},
    {.key = "notification.language", FIELD(notification.language), TEXT, .fallback = "zh",
     .help = "Which of the shipped templates buyers get, `zh` or `en`, where `notification.templates` is empty."},
    {.key = "notification.templates", FIELD(notification.templates), TEXT, .fallback = "",
     .help = "File with the messages' templates; empty: the shipped one."},
    {.key = "notification.sink", FIELD(notification.sink), .type = CONFIG_CHOICE, .choices = sink_names,
     .fallback = "log",
     .help = "Where messages to buyers go: the service's log, a file (one JSON line each), or a gateway over HTTP."},
    {.key = "notification.file", FIELD(notification.file), TEXT, .fallback = "",
     .help = "File of the sink `file`; empty: notifications.ndjson in `store.dir`."},
    {.key = "notification.webhook_url", FIELD(notification.webhook_url), TEXT, .fallback = "",
     .help = "The gateway's address for the sink `webhook`: each message is a POST to it."},
    {.key = "notification.webhook_token_file", FIELD(notification.webhook_token_file), TEXT, .fallback = "",
     .help = "File with the token that the gateway wants as `Authorization: Bearer`; empty: none is sent."},
    {.key = "notification.webhook_ca_file", FIELD(notification.webhook_ca_file), TEXT, .fallback = "",
     .help = "Certificates by which an https gateway is verified; empty: the system's."},
    {.key = "notification.in_flight", FIELD(notification.in_flight), INT(1, 4096), .fallback = "256",
     .unit = "requests",
     .help = "Requests to the gateway that may be under way at once."},
    {.key = "notification.connect_timeout_ms", FIELD(notification.connect_timeout_ms), INT(10, 600000),
     .fallback = "2000", .unit = "ms",
     .help = "Bound for connecting to the gateway, TLS included."},
    {.key = "notification.total_timeout_ms", FIELD(notification.total_timeout_ms), INT(10, 600000),
     .fallback = "10000", .unit = "ms",
     .help = "Bound for a whole request to the gateway."},
    {.key = NULL},
};
/* clang-format on */

/* "host:port"; a numeric port is all that can be told without asking the resolver. */
static bool is_listen_address(const char *text)
{
    const char *colon = strrchr(text, ':');
    int64_t port;
    return colon && number_parse(colon + 1, 0, 65535, &port) == 0;
}

static bool is_page(const char *text)
{
    for (const char *p = text; *p; p++) /* it goes into a header as it is, and "?id=" behind it */
        if (*p <= ' ' || *p > '~' || *p == '#')
            return false;
    bool is_address = text[0] == '/' || strncmp(text, "https://", 8) == 0 || strncmp(text, "http://", 7) == 0;
    return is_address && strlen(text) <= PAGE_MAX;
}

static bool is_node_name(const char *text)
{
    const size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");
    return text[len] == '\0' && len <= NODE_NAME_MAX && text[0] != '.';
}

static int check_pages(const struct settings *s, struct detail *why)
{
    const struct {
        const char *key, *value;
    } pages[] = {
        {"http.busy_page", s->http.busy_page},
        {"http.sold_out_page", s->http.sold_out_page},
        {"http.order_page", s->http.order_page},
    };
    for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
        if (!is_page(pages[i].value)) {
            detail_set(why,
                       "%s: expected a path or an http address of at most %d bytes without a #, got \"%s\"",
                       pages[i].key, PAGE_MAX, pages[i].value);
            return E_INVALID;
        }
    return 0;
}

static int check_broker(const struct settings *s, struct detail *why)
{
    if (!s->broker.cert_file[0] != !s->broker.key_file[0]) {
        detail_set(why, "broker.cert_file and broker.key_file: one needs the other");
        return E_INVALID;
    }
    struct broker_addresses addresses;
    int rc = broker_addresses_parse(s->broker.url, &addresses, why);
    if (rc == 0)
        broker_addresses_free(&addresses);
    return rc;
}

static int check_auth(const struct settings *s, struct detail *why)
{
    if (s->auth.mode == AUTH_NONE) {
        if (s->auth.jwt_keys[0] == '\0')
            return 0;
        detail_set(why, "auth.jwt_keys is set, and auth.mode is none: nobody would be asked for a token. "
                        "Set auth.mode = jwt, or leave the keys out");
        return E_INVALID;
    }
    if (s->auth.jwt_keys[0] == '\0' || s->auth.jwt_algorithm[0] == '\0') {
        detail_set(why, "auth.mode = jwt needs %s",
                   s->auth.jwt_keys[0] ? "auth.jwt_algorithm" : "auth.jwt_keys");
        return E_INVALID;
    }
    return 0;
}

static int check_notification(const struct settings *s, struct detail *why)
{
    const char *url = s->notification.webhook_url;
    if (s->notification.sink != SINK_WEBHOOK || strncasecmp(url, "http://", 7) == 0 ||
        strncasecmp(url, "https://", 8) == 0)
        return 0;
    detail_set(why, "notification.webhook_url: the sink webhook needs an http or https address, %s",
               url[0] ? "got another one" : "got none"); /* not shown: it may hold a key */
    return E_INVALID;
}

int settings_check(const void *settings, struct detail *why)
{
    const struct settings *s = settings;
    if (s->inventory.shard >= s->topology.shards) {
        detail_set(why, "inventory.shard: expected less than topology.shards (%lld), got %lld",
                   (long long)s->topology.shards, (long long)s->inventory.shard);
        return E_INVALID;
    }
    if (s->store.dir[0] == '\0' || strlen(s->store.dir) > STORE_DIR_MAX) {
        detail_set(why, "store.dir: expected a path of 1 to %d bytes", STORE_DIR_MAX);
        return E_INVALID;
    }
    if (!is_listen_address(s->http.listen)) {
        detail_set(why, "http.listen: expected address:port, got \"%s\"", s->http.listen);
        return E_INVALID;
    }
    if (s->http.admin_listen[0] && !is_listen_address(s->http.admin_listen)) {
        detail_set(why, "http.admin_listen: expected address:port or nothing, got \"%s\"",
                   s->http.admin_listen);
        return E_INVALID;
    }
    if (!s->http.tls_cert_file[0] != !s->http.tls_key_file[0]) {
        detail_set(why, "http.tls_cert_file and http.tls_key_file: one needs the other");
        return E_INVALID;
    }
    if (!is_node_name(s->order.name)) {
        detail_set(why, "order.name: expected at most %d letters, digits, \".\", \"_\" or \"-\", got \"%s\"",
                   NODE_NAME_MAX, s->order.name);
        return E_INVALID;
    }
    int rc = check_pages(s, why);
    if (!rc)
        rc = check_auth(s, why);
    if (!rc)
        rc = check_notification(s, why);
    return rc ? rc : check_broker(s, why);
}

const char *settings_inventory_path(const struct settings *s, int shard, char out[STORE_PATH_SIZE])
{
    snprintf(out, STORE_PATH_SIZE, "%s/inventory.%d.db", s->store.dir, shard);
    return out;
}

const char *settings_archive_of(const char *inventory_path, char out[STORE_PATH_SIZE])
{
    size_t len = strlen(inventory_path);
    bool has_ending = len > 3 && strcmp(inventory_path + len - 3, ".db") == 0;
    snprintf(out, STORE_PATH_SIZE, "%.*s.archive.db", (int)(has_ending ? len - 3 : len), inventory_path);
    return out;
}

const char *settings_redpacket_path(const struct settings *s, char out[STORE_PATH_SIZE])
{
    snprintf(out, STORE_PATH_SIZE, "%s/redpacket.db", s->store.dir);
    return out;
}

const char *settings_notification_path(const struct settings *s, char out[STORE_PATH_SIZE])
{
    snprintf(out, STORE_PATH_SIZE, "%s/notification.db", s->store.dir);
    return out;
}

const char *settings_ledger_dir(const struct settings *s, char out[STORE_PATH_SIZE])
{
    snprintf(out, STORE_PATH_SIZE, "%s/ledger", s->store.dir);
    return out;
}
