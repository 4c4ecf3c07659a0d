/* notify.h: what systemd would get, on a socket of ours in its place. */
#include "tests/unit/base_support.h"

#include <sys/socket.h>
#include <sys/un.h>

#include "common/base/clock.h"
#include "common/base/notify.h"

#define WATCHDOG_INTERVAL_S 10

static struct temp_dir dir;
static int systemd = -1;

static int listen_as_systemd(void **state)
{
    (void)state;
    temp_dir_make(&dir);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%.80s/notify", dir.path);
    systemd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    char interval[32];
    snprintf(interval, sizeof(interval), "%d", WATCHDOG_INTERVAL_S * 1000000);
    setenv("WATCHDOG_USEC", interval, 1);
    unsetenv("WATCHDOG_PID");
    setenv("NOTIFY_SOCKET", address.sun_path, 1);
    return bind(systemd, (struct sockaddr *)&address, sizeof(address));
}

static int stop_listening(void **state)
{
    (void)state;
    close(systemd);
    temp_dir_remove(&dir);
    return 0;
}

/* The next message, "" if there is none. */
static const char *received(void)
{
    static char message[1024];
    ssize_t n = recv(systemd, message, sizeof(message) - 1, 0);
    message[n > 0 ? n : 0] = '\0';
    return message;
}

static void test_each_state_is_told(void **state)
{
    (void)state;
    notify_ready();
    assert_string_equal(received(), "READY=1");
    notify_stopping();
    assert_string_equal(received(), "STOPPING=1");
    notify_status("%d orders", 7);
    assert_string_equal(received(), "STATUS=7 orders");
}

static void test_reloading_carries_its_moment(void **state)
{
    (void)state;
    long long before = clock_mono_ns() / 1000, told = 0;
    notify_reloading();
    assert_int_equal(sscanf(received(), "RELOADING=1\nMONOTONIC_USEC=%lld", &told), 1);
    assert_true(told >= before && told <= clock_mono_ns() / 1000);
}

static void test_a_status_stays_one_variable(void **state)
{
    (void)state;
    notify_status("a\nREADY=1");
    assert_string_equal(received(), "STATUS=a READY=1");
    notify_status("%1000d", 1);
    assert_int_equal(strlen(received()), strlen("STATUS=") + 255);
}

static void test_the_watchdog_is_pinged_twice_in_an_interval(void **state)
{
    (void)state;
    int pings = 0;
    const int64_t begin = 1000 * NS_PER_S;
    for (int64_t now = begin; now < begin + 3 * WATCHDOG_INTERVAL_S * NS_PER_S; now += NS_PER_S / 10) {
        notify_watchdog(now);
        const char *message = received();
        if (*message) {
            assert_string_equal(message, "WATCHDOG=1");
            pings++;
        }
    }
    assert_int_equal(pings, 6);
}

static void test_without_systemd_nothing_happens(void **state)
{
    (void)state;
    char socket_path[PATH_SIZE];
    snprintf(socket_path, sizeof(socket_path), "%s", getenv("NOTIFY_SOCKET"));
    unsetenv("NOTIFY_SOCKET");
    notify_ready();
    notify_status("x");
    assert_string_equal(received(), "");
    setenv("NOTIFY_SOCKET", socket_path, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_state_is_told),
        cmocka_unit_test(test_reloading_carries_its_moment),
        cmocka_unit_test(test_a_status_stays_one_variable),
        cmocka_unit_test(test_the_watchdog_is_pinged_twice_in_an_interval),
        cmocka_unit_test(test_without_systemd_nothing_happens),
    };
    return cmocka_run_group_tests(tests, listen_as_systemd, stop_listening);
}
