/* The format of traces: what is written is read again, and what is damaged is found, within bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "common/base/buffer.h"
#include "common/base/file.h"
#include "common/trace/trace_reader.h"
#include "common/trace/trace_writer.h"

#define HEADER "{\"seckill_trace\":1,\"started\":\"2026-11-11T00:00:00Z\",\"by\":\"x\",\"users\":\"plain\"}\n"
#define MANY   8000

static char folder[64];
static char path[128];

static const char *name(const char *file)
{
    snprintf(path, sizeof path, "%s/%s", folder, file);
    unlink(path);
    return path;
}

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/test_trace.XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static const struct trace_header a_header = {
    .started_ms = 1793750400123, .by = {"test \"1\"", 8}, .users_hashed = true};

static void put(const char *file, const void *data, size_t len)
{
    FILE *f = fopen(file, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}

static void get(const char *file, struct buffer *out)
{
    struct detail why;
    assert_int_equal(file_read(file, (size_t)1 << 26, out, &why), 0);
}

static struct trace_record record_number(int i, char text[64])
{
    snprintf(text, 64, "u%d é\"\\", i);
    return (struct trace_record){.at_us = i * 7LL,
                                 .user = slice_of(text),
                                 .sku = slice_of("phone-1"),
                                 .quantity = 1 + i % 1000,
                                 .key = i % 2 ? slice_of("cart-77") : (struct slice){0},
                                 .verdict = i % 3 ? slice_of("sold_out") : (struct slice){0}};
}

static void write_many(const char *file)
{
    struct trace_writer *w;
    struct detail why;
    char text[64];
    assert_int_equal(trace_writer_open(&w, file, &a_header, &why), 0);
    for (int i = 0; i < MANY; i++) {
        struct trace_record record = record_number(i, text);
        assert_int_equal(trace_writer_add(w, &record), 0);
    }
    struct trace_record unread = {.at_us = MANY * 7LL, .verdict = slice_of("malformed")};
    assert_int_equal(trace_writer_add(w, &unread), 0);
    assert_int_equal(trace_writer_close(w, &why), 0);
}

static void assert_same(struct slice a, struct slice b)
{
    assert_int_equal(a.len, b.len);
    if (a.len > 0)
        assert_memory_equal(a.data, b.data, a.len);
}

/* Reads what write_many wrote, up to its end; returns the records. */
static int read_many(const char *file, bool *truncated)
{
    struct trace_reader *r;
    struct trace_record record;
    struct detail why;
    char text[64];
    int rc, n = 0;
    assert_int_equal(trace_reader_open(&r, file, &why), 0);
    assert_int_equal(trace_reader_header(r)->started_ms, a_header.started_ms);
    assert_true(trace_reader_header(r)->users_hashed);
    assert_same(trace_reader_header(r)->by, a_header.by);
    for (; (rc = trace_reader_next(r, &record, &why)) > 0 && n < MANY; n++) {
        struct trace_record wanted = record_number(n, text);
        assert_int_equal(record.at_us, wanted.at_us);
        assert_int_equal(record.quantity, wanted.quantity);
        assert_same(record.user, wanted.user);
        assert_same(record.sku, wanted.sku);
        assert_same(record.key, wanted.key);
        assert_same(record.verdict, wanted.verdict);
    }
    if (rc > 0) {
        assert_int_equal(record.user.len, 0);
        assert_true(slice_is(record.verdict, "malformed"));
        n++;
        rc = trace_reader_next(r, &record, &why);
    }
    assert_int_equal(rc, 0);
    *truncated = trace_reader_is_truncated(r);
    trace_reader_close(r);
    return n;
}

static void test_what_was_written_is_read(void **state)
{
    static const char *const files[] = {"plain.ndjson", "packed.ndjson.zst"};
    (void)state;
    off_t sizes[2];
    for (int i = 0; i < 2; i++) {
        struct stat st;
        bool truncated;
        write_many(name(files[i]));
        assert_int_equal(stat(path, &st), 0);
        sizes[i] = st.st_size;
        assert_int_equal(read_many(path, &truncated), MANY + 1);
        assert_false(truncated);
        unlink(path);
    }
    assert_true(sizes[1] < sizes[0] / 4);
}

static void test_a_flushed_trace_can_be_read_while_it_grows(void **state)
{
    static const char *const files[] = {"grows.ndjson", "grows.ndjson.zst"};
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct trace_writer *w;
        struct trace_reader *r;
        struct detail why;
        char text[64];
        struct trace_record record = record_number(1, text), got;
        assert_int_equal(trace_writer_open(&w, name(files[i]), &a_header, &why), 0);
        assert_int_equal(trace_writer_add(w, &record), 0);
        assert_int_equal(trace_writer_flush(w), 0);
        assert_int_equal(trace_reader_open(&r, path, &why), 0);
        assert_int_equal(trace_reader_next(r, &got, &why), 1);
        assert_same(got.user, record.user);
        assert_int_equal(trace_reader_next(r, &got, &why), 0);
        assert_int_equal(trace_reader_is_truncated(r), i == 1); /* the frame has no end yet */
        trace_reader_close(r);
        assert_int_equal(trace_writer_close(w, &why), 0);
        unlink(path);
    }
}

static void test_a_trace_is_never_replaced(void **state)
{
    struct trace_writer *w;
    struct detail why;
    (void)state;
    put(name("there.ndjson"), "x", 1);
    assert_int_equal(trace_writer_open(&w, path, &a_header, &why), E_EXISTS);
    assert_non_null(strstr(why.text, "there.ndjson"));
    assert_int_equal(trace_writer_open(&w, "/nowhere/at/all", &a_header, &why), E_IO);
}

static void test_a_link_is_not_followed(void **state)
{
    struct trace_writer *w;
    struct detail why;
    (void)state;
    if (symlink("/dev/full", name("full")) != 0)
        fail();
    /* The writer makes new files only, so it must not follow the link either. */
    assert_int_equal(trace_writer_open(&w, path, &a_header, &why), E_EXISTS);
}

/* A file may not grow beyond 256 KiB here, which stands for a full disk. */
static void test_a_write_that_fails_is_told_and_kept(void **state)
{
    struct rlimit old, small;
    struct trace_writer *w;
    struct detail why = {0};
    char text[64];
    int rc = 0;
    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = (struct rlimit){.rlim_cur = 1 << 18, .rlim_max = old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    assert_int_equal(trace_writer_open(&w, name("full.ndjson"), &a_header, &why), 0);
    for (int i = 0; i < MANY && rc == 0; i++) {
        struct trace_record record = record_number(i, text);
        rc = trace_writer_add(w, &record);
    }
    assert_int_equal(rc, E_IO);
    assert_non_null(strstr(trace_writer_why(w), "full.ndjson: cannot write"));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(trace_writer_flush(w), E_IO);
    assert_int_equal(trace_writer_close(w, &why), E_IO);
    assert_non_null(strstr(why.text, "cannot write"));
}

/* Cut at every length: what is whole before the cut is read, and nothing else. */
static void test_a_cut_file_is_good_up_to_its_last_whole_line(void **state)
{
    static const char text[] = HEADER "{\"t\":1,\"user\":\"a\",\"sku\":\"b\",\"quantity\":1}\n{\"t\":2}\n";
    (void)state;
    for (size_t len = sizeof HEADER - 1; len < sizeof text; len++) {
        struct trace_reader *r;
        struct trace_record record;
        struct detail why;
        int n = 0, whole = 0;
        put(name("cut.ndjson"), text, len);
        for (size_t i = sizeof HEADER - 1; i < len; i++)
            whole += text[i] == '\n';
        assert_int_equal(trace_reader_open(&r, path, &why), 0);
        while (trace_reader_next(r, &record, &why) > 0)
            n++;
        assert_int_equal(n, whole);
        assert_int_equal(trace_reader_is_truncated(r), text[len - 1] != '\n');
        trace_reader_close(r);
    }
}

static void test_a_cut_frame_is_good_up_to_its_last_whole_line(void **state)
{
    struct buffer whole = {0};
    bool truncated;
    (void)state;
    write_many(name("whole.ndjson.zst"));
    get(path, &whole);
    unlink(path);
    int last = 0;
    for (size_t i = 1; i <= 8; i++) {
        put(name("cut.ndjson.zst"), whole.data, whole.len * i / 8 - (i == 8 ? 1 : 0));
        int n = read_many(path, &truncated);
        assert_true(truncated);
        assert_true(n >= last);
        last = n;
    }
    assert_true(last > MANY / 2);
    buffer_free(&whole);
}

static int read_all(const char *file, struct detail *why)
{
    struct trace_reader *r;
    struct trace_record record;
    int rc = trace_reader_open(&r, file, why);
    if (rc)
        return rc;
    while ((rc = trace_reader_next(r, &record, why)) > 0)
        ;
    trace_reader_close(r);
    return rc;
}

static void test_what_breaks_the_rules_is_named(void **state)
{
    static const struct {
        const char *text;
        int rc;
        const char *said;
    } cases[] = {
        {"", E_CORRUPT, "no first line"},
        {"nonsense\n", E_CORRUPT, "line 1"},
        {"{\"t\":1}\n", E_CORRUPT, "no trace"},
        {"[]\n", E_CORRUPT, "not a JSON object"},
        {"{\"seckill_trace\":2,\"started\":\"2026-11-11T00:00:00Z\"}\n", E_NEWER, "version 2"},
        {"{\"seckill_trace\":1,\"started\":\"yesterday\"}\n", E_CORRUPT, "started"},
        {"{\"seckill_trace\":1,\"started\":\"2026-11-11T00:00:00Z\",\"users\":\"x\"}\n", E_CORRUPT, "users"},
        {HEADER "{\"t\":-1}\n", E_CORRUPT, "line 2: \"t\""},
        {HEADER "{\"t\":1.5}\n", E_CORRUPT, "\"t\""},
        {HEADER "{\"t\":99999999999999999}\n", E_CORRUPT, "\"t\""},
        {HEADER "{\"t\":1,\"t\":2}\n", E_CORRUPT, "line 2"},
        {HEADER "{\"t\":1,\"user\":\"a\"}\n", E_CORRUPT, "together"},
        {HEADER "{\"t\":1,\"user\":\"a\",\"sku\":\"\",\"quantity\":1}\n", E_CORRUPT, "sku"},
        {HEADER "{\"t\":1,\"user\":\"a\",\"sku\":\"b\"}\n", E_CORRUPT, "quantity"},
        {HEADER "{\"t\":1,\"user\":\"a\",\"sku\":\"b\",\"quantity\":1001}\n", E_CORRUPT, "quantity"},
        {HEADER "{\"t\":1,\"user\":\"a\\r\\nb\",\"sku\":\"b\",\"quantity\":1}\n", E_CORRUPT, "user"},
        {HEADER "{\"t\":1,\"user\":\"a\\u0000b\",\"sku\":\"b\",\"quantity\":1}\n", E_CORRUPT, "line 2"},
        {HEADER "{\"t\":1,\"key\":\"a b\"}\n", E_CORRUPT, "key"},
        {HEADER "{\"t\":1,\"key\":\"a\\r\\nX: y\"}\n", E_CORRUPT, "key"},
        {HEADER "{\"t\":1}\n\n", E_CORRUPT, "line 3"},
        {HEADER "{\"t\":1,\"verdict\":7}\n", E_CORRUPT, "verdict"},
        {HEADER "{\"t\":1,\"new_member\":[1,2]}\n", 0, ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct detail why = {0};
        put(name("bad.ndjson"), cases[i].text, strlen(cases[i].text));
        assert_int_equal(read_all(path, &why), cases[i].rc);
        if (!strstr(why.text, cases[i].said))
            fail_msg("case %zu says \"%s\"", i, why.text);
    }
}

static void test_bytes_without_an_end_stay_within_bounds(void **state)
{
    struct buffer zeroes = {0}, packed = {0};
    struct detail why;
    (void)state;
    /* 32 MiB without a line feed, which zstd makes 1 KiB of. */
    buffer_reserve(&zeroes, 1 << 25);
    memset(zeroes.data, 'a', 1 << 25);
    buffer_reserve(&packed, ZSTD_compressBound(1 << 25));
    packed.len = ZSTD_compress(packed.data, packed.cap, zeroes.data, 1 << 25, 3);
    assert_false(ZSTD_isError(packed.len));
    put(name("bomb.ndjson.zst"), packed.data, packed.len);
    assert_int_equal(read_all(path, &why), E_CORRUPT);
    assert_non_null(strstr(why.text, "too long"));
    buffer_free(&zeroes);
    buffer_free(&packed);
    put(name("no.ndjson.zst"), HEADER, sizeof HEADER - 1);
    assert_int_equal(read_all(path, &why), E_CORRUPT);
    assert_non_null(strstr(why.text, "damaged"));
    assert_int_equal(read_all(name("none.ndjson"), &why), E_NOT_FOUND);
    assert_int_equal(read_all("/tmp", &why), E_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_written_is_read),
        cmocka_unit_test(test_a_flushed_trace_can_be_read_while_it_grows),
        cmocka_unit_test(test_a_trace_is_never_replaced),
        cmocka_unit_test(test_a_link_is_not_followed),
        cmocka_unit_test(test_a_write_that_fails_is_told_and_kept),
        cmocka_unit_test(test_a_cut_file_is_good_up_to_its_last_whole_line),
        cmocka_unit_test(test_a_cut_frame_is_good_up_to_its_last_whole_line),
        cmocka_unit_test(test_what_breaks_the_rules_is_named),
        cmocka_unit_test(test_bytes_without_an_end_stay_within_bounds),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
