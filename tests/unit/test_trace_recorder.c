/* Recording: what arrived is in the trace, whoever noted it; what does not fit is counted and harms nobody.
 */
#include "tests/unit/base_support.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "common/base/clock.h"
#include "common/trace/trace_reader.h"
#include "services/order/trace_recorder.h"

struct place {
    char dir[64], file[128];
};

static int set_up(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    strcpy(p->dir, "/tmp/seckill-recorder-XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    snprintf(p->file, sizeof p->file, "%s/sale.ndjson.zst", p->dir);
    *state = p;
    return 0;
}

static int tear_down(void **state)
{
    struct place *p = *state;
    char command[160];
    snprintf(command, sizeof command, "rm -rf -- '%s'", p->dir);
    assert_int_equal(system(command), 0);
    free(p);
    return 0;
}

static struct trace_recorder *start(const struct place *p, bool hash_users, size_t memory_max)
{
    struct trace_recorder *t = NULL;
    struct detail why = {.text = ""};
    const struct trace_recorder_options options = {
        .path = p->file, .by = "test 1", .hash_users = hash_users, .memory_max = memory_max};
    int error = trace_recorder_start(&t, &options, &why);
    if (error)
        fail_msg("%s", why.text);
    return t;
}

static void note(struct trace_recorder *t, const char *body, const char *key, const char *verdict)
{
    trace_recorder_note(t, &(struct arrival){.at_ns = clock_mono_ns(),
                                             .type = BODY_JSON,
                                             .body = slice_of(body),
                                             .key = key,
                                             .verdict = verdict});
}

static struct trace_reader *open_trace(const char *file)
{
    struct trace_reader *r = NULL;
    struct detail why = {.text = ""};
    if (trace_reader_open(&r, file, &why) != 0)
        fail_msg("%s", why.text);
    return r;
}

static struct trace_record next(struct trace_reader *r)
{
    struct trace_record record;
    struct detail why = {.text = ""};
    if (trace_reader_next(r, &record, &why) != 1)
        fail_msg("no further record: %s", why.text);
    return record;
}

static void assert_ends(struct trace_reader *r)
{
    struct trace_record record;
    struct detail why;
    assert_int_equal(trace_reader_next(r, &record, &why), 0);
    assert_false(trace_reader_is_truncated(r));
    trace_reader_close(r);
}

static void test_what_arrived_is_recorded(void **state)
{
    const struct place *p = *state;
    struct trace_recorder *t = start(p, false, 0);
    note(t, "{\"user_id\":\"买家\",\"sku\":\"phone-1\",\"quantity\":3}", "cart-77", "accepted");
    note(t, "{\"user_id\":\"u2\",\"sku\":\"phone-1\"}", NULL, "rate_limited");
    note(t, "{\"user_id\":", NULL, "malformed");
    note(t, "", NULL, "too_large");
    note(t, "{\"user_id\":\"u3\",\"sku\":\"phone-1\"}", "a bad key", "invalid");
    trace_recorder_note(t, &(struct arrival){.at_ns = clock_mono_ns(),
                                             .type = BODY_FORM,
                                             .body = slice_of("user_id=u%204&sku=phone-1&quantity=2"),
                                             .verdict = "sold_out"});
    trace_recorder_stop(t);

    struct trace_reader *r = open_trace(p->file);
    assert_true(slice_is(trace_reader_header(r)->by, "test 1"));
    assert_false(trace_reader_header(r)->users_hashed);
    struct trace_record record = next(r);
    assert_true(slice_is(record.user, "买家") && slice_is(record.sku, "phone-1") && record.quantity == 3);
    assert_true(slice_is(record.key, "cart-77") && slice_is(record.verdict, "accepted"));
    assert_true(record.at_us >= 0);
    int64_t before_us = record.at_us;
    record = next(r); /* refused before it was looked at, and known all the same */
    assert_true(slice_is(record.user, "u2") && record.quantity == 1 && record.key.len == 0);
    assert_true(slice_is(record.verdict, "rate_limited") && record.at_us >= before_us);
    record = next(r);
    assert_true(record.user.len == 0 && record.sku.len == 0 && slice_is(record.verdict, "malformed"));
    record = next(r);
    assert_true(record.user.len == 0 && slice_is(record.verdict, "too_large"));
    record = next(r);
    assert_true(slice_is(record.user, "u3") && record.key.len == 0 && slice_is(record.verdict, "invalid"));
    record = next(r);
    assert_true(slice_is(record.user, "u 4") && record.quantity == 2 && slice_is(record.verdict, "sold_out"));
    assert_ends(r);
}

static void test_a_hashed_user_is_the_same_and_nobody(void **state)
{
    const struct place *p = *state;
    struct trace_recorder *t = start(p, true, 0);
    note(t, "{\"user_id\":\"alice\",\"sku\":\"s\"}", NULL, "accepted");
    note(t, "{\"user_id\":\"bob\",\"sku\":\"s\"}", NULL, "accepted");
    note(t, "{\"user_id\":\"alice\",\"sku\":\"s\"}", NULL, "accepted");
    trace_recorder_stop(t);

    struct trace_reader *r = open_trace(p->file);
    char alice[TRACE_NAME_MAX + 1];
    assert_true(trace_reader_header(r)->users_hashed);
    struct trace_record record = next(r);
    assert_in_range(record.user.len, 16, TRACE_NAME_MAX);
    snprintf(alice, sizeof alice, "%.*s", (int)record.user.len, record.user.data);
    assert_null(strstr(alice, "alice"));
    record = next(r);
    assert_false(slice_is(record.user, alice));
    record = next(r);
    assert_true(slice_is(record.user, alice));
    assert_ends(r);
}

static void test_another_recording_gets_a_name_of_its_own(void **state)
{
    const struct place *p = *state;
    char second[128];
    snprintf(second, sizeof second, "%s/sale-2.ndjson.zst", p->dir);
    struct trace_recorder *t = start(p, false, 0), *u = start(p, false, 0);
    assert_string_equal(trace_recorder_path(t), p->file);
    assert_string_equal(trace_recorder_path(u), second);
    note(t, "{\"user_id\":\"first\",\"sku\":\"s\"}", NULL, "accepted");
    note(u, "{\"user_id\":\"second\",\"sku\":\"s\"}", NULL, "accepted");
    trace_recorder_stop(t);
    trace_recorder_stop(u);
    struct trace_reader *r = open_trace(p->file);
    assert_true(slice_is(next(r).user, "first"));
    assert_ends(r);
    r = open_trace(second);
    assert_true(slice_is(next(r).user, "second"));
    assert_ends(r);
}

enum { THREADS = 4, EACH = 5000 };

static void *note_many(void *recorder)
{
    for (int i = 0; i < EACH; i++)
        note(recorder, "{\"user_id\":\"u\",\"sku\":\"s\"}", NULL, "accepted");
    return NULL;
}

/* With room for all of it: nothing is dropped, nothing is torn. */
static void test_threads_do_not_tear_each_others_records(void **state)
{
    const struct place *p = *state;
    struct trace_recorder *t = start(p, false, 0);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, note_many, t), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    trace_recorder_stop(t);
    struct trace_reader *r = open_trace(p->file);
    for (int i = 0; i < THREADS * EACH; i++)
        assert_true(slice_is(next(r).user, "u"));
    assert_ends(r);
}

/* One that can never find room, so that it does not depend on how fast the writer is. */
static void test_what_finds_no_room_is_counted(void **state)
{
    const struct place *p = *state;
    char long_body[1000];
    struct trace_recorder *t = start(p, false, 400);
    memset(long_body, ' ', sizeof long_body - 1);
    long_body[sizeof long_body - 1] = '\0';
    for (int i = 0; i < 3; i++)
        note(t, long_body, NULL, "malformed");
    assert_int_equal(trace_recorder_counts(t).dropped, 3);
    note(t, "{\"user_id\":\"u\",\"sku\":\"s\"}", NULL, "accepted");
    trace_recorder_stop(t);
    struct trace_reader *r = open_trace(p->file);
    assert_true(slice_is(next(r).user, "u"));
    assert_ends(r);
}

/* The disk takes no more: the recording ends, the count goes on. */
static void test_a_full_disk_ends_the_recording_only(void **state)
{
    struct place *p = *state;
    struct rlimit whole, small;
    snprintf(p->file, sizeof p->file, "%s/sale.ndjson", p->dir); /* not compressed: it grows at once */
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &whole), 0);
    small = whole;
    small.rlim_cur = 10000;
    struct trace_recorder *t = start(p, false, 0);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    struct trace_recorder_counts counts;
    uint64_t noted = 0;
    do { /* until the writer has met the limit */
        note(t, "{\"user_id\":\"u\",\"sku\":\"s\"}", NULL, "accepted");
        noted++;
        counts = trace_recorder_counts(t);
    } while (counts.dropped == 0);
    trace_recorder_stop(t);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &whole), 0);
    assert_true(counts.written + counts.dropped <= noted);
    struct trace_reader *r = open_trace(p->file); /* what was written before is good */
    assert_true(slice_is(next(r).user, "u"));
    trace_reader_close(r);
}

static void test_a_folder_that_is_not_there_is_an_error(void **state)
{
    (void)state;
    struct trace_recorder *t = NULL;
    struct detail why = {.text = ""};
    const struct trace_recorder_options options = {.path = "/nowhere/at/all/sale.ndjson", .by = "test 1"};
    assert_int_not_equal(trace_recorder_start(&t, &options, &why), 0);
    assert_null(t);
    assert_non_null(strstr(why.text, "/nowhere/at/all/sale.ndjson"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_arrived_is_recorded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_hashed_user_is_the_same_and_nobody, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_another_recording_gets_a_name_of_its_own, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_threads_do_not_tear_each_others_records, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_finds_no_room_is_counted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_full_disk_ends_the_recording_only, set_up, tear_down),
        cmocka_unit_test(test_a_folder_that_is_not_there_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
