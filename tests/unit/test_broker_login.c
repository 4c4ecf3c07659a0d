/* Who logs in at the broker: the addresses' own user, or the one that broker.user and broker.password_file
 * name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/pipeline/broker_login.h"

struct fixture {
    char path[32];
    struct settings settings;
    struct broker_addresses addresses;
    struct detail why;
};

static int setup(void **state)
{
    static struct fixture f;
    f = (struct fixture){.path = "/tmp/broker_login_XXXXXX"};
    f.settings.broker.url = "amqp://a:one@h1/v,amqp://b:two@h2/v";
    f.settings.broker.user = f.settings.broker.password_file = "";
    int fd = mkstemp(f.path);
    if (fd < 0)
        return -1;
    close(fd);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    unlink(f->path);
    return 0;
}

static void write_secret(const struct fixture *f, const char *text)
{
    FILE *file = fopen(f->path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void assert_login(const struct fixture *f, size_t at, const char *user, const char *password)
{
    assert_string_equal(f->addresses.items[at].user, user);
    assert_string_equal(f->addresses.items[at].password, password);
}

static void test_addresses_log_in_as_they_say(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(broker_login_addresses(&f->settings, &f->addresses, &f->why), 0);
    assert_login(f, 0, "a", "one");
    assert_login(f, 1, "b", "two");
    broker_addresses_free(&f->addresses);
}

static void test_user_and_password_file_win_at_every_address(void **state)
{
    struct fixture *f = *state;
    write_secret(f, "s3cret with a blank\n");
    f->settings.broker.user = "seckill-order";
    f->settings.broker.password_file = f->path;
    assert_int_equal(broker_login_addresses(&f->settings, &f->addresses, &f->why), 0);
    assert_login(f, 0, "seckill-order", "s3cret with a blank");
    assert_login(f, 1, "seckill-order", "s3cret with a blank");
    broker_addresses_free(&f->addresses);
}

static void test_password_file_serves_the_addresses_users(void **state)
{
    struct fixture *f = *state;
    write_secret(f, "both");
    f->settings.broker.password_file = f->path;
    assert_int_equal(broker_login_addresses(&f->settings, &f->addresses, &f->why), 0);
    assert_login(f, 0, "a", "both");
    assert_login(f, 1, "b", "both");
    broker_addresses_free(&f->addresses);
}

static void test_missing_or_empty_password_file_is_named_by_its_key(void **state)
{
    struct fixture *f = *state;
    f->settings.broker.password_file = f->path; /* empty */
    assert_int_equal(broker_login_addresses(&f->settings, &f->addresses, &f->why), E_INVALID);
    assert_ptr_equal(strstr(f->why.text, "broker.password_file: "), f->why.text);
    f->settings.broker.password_file = "/nowhere/password";
    assert_int_equal(broker_login_addresses(&f->settings, &f->addresses, &f->why), E_NOT_FOUND);
    assert_non_null(strstr(f->why.text, "/nowhere/password"));
    assert_null(f->addresses.items);
}

static void test_bad_address_is_named_by_its_key_without_its_password(void **state)
{
    struct fixture *f = *state;
    f->settings.broker.url = "amqp://u:hidden@host:port/";
    assert_int_equal(broker_login_addresses(&f->settings, &f->addresses, &f->why), E_INVALID);
    assert_ptr_equal(strstr(f->why.text, "broker.url: "), f->why.text);
    assert_null(strstr(f->why.text, "hidden"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_addresses_log_in_as_they_say, setup, teardown),
        cmocka_unit_test_setup_teardown(test_user_and_password_file_win_at_every_address, setup, teardown),
        cmocka_unit_test_setup_teardown(test_password_file_serves_the_addresses_users, setup, teardown),
        cmocka_unit_test_setup_teardown(test_missing_or_empty_password_file_is_named_by_its_key, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_bad_address_is_named_by_its_key_without_its_password, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
