/*
 * Every setting of every program, in one struct and one table: all programs read the same file, so that one
 * file can describe a deployment. A program uses what it needs.
 */
#ifndef SECKILL_PIPELINE_SETTINGS_H
#define SECKILL_PIPELINE_SETTINGS_H

#include "common/base/config.h"

struct settings {
    struct {
        int level;   /* enum log_level */
        bool orders; /* a line for each step of each order */
    } log;
    struct {
        const char *url, *user, *password_file; /* see broker_login.h */
        const char *ca_file, *cert_file, *key_file;
        int64_t heartbeat_s;
        int64_t timeout_ms;
    } broker;
    struct {
        const char *dir;
    } store;
    struct {
        int64_t shards;
    } topology;
    struct {
        const char *listen, *admin_listen;
        const char *tls_cert_file, *tls_key_file; /* both or neither */
        int64_t threads;
        int64_t connections;             /* for the whole process */
        int64_t connection_memory;       /* bytes */
        int64_t connections_per_address; /* 0: no limit */
        int64_t request_timeout_s;
        int64_t idle_timeout_s;
        const char *trusted_proxies;
        const char *busy_page, *sold_out_page, *order_page; /* where browsers are sent */
    } http;
    struct {
        int mode; /* enum auth_mode */
        const char *jwt_keys, *jwt_algorithm, *jwt_audience;
        int64_t jwt_leeway_s;
        const char *admin_token_file;
    } auth;
    struct {
        const char *id_key_file;
        const char *name;     /* this front end's name; "" = host name */
        int64_t keep_decided; /* how many decided orders are remembered */
    } order;
    struct {
        int64_t max_batch; /* orders in a message */
        int64_t window;    /* messages in flight */
        int64_t confirm_timeout_ms;
    } publisher;
    struct {
        int64_t max_rate;
        int64_t user_rate, user_burst;
        int64_t max_pending;
    } admission;
    struct {
        const char *file; /* "" = nothing is recorded */
        bool hash_users;
    } trace;
    struct {
        int64_t confirm_timeout_ms; /* of the outbox's messages */
    } worker;
    struct {
        int64_t shard;
        int64_t max_batch;    /* orders in a transaction at most */
        int64_t prefetch;     /* messages */
        int64_t relay_window; /* outbox messages in flight */
        int64_t max_attempts; /* of a redelivered message, before it is poison */
    } inventory;
    struct {
        int64_t max_batch; /* events in a transaction at most */
    } redpacket;
    struct {
        int64_t max_batch;     /* events in a transaction at most */
        const char *templates; /* file; "" = the installed one of this language */
        const char *language;  /* "zh", "en" */
        int sink;              /* enum notification_sink */
        const char *file;      /* of the sink "file"; "" = <store.dir>/notifications.ndjson */
        const char *webhook_url, *webhook_token_file, *webhook_ca_file;
        int64_t in_flight; /* requests to the gateway at once */
        int64_t connect_timeout_ms, total_timeout_ms;
    } notification;
};

enum auth_mode { AUTH_NONE, AUTH_JWT };
enum notification_sink { SINK_LOG, SINK_FILE, SINK_WEBHOOK };

extern const struct config_option settings_table[];

/* For program_spec.check: what one value alone does not show. */
int settings_check(const void *settings, struct detail *why);

/* "<store.dir>/inventory.<shard>.db", "redpacket.db", "notification.db" and "<store.dir>/ledger". Written
 * into out, which is returned. */
#define STORE_PATH_SIZE 4096
const char *settings_inventory_path(const struct settings *s, int shard, char out[STORE_PATH_SIZE]);
const char *settings_archive_of(const char *inventory_path, char out[STORE_PATH_SIZE]); /* "….archive.db" */
const char *settings_redpacket_path(const struct settings *s, char out[STORE_PATH_SIZE]);
const char *settings_notification_path(const struct settings *s, char out[STORE_PATH_SIZE]);
const char *settings_ledger_dir(const struct settings *s, char out[STORE_PATH_SIZE]);

#endif
