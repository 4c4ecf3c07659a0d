/* The file of messages: whole lines, on the disk before the commit, whatever happens to the process or the
 * disk. */
#include "tests/unit/store_support.h"

#include <fcntl.h>
#include <jansson.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/resource.h>

#include "common/base/file.h"
#include "common/pipeline/message.h"
#include "common/pipeline/settings.h"
#include "services/notification/sink.h"
#include "tests/support/clock.h"
#include "tests/unit/notification_support.h"
#include "tests/unit/schema_examples.h"

struct fixture {
    struct place place;
    char path[160];
    struct settings settings;
    struct sink *sink;
    struct buffer read;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    place_make(&f->place);
    snprintf(f->path, sizeof f->path, "%s/notifications.ndjson", f->place.dir);
    f->settings.store.dir = f->place.dir;
    f->settings.notification.file = "";
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    sink_free(f->sink);
    buffer_free(&f->read);
    unlink(f->path);
    place_remove(&f->place);
    free(f);
    return 0;
}

static void open_sink(struct fixture *f)
{
    struct detail why = {.text = ""};
    sink_free(f->sink);
    f->sink = NULL;
    if (sink_file_new(&f->sink, &f->settings, &why) != 0)
        fail_msg("%s", why.text);
}

static void put(struct sink *sink, const struct sink_message *m)
{
    struct buffer line = {0};
    sink->ops->compose(m, &line);
    sink->ops->write(sink, (struct slice){.data = line.data, .len = line.len});
    buffer_free(&line);
}

static void write_one(struct fixture *f, int number, const char *text)
{
    struct event e = event_of(EVENT_KIND_CONFIRMED, number);
    struct sink_message m = {.event = &e, .text = slice_of(text), .attempt = 1};
    put(f->sink, &m);
}

static const char *content(struct fixture *f)
{
    buffer_clear(&f->read);
    assert_int_equal(file_read(f->path, 8 << 20, &f->read, NULL), 0);
    return buffer_text(&f->read);
}

/* Each of the lines 1 to `count`, whole and in turn. */
static void assert_lines(struct fixture *f, int count)
{
    struct slice line, rest = {.data = content(f), .len = f->read.len};
    int lines = 0;
    while (line_next(&rest, &line)) {
        char id[64];
        snprintf(id, sizeof id, "{\"v\":1,\"order_id\":\"01JDXWBXG0%016d\"", ++lines);
        if (line.len < strlen(id) || memcmp(line.data, id, strlen(id)) != 0)
            fail_msg("line %d is %.*s", lines, (int)line.len, line.data);
        assert_int_equal(line.data[line.len - 1], '}');
    }
    assert_int_equal(lines, count);
}

static void put_content(struct fixture *f, const char *text)
{
    FILE *file = fopen(f->path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static void test_lines_are_json_and_come_with_the_flush(void **state)
{
    struct fixture *f = *state;
    open_sink(f);
    write_one(f, 1, "说 \"好\"");
    assert_string_equal(content(f), "");
    assert_int_equal(f->sink->ops->flush(f->sink), 0);
    assert_string_equal(
        content(f), "{\"v\":1,\"order_id\":\"01JDXWBXG00000000000000001\",\"kind\":\"order.confirmed\","
                    "\"user_id\":\"u1\",\"text\":\"说 \\\"好\\\"\",\"at\":\"2026-11-22T12:00:00.456Z\"}\n");
    assert_int_equal(f->sink->ops->flush(f->sink), 0); /* nothing twice */
    assert_int_equal(f->read.len, strlen(content(f)));
}

static void compare_with_example(struct slice line)
{
    struct place place;
    struct settings settings = {.notification.file = ""};
    struct buffer read = {0};
    char path[160];
    struct sink *sink;
    place_make(&place);
    settings.store.dir = place.dir;
    snprintf(path, sizeof path, "%s/notifications.ndjson", place.dir);
    assert_int_equal(sink_file_new(&sink, &settings, NULL), 0);
    json_t *example = json_loadb(line.data, line.len, 0, NULL);
    const char *kind = json_string_value(json_object_get(example, "kind"));
    struct event e = event_of(strcmp(kind, event_kind_name(EVENT_KIND_GRANTED)) == 0 ? EVENT_KIND_GRANTED
                                                                                     : EVENT_KIND_CONFIRMED,
                              1);
    struct sink_message m = {
        .event = &e, .text = slice_of(json_string_value(json_object_get(example, "text"))), .attempt = 1};
    put(sink, &m);
    assert_int_equal(sink->ops->flush(sink), 0);
    assert_int_equal(file_read(path, 1 << 16, &read, NULL), 0);
    json_t *written = json_loadb(read.data, read.len, 0, NULL);
    if (!json_equal(written, example))
        fail_msg("%s is not %.*s", buffer_text(&read), (int)line.len, line.data);
    json_decref(written);
    json_decref(example);
    buffer_free(&read);
    sink_free(sink);
    unlink(path);
    place_remove(&place);
}

static void test_lines_are_as_the_schema_says(void **state)
{
    (void)state;
    schema_each_good("notification", compare_with_example);
}

static void test_what_is_rolled_back_is_not_written(void **state)
{
    struct fixture *f = *state;
    open_sink(f);
    write_one(f, 1, "undone");
    f->sink->ops->discard(f->sink);
    write_one(f, 2, "done");
    assert_int_equal(f->sink->ops->flush(f->sink), 0);
    assert_null(strstr(content(f), "undone"));
    assert_non_null(strstr(content(f), "done"));
}

/* A commit that fails may have reached the log: better twice in the file than not at all. */
static void test_what_was_flushed_stays_when_the_commit_fails(void **state)
{
    struct fixture *f = *state;
    open_sink(f);
    write_one(f, 1, "flushed");
    assert_int_equal(f->sink->ops->flush(f->sink), 0);
    f->sink->ops->discard(f->sink);
    assert_non_null(strstr(content(f), "flushed"));
    write_one(f, 2, "undone");
    f->sink->ops->discard(f->sink);
    assert_lines(f, 1);
}

static void test_file_is_continued_and_a_torn_line_is_cut_off(void **state)
{
    struct fixture *f = *state;
    put_content(f, "{\"a\":1}\n{\"b\":2");
    open_sink(f);
    assert_string_equal(content(f), "{\"a\":1}\n");
    write_one(f, 1, "x");
    assert_int_equal(f->sink->ops->flush(f->sink), 0);
    assert_int_equal(strncmp(content(f), "{\"a\":1}\n{\"v\":1,", 15), 0);
    put_content(f, "torn, and nothing else");
    open_sink(f);
    assert_string_equal(content(f), "");
    put_content(f, "{\"a\":1}\n");
    open_sink(f);
    assert_string_equal(content(f), "{\"a\":1}\n");
}

/* So many that the transaction does not hold them back: more than a megabyte. */
enum { MANY = 15000 };

static void write_many(struct fixture *f, int first, int last, const char *text)
{
    for (int number = first; number <= last; number++)
        write_one(f, number, text);
}

static int64_t size(const struct fixture *f)
{
    struct stat info;
    assert_int_equal(stat(f->path, &info), 0);
    return info.st_size;
}

static bool is_long(void *context)
{
    return size(context) >= 1 << 20;
}

static void test_a_long_transaction_writes_on_the_way_and_each_line_once(void **state)
{
    struct fixture *f = *state;
    open_sink(f);
    write_one(f, 1, "x");
    assert_int_equal(f->sink->ops->flush(f->sink), 0);
    write_many(f, 2, MANY, "y");
    assert_true(wait_until(is_long, f, 60));
    write_many(f, MANY + 1, 3 * MANY, "z");
    assert_int_equal(f->sink->ops->flush(f->sink), 0);
    assert_lines(f, 3 * MANY);
}

static void test_a_rollback_takes_back_what_was_written_on_the_way(void **state)
{
    struct fixture *f = *state;
    open_sink(f);
    write_one(f, 1, "kept");
    assert_int_equal(f->sink->ops->flush(f->sink), 0);
    int64_t before = size(f);
    write_many(f, 2, MANY, "undone");
    assert_true(wait_until(is_long, f, 60));
    f->sink->ops->discard(f->sink);
    assert_int_equal(size(f), before);
    write_many(f, 2, MANY, "undone"); /* perhaps still being written */
    f->sink->ops->discard(f->sink);
    assert_int_equal(size(f), before);
    write_one(f, 2, "done");
    assert_int_equal(f->sink->ops->flush(f->sink), 0);
    assert_null(strstr(content(f), "undone"));
    assert_lines(f, 2);
}

static sem_t limit_met;

static void on_limit(int signal)
{
    (void)signal;
    sem_post(&limit_met);
}

/* The disk fills up long before the end: nothing more is tried, and the end says so. */
static void test_full_disk_on_the_way_is_a_fault_at_the_end(void **state)
{
    struct fixture *f = *state;
    struct rlimit before, small;
    struct sigaction old, met = {.sa_handler = on_limit};
    open_sink(f);
    write_one(f, 1, "whole");
    assert_int_equal(f->sink->ops->flush(f->sink), 0);
    int64_t len = size(f);
    assert_int_equal(sem_init(&limit_met, 0, 0), 0);
    assert_int_equal(sigaction(SIGXFSZ, &met, &old), 0);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = (rlim_t)len + 1000;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    write_many(f, 2, MANY, "lost");
    while (sem_wait(&limit_met) != 0)
        ;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    sigaction(SIGXFSZ, &old, NULL);
    write_many(f, MANY + 1, 3 * MANY, "lost");
    write_one(f, 3 * MANY + 1, "late"); /* there would be room again, but lines before it are missing */
    assert_true(size(f) <= len + 1000);
    assert_int_equal(f->sink->ops->flush(f->sink), E_IO);
    sem_destroy(&limit_met);
    assert_int_equal(size(f), len);
    f->sink->ops->discard(f->sink);
    write_one(f, 2, "after");
    assert_int_equal(f->sink->ops->flush(f->sink), 0);
    assert_null(strstr(content(f), "lost"));
    assert_null(strstr(content(f), "late"));
    assert_lines(f, 2);
}

static void test_what_is_being_written_when_it_is_closed_leaves_no_thread(void **state)
{
    struct fixture *f = *state;
    open_sink(f);
    write_many(f, 1, MANY, "y");
    sink_free(f->sink);
    f->sink = NULL;
    assert_true(is_long(f));
}

/* Longer than a block in which the end is looked for. */
static void test_long_torn_line_is_cut_off(void **state)
{
    struct fixture *f = *state;
    char torn[9000];
    memset(torn, 'x', sizeof torn - 1);
    torn[sizeof torn - 1] = '\0';
    memcpy(torn, "{}\n", 3);
    put_content(f, torn);
    open_sink(f);
    assert_string_equal(content(f), "{}\n");
}

/* A disk that is full in the middle of a line: a limit on the file's size does the same. */
static void test_full_disk_is_a_fault_and_leaves_no_half_line(void **state)
{
    struct fixture *f = *state;
    struct rlimit before, small;
    open_sink(f);
    write_one(f, 1, "whole");
    assert_int_equal(f->sink->ops->flush(f->sink), 0);
    size_t len = strlen(content(f));
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = len + 50;
    void (*old)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    write_one(f, 2, "half");
    int error = f->sink->ops->flush(f->sink);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, old);
    assert_int_equal(error, E_IO);
    assert_int_equal(strlen(content(f)), len);
    f->sink->ops->discard(f->sink);
    write_one(f, 3, "after");
    assert_int_equal(f->sink->ops->flush(f->sink), 0);
    assert_null(strstr(content(f), "half"));
    assert_non_null(strstr(content(f), "after"));
}

static void test_reload_follows_a_rotated_file(void **state)
{
    struct fixture *f = *state;
    char rotated[200];
    snprintf(rotated, sizeof rotated, "%s.1", f->path);
    open_sink(f);
    write_one(f, 1, "old");
    assert_int_equal(f->sink->ops->flush(f->sink), 0);
    assert_int_equal(rename(f->path, rotated), 0);
    f->sink->ops->reload(f->sink);
    write_one(f, 2, "new");
    assert_int_equal(f->sink->ops->flush(f->sink), 0);
    assert_null(strstr(content(f), "old"));
    assert_non_null(strstr(content(f), "new"));
    unlink(rotated);
}

/* Better to go on with the old one than to lose what comes. */
static void test_reload_that_cannot_open_keeps_the_file(void **state)
{
    struct fixture *f = *state;
    char other[200];
    snprintf(other, sizeof other, "%s.1", f->path);
    open_sink(f);
    assert_int_equal(rename(f->path, other), 0);
    assert_int_equal(mkdir(f->path, 0700), 0);
    f->sink->ops->reload(f->sink);
    write_one(f, 1, "kept");
    assert_int_equal(f->sink->ops->flush(f->sink), 0);
    assert_int_equal(rmdir(f->path), 0);
    assert_int_equal(rename(other, f->path), 0);
    assert_non_null(strstr(content(f), "kept"));
}

static void test_file_that_cannot_be_opened_is_named(void **state)
{
    struct fixture *f = *state;
    struct detail why = {.text = ""};
    f->settings.notification.file = "/nonexistent/messages";
    assert_int_equal(sink_file_new(&f->sink, &f->settings, &why), E_IO);
    assert_non_null(strstr(why.text, "/nonexistent/messages"));
    f->settings.notification.file = "/dev/null"; /* messages to buyers are no rubbish */
    assert_int_equal(sink_file_new(&f->sink, &f->settings, &why), E_IO);
    assert_non_null(strstr(why.text, "/dev/null"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_lines_are_json_and_come_with_the_flush),
        cmocka_unit_test(test_lines_are_as_the_schema_says),
        TEST(test_what_is_rolled_back_is_not_written),
        TEST(test_what_was_flushed_stays_when_the_commit_fails),
        TEST(test_file_is_continued_and_a_torn_line_is_cut_off),
        TEST(test_long_torn_line_is_cut_off),
        TEST(test_a_long_transaction_writes_on_the_way_and_each_line_once),
        TEST(test_a_rollback_takes_back_what_was_written_on_the_way),
        TEST(test_full_disk_on_the_way_is_a_fault_at_the_end),
        TEST(test_what_is_being_written_when_it_is_closed_leaves_no_thread),
        TEST(test_full_disk_is_a_fault_and_leaves_no_half_line),
        TEST(test_reload_follows_a_rotated_file),
        TEST(test_reload_that_cannot_open_keeps_the_file),
        TEST(test_file_that_cannot_be_opened_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
