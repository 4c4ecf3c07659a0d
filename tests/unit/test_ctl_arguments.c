/* seckillctl's command line: options anywhere, errors that name what is wrong; and tables that line up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "services/ctl/arguments.h"
#include "services/ctl/table.h"

static const struct ctl_option put_options[] = {{"stock", "N", ""}, {"paused", NULL, ""}, {NULL, NULL, NULL}};
static const struct ctl_option none[] = {{NULL, NULL, NULL}};
static const struct command commands[] = {
    {"item", "put", "SKU", "", put_options, NULL}, {"item", "list", NULL, "", none, NULL},
    {"audit", NULL, NULL, "", none, NULL},         {"item", "forget", "[SKU]...", "", put_options, NULL},
    {NULL, NULL, NULL, NULL, NULL, NULL},
};

/* Splits the line at its blanks and parses it. */
static int parse(struct arguments *a, const char *line, struct detail *why)
{
    static char copy[256];
    char *argv[32] = {(char *)"seckillctl"}, *rest = NULL;
    int argc = 1;
    snprintf(copy, sizeof(copy), "%s", line);
    for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        argv[argc++] = word;
    return arguments_parse(a, commands, argc, argv, why);
}

static void test_options_stand_before_or_after_the_words(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "item put phone --stock 5 --paused --config /c --set a.b=c",
        "--stock=5 --config=/c item --paused put --set=a.b=c phone",
        "--set a.b=c --paused --stock 5 --config /c item put -- phone",
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct arguments a;
        struct detail why;
        if (parse(&a, lines[i], &why))
            fail_msg("%s: %s", lines[i], why.text);
        assert_ptr_equal(a.ctl.command, &commands[0]);
        assert_string_equal(a.ctl.argument, "phone");
        assert_string_equal(ctl_option(&a.ctl, "stock"), "5");
        assert_non_null(ctl_option(&a.ctl, "paused"));
        assert_null(ctl_option(&a.ctl, "json"));
        assert_true(a.common_argc >= 3 && a.common_argc <= 5);
        assert_null(a.common_argv[a.common_argc]);
        arguments_free(&a);
    }
}

static void test_after_two_dashes_everything_is_a_word(void **state)
{
    (void)state;
    struct arguments a;
    assert_int_equal(parse(&a, "item put -- --stock", NULL), 0);
    assert_string_equal(a.ctl.argument, "--stock");
    arguments_free(&a);
}

static void test_help_may_be_asked_of_each_command(void **state)
{
    (void)state;
    struct arguments a;
    assert_int_equal(parse(&a, "item put --help", NULL), 0);
    assert_true(a.help && a.ctl.command == &commands[0]);
    arguments_free(&a);
    assert_int_equal(parse(&a, "--help", NULL), 0);
    assert_null(a.ctl.command);
    assert_string_equal(a.common_argv[1], "--help");
    arguments_free(&a);
}

static void test_a_command_may_take_any_number_of_words(void **state)
{
    (void)state;
    struct arguments a;
    assert_int_equal(parse(&a, "item forget a --stock 1 b c d e", NULL), 0);
    assert_int_equal(a.ctl.word_count, 5);
    assert_string_equal(a.ctl.words[0], "a");
    assert_string_equal(a.ctl.words[4], "e");
    arguments_free(&a);
    assert_int_equal(parse(&a, "item forget --stock 1", NULL), 0);
    assert_int_equal(a.ctl.word_count, 0);
    arguments_free(&a);
}

static void test_what_is_wrong_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *line, *names;
    } bad[] = {
        {"", "what is to be done"},
        {"itme put x", "no command \"itme\""},
        {"item", "\"item\" needs a verb: put, list, forget"},
        {"item shw x", "no verb \"shw\""},
        {"item put", "needs a word: SKU"},
        {"item put a b", "unexpected word \"b\""},
        {"audit now", "unexpected word \"now\""},
        {"a b c d", "no command \"a\""},
        {"item put a b c", "unexpected word \"b\""},
        {"item put a --stok 5", "--stok"},
        {"item put a -s", "-s"},
        {"item list --stock 5", "\"item list\" has no option --stock"},
        {"item put a --stock", "--stock needs a value"},
        {"item put a --paused=1", "--paused takes no value"},
        {"item put a --stock 1 --stock 2", "--stock is given twice"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct arguments a;
        struct detail why = {""};
        assert_int_equal(parse(&a, bad[i].line, &why), E_INVALID);
        if (!strstr(why.text, bad[i].names))
            fail_msg("\"%s\" is not named in: %s", bad[i].names, why.text);
    }
}

static void test_columns_line_up_whatever_the_script(void **state)
{
    (void)state;
    static const char *const columns[] = {"NAME", ">N", "LAST", NULL};
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    struct table *t = table_new(columns);
    static const char *const cells[] = {"手机", "1", "a", "telephone", "1000", "b\n"};
    for (size_t i = 0; i < sizeof(cells) / sizeof(cells[0]); i++)
        table_add(t, cells[i]);
    table_print(t, out);
    table_free(t);
    fclose(out);
    assert_string_equal(text, "NAME          N  LAST\n"
                              "手机          1  a\n"
                              "telephone  1000  b?\n");
    free(text);
    assert_int_equal(text_width("手机"), 4);
    assert_int_equal(text_width("e\xcc\x81"), 1);
    assert_int_equal(text_width("\xff\xe6"), 2); /* not UTF-8, and not beyond the end */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options_stand_before_or_after_the_words),
        cmocka_unit_test(test_after_two_dashes_everything_is_a_word),
        cmocka_unit_test(test_help_may_be_asked_of_each_command),
        cmocka_unit_test(test_a_command_may_take_any_number_of_words),
        cmocka_unit_test(test_what_is_wrong_is_named),
        cmocka_unit_test(test_columns_line_up_whatever_the_script),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
