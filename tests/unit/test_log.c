/* log.h: what a line looks like, whatever is put into it. Each line is written by a child whose stderr is
 * read. */
#include "tests/unit/base_support.h"

#include <errno.h>
#include <signal.h>
#include <sys/stat.h>

#include "common/base/alloc.h"
#include "common/base/clock.h"
#include "common/base/log.h"

static struct child_result result;

/* The part of the line behind "<time> ", which is checked here. */
static const char *after_time(const char *line)
{
    char moment[RFC3339_SIZE] = "";
    int64_t ms;
    sscanf(line, "%24s", moment);
    assert_int_equal(rfc3339_parse(moment, &ms), 0);
    assert_int_equal(line[24], ' ');
    return line + 25;
}

static void assert_quoted(const char *text, const char *expected)
{
    char out[256];
    assert_string_equal(log_quote(text, out, sizeof(out)), expected);
}

/* ---- Lines ---- */

static void log_plain(void *context)
{
    (void)context;
    log_start("seckill-test");
    log_warn("broker_lost", "host=%s port=%d", "localhost", 5672);
}

static void test_a_line_has_time_level_program_event_and_pairs(void **state)
{
    (void)state;
    run_child(log_plain, NULL, &result);
    assert_string_equal(after_time(result.err), "warn seckill-test broker_lost host=localhost port=5672\n");
}

static void log_empty(void *context)
{
    (void)context;
    log_info("started", "");
}

static void test_a_line_without_pairs_ends_with_its_event(void **state)
{
    (void)state;
    run_child(log_empty, NULL, &result);
    assert_string_equal(after_time(result.err), "info seckill started\n");
}

static void log_all_levels(void *level)
{
    log_set_level(*(enum log_level *)level);
    log_debug("a_debug", "");
    log_info("an_info", "");
    log_warn("a_warn", "");
    log_error("an_error", "");
}

static void test_the_level_decides_what_is_written(void **state)
{
    (void)state;
    const char *const events[] = {"a_debug", "an_info", "a_warn", "an_error"};
    for (int level = LOG_LEVEL_DEBUG; level <= LOG_LEVEL_ERROR; level++) {
        run_child(log_all_levels, &level, &result);
        for (int i = 0; i < 4; i++)
            if (i >= level)
                assert_contains(result.err, events[i]);
            else
                assert_lacks(result.err, events[i]);
    }
}

static void log_controls(void *context)
{
    (void)context;
    log_info("request", "path=a\nb\033[31mc\td\x7f\xc2\x9b"
                        "e 红包");
}

static void test_control_characters_cannot_forge_a_line(void **state)
{
    (void)state;
    run_child(log_controls, NULL, &result);
    assert_string_equal(after_time(result.err), "info seckill request path=a?b?[31mc?d???e 红包\n");
}

static void log_nul(void *context)
{
    (void)context;
    log_info("request", "first=%cb\nsecond=x", '\0');
}

static void test_nothing_hides_behind_a_nul(void **state)
{
    (void)state;
    run_child(log_nul, NULL, &result);
    assert_string_equal(after_time(result.err), "info seckill request first=?b?second=x\n");
}

static void log_long(void *context)
{
    char *text = xmalloc(10000);
    memset(text, 'x', 9999);
    text[9999] = '\0';
    log_info("long", "%s%s", (const char *)context, text);
    memcpy(text + 6, "\xe7\xba\xa2", 3);
    for (int i = 0; i + 3 < 9999; i += 3)
        memcpy(text + i, "\xe7\xba\xa2", 3);
    log_info("wide", "%s%s", (const char *)context, text);
    free(text);
}

static void test_a_long_line_is_cut_at_4_kib_between_characters(void **state)
{
    (void)state;
    char shift[] = "..."; /* so that the cut meets each place in a character */
    for (size_t i = 0; i < 4; i++) {
        run_child(log_long, shift + i, &result);
        const char *end = strchr(result.err, '\n');
        assert_non_null(end);
        assert_int_equal(end + 1 - result.err, 4096);
        assert_memory_equal(end - 5, "xx...", 5);
        const char *wide = end + 1;
        end = strchr(wide, '\n');
        assert_non_null(end);
        assert_true(end + 1 - wide <= 4096 && end + 1 - wide > 4096 - 4);
        assert_memory_equal(end - 6, "\xe7\xba\xa2...", 6);
        assert_int_equal(end[1], '\0');
    }
}

static void log_with_errno(void *context)
{
    (void)context;
    close(STDERR_FILENO); /* so that the write fails, with an errno of its own */
    errno = ENOSPC;
    log_info("event", "");
    if (errno != ENOSPC)
        _exit(1);
}

static void test_errno_survives(void **state)
{
    (void)state;
    run_child(log_with_errno, NULL, &result);
    assert_int_equal(result.exit_code, 0);
}

static void log_to_journal(void *context)
{
    struct stat st;
    char stream[64];
    fstat(STDERR_FILENO, &st);
    snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
             (unsigned long long)st.st_ino + (context ? 1 : 0));
    setenv("JOURNAL_STREAM", stream, 1);
    log_start("seckill-test");
    log_error("broken", "");
}

static void test_in_the_journal_a_priority_takes_the_place_of_the_time(void **state)
{
    (void)state;
    run_child(log_to_journal, NULL, &result);
    assert_string_equal(result.err, "<3>error seckill-test broken\n");
}

static void test_a_journal_that_stderr_does_not_lead_to_is_none(void **state)
{
    (void)state;
    run_child(log_to_journal, "elsewhere", &result);
    assert_string_equal(after_time(result.err), "error seckill-test broken\n");
}

/* ---- Ends ---- */

static void end_fatally(void *context)
{
    (void)context;
    log_fatal(EXIT_DISK, "disk_full", "path=%s", "/x");
}

static void test_fatal_ends_with_the_exit_code(void **state)
{
    (void)state;
    run_child(end_fatally, NULL, &result);
    assert_int_equal(result.exit_code, 74);
    assert_string_equal(after_time(result.err), "error seckill disk_full path=/x\n");
}

static void end_in_panic(void *context)
{
    (void)context;
    log_panic("impossible", "");
}

static void test_panic_aborts(void **state)
{
    (void)state;
    run_child(end_in_panic, NULL, &result);
    assert_int_equal(result.signal, SIGABRT);
    assert_contains(result.err, "error seckill impossible\n");
}

static void allocate_too_much(void *context)
{
    (void)context;
    free(xcalloc(SIZE_MAX / 2, 3));
}

static void test_an_allocation_whose_size_overflows_ends_the_process(void **state)
{
    (void)state;
    run_child(allocate_too_much, NULL, &result);
    assert_int_equal(result.signal, SIGABRT);
    assert_contains(result.err, "out_of_memory");
}

static void test_allocations_of_nothing_are_not_null(void **state)
{
    (void)state;
    void *a = xmalloc(0), *b = xcalloc(0, 8), *c = xrealloc(NULL, 0);
    assert_non_null(a);
    assert_non_null(b);
    assert_non_null(c);
    free(a);
    free(b);
    free(c);
}

/* ---- Values ---- */

static void test_plain_values_are_not_quoted(void **state)
{
    (void)state;
    assert_quoted("u1", "u1");
    assert_quoted("/var/lib/x:8080,[::1]", "/var/lib/x:8080,[::1]");
    assert_quoted("红包", "红包");
}

static void test_values_that_could_be_misread_are_quoted(void **state)
{
    (void)state;
    assert_quoted("", "\"\"");
    assert_quoted("two words", "\"two words\"");
    assert_quoted("a=b", "\"a=b\"");
    assert_quoted("say \"hi\"", "\"say \\\"hi\\\"\"");
    assert_quoted("back\\slash", "\"back\\\\slash\"");
    assert_quoted("a\nb\rc\td", "\"a\\nb\\rc\\td\"");
    assert_quoted("\033[0m\x7f", "\"\\x1b[0m\\x7f\"");
    assert_quoted("\xc2\x9b", "\"\\xc2\\x9b\"");
}

static void test_bytes_that_are_no_utf8_are_escaped(void **state)
{
    (void)state;
    assert_quoted("a\xff", "\"a\\xff\"");
    assert_quoted("\xe7\xba", "\"\\xe7\\xba\"");
    assert_quoted("\xc0\xaf", "\"\\xc0\\xaf\"");
    assert_quoted("\xe0\x80\x80", "\"\\xe0\\x80\\x80\"");
    assert_quoted("\xed\xa0\x80", "\"\\xed\\xa0\\x80\"");
    assert_quoted("\xf4\x90\x80\x80", "\"\\xf4\\x90\\x80\\x80\"");
    assert_quoted("\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80");
}

static void test_a_value_that_does_not_fit_is_cut_inside_its_quotes(void **state)
{
    (void)state;
    const char *text = "say \"hi\" to 红包 and the others";
    for (size_t size = 0; size < 60; size++) {
        char *out = malloc(size + 1); /* exactly as large, for the sanitizer */
        out[size] = 'X';
        log_quote(text, out, size);
        assert_int_equal(out[size], 'X');
        if (size >= 6) {
            const size_t len = strlen(out);
            assert_true(len < size && len >= 5);
            assert_int_equal(out[0], '"');
            assert_int_equal(out[len - 1], '"');
        } else if (size > 0) {
            assert_string_equal(out, "");
        }
        free(out);
    }
}

static void test_every_error_code_has_its_words(void **state)
{
    (void)state;
    for (int code = E_FULL; code <= 0; code++)
        for (int other = E_FULL; other < code; other++)
            assert_string_not_equal(error_text(code), error_text(other));
    assert_string_equal(error_text(E_TIMEOUT), "timed out");
    assert_string_equal(error_text(E_FULL - 1), "unknown error");
}

static void test_a_long_detail_is_cut_and_none_is_fine(void **state)
{
    (void)state;
    struct detail d;
    detail_set(&d, "%1000d", 1);
    assert_int_equal(strlen(d.text), sizeof(d.text) - 1);
    detail_set(NULL, "%d", 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_line_has_time_level_program_event_and_pairs),
        cmocka_unit_test(test_a_line_without_pairs_ends_with_its_event),
        cmocka_unit_test(test_the_level_decides_what_is_written),
        cmocka_unit_test(test_control_characters_cannot_forge_a_line),
        cmocka_unit_test(test_nothing_hides_behind_a_nul),
        cmocka_unit_test(test_a_long_line_is_cut_at_4_kib_between_characters),
        cmocka_unit_test(test_errno_survives),
        cmocka_unit_test(test_in_the_journal_a_priority_takes_the_place_of_the_time),
        cmocka_unit_test(test_a_journal_that_stderr_does_not_lead_to_is_none),
        cmocka_unit_test(test_fatal_ends_with_the_exit_code),
        cmocka_unit_test(test_panic_aborts),
        cmocka_unit_test(test_an_allocation_whose_size_overflows_ends_the_process),
        cmocka_unit_test(test_allocations_of_nothing_are_not_null),
        cmocka_unit_test(test_plain_values_are_not_quoted),
        cmocka_unit_test(test_values_that_could_be_misread_are_quoted),
        cmocka_unit_test(test_bytes_that_are_no_utf8_are_escaped),
        cmocka_unit_test(test_a_value_that_does_not_fit_is_cut_inside_its_quotes),
        cmocka_unit_test(test_every_error_code_has_its_words),
        cmocka_unit_test(test_a_long_detail_is_cut_and_none_is_fine),
    };
    unsetenv("JOURNAL_STREAM");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
