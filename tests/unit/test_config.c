/* config.h: where values come from, and what is said of those that are no good. */
#include "tests/unit/base_support.h"

#include "common/base/config.h"

struct values {
    const char *url, *dir;
    int64_t max_batch, offset;
    bool verbose;
    int level;
};

static const char *const levels[] = {"debug", "info", "warn", NULL};

static const struct config_option table[] = {
    {.key = "broker.url",
     .type = CONFIG_TEXT,
     .offset = offsetof(struct values, url),
     .fallback = "amqp://localhost/"},
    {.key = "publisher.max_batch",
     .type = CONFIG_INT,
     .offset = offsetof(struct values, max_batch),
     .fallback = "100",
     .min = 1,
     .max = 500},
    {.key = "log.level",
     .type = CONFIG_CHOICE,
     .offset = offsetof(struct values, level),
     .fallback = "info",
     .choices = levels},
    {.key = "log.verbose", .type = CONFIG_BOOL, .offset = offsetof(struct values, verbose), .fallback = "no"},
    {.key = "broker.offset", /* a section's keys need not stand together */
     .type = CONFIG_INT,
     .offset = offsetof(struct values, offset),
     .fallback = "-5",
     .min = -10,
     .max = 10},
    {.key = "store.dir", .type = CONFIG_TEXT, .offset = offsetof(struct values, dir), .fallback = ""},
    {.key = NULL},
};

static const struct config_spec spec = {.options = table};

struct fixture {
    struct temp_dir dir;
    char path[PATH_SIZE];
    struct values values;
    struct config *config;
    struct detail why;
};

static int set_up(void **state)
{
    static struct fixture f;
    f = (struct fixture){0};
    temp_dir_make(&f.dir);
    temp_path(&f.dir, "seckill.conf", f.path);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    config_free(f->config);
    temp_dir_remove(&f->dir);
    return 0;
}

/* Loads the text as the file (NULL: no file) and up to two sets. */
static int load(struct fixture *f, const char *text, const char *set1, const char *set2)
{
    const char *sets[] = {set1, set2};
    if (text)
        write_text(f->path, text);
    config_free(f->config);
    f->config = NULL;
    f->why.text[0] = '\0';
    return config_load(&f->config, &spec, f->path, false, sets, (size_t)((set1 != NULL) + (set2 != NULL)),
                       &f->values, &f->why);
}

static void assert_loads(struct fixture *f, const char *text)
{
    if (load(f, text, NULL, NULL) != 0)
        fail_msg("refused: %s", f->why.text);
}

/* The text is refused with this sentence behind the file's name: ":LINE: …". */
static void assert_refused(struct fixture *f, const char *text, const char *sentence)
{
    struct values before = f->values;
    char expected[sizeof(f->why.text) + PATH_SIZE];
    assert_int_equal(load(f, text, NULL, NULL), E_INVALID);
    snprintf(expected, sizeof(expected), "%s%s", f->path, sentence);
    assert_string_equal(f->why.text, expected);
    assert_null(f->config);
    assert_memory_equal(&f->values, &before, sizeof(before));
}

/* ---- Sources ---- */

static void test_without_a_file_the_defaults_hold(void **state)
{
    struct fixture *f = *state;
    assert_loads(f, NULL);
    assert_string_equal(f->values.url, "amqp://localhost/");
    assert_string_equal(f->values.dir, "");
    assert_int_equal(f->values.max_batch, 100);
    assert_int_equal(f->values.offset, -5);
    assert_int_equal(f->values.level, 1);
    assert_false(f->values.verbose);
}

static void test_the_file_wins_over_defaults(void **state)
{
    struct fixture *f = *state;
    assert_loads(f, "broker {\n  url = amqp://one:5672/v\n  offset = -10\n}\n"
                    "publisher { max_batch = 7 }\nlog { level = warn\n verbose = on }\n");
    assert_string_equal(f->values.url, "amqp://one:5672/v");
    assert_int_equal(f->values.offset, -10);
    assert_int_equal(f->values.max_batch, 7);
    assert_int_equal(f->values.level, 2);
    assert_true(f->values.verbose);
    assert_string_equal(f->values.dir, "");
}

static void test_a_set_wins_over_the_file_and_the_later_set_over_the_earlier(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(load(f, "publisher { max_batch = 7 }", "publisher.max_batch=8", NULL), 0);
    assert_int_equal(f->values.max_batch, 8);
    assert_int_equal(load(f, NULL, "publisher.max_batch=8", "publisher.max_batch=9"), 0);
    assert_int_equal(f->values.max_batch, 9);
}

static void test_a_set_takes_everything_behind_the_first_equals_sign(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(load(f, NULL, "store.dir=a=b ${HOME} 'x' #", "broker.url="), 0);
    assert_string_equal(f->values.dir, "a=b ${HOME} 'x' #");
    assert_string_equal(f->values.url, "");
}

static void test_an_empty_file_is_fine(void **state)
{
    struct fixture *f = *state;
    assert_loads(f, "");
    assert_loads(f, "\n\n");
    assert_loads(f, "# nothing but a comment");
    assert_loads(f, "broker {\n}\n");
}

static void test_a_missing_file_is_an_error_only_where_it_was_asked_for(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(config_load(&f->config, &spec, f->path, true, NULL, 0, &f->values, &f->why),
                     E_NOT_FOUND);
    assert_contains(f->why.text, f->path);
    assert_int_equal(config_load(&f->config, &spec, f->path, false, NULL, 0, &f->values, &f->why), 0);
}

static void test_no_path_means_no_file(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(config_load(&f->config, &spec, NULL, false, NULL, 0, &f->values, &f->why), 0);
    assert_int_equal(f->values.max_batch, 100);
}

static void test_a_file_that_cannot_be_read_is_an_error(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(config_load(&f->config, &spec, f->dir.path, false, NULL, 0, &f->values, &f->why), E_IO);
    assert_contains(f->why.text, f->dir.path);
}

/* ---- How a file is written ---- */

static void test_a_section_may_be_opened_again(void **state)
{
    struct fixture *f = *state;
    assert_loads(f, "broker { offset = 1 }\nlog { level = warn }\nbroker { url = x }\n");
    assert_int_equal(f->values.offset, 1);
    assert_string_equal(f->values.url, "x");
}

static void test_single_quotes_take_everything_as_it_stands(void **state)
{
    struct fixture *f = *state;
    assert_loads(
        f, "broker { url = 'amqp://u:p$${HOME}#\"*+,{}()=x@h1/, amqp://h2/' }\nstore { dir = 'it\\'s' }");
    assert_string_equal(f->values.url, "amqp://u:p$${HOME}#\"*+,{}()=x@h1/, amqp://h2/");
    assert_string_equal(f->values.dir, "it's");
}

static void test_double_quotes_put_in_environment_variables_and_escapes(void **state)
{
    struct fixture *f = *state;
    setenv("SECKILL_TEST_DIR", "/data", 1);
    unsetenv("SECKILL_TEST_PORT");
    assert_loads(f, "store { dir = \"${SECKILL_TEST_DIR}/\\\"x\\\"\" }\nbroker { url = "
                    "\"h:${SECKILL_TEST_PORT:-5672}\" }");
    assert_string_equal(f->values.dir, "/data/\"x\"");
    assert_string_equal(f->values.url, "h:5672");
    assert_loads(f, "store { dir = ${SECKILL_TEST_DIR} }");
    assert_string_equal(f->values.dir, "/data");
}

static void test_comments_of_all_kinds_are_skipped(void **state)
{
    struct fixture *f = *state;
    assert_loads(f,
                 "# one { \" '\n// two } *\n/* three\n * { ' */ broker { # four\n url = amqp://h//x # five\n"
                 " /* six */ offset = 3 // seven\n}\nstore { dir = '# // /* no comment */' }\n# eight");
    assert_string_equal(f->values.url, "amqp://h//x");
    assert_int_equal(f->values.offset, 3);
    assert_string_equal(f->values.dir, "# // /* no comment */");
}

static void test_windows_line_ends_are_fine(void **state)
{
    struct fixture *f = *state;
    assert_loads(f, "broker {\r\n  url = x\r\n}\r\n");
    assert_string_equal(f->values.url, "x");
    assert_refused(f, "broker {\r\n  url = x\r\n  utl = y\r\n}\r\n", ":3: broker.utl: no such key");
}

static void test_booleans_have_six_words_in_any_case(void **state)
{
    struct fixture *f = *state;
    const char *const words[] = {"true", "false", "yes", "no", "ON", "Off"};
    for (size_t i = 0; i < 6; i++) {
        char set[32];
        snprintf(set, sizeof(set), "log.verbose=%s", words[i]);
        assert_int_equal(load(f, NULL, set, NULL), 0);
        assert_true(f->values.verbose == (i % 2 == 0));
    }
}

/* ---- Errors ---- */

static void test_a_value_of_the_wrong_type_is_named_with_its_line_and_what_was_expected(void **state)
{
    struct fixture *f = *state;
    assert_refused(f, "# a comment\nbroker {\n  url = x # another\n}\n\npublisher {\n  max_batch = x\n}\n",
                   ":7: publisher.max_batch: expected an integer from 1 to 500, got \"x\"");
    assert_refused(f, "log { level = loud }",
                   ":1: log.level: expected one of debug, info, warn, got \"loud\"");
    assert_refused(f, "log {\n verbose = 1 }", ":2: log.verbose: expected true or false, got \"1\"");
    assert_refused(f, "publisher { max_batch = '' }",
                   ":1: publisher.max_batch: expected an integer from 1 to 500, got \"\"");
}

static void test_a_number_out_of_range_is_refused(void **state)
{
    struct fixture *f = *state;
    const char *const bad[] = {"0", "501", "-1", "99999999999999999999", "1.5", "7k"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char text[64], sentence[128];
        snprintf(text, sizeof(text), "publisher {\n\n max_batch = %s\n}", bad[i]);
        snprintf(sentence, sizeof(sentence),
                 ":3: publisher.max_batch: expected an integer from 1 to 500, got \"%s\"", bad[i]);
        assert_refused(f, text, sentence);
    }
    assert_loads(f, "publisher { max_batch = 1 }");
    assert_loads(f, "publisher { max_batch = 500 }");
}

static void test_mistyped_key_is_named_with_its_line(void **state)
{
    struct fixture *f = *state;
    assert_refused(f, "publisher {\n  # so many\n  max_bach = 7\n}\n", ":3: publisher.max_bach: no such key");
}

static void test_mistyped_section_is_named_with_its_line(void **state)
{
    struct fixture *f = *state;
    assert_refused(f, "/* two\n lines */\npublishr {\n  max_batch = 7\n}\n", ":3: publishr: no such section");
    assert_refused(f, "max_batch = 7\n", ":1: max_batch: no such section");
    assert_refused(f, "\npublisher.max_batch = 7\n", ":2: publisher.max_batch: no such section");
    assert_refused(f, "publisher|max_batch = 7\n", ":1: max_batch: must stand inside its section");
}

static void test_a_repeated_key_is_refused_with_both_lines(void **state)
{
    struct fixture *f = *state;
    assert_refused(f, "broker {\n  url = a\n}\nbroker {\n  url = b\n}\n",
                   ":5: broker.url: given twice, first on line 2");
}

static void test_what_libconfuse_would_drop_without_a_word_is_refused(void **state)
{
    struct fixture *f = *state;
    assert_refused(f, "store {\n dir = /data*\n}", ":2: a value with a \"*\" needs quotes");
    assert_refused(f, "publisher { max_batch = +5 }", ":1: a value with a \"+\" needs quotes");
    assert_refused(f, "\nbroker {\n url = x\n", ":2: a section is never closed: its \"}\" is missing");
}

static void test_a_quote_or_comment_without_end_is_named_where_it_begins(void **state)
{
    struct fixture *f = *state;
    assert_refused(f, "store {\n dir = \"/data\n}\n\n", ":2: a quote is never closed");
    assert_refused(f, "store {\n dir = '/data\\'\n}\n\n", ":2: a quote is never closed");
    assert_refused(f, "store { }\n/* and so on\n}\n\n", ":2: a comment is never closed");
    /* libconfuse's scanner is global: what went wrong once must not stay in it. */
    assert_loads(f, "store {\n dir = /x\n}\n");
    assert_string_equal(f->values.dir, "/x");
}

static void test_other_broken_syntax_is_named_with_its_line(void **state)
{
    struct fixture *f = *state;
    const char *const texts[] = {"\n}\n",
                                 "\nbroker = 5\n",
                                 "\nbroker { url }\n",
                                 "\nbroker { url = {a, b} }\n",
                                 "\nbroker { url = a, b }\n",
                                 "\nbroker title { }\n",
                                 "\nbroker { url = \"\\777\" }"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        char begin[PATH_SIZE + 8];
        assert_int_equal(load(f, texts[i], NULL, NULL), E_INVALID);
        snprintf(begin, sizeof(begin), "%s:2: ", f->path);
        assert_contains(f->why.text, begin);
        assert_true(strlen(f->why.text) > strlen(begin));
    }
}

static void test_a_binary_file_is_refused(void **state)
{
    struct fixture *f = *state;
    write_bytes(f->path, "store {\0}", 9);
    assert_int_equal(load(f, NULL, NULL, NULL), E_INVALID);
    assert_contains(f->why.text, "NUL");
}

static void test_errors_in_a_set_name_it(void **state)
{
    struct fixture *f = *state;
    const struct {
        const char *set, *sentence;
    } cases[] = {
        {"publisher.max_batch=x", "--set: publisher.max_batch: expected an integer from 1 to 500, got \"x\""},
        {"publisher.max_bach=7", "--set: publisher.max_bach: no such key"},
        {"publisher=7", "--set: publisher: no such key"},
        {"=7", "--set: : no such key"},
        {"publisher.max_batch", "--set: expected section.key=value, got \"publisher.max_batch\""},
        {" publisher.max_batch=7", "--set:  publisher.max_batch: no such key"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(load(f, NULL, cases[i].set, NULL), E_INVALID);
        assert_string_equal(f->why.text, cases[i].sentence);
    }
}

static void test_a_reason_need_not_be_wanted(void **state)
{
    struct fixture *f = *state;
    write_text(f->path, "broker {\n utl = x\n}\n");
    assert_int_equal(config_load(&f->config, &spec, f->path, false, NULL, 0, &f->values, NULL), E_INVALID);
    write_text(f->path, "broker {\n url = 'x\n}\n");
    assert_int_equal(config_load(&f->config, &spec, f->path, false, NULL, 0, &f->values, NULL), E_INVALID);
}

static void test_other_programs_sections_are_passed_over_where_the_file_is_shared(void **state)
{
    static const struct config_spec shared = {.options = table, .passes_over = true};
    struct fixture *f = *state;
    write_text(f->path,
               "http { listen = '}'\n max=1 }\nreplay\n{ # }\n}\nbroker { url = x }\nlogs { level = 'a b' }\n"
               "log { level = warn }\n");
    assert_int_equal(config_load(&f->config, &shared, f->path, true, NULL, 0, &f->values, &f->why), 0);
    assert_string_equal(f->values.url, "x");
    assert_int_equal(f->values.level, 2);
    config_free(f->config);
    f->config = NULL;
    write_text(f->path, "http { listen = x }\n\nbroker { utl = x }\n"); /* one's own are read as ever */
    assert_int_equal(config_load(&f->config, &shared, f->path, true, NULL, 0, &f->values, &f->why),
                     E_INVALID);
    assert_non_null(strstr(f->why.text, ":3: broker.utl: no such key"));
    assert_refused(f, "http { listen = x }\n", ":1: http: no such section");
}

#define with_file(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_file(test_without_a_file_the_defaults_hold),
        with_file(test_the_file_wins_over_defaults),
        with_file(test_a_set_wins_over_the_file_and_the_later_set_over_the_earlier),
        with_file(test_a_set_takes_everything_behind_the_first_equals_sign),
        with_file(test_an_empty_file_is_fine),
        with_file(test_a_missing_file_is_an_error_only_where_it_was_asked_for),
        with_file(test_no_path_means_no_file),
        with_file(test_a_file_that_cannot_be_read_is_an_error),
        with_file(test_a_section_may_be_opened_again),
        with_file(test_single_quotes_take_everything_as_it_stands),
        with_file(test_double_quotes_put_in_environment_variables_and_escapes),
        with_file(test_comments_of_all_kinds_are_skipped),
        with_file(test_windows_line_ends_are_fine),
        with_file(test_booleans_have_six_words_in_any_case),
        with_file(test_a_value_of_the_wrong_type_is_named_with_its_line_and_what_was_expected),
        with_file(test_a_number_out_of_range_is_refused),
        with_file(test_mistyped_key_is_named_with_its_line),
        with_file(test_mistyped_section_is_named_with_its_line),
        with_file(test_a_repeated_key_is_refused_with_both_lines),
        with_file(test_what_libconfuse_would_drop_without_a_word_is_refused),
        with_file(test_a_quote_or_comment_without_end_is_named_where_it_begins),
        with_file(test_other_broken_syntax_is_named_with_its_line),
        with_file(test_a_binary_file_is_refused),
        with_file(test_errors_in_a_set_name_it),
        with_file(test_a_reason_need_not_be_wanted),
        with_file(test_other_programs_sections_are_passed_over_where_the_file_is_shared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
