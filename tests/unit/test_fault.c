/* fault.h: what SECKILL_FAULT may say, and what each action does. Runs faulty_program, which was built with
 * fault points, and pointless_program, which was not. */
#include "tests/unit/base_support.h"

#include <signal.h>
#include <time.h>

#include "common/base/error.h"

struct run {
    const char *program;
    const char *fault;        /* NULL: not set */
    const char *const *words; /* up to six, NULL-terminated where fewer */
};

static struct child_result result;

static void exec_program(void *context)
{
    const struct run *r = context;
    char *argv[8] = {(char *)r->program};
    for (int i = 0; i < 6 && r->words[i]; i++)
        argv[i + 1] = (char *)r->words[i];
    if (r->fault)
        setenv("SECKILL_FAULT", r->fault, 1);
    execv(r->program, argv);
    _exit(127);
}

#define RUN_PROGRAM(path, says, ...)                                                                         \
    run_child(                                                                                               \
        exec_program,                                                                                        \
        &(struct run){.program = (path), .fault = (says), .words = (const char *const[6]){__VA_ARGS__}},     \
        &result)
#define RUN(says, ...) RUN_PROGRAM(FAULTY_PROGRAM, says, __VA_ARGS__)

static void assert_passed(const char *words, int exit_code)
{
    assert_string_equal(result.out, words);
    assert_int_equal(result.signal, 0);
    assert_int_equal(result.exit_code, exit_code);
}

static void assert_killed_after(const char *words)
{
    assert_string_equal(result.out, words);
    assert_int_equal(result.signal, SIGKILL);
}

/* ---- What it does ---- */

static void test_nothing_is_asked_for(void **state)
{
    (void)state;
    RUN(NULL, "one", "two");
    assert_passed("one;two;", EXIT_OK);
    RUN("", "one", "two");
    assert_passed("one;two;", EXIT_OK);
    assert_string_equal(result.err, "");
}

static void test_kill_acts_at_once_and_says_so_before(void **state)
{
    (void)state;
    RUN("tiny.two:kill", "one", "two", "one");
    assert_killed_after("one;");
    assert_contains(result.err, " warn faulty fault_point point=tiny.two action=kill\n");
}

static void test_nth_time_counts_the_places_of_one_name_together(void **state)
{
    (void)state;
    RUN("tiny.two:kill@3", "two", "one", "twin", "one", "two", "one");
    assert_killed_after("two;one;twin;one;");
    RUN("tiny.two:kill@3", "two", "twin");
    assert_passed("two;twin;", EXIT_OK);
    assert_string_equal(result.err, "");
}

static void test_term_goes_on_until_the_signal_is_taken(void **state)
{
    (void)state;
    RUN("tiny.one:term", "two", "one", "two");
    assert_string_equal(result.out, "two;"); /* this program takes it by dying of it */
    assert_int_equal(result.signal, SIGTERM);
    assert_contains(result.err, "point=tiny.one action=term\n");
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void test_delay_goes_on_afterwards(void **state)
{
    (void)state;
    int64_t began_ms = now_ms();
    RUN("tiny.one:delay=150", "one", "one");
    assert_passed("one;one;", EXIT_OK);
    assert_in_range(now_ms() - began_ms, 150, 60000);
    assert_contains(result.err, "point=tiny.one action=delay=150\n");
    assert_null(strstr(strstr(result.err, "fault_point") + 1, "fault_point")); /* once */
}

static int count(const char *text, const char *part)
{
    int n = 0;
    for (; (text = strstr(text, part)); text += strlen(part))
        n++;
    return n;
}

static void test_star_is_every_time(void **state)
{
    (void)state;
    RUN("tiny.one:delay=0@*", "one", "two", "one", "one");
    assert_passed("one;two;one;one;", EXIT_OK);
    assert_int_equal(count(result.err, "point=tiny.one action=delay=0\n"), 3);
}

static void test_several_faults(void **state)
{
    (void)state;
    RUN("tiny.one:delay=0@2,tiny.two:kill@2,tiny.one:delay=1@*", "one", "two", "one", "twin", "one");
    assert_killed_after("one;two;one;");
    assert_int_equal(count(result.err, "point=tiny.one action=delay=0\n"), 1);
    assert_int_equal(count(result.err, "point=tiny.one action=delay=1\n"), 2);
}

static void exec_and_stop(void *context)
{
    setpgid(0, 0);
    exec_program(context);
}

/* Its own pipes and wait: run_child waits for an end, and a process that stands still has none. */
static void test_stop_stands_still_until_it_is_continued(void **state)
{
    (void)state;
    int out[2], status = 0;
    assert_int_equal(pipe(out), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        dup2(out[1], STDOUT_FILENO);
        close(out[0]);
        close(out[1]);
        exec_and_stop(&(struct run){.program = FAULTY_PROGRAM,
                                    .fault = "tiny.two:stop",
                                    .words = (const char *const[6]){"one", "two", "one"}});
    }
    close(out[1]);
    assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
    assert_true(WIFSTOPPED(status));
    assert_int_equal(WSTOPSIG(status), SIGSTOP);
    char before[16] = "";
    ssize_t len = read(out[0], before, sizeof before - 1);
    assert_int_equal(len, strlen("one;"));
    assert_string_equal(before, "one;");
    assert_int_equal(kill(pid, SIGCONT), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    read_to_end(out[0], result.out);
    close(out[0]);
    assert_string_equal(result.out, "two;one;");
}

/* ---- What it may say ---- */

static void test_list_names_each_point_once_and_does_nothing_else(void **state)
{
    (void)state;
    RUN("list", "one");
    assert_passed("tiny.one\ntiny.two\n", EXIT_OK);
    assert_string_equal(result.err, "");
}

static void test_what_cannot_be_read_is_bad_usage(void **state)
{
    (void)state;
    static const struct {
        const char *says, *why;
    } cases[] = {
        {"tiny.three:kill", "no such point"},
        {"tiny:kill", "no such point"},
        {"tiny.one.more:kill", "no such point"},
        {":kill", "no such point"},
        {"tiny.one", "expected POINT:ACTION"},
        {"List", "expected POINT:ACTION"},
        {"tiny.one:", "the action is"},
        {"tiny.one:Kill", "the action is"},
        {"tiny.one:kill ", "the action is"},
        {"tiny.one:explode", "the action is"},
        {"tiny.one:delay", "the action is"},
        {"tiny.one:delay=", "the action is"},
        {"tiny.one:delay=-1", "the action is"},
        {"tiny.one:delay=1s", "the action is"},
        {"tiny.one:delay=600001", "the action is"},
        {"tiny.one:delay=00000000000000000000000000000000000001", "the action is"},
        {"tiny.one:kill=9", "the action is"},
        {"tiny.one:kill@", "after @"},
        {"tiny.one:kill@0", "after @"},
        {"tiny.one:kill@-1", "after @"},
        {"tiny.one:kill@x", "after @"},
        {"tiny.one:kill@1@2", "after @"},
        {"tiny.one:kill@**", "after @"},
        {"tiny.one:kill,", "expected POINT:ACTION"},
        {",tiny.one:kill", "expected POINT:ACTION"},
        {"tiny.one:kill,,tiny.two:kill", "expected POINT:ACTION"},
        {"tiny.one:kill,tiny.three:kill", "\"tiny.three:kill\": this program has no such point"},
        {"tiny.one:stop,list", "expected POINT:ACTION"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        RUN(cases[i].says, "one");
        if (result.exit_code != EXIT_USAGE)
            fail_msg("\"%s\": exit code %d", cases[i].says, result.exit_code);
        assert_string_equal(result.out, ""); /* not one place was passed */
        assert_contains(result.err, "SECKILL_FAULT: ");
        assert_contains(result.err, cases[i].why);
    }
}

static void test_more_faults_than_there_is_room_for_are_bad_usage(void **state)
{
    (void)state;
    char many[512] = "tiny.one:kill@9";
    for (int i = 1; i < 16; i++)
        strcat(many, ",tiny.one:kill@9");
    RUN(many, "one");
    assert_passed("one;", EXIT_OK);
    strcat(many, ",tiny.one:kill@9");
    RUN(many, "one");
    assert_passed("", EXIT_USAGE);
    assert_contains(result.err, "too many");
}

static void test_version_tells_a_build_with_fault_points(void **state)
{
    (void)state;
    RUN(NULL, "--version");
    assert_passed("faulty " SECKILL_VERSION " (with fault points)\n", EXIT_OK);
    RUN("tiny.one:kill", "--version");
    assert_passed("faulty " SECKILL_VERSION " (with fault points)\n", EXIT_OK);
    RUN_PROGRAM(POINTLESS_PROGRAM, NULL, "--version");
    assert_passed("faulty " SECKILL_VERSION "\n", EXIT_OK);
}

/* ---- A build without ---- */

static void test_without_the_option_the_environment_is_nothing(void **state)
{
    (void)state;
    RUN_PROGRAM(POINTLESS_PROGRAM, "tiny.one:kill", "one");
    assert_passed("one;", EXIT_OK);
    RUN_PROGRAM(POINTLESS_PROGRAM, "list", "one");
    assert_passed("one;", EXIT_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_asked_for),
        cmocka_unit_test(test_kill_acts_at_once_and_says_so_before),
        cmocka_unit_test(test_nth_time_counts_the_places_of_one_name_together),
        cmocka_unit_test(test_term_goes_on_until_the_signal_is_taken),
        cmocka_unit_test(test_delay_goes_on_afterwards),
        cmocka_unit_test(test_star_is_every_time),
        cmocka_unit_test(test_several_faults),
        cmocka_unit_test(test_stop_stands_still_until_it_is_continued),
        cmocka_unit_test(test_list_names_each_point_once_and_does_nothing_else),
        cmocka_unit_test(test_what_cannot_be_read_is_bad_usage),
        cmocka_unit_test(test_more_faults_than_there_is_room_for_are_bad_usage),
        cmocka_unit_test(test_version_tells_a_build_with_fault_points),
        cmocka_unit_test(test_without_the_option_the_environment_is_nothing),
    };
    unsetenv("JOURNAL_STREAM");
    unsetenv("SECKILL_FAULT");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
