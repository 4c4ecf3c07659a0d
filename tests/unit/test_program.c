/* program.h: the command line, and how each run ends. Runs tiny_program as its users would. */
#include "tests/unit/base_support.h"

#include "common/base/program.h"

#ifdef SECKILL_FAULTS
#define VERSION_SAYS SECKILL_VERSION " (with fault points)"
#else
#define VERSION_SAYS SECKILL_VERSION
#endif

struct fixture {
    struct temp_dir dir;
    char path[PATH_SIZE];
    struct child_result r;
};

static int set_up(void **state)
{
    static struct fixture f;
    temp_dir_make(&f.dir);
    temp_path(&f.dir, "tiny.conf", f.path);
    write_text(f.path, "# for the tests\nrange { low = 3 }\n");
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    temp_dir_remove(&f->dir);
    return 0;
}

static void exec_program(void *argv)
{
    char **words = argv;
    execv(words[0], words);
    _exit(127);
}

/* Runs the program with these words (up to six, NULL-terminated where fewer). */
static void run(struct fixture *f, const char *program, const char *const words[6])
{
    char *argv[8] = {(char *)program};
    for (int i = 0; i < 6 && words[i]; i++)
        argv[i + 1] = (char *)words[i];
    run_child(exec_program, argv, &f->r);
}

#define RUN(f, ...)       run(f, TINY_PROGRAM, (const char *const[6]){__VA_ARGS__})
#define RUN_WORDS(f, ...) run(f, TINY_PROGRAM_WITH_ARGUMENTS, (const char *const[6]){__VA_ARGS__})

static void assert_ends(const struct fixture *f, int exit_code, const char *err)
{
    if (f->r.exit_code != exit_code)
        fail_msg("exit code %d instead of %d: %s", f->r.exit_code, exit_code, f->r.err);
    assert_contains(f->r.err, err);
}

/* ---- Runs that come to work ---- */

static void test_work_begins_with_file_sets_and_flags(void **state)
{
    struct fixture *f = *state;
    RUN(f, "--config", f->path, "--set", "range.high=50", "--init");
    assert_ends(f, 0, "");
    assert_string_equal(f->r.out, "low=3 high=50 init=1 words=\n");
    assert_string_equal(f->r.err, "");
    RUN(f, "--set=range.low=2", "--set=range.low=4");
    assert_string_equal(f->r.out, "low=4 high=9 init=0 words=\n");
}

static void test_the_log_level_of_the_table_counts(void **state)
{
    struct fixture *f = *state;
    RUN(f, "--set", "log.level=debug");
    assert_ends(f, 0, "debug tiny a_debug_line\n");
}

static void test_options_end_at_the_first_word(void **state)
{
    struct fixture *f = *state;
    RUN_WORDS(f, "--init", "put", "--json", "--help");
    assert_ends(f, 0, "");
    assert_string_equal(f->r.out, "low=1 high=9 init=1 words=put;--json;--help;\n");
    RUN_WORDS(f, "--", "--init");
    assert_string_equal(f->r.out, "low=1 high=9 init=0 words=--init;\n");
}

/* ---- Runs that only tell ---- */

static void test_options_of_a_section_are_short_for_its_keys(void **state)
{
    struct fixture *f = *state;
    RUN_WORDS(f, "--low=4", "--set", "range.high=8", "--is-open", "word");
    assert_ends(f, EXIT_OK, "");
    assert_contains(f->r.out, "low=4 high=8 init=0 words=word;");
    assert_contains(f->r.out, "is_open=1 names=\n");
    RUN_WORDS(f, "--of-names", "a", "--low=1", "--of-names=b", "--low=2", "--is-open=off");
    assert_ends(f, EXIT_OK, "");
    assert_contains(f->r.out, "low=2 high=9");
    assert_contains(f->r.out, "is_open=0 names=a,b\n");
    RUN_WORDS(f, "--high", "900");
    assert_ends(f, EXIT_CONFIG, "range.high: expected an integer from 0 to 100, got \"900\"");
    RUN(f, "--high", "9"); /* a program that did not ask for them has none */
    assert_ends(f, EXIT_USAGE, "");
    RUN_WORDS(f, "--help");
    assert_contains(f->r.out, "--high N                  How high it may go. [9 ms]");
    assert_contains(f->r.out, "--is-open                 Whether its end is left out.");
    assert_contains(f->r.out, "--of-names NAME           A name.");
}

static void test_version(void **state)
{
    struct fixture *f = *state;
    RUN(f, "--version");
    assert_ends(f, 0, "");
    assert_string_equal(f->r.out, "tiny " VERSION_SAYS "\n");
}

static void test_help_names_every_option(void **state)
{
    struct fixture *f = *state;
    const char *const parts[] = {"Usage: tiny [OPTION]... [WORD]...\nShows what",
                                 "--config FILE",
                                 "--set SECTION.KEY=VALUE",
                                 "--check-config",
                                 "--print-config",
                                 "--version",
                                 "--help",
                                 "--init",
                                 "make a new database",
                                 DEFAULT_CONFIG_FILE,
                                 "64",
                                 "78"};
    RUN(f, "--help");
    assert_ends(f, 0, "");
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        assert_contains(f->r.out, parts[i]);
    assert_string_equal(f->r.err, "");
}

static void test_check_config_says_that_all_is_fine(void **state)
{
    struct fixture *f = *state;
    RUN(f, "--config", f->path, "--check-config");
    assert_ends(f, 0, "");
    assert_string_equal(f->r.out, "configuration is fine\n");
}

static void test_check_config_says_what_is_not_fine(void **state)
{
    struct fixture *f = *state;
    write_text(f->path, "range {\n  low = many\n}\n");
    RUN(f, "--check-config", "--config", f->path);
    assert_ends(f, 78, "tiny.conf:2: range.low: expected an integer from 0 to 100, got \"many\"\n");
    assert_string_equal(f->r.out, "");
}

static void test_print_config_shows_sources_and_no_password(void **state)
{
    struct fixture *f = *state;
    RUN(f, "--config", f->path, "--print-config", "--set", "range.high=50");
    assert_ends(f, 0, "");
    assert_contains(f->r.out, "range.low = 3  # ");
    assert_contains(f->r.out, "tiny.conf:2\n");
    assert_contains(f->r.out, "range.high = 50  # --set\n");
    assert_contains(f->r.out, "log.level = info  # default\n");
    assert_contains(f->r.out, "broker.url = amqp://guest:***@localhost/  # default\n");
    assert_lacks(f->r.out, "words=");
}

static void test_print_config_shows_where_values_come_from_that_do_not_go_together(void **state)
{
    struct fixture *f = *state;
    RUN(f, "--print-config", "--set", "range.low=10");
    assert_ends(f, 78, "range.low: expected at most range.high");
    assert_contains(f->r.out, "range.low = 10  # --set\n");
}

static void version_onto_a_full_disk(void *context)
{
    (void)context;
    int full = open("/dev/full", O_WRONLY);
    dup2(full, STDOUT_FILENO);
    execl(TINY_PROGRAM, TINY_PROGRAM, "--version", (char *)NULL);
}

static void test_what_cannot_be_printed_is_no_success(void **state)
{
    struct fixture *f = *state;
    run_child(version_onto_a_full_disk, NULL, &f->r);
    assert_ends(f, 74, "");
}

/* ---- Runs that fail ---- */

static void test_bad_usage_exits_64(void **state)
{
    struct fixture *f = *state;
    RUN(f, "--colour");
    assert_ends(f, 64, "--help");
    assert_contains(f->r.err, "colour");
    RUN(f, "--config");
    assert_ends(f, 64, "config");
    RUN(f, "--init=yes");
    assert_ends(f, 64, "init");
    RUN(f, "-x");
    assert_ends(f, 64, "x");
    RUN(f, "word");
    assert_ends(f, 64, "unexpected word \"word\"");
    assert_string_equal(f->r.out, "");
}

static void test_bad_settings_exit_78(void **state)
{
    struct fixture *f = *state;
    RUN(f, "--set", "range.low=x");
    assert_ends(f, 78,
                "tiny: configuration: --set: range.low: expected an integer from 0 to 100, got \"x\"\n");
    RUN(f, "--set", "range.middle=5");
    assert_ends(f, 78, "--set: range.middle: no such key");
    RUN(f, "--set", "range.low=10");
    assert_ends(f, 78, "tiny: configuration: range.low: expected at most range.high\n");
    assert_string_equal(f->r.out, "");
}

static void test_a_missing_config_file_exits_78_if_it_was_named(void **state)
{
    struct fixture *f = *state;
    unlink(f->path);
    RUN(f, "--config", f->path);
    assert_ends(f, 78, f->path);
    RUN(f, "--config", "");
    assert_ends(f, 78, "configuration");
}

#define with_file(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_file(test_work_begins_with_file_sets_and_flags),
        with_file(test_the_log_level_of_the_table_counts),
        with_file(test_options_end_at_the_first_word),
        with_file(test_options_of_a_section_are_short_for_its_keys),
        with_file(test_version),
        with_file(test_help_names_every_option),
        with_file(test_check_config_says_that_all_is_fine),
        with_file(test_check_config_says_what_is_not_fine),
        with_file(test_print_config_shows_sources_and_no_password),
        with_file(test_print_config_shows_where_values_come_from_that_do_not_go_together),
        with_file(test_what_cannot_be_printed_is_no_success),
        with_file(test_bad_usage_exits_64),
        with_file(test_bad_settings_exit_78),
        with_file(test_a_missing_config_file_exits_78_if_it_was_named),
    };
    unsetenv("JOURNAL_STREAM");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
