/* Who may: nobody without a token, and with one whoever sends it whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "services/order/admin_token.h"

#define TOKEN "0123456789abcdef0123456789abcdef"

static char path[64];

static void write_token(const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static int set_up(void **state)
{
    strcpy(path, "/tmp/test_admin_token.XXXXXX");
    int fd = mkstemp(path);
    (void)state;
    return fd < 0 ? -1 : close(fd);
}

static int tear_down(void **state)
{
    (void)state;
    return unlink(path);
}

static struct admin_token *load(void)
{
    struct admin_token *t = NULL;
    struct detail why = {.text = ""};
    if (admin_token_new(&t, path, &why) != 0)
        fail_msg("%s", why.text);
    return t;
}

static void test_without_a_token_nobody_may(void **state)
{
    struct admin_token *t = NULL;
    (void)state;
    assert_int_equal(admin_token_new(&t, "", NULL), 0);
    assert_int_equal(admin_token_check(t, NULL), ADMIN_CLOSED);
    assert_int_equal(admin_token_check(t, "Bearer "), ADMIN_CLOSED);
    assert_int_equal(admin_token_check(t, "Bearer " TOKEN), ADMIN_CLOSED);
    assert_int_equal(admin_token_reload(t, NULL), 0);
    assert_int_equal(admin_token_check(t, "Bearer " TOKEN), ADMIN_CLOSED);
    admin_token_free(t);
}

static void test_the_whole_token_and_nothing_else(void **state)
{
    static const char *const good[] = {"Bearer " TOKEN, "bearer " TOKEN, "BEARER   " TOKEN};
    static const char *const missing[] = {"", "Bearer", "Bearer ", TOKEN, "Basic " TOKEN, "Bearer\t" TOKEN};
    static const char *const wrong[] = {"Bearer 0", "Bearer " TOKEN "0", "Bearer " TOKEN " ",
                                        "Bearer 0123456789abcdef0123456789abcdeF",
                                        "Bearer 0123456789abcdef0123456789abcde"};
    (void)state;
    write_token(TOKEN "\n");
    struct admin_token *t = load();
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_int_equal(admin_token_check(t, good[i]), ADMIN_GRANTED);
    for (size_t i = 0; i < sizeof missing / sizeof missing[0]; i++)
        assert_int_equal(admin_token_check(t, missing[i]), ADMIN_MISSING);
    assert_int_equal(admin_token_check(t, NULL), ADMIN_MISSING);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(admin_token_check(t, wrong[i]), ADMIN_WRONG);
    admin_token_free(t);
}

static void test_a_token_that_cannot_be_read_is_an_error(void **state)
{
    struct admin_token *t = NULL;
    struct detail why = {.text = ""};
    (void)state;
    assert_int_equal(admin_token_new(&t, "/nowhere/token", &why), E_NOT_FOUND);
    assert_non_null(strstr(why.text, "/nowhere/token"));
    write_token("short\n");
    assert_int_equal(admin_token_new(&t, path, &why), E_INVALID);
    write_token("");
    assert_int_equal(admin_token_new(&t, path, &why), E_INVALID);
    assert_null(t);
}

static void test_a_new_token_takes_over_and_a_bad_one_does_not(void **state)
{
    (void)state;
    write_token(TOKEN);
    struct admin_token *t = load();
    write_token("another-token-of-enough-bytes");
    assert_int_equal(admin_token_check(t, "Bearer " TOKEN), ADMIN_GRANTED); /* not read yet */
    assert_int_equal(admin_token_reload(t, NULL), 0);
    assert_int_equal(admin_token_check(t, "Bearer " TOKEN), ADMIN_WRONG);
    assert_int_equal(admin_token_check(t, "Bearer another-token-of-enough-bytes"), ADMIN_GRANTED);
    write_token("");
    assert_int_not_equal(admin_token_reload(t, NULL), 0);
    assert_int_equal(admin_token_check(t, "Bearer another-token-of-enough-bytes"), ADMIN_GRANTED);
    admin_token_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_a_token_nobody_may),
        cmocka_unit_test(test_the_whole_token_and_nothing_else),
        cmocka_unit_test(test_a_token_that_cannot_be_read_is_an_error),
        cmocka_unit_test(test_a_new_token_takes_over_and_a_bad_one_does_not),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
