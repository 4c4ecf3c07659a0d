/* Hand-made files of a small deployment, and its audit. */
#ifndef SECKILL_TESTS_AUDIT_SUPPORT_H
#define SECKILL_TESTS_AUDIT_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/file.h"
#include "common/pipeline/ledger.h"
#include "common/store/store.h"
#include "services/ctl/audit.h"

#define SHARDS 2

static char dir[64], paths[SHARDS][128], ledger_dir[128];
static char notification_path[128], redpacket_path[128]; /* "": the service was never set up */
static struct store *stores[SHARDS], *notification, *redpacket;
static struct audit_queues queues; /* what the broker says */
static struct audit_report report;
static char printed[16384]; /* the report, as people see it */

static inline void run_sql_on(struct store *store, const char *sql)
{
    if (store_execute(store, sql))
        fail_msg("%s: %s", sql, store_error(store));
}

static inline void run_sql(int shard, const char *sql)
{
    run_sql_on(stores[shard], sql);
}

static inline int by_number(const void *a, const void *b)
{
    const char *const *left = a, *const *right = b;
    return strcmp(strrchr(*left, '/'), strrchr(*right, '/'));
}

/* The pipeline's migrations and the service's, in the order of their numbers. */
static inline void apply_schema(struct store *store, const char *service)
{
    glob_t files;
    char pattern[256];
    snprintf(pattern, sizeof(pattern), SECKILL_SOURCE_DIR "/schema/%s/*.sql", service);
    assert_int_equal(glob(SECKILL_SOURCE_DIR "/schema/pipeline/*.sql", 0, NULL, &files), 0);
    assert_int_equal(glob(pattern, GLOB_APPEND, NULL, &files), 0);
    qsort(files.gl_pathv, files.gl_pathc, sizeof(files.gl_pathv[0]), by_number);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        struct buffer sql = {0};
        assert_int_equal(file_read(files.gl_pathv[i], 1 << 20, &sql, NULL), 0);
        run_sql_on(store, buffer_text(&sql));
        buffer_free(&sql);
    }
    char version[64];
    snprintf(version, sizeof(version), "PRAGMA user_version = %zu", files.gl_pathc);
    run_sql_on(store, version);
    globfree(&files);
}

static inline void write_ledger(const char *producer, const char *batches)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s.ledger", ledger_dir, producer);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fprintf(out, "seckill-ledger 1 %s 2026-11-22T12:00:00.000Z\n%s", producer, batches);
    fclose(out);
}

/* Two shards, two front ends. Shard 0: phone-1, 10 stocked, 5 sold, at most 3 a user; 6 orders in two
 * batches. Shard 1: tv-1 with one order, and an order of another producer. */
static inline int set_up(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/test_audit.XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    snprintf(ledger_dir, sizeof(ledger_dir), "%s/ledger", dir);
    assert_int_equal(dir_make(ledger_dir, NULL), 0);
    for (int i = 0; i < SHARDS; i++) {
        snprintf(paths[i], sizeof(paths[i]), "%s/inventory.%d.db", dir, i);
        assert_int_equal(store_open(&stores[i], paths[i], STORE_CREATE, NULL), 0);
        apply_schema(stores[i], "inventory");
    }
    run_sql(
        0, "INSERT INTO item VALUES (1, 'phone-1', '', 100, 10, 5, 3, 0, 0, 0, 0, 0, 1);"
           "INSERT INTO orders VALUES ('00000000000000000000000001', 'u1', 'phone-1', 2, 1, 1, 0, 100, 1, 3),"
           "('00000000000000000000000002', 'u1', 'phone-1', 1, 1, 1, 0, 100, 2, 3),"
           "('00000000000000000000000003', 'u1', 'phone-1', 1, 1, 1, 2, NULL, NULL, 3),"
           "('00000000000000000000000004', 'u2', 'phone-1', 2, 1, 1, 0, 100, 3, 3),"
           "('00000000000000000000000005', 'u3', 'phone-9', 1, 1, 1, 3, NULL, NULL, NULL);"
           "INSERT INTO batch_seen VALUES ('front-1', 1, 3, 3, 0, 0, 1), ('front-2', 1, 3, 2, 1, 0, 2);");
    run_sql(1,
            "INSERT INTO item VALUES (1, 'tv-1', '', 100, 10, 8, 0, 0, 0, 0, 0, 0, 1);"
            "INSERT INTO orders VALUES ('00000000000000000000000006', 'u1', 'tv-1', 1, 1, 1, 0, 100, 1, 0),"
            "('00000000000000000000000007', 'u1', 'tv-1', 1, 1, 1, 0, 100, 2, 0);"
            "INSERT INTO batch_seen VALUES ('front-1', 2, 1, 1, 0, 0, 1), ('', 0, 1, 1, 0, 0, 1);");
    write_ledger("front-1", "1 3\n2 1\n");
    write_ledger("front-2", "1 3\n");
    queues = (struct audit_queues){.consumers = SHARDS};
    notification_path[0] = redpacket_path[0] = '\0';
    return 0;
}

#define ID(n) "'0000000000000000000000000" n "'"

/* The same with all that follows from it: everybody was told, and two of five were granted a red packet. */
static inline int set_up_events(void **state)
{
    if (set_up(state))
        return -1;
    snprintf(notification_path, sizeof(notification_path), "%s/notification.db", dir);
    snprintf(redpacket_path, sizeof(redpacket_path), "%s/redpacket.db", dir);
    assert_int_equal(store_open(&notification, notification_path, STORE_CREATE, NULL), 0);
    assert_int_equal(store_open(&redpacket, redpacket_path, STORE_CREATE, NULL), 0);
    apply_schema(notification, "notification");
    apply_schema(redpacket, "redpacket");
    run_sql_on(
        redpacket,
        "INSERT INTO campaign VALUES ('phone-1', 1000, 2, 1, 300, 0, 0, 0), ('tv-1', 50, 5, 1, 50, 5, 0, 0);"
        "INSERT INTO packet VALUES (" ID(
            "1") ", 'u1', 'phone-1', 1, 400, 1),"
                 "(" ID("2") ", 'u1', 'phone-1', 1, 300, 1), (" ID(
                     "4") ", 'u2', 'phone-1', 2, 0, 1),"
                          "(" ID("6") ", 'u1', 'tv-1', 3, 0, 1), (" ID(
                              "7") ", 'u1', 'tv-1', 3, 0, 1);"
                                   "INSERT INTO balance VALUES ('u1', 700, 2);"
                                   "INSERT INTO batch_seen VALUES ('', 0, 6, 5, 1, 0, 3)");
    run_sql_on(notification, "INSERT INTO notification VALUES (" ID(
                                 "1") ", 1, 2, 1, NULL, 1, 1),"
                                      "(" ID("1") ", 3, 2, 1, NULL, 1, 1), (" ID(
                                          "2") ", 1, 2, 3, 'x', 1, 1),"
                                               "(" ID("2") ", 3, 2, 1, NULL, 1, 1), (" ID(
                                                   "3") ", 2, 2, 1, NULL, 1, 1),"
                                                        "(" ID("4") ", 1, 2, 1, NULL, 1, 1), (" ID(
                                                            "5") ", 2, 2, 1, NULL, 1, 1),"
                                                                 "(" ID("6") ", 1, 2, 1, NULL, 1, 1), (" ID(
                                                                     "7") ", 1, 2, 1, NULL, 1, 1)");
    queues.consumers = 0; /* nobody has anything in hand */
    return 0;
}

static inline int tear_down(void **state)
{
    (void)state;
    char command[96];
    audit_report_free(&report);
    for (int i = 0; i < SHARDS; i++)
        store_close(stores[i]);
    store_close(notification);
    store_close(redpacket);
    notification = redpacket = NULL;
    snprintf(command, sizeof(command), "rm -r %s", dir);
    return system(command);
}

static inline int look(void *context, struct audit_queues *out, struct detail *why)
{
    (void)context;
    (void)why;
    *out = queues;
    return 0;
}

static inline int run_audit(int64_t wait_ms, struct detail *why)
{
    const char *list[SHARDS] = {paths[0], paths[1]};
    const struct audit_options options = {.stores = list,
                                          .store_count = SHARDS,
                                          .notification = notification_path[0] ? notification_path : NULL,
                                          .redpacket = redpacket_path[0] ? redpacket_path : NULL,
                                          .ledger_dir = ledger_dir,
                                          .wait_ms = wait_ms,
                                          .still_ms = 300,
                                          .look = look};
    int rc = audit_run(&options, &report, why);
    if (rc == 0) {
        FILE *out = fmemopen(printed, sizeof(printed), "w");
        assert_non_null(out);
        audit_print(&report, out);
        fclose(out);
    }
    return rc;
}

static inline void audit(int64_t wait_ms)
{
    struct detail why;
    if (run_audit(wait_ms, &why))
        fail_msg("%s", why.text);
}

/* Exactly this invariant is broken, and the report has this text. */
static inline void assert_broken(int invariant, const char *named)
{
    assert_false(audit_holds(&report));
    for (int i = 0; i < AUDIT_INVARIANTS; i++)
        if ((report.invariants[i].broken > 0) != (i == invariant))
            fail_msg("invariant %d is %s:\n%s", report.invariants[i].number,
                     i == invariant ? "not broken" : "broken", printed);
    if (!strstr(printed, named))
        fail_msg("\"%s\" is not named in:\n%s", named, printed);
}

#endif
