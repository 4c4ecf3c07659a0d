/*
 * Database files that are missing, empty, newer, older, damaged or somebody else's. Inventory says what is
 * wrong and ends: 78 where the file is not the one that is meant, 74 where it cannot be read as one. It never
 * makes a new one of it, and leaves it as it is. seckillctl says the same.
 *
 * No broker is needed: a file is opened before one is looked for.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/check.h"
#include "tests/support/clock.h"
#include "tests/support/process.h"
#include "tests/support/text.h"

enum { WAIT_SECONDS = 60, DAMAGED = 74, NOBODY_THERE = 69, NOT_THIS_ONE = 78, PAGE = 4096 };

#define ORDER "00000000000000000000000001"

struct place {
    char dir[96], bin[STACK_PATH];
    char sound[STACK_PATH]; /* a database with some thousand orders, in a folder of its own */
    char db[STACK_PATH], wal[STACK_PATH];
    char store_setting[STACK_PATH];
};

/* ---- running programs ---- */

static void run(const char *const argv[], int expected, struct process_output *o)
{
    process_run(argv, NULL, NULL, WAIT_SECONDS, o);
    if (o->status != expected)
        fail_msg("%s: exit status %d, not %d\n%s%s", argv[0], o->status, expected, text_c(&o->out),
                 text_c(&o->err));
}

static void sql(const char *path, const char *statements)
{
    struct process_output o;

    run((const char *[]){"sqlite3", "-bail", path, statements, NULL}, 0, &o);
    process_output_free(&o);
}

static const char *program(const struct place *p, const char *name, char out[STACK_PATH])
{
    if (snprintf(out, STACK_PATH, "%s/%s", p->bin, name) >= STACK_PATH)
        abort();
    return out;
}

/* Port 1: nobody answers there. */
#define NO_BROKER "--set", "broker.url=amqp://guest:guest@127.0.0.1:1/"

/* Inventory must end so, and say these words. */
static void assert_inventory_refuses(const struct place *p, int status, const char *words)
{
    char path[STACK_PATH];
    struct process_output o;

    run((const char *[]){program(p, "seckill-inventory", path), "--config", "/dev/null", "--set",
                         p->store_setting, NO_BROKER, NULL},
        status, &o);
    if (!strstr(text_c(&o.err), words) || !strstr(text_c(&o.err), p->db))
        fail_msg("inventory does not say \"%s\" of %s:\n%s", words, p->db, text_c(&o.err));
    process_output_free(&o);
}

static void assert_ctl_refuses(const struct place *p, int status, const char *words)
{
    char path[STACK_PATH];
    struct process_output o;

    run((const char *[]){program(p, "seckillctl", path), "--config", "/dev/null", "--set", p->store_setting,
                         NO_BROKER, "order", "show", ORDER, NULL},
        status, &o);
    if (!strstr(text_c(&o.err), words))
        fail_msg("seckillctl does not say \"%s\":\n%s", words, text_c(&o.err));
    process_output_free(&o);
}

struct running {
    pid_t pid;
    char log[STACK_PATH];
    const char *text;
};

static bool is_logged(void *context)
{
    const struct running *r = context;
    struct text log = {0};
    bool found = text_add_file(&log, r->log) == 0 && strstr(text_c(&log), r->text) != NULL;

    text_free(&log);
    return found;
}

static struct running start_inventory(const struct place *p, const char *flag)
{
    static int runs;
    struct running r = {.text = "broker_unusable"};
    char path[STACK_PATH];

    snprintf(r.log, sizeof r.log, "%s/inventory.%d.log", p->dir, ++runs);
    r.pid = process_start((const char *[]){program(p, "seckill-inventory", path), "--config", "/dev/null",
                                           "--set", p->store_setting, NO_BROKER, flag, NULL},
                          NULL, r.log);
    assert_true(r.pid > 0);
    return r;
}

static void stop_inventory(const struct running *r)
{
    int status = -1;

    assert_int_equal(kill(r->pid, SIGTERM), 0);
    assert_true(process_wait(r->pid, WAIT_SECONDS, &status));
    assert_int_equal(status, 0);
}

/* ---- files ---- */

static void read_file(const char *path, struct text *out)
{
    text_clear(out);
    assert_int_equal(text_add_file(out, path), 0);
}

static void scribble(const char *path, long offset, long len)
{
    FILE *file = fopen(path, "r+e");

    assert_non_null(file);
    assert_int_equal(fseek(file, offset, SEEK_SET), 0);
    for (long i = 0; i < len; i++)
        assert_int_not_equal(putc((int)(i * 131 + 7) & 0xff, file), EOF);
    assert_int_equal(fclose(file), 0);
}

static long size_of(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 ? (long)st.st_size : -1;
}

/* What is refused is left as it was. */
static void assert_refused_and_untouched(const struct place *p, int status, const char *words)
{
    struct text before = {0}, after = {0};

    read_file(p->db, &before);
    assert_inventory_refuses(p, status, words);
    assert_ctl_refuses(p, status, words);
    read_file(p->db, &after);
    assert_int_equal(before.len, after.len);
    if (before.len > 0)
        assert_memory_equal(before.data, after.data, before.len);
    text_free(&before);
    text_free(&after);
}

/* ---- set-up ---- */

/* An empty one by --init, and orders by hand. */
static void make_sound_one(struct place *p)
{
    struct running r = start_inventory(p, "--init");

    assert_true(wait_until(is_logged, &r, WAIT_SECONDS));
    stop_inventory(&r);
    assert_int_equal(size_of(p->wal), -1);
    sql(p->db, "INSERT INTO item VALUES (1, 'a', '', 100, 9000, 5000, 0, 0, 0, 0, 0, 0, 1);"
               "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000)"
               "INSERT INTO orders SELECT printf('%026d', i), 'u' || i, 'a', 1, 1, 1, 0, 100, i, 0 FROM n;"
               "UPDATE shard SET receipt_no = 4000;"
               "INSERT INTO batch_seen VALUES ('', 0, 4000, 4000, 0, 0, 4000);");
    assert_int_equal(rename(p->db, p->sound), 0);
}

static int make_place(void **state)
{
    struct place *p = take_memory(sizeof *p);
    const char *parent = getenv("TMPDIR");
    ssize_t len = readlink("/proc/self/exe", p->bin, sizeof p->bin - 1);
    char *slash;

    if (len <= 0 || process_adopt_orphans() < 0)
        return -1;
    for (int i = 0; i < 3 && (slash = strrchr(p->bin, '/')); i++) /* B/tests/bin/test_… */
        *slash = '\0';
    snprintf(p->bin + strlen(p->bin), 8, "/bin");
    snprintf(p->dir, sizeof p->dir, "%.60s/seckill-files-XXXXXX",
             parent && parent[0] == '/' ? parent : "/tmp");
    if (!mkdtemp(p->dir))
        return -1;
    snprintf(p->db, sizeof p->db, "%s/inventory.0.db", p->dir);
    snprintf(p->wal, sizeof p->wal, "%s/inventory.0.db-wal", p->dir);
    snprintf(p->sound, sizeof p->sound, "%s/sound", p->dir);
    snprintf(p->store_setting, sizeof p->store_setting, "store.dir=%s", p->dir);
    make_sound_one(p);
    *state = p;
    return 0;
}

static int remove_place(void **state)
{
    struct place *p = *state;
    struct process_output o;

    run((const char *[]){"rm", "-r", p->dir, NULL}, 0, &o);
    process_output_free(&o);
    free(p);
    return 0;
}

/* Before each test: the sound one, alone. */
static int restore(void **state)
{
    const struct place *p = *state;
    static const char *const others[] = {"-wal", "-shm", ".lock"};
    struct process_output o;

    for (int i = 0; i < 3; i++) {
        char path[STACK_PATH + 8];

        snprintf(path, sizeof path, "%s%s", p->db, others[i]);
        unlink(path);
    }
    run((const char *[]){"cp", p->sound, p->db, NULL}, 0, &o);
    process_output_free(&o);
    return 0;
}

/* ---- tests ---- */

static void test_sound_file_is_served(void **state)
{
    const struct place *p = *state;
    struct running r = start_inventory(p, NULL);

    assert_true(wait_until(is_logged, &r, WAIT_SECONDS));
    r.text = "items=1";
    assert_true(is_logged(&r));
    stop_inventory(&r);
}

static void test_missing_file_is_not_made_anew(void **state)
{
    const struct place *p = *state;

    assert_int_equal(unlink(p->db), 0);
    assert_inventory_refuses(p, NOT_THIS_ONE, "--init");
    assert_ctl_refuses(p, NOBODY_THERE, "store.dir");
    assert_int_equal(size_of(p->db), -1);
}

static void test_empty_file_is_not_filled(void **state)
{
    const struct place *p = *state;

    assert_int_equal(truncate(p->db, 0), 0);
    assert_inventory_refuses(p, NOT_THIS_ONE, "no such database");
    assert_int_equal(size_of(p->db), 0);
}

static void test_newer_file_is_left_to_a_newer_program(void **state)
{
    const struct place *p = *state;

    sql(p->db, "PRAGMA user_version = 99");
    assert_refused_and_untouched(p, NOT_THIS_ONE, "version 99");
}

/* Inventory brings it up to date; whoever only reads must not guess what it means. */
static void test_older_file_is_not_read_as_a_new_one(void **state)
{
    const struct place *p = *state;

    sql(p->db, "PRAGMA user_version = 1");
    assert_ctl_refuses(p, NOT_THIS_ONE, "version 1");
}

static void test_database_of_another_application_is_refused(void **state)
{
    const struct place *p = *state;

    sql(p->db, "PRAGMA application_id = 5");
    assert_refused_and_untouched(p, DAMAGED, "another application");
}

static void test_database_of_another_shard_is_refused(void **state)
{
    const struct place *p = *state;

    sql(p->db, "UPDATE shard SET shard = 3");
    assert_inventory_refuses(p, NOT_THIS_ONE, "belongs to shard 3");
}

static void test_damaged_header_is_noticed(void **state)
{
    const struct place *p = *state;

    scribble(p->db, 0, 100);
    assert_refused_and_untouched(p, DAMAGED, "not a database");
}

static void test_damaged_schema_is_noticed(void **state)
{
    const struct place *p = *state;

    scribble(p->db, 100, PAGE - 100);
    assert_refused_and_untouched(p, DAMAGED, "malformed");
}

static void test_truncated_file_is_noticed(void **state)
{
    const struct place *p = *state;

    assert_int_equal(truncate(p->db, size_of(p->db) / PAGE / 2 * PAGE), 0);
    assert_refused_and_untouched(p, DAMAGED, "malformed");
}

/* The page that the order's row is on: found only by who looks for this order, and then it is no answer. */
static void test_damaged_page_is_noticed_by_who_needs_it(void **state)
{
    const struct place *p = *state;
    struct process_output o;

    run((const char *[]){"sqlite3", p->db,
                         "SELECT min(pageno) FROM dbstat WHERE name = 'orders' AND pagetype = 'leaf'", NULL},
        0, &o);
    scribble(p->db, (strtol(text_c(&o.out), NULL, 10) - 1) * PAGE, PAGE);
    process_output_free(&o);
    assert_ctl_refuses(p, DAMAGED, "malformed");
}

/* Left by a process that was killed. SQLite takes what it can check: here nothing, so the orders in it are
 * gone, as on a disk that loses what it has synced; the audit shows that, by the batches. The file itself
 * stays sound. */
static void test_garbage_in_place_of_the_wal_spoils_nothing_else(void **state)
{
    const struct place *p = *state;
    struct process_output o;
    struct running r;
    FILE *wal = fopen(p->wal, "we");

    assert_non_null(wal);
    assert_int_equal(fclose(wal), 0);
    assert_int_equal(truncate(p->wal, 40L * PAGE), 0);
    scribble(p->wal, 0, 40L * PAGE);
    r = start_inventory(p, NULL);
    assert_true(wait_until(is_logged, &r, WAIT_SECONDS));
    stop_inventory(&r);
    run((const char *[]){"sqlite3", p->db, "PRAGMA integrity_check; SELECT count(*) FROM orders", NULL}, 0,
        &o);
    assert_string_equal(text_c(&o.out), "ok\n4000\n");
    process_output_free(&o);
}

/* The first one has it; the second opens nothing, not even a file that is damaged. */
static void test_second_worker_waits_and_opens_nothing(void **state)
{
    const struct place *p = *state;
    struct running first = start_inventory(p, NULL), second;

    assert_true(wait_until(is_logged, &first, WAIT_SECONDS));
    second = start_inventory(p, NULL);
    second.text = "standing_by";
    assert_true(wait_until(is_logged, &second, WAIT_SECONDS));
    second.text = "store_opened";
    assert_false(is_logged(&second));
    stop_inventory(&second);
    stop_inventory(&first);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, restore)
    const struct CMUnitTest tests[] = {
        TEST(test_sound_file_is_served),
        TEST(test_missing_file_is_not_made_anew),
        TEST(test_empty_file_is_not_filled),
        TEST(test_newer_file_is_left_to_a_newer_program),
        TEST(test_older_file_is_not_read_as_a_new_one),
        TEST(test_database_of_another_application_is_refused),
        TEST(test_database_of_another_shard_is_refused),
        TEST(test_damaged_header_is_noticed),
        TEST(test_damaged_schema_is_noticed),
        TEST(test_truncated_file_is_noticed),
        TEST(test_damaged_page_is_noticed_by_who_needs_it),
        TEST(test_garbage_in_place_of_the_wal_spoils_nothing_else),
        TEST(test_second_worker_waits_and_opens_nothing),
    };

    return cmocka_run_group_tests(tests, make_place, remove_place);
}
