/* The process that cleans up after a test program that could not. */
#include "tests/support/guardian.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/clock.h"
#include "tests/support/process.h"

static int lifeline = -1; /* a byte on it dismisses the guardian; its end means that we are gone */

static void run_down(const char *const down_argv[], const char *log_path)
{
    int64_t deadline = clock_ms() + 60000;
    pid_t pid = fork();

    if (pid == 0) {
        int log = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

        if (log >= 0) {
            dup2(log, 1);
            dup2(log, 2);
        }
        execv(down_argv[0], (char *const *)(uintptr_t)down_argv);
        _exit(127);
    }
    while (pid > 0 && waitpid(pid, NULL, WNOHANG) == 0) {
        if (clock_ms() > deadline)
            kill(pid, SIGKILL);
        poll(NULL, 0, 50);
    }
}

static void kill_marked(const char *mark)
{
    pid_t pids[256];
    int count;

    for (int round = 0; round < 20 && (count = process_find(mark, NULL, pids, 256)) > 0; round++) {
        for (int i = 0; i < count && i < 256; i++) {
            kill(pids[i], SIGKILL);
        }
        poll(NULL, 0, 50);
    }
}

static void watch(pid_t test, const char *const down_argv[], const char *mark, const char *log_path,
                  int seconds)
{
    struct pollfd pipe_end = {.fd = 3, .events = POLLIN};
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    char byte;
    int ready;

    for (int fd = 0; fd <= 2 && null >= 0; fd++)
        dup2(null, fd);
    prctl(PR_SET_NAME, "test-guardian");
    do {
        ready = poll(&pipe_end, 1, seconds * 1000);
    } while (ready < 0);
    if (ready > 0 && read(3, &byte, 1) == 1)
        _exit(0);
    if (ready == 0)
        kill(test, SIGKILL);
    run_down(down_argv, log_path);
    kill_marked(mark);
    _exit(0);
}

int guardian_start(const char *const down_argv[], const char *mark, const char *log_path, int seconds)
{
    pid_t test = getpid(), child;
    int ends[2], status;

    if (lifeline >= 0 || pipe2(ends, O_CLOEXEC) < 0)
        return -1;
    child = fork();
    if (child < 0)
        return -1;
    if (child == 0) {
        /* A session of its own and a parent that ends: who kills the test's process tree does not find it. */
        setsid();
        if (fork() != 0)
            _exit(0);
        if (dup2(ends[0], 3) < 0)
            _exit(1);
        close_range(4, ~0U, 0);
        watch(test, down_argv, mark, log_path, seconds);
    }
    close(ends[0]);
    waitpid(child, &status, 0);
    lifeline = ends[1];
    return 0;
}

void guardian_dismiss(void)
{
    if (lifeline < 0)
        return;
    if (write(lifeline, "q", 1) < 0) {
        /* It is gone already. */
    }
    close(lifeline);
    lifeline = -1;
}
