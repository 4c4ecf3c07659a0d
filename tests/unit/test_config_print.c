/* config.h: what is printed, what is hidden, and what SIGHUP takes over. */
#include "tests/unit/base_support.h"

#include "common/base/config.h"

struct values {
    const char *url, *dir, *label;
    int64_t rate, threads;
    int level;
    bool open;
};

static const char *const levels[] = {"debug", "info", NULL};

static const struct config_option table[] = {
    {.key = "broker.url",
     .type = CONFIG_TEXT,
     .offset = offsetof(struct values, url),
     .fallback = "amqp://guest:guest@localhost/",
     .secret = true,
     .help = "Where the broker is."},
    {.key = "store.dir",
     .type = CONFIG_TEXT,
     .offset = offsetof(struct values, dir),
     .fallback = "",
     .help = "A folder."},
    {.key = "store.label",
     .type = CONFIG_TEXT,
     .offset = offsetof(struct values, label),
     .fallback = "",
     .reloadable = true,
     .help = "A name."},
    {.key = "admission.rate",
     .type = CONFIG_INT,
     .offset = offsetof(struct values, rate),
     .fallback = "5",
     .min = 0,
     .max = 100,
     .unit = "1/s",
     .reloadable = true,
     .help = "How many."},
    {.key = "http.threads",
     .type = CONFIG_INT,
     .offset = offsetof(struct values, threads),
     .fallback = "1",
     .min = 1,
     .max = 64,
     .help = "Threads."},
    {.key = "log.level",
     .type = CONFIG_CHOICE,
     .offset = offsetof(struct values, level),
     .fallback = "info",
     .choices = levels,
     .reloadable = true,
     .help = "Which lines."},
    {.key = "log.open",
     .type = CONFIG_BOOL,
     .offset = offsetof(struct values, open),
     .fallback = "false",
     .reloadable = true,
     .help = "Whether."},
    {.key = NULL},
};

static const struct config_spec spec = {.options = table};

struct fixture {
    struct temp_dir dir;
    char path[PATH_SIZE];
    struct values values;
    struct config *config;
    struct detail why;
    char *printed;
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
    free(f->printed);
    temp_dir_remove(&f->dir);
    return 0;
}

static void load(struct fixture *f, const char *text, const char *set)
{
    write_text(f->path, text);
    config_free(f->config);
    f->config = NULL;
    if (config_load(&f->config, &spec, f->path, true, &set, set ? 1 : 0, &f->values, &f->why) != 0)
        fail_msg("refused: %s", f->why.text);
}

static const char *print(struct fixture *f)
{
    size_t size;
    free(f->printed);
    FILE *out = open_memstream(&f->printed, &size);
    config_print(f->config, out);
    fclose(out);
    return f->printed;
}

static void assert_url_shown_as(struct fixture *f, const char *url, const char *shown)
{
    char set[256], line[256];
    snprintf(set, sizeof(set), "broker.url=%s", url);
    snprintf(line, sizeof(line), "broker.url = %s  # --set\n", shown);
    load(f, "", set);
    assert_string_equal(f->values.url, url);
    assert_contains(print(f), line);
}

/* ---- Printing ---- */

static void test_each_key_is_printed_with_its_source_in_the_tables_order(void **state)
{
    struct fixture *f = *state;
    char expected[1024 + PATH_SIZE];
    load(f, "# first\nstore {\n  dir = '/my data'\n}\n", "admission.rate=7");
    snprintf(expected, sizeof(expected),
             "broker.url = amqp://guest:***@localhost/  # default\n"
             "store.dir = \"/my data\"  # %s:3\n"
             "store.label = \"\"  # default\n"
             "admission.rate = 7  # --set\n"
             "http.threads = 1  # default\n"
             "log.level = info  # default\n"
             "log.open = false  # default\n",
             f->path);
    assert_string_equal(print(f), expected);
}

static void test_an_empty_value_is_seen(void **state)
{
    struct fixture *f = *state;
    load(f, "", NULL);
    assert_contains(print(f), "store.dir = \"\"  # default\n");
}

static void test_a_long_value_is_printed_whole(void **state)
{
    struct fixture *f = *state;
    char set[3000], line[4000];
    memset(set, '"', sizeof(set)); /* each is escaped */
    memcpy(set, "store.dir=", 10);
    set[sizeof(set) - 1] = '\0';
    load(f, "", set);
    int len = snprintf(line, sizeof(line), "store.dir = \"");
    assert_memory_equal(strstr(print(f), "store.dir"), line, (size_t)len);
    assert_lacks(f->printed, "...");
}

static void test_passwords_are_masked(void **state)
{
    struct fixture *f = *state;
    assert_url_shown_as(f, "amqp://user:secret@host:5672/v", "amqp://user:***@host:5672/v");
    assert_url_shown_as(f, "amqps://u:one@h1/,amqp://u:two@h2/", "amqps://u:***@h1/,amqp://u:***@h2/");
    assert_url_shown_as(f, "amqp://u:one@h1/, amqp://h2/", "\"amqp://u:***@h1/, amqp://h2/\"");
    assert_url_shown_as(f, "amqp://host/", "amqp://host/");
    assert_url_shown_as(f, "amqp://user@host/", "amqp://user@host/");
}

static void test_a_password_with_strange_characters_is_masked_whole(void **state)
{
    struct fixture *f = *state;
    assert_url_shown_as(f, "amqp://u:a@b@host/", "amqp://u:***@host/");
    assert_url_shown_as(f, "amqp://u:a:b/c@host/", "amqp://u:***@host/");
    assert_url_shown_as(f, "amqp://u:a,b@h1/,amqp://u:c@h2/", "amqp://u:***@h1/,amqp://u:***@h2/");
    assert_url_shown_as(f, "user:secret@host", "***@host");
    assert_url_shown_as(f, "amqp://:secret@host/", "amqp://:***@host/");
}

static void test_the_table_documents_itself(void **state)
{
    struct fixture *f = *state;
    size_t size;
    FILE *out = open_memstream(&f->printed, &size);
    config_document(&spec, out);
    fclose(out);
    assert_contains(f->printed, "| key | default | range | what it is |\n|---|---|---|---|\n");
    assert_contains(f->printed, "| `store.dir` |  |  | A folder. |\n");
    assert_contains(f->printed,
                    "| `admission.rate` | `5` | 0 – 100 1/s | How many. *Taken over on SIGHUP.* |\n");
    assert_contains(f->printed, "| `log.level` | `info` | one of debug, info | ");
    assert_contains(f->printed, "| `log.open` | `false` | true or false | ");
}

/* ---- Reload ---- */

static void test_reload_takes_over_what_is_reloadable(void **state)
{
    struct fixture *f = *state;
    load(f, "admission { rate = 1 }\nlog { level = info\n open = no }\n", NULL);
    write_text(f->path, "log { level = debug\n open = yes }\n\n\nadmission { rate = 2 }\n");
    assert_int_equal(config_reload(f->config, &f->values, &f->why), 0);
    assert_int_equal(f->values.rate, 2);
    assert_int_equal(f->values.level, 0);
    assert_true(f->values.open);
    assert_contains(print(f), "admission.rate = 2  # ");
    assert_contains(f->printed, "seckill.conf:5\n");
}

/* Another thread may still be reading the text that was there before. */
static void test_a_text_that_was_replaced_stays_valid(void **state)
{
    struct fixture *f = *state;
    load(f, "store { label = first }\n", NULL);
    const char *first = f->values.label;
    write_text(f->path, "store { label = second }\n");
    assert_int_equal(config_reload(f->config, &f->values, &f->why), 0);
    const char *second = f->values.label;
    assert_int_equal(config_reload(f->config, &f->values, &f->why), 0);
    assert_ptr_equal(f->values.label, second); /* nothing new, nothing moved */
    write_text(f->path, "");
    assert_int_equal(config_reload(f->config, &f->values, &f->why), 0);
    assert_string_equal(f->values.label, "");
    assert_string_equal(first, "first");
    assert_string_equal(second, "second");
}

static void test_a_key_that_is_gone_from_the_file_has_its_default_again(void **state)
{
    struct fixture *f = *state;
    load(f, "admission { rate = 1 }\n", NULL);
    write_text(f->path, "");
    assert_int_equal(config_reload(f->config, &f->values, &f->why), 0);
    assert_int_equal(f->values.rate, 5);
}

static void test_a_set_wins_over_the_reloaded_file(void **state)
{
    struct fixture *f = *state;
    load(f, "admission { rate = 1 }\n", "admission.rate=9");
    write_text(f->path, "admission { rate = 2 }\n");
    assert_int_equal(config_reload(f->config, &f->values, &f->why), 0);
    assert_int_equal(f->values.rate, 9);
}

static void reload_in_child(void *context)
{
    struct fixture *f = context;
    if (config_reload(f->config, &f->values, &f->why) != 0 || f->values.threads != 1 || f->values.rate != 2)
        _exit(1);
    if (strcmp(f->values.url, "amqp://guest:guest@localhost/") != 0 || strcmp(f->values.dir, "") != 0)
        _exit(2);
}

static void test_what_needs_a_restart_stays_and_is_named_without_its_value(void **state)
{
    static struct child_result r;
    struct fixture *f = *state;
    load(f, "", NULL);
    write_text(f->path,
               "admission { rate = 2 }\nhttp { threads = 2 }\nbroker { url = 'amqp://u:hidden@h/' }\n");
    run_child(reload_in_child, f, &r);
    assert_int_equal(r.exit_code, 0);
    assert_contains(r.err, "setting_needs_restart key=http.threads\n");
    assert_contains(r.err, "setting_needs_restart key=broker.url\n");
    assert_lacks(r.err, "store.dir");
    assert_lacks(r.err, "admission.rate");
    assert_lacks(r.err, "hidden");
}

static void test_a_broken_file_changes_nothing(void **state)
{
    struct fixture *f = *state;
    load(f, "admission { rate = 1 }\nlog { level = info }\n", NULL);
    write_text(f->path, "admission { rate = 2 }\nlog { level = loud }\n");
    assert_int_equal(config_reload(f->config, &f->values, &f->why), E_INVALID);
    assert_contains(f->why.text, ":2: log.level: ");
    assert_int_equal(f->values.rate, 1);
    assert_contains(print(f), "admission.rate = 1  # ");
    unlink(f->path);
    assert_int_equal(config_reload(f->config, &f->values, &f->why), E_NOT_FOUND);
    assert_int_equal(f->values.rate, 1);
    write_text(f->path, "admission { rate = 3 }\n");
    assert_int_equal(config_reload(f->config, &f->values, &f->why), 0);
    assert_int_equal(f->values.rate, 3);
}

#define with_file(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_file(test_each_key_is_printed_with_its_source_in_the_tables_order),
        with_file(test_an_empty_value_is_seen),
        with_file(test_a_long_value_is_printed_whole),
        with_file(test_passwords_are_masked),
        with_file(test_a_password_with_strange_characters_is_masked_whole),
        with_file(test_the_table_documents_itself),
        with_file(test_reload_takes_over_what_is_reloadable),
        with_file(test_a_text_that_was_replaced_stays_valid),
        with_file(test_a_key_that_is_gone_from_the_file_has_its_default_again),
        with_file(test_a_set_wins_over_the_reloaded_file),
        with_file(test_what_needs_a_restart_stays_and_is_named_without_its_value),
        with_file(test_a_broken_file_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
