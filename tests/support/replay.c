/* Running seckill-replay, and the fake front end. */
#include "tests/support/replay.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { WORDS = 48, SECONDS = 120 };

void replay(int port, struct replay_result *result, const char *const words[])
{
    char url[64], path[64];
    const char *argv[WORDS] = {
        SECKILL_BUILD_DIR "/bin/seckill-replay", "--config", "/dev/null", "--url", url, "--json", path};
    int n = 7;

    snprintf(url, sizeof url, "http://127.0.0.1:%d", port);
    snprintf(path, sizeof path, "/tmp/seckill-replay-test.%d.json", (int)getpid());
    for (; *words && n < WORDS - 1; words++)
        argv[n++] = *words;
    unlink(path);
    process_run(argv, NULL, NULL, SECONDS, &result->output);
    result->report = json_load_file(path, 0, NULL);
    unlink(path);
    if (result->output.status != 0)
        printf("seckill-replay: %d\n%s%s\n", result->output.status, text_c(&result->output.out),
               text_c(&result->output.err));
}

void replay_free(struct replay_result *result)
{
    process_output_free(&result->output);
    json_decref(result->report);
}

double replay_number(const struct replay_result *result, const char *path)
{
    const json_t *at = result->report;
    char name[64];

    while (at && *path) {
        size_t len = strcspn(path, ".");
        snprintf(name, sizeof name, "%.*s", (int)len, path);
        at = json_object_get(at, name);
        path += len + (path[len] == '.');
    }
    return json_is_number(at) ? json_number_value(at) : -1;
}

int64_t replay_slower(const struct replay_result *result, const char *histogram, int64_t us)
{
    const json_t *bucket;
    size_t i;
    int64_t count = 0;

    json_array_foreach(json_object_get(result->report, histogram), i, bucket)
    {
        if (json_integer_value(json_array_get(bucket, 0)) >= us)
            count += json_integer_value(json_array_get(bucket, 2));
    }
    return count;
}

int64_t replay_failed(const struct replay_result *result, const char *says)
{
    const json_t *check;
    size_t i;

    json_array_foreach(json_object_get(json_object_get(result->report, "verify"), "checks"), i, check)
    {
        if (strstr(json_string_value(json_object_get(check, "says")), says))
            return json_integer_value(json_object_get(check, "failed"));
    }
    return -1;
}

int fake_front_end_start(struct fake_front_end *f, const char *const words[])
{
    char *argv[16] = {"/usr/bin/python3", SECKILL_SOURCE_DIR "/tests/support/fake_front_end.py"};
    posix_spawn_file_actions_t actions;
    int in[2], out[2], n = 2;
    char line[32] = {0};
    size_t len = 0;
    ssize_t got = 1;

    for (; *words && n < 15; words++)
        argv[n++] = (char *)(uintptr_t)*words;
    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0)
        return -1;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    int failed = posix_spawn(&f->pid, argv[0], &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(in[0]);
    close(out[1]);
    f->input = in[1];
    while (!failed && got > 0 && len < sizeof line - 1 && !strchr(line, '\n')) {
        got = read(out[0], line + len, sizeof line - 1 - len);
        len += got > 0 ? (size_t)got : 0;
    }
    close(out[0]);
    f->port = atoi(line);
    return failed || f->port == 0 ? -1 : 0;
}

void fake_front_end_end(struct fake_front_end *f)
{
    int status;

    close(f->input);
    process_wait(f->pid, 10, &status);
}
