/* The ledger: what was appended is read, what was cut off does not count, what cannot be is named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/pipeline/ledger.h"

static char dir[64], file[128];

static int make_dir(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/test_ledger.XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    snprintf(file, sizeof(file), "%s/front-1.ledger", dir);
    return 0;
}

static int remove_dir(void **state)
{
    (void)state;
    unlink(file);
    return rmdir(dir);
}

struct batches {
    int count;
    int64_t seqs[8];
    int orders[8];
};

static int note(void *context, const char *producer, int64_t seq, int count)
{
    struct batches *b = context;
    assert_string_equal(producer, "front-1");
    assert_true(b->count < 8);
    b->seqs[b->count] = seq;
    b->orders[b->count++] = count;
    return 0;
}

static void write_file(const char *text, size_t len)
{
    FILE *out = fopen(file, "w");
    assert_non_null(out);
    assert_int_equal(fwrite(text, 1, len, out), len);
    fclose(out);
}

static int read_back(struct batches *b, struct detail *why)
{
    char producer[PRODUCER_SIZE];
    *b = (struct batches){0};
    return ledger_read(file, producer, note, b, why);
}

#define HEAD "seckill-ledger 1 front-1 2026-11-22T12:00:00.000Z\n"

static void test_what_was_appended_is_read(void **state)
{
    (void)state;
    struct ledger *l;
    struct batches b;
    assert_int_equal(ledger_create(&l, dir, "front-1", NULL), 0);
    assert_int_equal(read_back(&b, NULL), 0);
    assert_int_equal(b.count, 0);
    assert_int_equal(ledger_append(l, 1, 500), 0);
    assert_int_equal(ledger_append(l, 3, 1), 0);
    assert_int_equal(ledger_append(l, INT64_MAX, INT32_MAX), 0);
    assert_int_equal(read_back(&b, NULL), 0); /* while it is still being written */
    ledger_close(l);
    assert_int_equal(b.count, 3);
    assert_int_equal(b.seqs[1], 3);
    assert_int_equal(b.orders[0], 500);
    assert_int_equal(b.seqs[2], INT64_MAX);
    assert_int_equal(b.orders[2], INT32_MAX);
}

static void test_a_ledger_is_never_begun_twice(void **state)
{
    (void)state;
    struct ledger *l, *second = NULL;
    struct detail why;
    assert_int_equal(ledger_create(&l, dir, "front-1", NULL), 0);
    assert_int_equal(ledger_create(&second, dir, "front-1", &why), E_IO);
    assert_non_null(strstr(why.text, file));
    assert_null(second);
    ledger_close(l);
}

static void test_a_torn_last_line_does_not_count(void **state)
{
    (void)state;
    struct batches b;
    static const char *const torn[] = {HEAD "1 5\n2 50", HEAD "1 5\n2", HEAD "1 5\n2 ", HEAD "1 5\n\x01"};
    for (size_t i = 0; i < sizeof(torn) / sizeof(torn[0]); i++) {
        write_file(torn[i], strlen(torn[i]));
        assert_int_equal(read_back(&b, NULL), 0);
        assert_int_equal(b.count, 1);
    }
    write_file("seckill-led", 11); /* killed before the first line was whole */
    assert_int_equal(read_back(&b, NULL), 0);
    assert_int_equal(b.count, 0);
    write_file("", 0);
    assert_int_equal(read_back(&b, NULL), 0);
}

static void test_a_corrupt_line_is_named(void **state)
{
    (void)state;
    static const char *const corrupt[] = {
        HEAD "1 5\nx\n2 1\n",
        HEAD "1 5\n2\n",
        HEAD "1 5\n2 0\n",
        HEAD "1 5\n0 1\n",
        HEAD "1 5\n-1 1\n",
        HEAD "1 5\n2  1\n",
        HEAD "1 5\n2 1 \n",
        HEAD "1 5\n2 1 3\n",
        HEAD "1 5\n\n2 1\n",
        HEAD "1 5\n2 1\r\n",
        HEAD "1 5\n99999999999999999999 1\n",
        HEAD "1 5\n2 4294967297\n",
    };
    for (size_t i = 0; i < sizeof(corrupt) / sizeof(corrupt[0]); i++) {
        struct batches b;
        struct detail why;
        write_file(corrupt[i], strlen(corrupt[i]));
        assert_int_equal(read_back(&b, &why), E_CORRUPT);
        assert_non_null(strstr(why.text, "line 3"));
        assert_non_null(strstr(why.text, file));
    }
    static const char zeros[] = HEAD "1 5\n\0\0\0\0\n"; /* a page that never reached the disk */
    struct batches b;
    write_file(zeros, sizeof(zeros) - 1);
    assert_int_equal(read_back(&b, NULL), E_CORRUPT);
}

static void test_a_first_line_of_something_else_is_refused(void **state)
{
    (void)state;
    struct batches b;
    struct detail why;
    static const char *const other[] = {"hello\n1 5\n", "\n", "seckill-ledger x front-1 2026\n",
                                        "seckill-ledger 1\n"};
    for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++) {
        write_file(other[i], strlen(other[i]));
        assert_int_equal(read_back(&b, &why), E_CORRUPT);
        assert_non_null(strstr(why.text, "line 1"));
    }
    const char newer[] = "seckill-ledger 2 front-1 2026-11-22T12:00:00.000Z\n1 5 x\n";
    write_file(newer, strlen(newer));
    assert_int_equal(read_back(&b, &why), E_NEWER);
}

static void test_repeated_batches_are_all_told(void **state)
{
    (void)state;
    struct batches b;
    const char text[] = HEAD "1 5\n2 7\n1 5\n2 8\n";
    write_file(text, strlen(text));
    assert_int_equal(read_back(&b, NULL), 0);
    assert_int_equal(b.count, 4);
    assert_int_equal(b.orders[3], 8);
}

static void test_a_failed_append_leaves_no_half_line(void **state)
{
    (void)state;
    struct ledger *l;
    struct batches b;
    struct stat st;
    assert_int_equal(ledger_create(&l, dir, "front-1", NULL), 0);
    assert_int_equal(ledger_append(l, 1, 5), 0);
    assert_int_equal(stat(file, &st), 0);

    struct rlimit old, tight;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    tight = (struct rlimit){.rlim_cur = (rlim_t)st.st_size + 3, .rlim_max = old.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    int rc = ledger_append(l, 200, 300); /* only three bytes of it fit */
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(rc, E_IO);

    assert_int_equal(ledger_append(l, 3, 6), 0);
    ledger_close(l);
    assert_int_equal(read_back(&b, NULL), 0);
    assert_int_equal(b.count, 2);
    assert_int_equal(b.seqs[1], 3);
}

static void test_a_probe_tells_whether_a_line_would_fit_and_leaves_nothing(void **state)
{
    (void)state;
    struct ledger *l;
    struct batches b;
    struct stat st, after;
    assert_int_equal(ledger_create(&l, dir, "front-1", NULL), 0);
    assert_int_equal(ledger_append(l, 1, 5), 0);
    assert_int_equal(stat(file, &st), 0);

    struct rlimit old, tight;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    tight = (struct rlimit){.rlim_cur = (rlim_t)st.st_size + 3, .rlim_max = old.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    int rc = ledger_probe(l);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(rc, E_IO);
    assert_int_equal(ledger_probe(l), 0);
    assert_int_equal(stat(file, &after), 0);
    assert_int_equal(after.st_size, st.st_size);

    assert_int_equal(ledger_append(l, 2, 6), 0);
    ledger_close(l);
    assert_int_equal(read_back(&b, NULL), 0);
    assert_int_equal(b.count, 2);
    assert_int_equal(b.seqs[1], 2);
}

static int count_files(void *context, const char *path)
{
    (void)path;
    (*(int *)context)++;
    return 0;
}

static void test_only_ledgers_are_listed(void **state)
{
    (void)state;
    int count = 0;
    char other[160];
    snprintf(other, sizeof(other), "%s/notes.txt", dir);
    write_file(HEAD, strlen(HEAD));
    FILE *notes = fopen(other, "w");
    assert_non_null(notes);
    fclose(notes);
    assert_int_equal(ledger_list(dir, count_files, &count, NULL), 0);
    assert_int_equal(count, 1);
    unlink(other);
    assert_int_equal(ledger_list("/nonexistent/ledger", count_files, &count, NULL), 0);
    assert_int_equal(count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_was_appended_is_read, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_a_ledger_is_never_begun_twice, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_a_torn_last_line_does_not_count, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_a_corrupt_line_is_named, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_a_first_line_of_something_else_is_refused, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_repeated_batches_are_all_told, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_a_failed_append_leaves_no_half_line, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_a_probe_tells_whether_a_line_would_fit_and_leaves_nothing,
                                        make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_only_ledgers_are_listed, make_dir, remove_dir),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
