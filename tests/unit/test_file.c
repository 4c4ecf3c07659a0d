/* file.h: small files, secrets, locks, folders. */
#include "tests/unit/base_support.h"

#include <sys/stat.h>

#include "common/base/file.h"

static int make_dir(void **state)
{
    static struct temp_dir dir;
    temp_dir_make(&dir);
    *state = &dir;
    return 0;
}

static int remove_dir(void **state)
{
    temp_dir_remove(*state);
    return 0;
}

/* ---- Reading ---- */

static void test_a_file_is_appended_whole(void **state)
{
    char path[PATH_SIZE];
    struct buffer b = {0};
    struct detail why;
    write_text(temp_path(*state, "f", path), "second");
    buffer_add_text(&b, "first ");
    assert_int_equal(file_read(path, 6, &b, &why), 0);
    assert_string_equal(buffer_text(&b), "first second");
    buffer_free(&b);
}

static void test_a_file_of_many_pages_is_read(void **state)
{
    char path[PATH_SIZE];
    struct buffer b = {0};
    char *bytes = malloc(100000);
    for (size_t i = 0; i < 100000; i++)
        bytes[i] = (char)(i * 7);
    write_bytes(temp_path(*state, "f", path), bytes, 100000);
    assert_int_equal(file_read(path, 100000, &b, NULL), 0);
    assert_int_equal(b.len, 100000);
    assert_memory_equal(b.data, bytes, 100000);
    free(bytes);
    buffer_free(&b);
}

static void test_an_empty_file_is_read(void **state)
{
    char path[PATH_SIZE];
    struct buffer b = {0};
    write_text(temp_path(*state, "f", path), "");
    assert_int_equal(file_read(path, 0, &b, NULL), 0);
    assert_int_equal(b.len, 0);
    buffer_free(&b);
}

static void test_a_file_that_is_too_large_leaves_nothing_behind(void **state)
{
    char path[PATH_SIZE];
    char bytes[10001];
    struct buffer b = {0};
    struct detail why;
    memset(bytes, 'x', sizeof(bytes));
    write_bytes(temp_path(*state, "f", path), bytes, sizeof(bytes));
    buffer_add_text(&b, "kept");
    assert_int_equal(file_read(path, 10000, &b, &why), E_INVALID);
    assert_contains(why.text, path);
    assert_contains(why.text, "larger than 10000 bytes");
    assert_string_equal(buffer_text(&b), "kept");
    assert_int_equal(file_read(path, 10001, &b, &why), 0);
    buffer_free(&b);
}

static void test_a_missing_file_is_told_from_one_that_cannot_be_read(void **state)
{
    char path[PATH_SIZE];
    struct buffer b = {0};
    struct detail why;
    assert_int_equal(file_read(temp_path(*state, "missing", path), 10, &b, &why), E_NOT_FOUND);
    assert_contains(why.text, path);
    const struct temp_dir *dir = *state;
    assert_int_equal(file_read(dir->path, 10, &b, &why), E_IO);
    assert_contains(why.text, "directory");
    buffer_free(&b);
}

static void test_existence(void **state)
{
    char path[PATH_SIZE];
    assert_false(file_exists(temp_path(*state, "f", path)));
    write_text(path, "");
    assert_true(file_exists(path));
}

/* ---- Secrets ---- */

static void test_a_secret_loses_the_white_space_at_its_end_only(void **state)
{
    char path[PATH_SIZE];
    struct buffer b = {0};
    write_text(temp_path(*state, "key", path), " a secret of 22 bytes \r\n\t\n");
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(file_read_secret(path, 16, &b, NULL), 0);
    assert_string_equal(buffer_text(&b), " a secret of 22 bytes");
    file_wipe(&b);
    assert_null(b.data);
    assert_int_equal(b.len, 0);
}

static void test_a_short_secret_is_refused_without_being_shown(void **state)
{
    char path[PATH_SIZE];
    struct buffer b = {0};
    struct detail why;
    write_text(temp_path(*state, "key", path), "hunter2   \n\n\n\n\n\n\n\n\n\n\n\n");
    assert_int_equal(file_read_secret(path, 16, &b, &why), E_INVALID);
    assert_contains(why.text, path);
    assert_contains(why.text, "7 bytes");
    assert_lacks(why.text, "hunter2");
    assert_int_equal(b.len, 0);
    buffer_free(&b);
}

static void test_a_secret_has_at_most_4096_bytes(void **state)
{
    char path[PATH_SIZE], bytes[4097];
    struct buffer b = {0};
    memset(bytes, 'x', sizeof(bytes));
    write_bytes(temp_path(*state, "key", path), bytes, 4096);
    chmod(path, 0600);
    assert_int_equal(file_read_secret(path, 16, &b, NULL), 0);
    assert_int_equal(b.len, 4096);
    write_bytes(path, bytes, 4097);
    assert_int_equal(file_read_secret(path, 16, &b, NULL), E_INVALID);
    file_wipe(&b);
}

static void test_a_missing_secret_is_not_found(void **state)
{
    char path[PATH_SIZE];
    struct buffer b = {0};
    struct detail why;
    assert_int_equal(file_read_secret(temp_path(*state, "key", path), 16, &b, &why), E_NOT_FOUND);
    assert_contains(why.text, path);
}

static void read_secret(void *path)
{
    struct buffer b = {0};
    if (file_read_secret(path, 4, &b, NULL) != 0)
        _exit(1);
    file_wipe(&b);
}

static void test_a_secret_that_all_can_read_is_warned_of(void **state)
{
    static struct child_result r;
    char path[PATH_SIZE];
    write_text(temp_path(*state, "key", path), "hunter2");
    chmod(path, 0644);
    run_child(read_secret, path, &r);
    assert_int_equal(r.exit_code, 0);
    assert_contains(r.err, " warn ");
    assert_contains(r.err, path);
    assert_contains(r.err, "mode=0644");
    assert_lacks(r.err, "hunter2");

    chmod(path, 0640); /* the group may: that is how services share a key */
    run_child(read_secret, path, &r);
    assert_int_equal(r.exit_code, 0);
    assert_string_equal(r.err, "");
}

static void test_wiping_nothing_is_fine(void **state)
{
    (void)state;
    struct buffer b = {0};
    file_wipe(&b);
    file_wipe(NULL);
}

/* ---- Locks ---- */

struct holder {
    pid_t pid;
    int release; /* closing it ends the holder */
};

/* Another process that holds the lock; returns when it does. */
static void hold_lock(const char *path, struct holder *h)
{
    int ready[2], release[2];
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(release), 0);
    h->pid = fork();
    assert_true(h->pid >= 0);
    if (h->pid == 0) {
        close(release[1]);
        char byte = file_lock(path, NULL) >= 0 ? 'y' : 'n';
        if (write(ready[1], &byte, 1) == 1 && read(release[0], &byte, 1) >= 0)
            _exit(0);
        _exit(1);
    }
    close(ready[1]);
    close(release[0]);
    char held = '\0';
    assert_int_equal(read(ready[0], &held, 1), 1);
    close(ready[0]);
    assert_int_equal(held, 'y');
    h->release = release[1];
}

static void end_holder(struct holder *h)
{
    close(h->release);
    assert_int_equal(waitpid(h->pid, NULL, 0), h->pid);
}

static void test_a_lock_held_by_another_process_is_busy_until_it_ends(void **state)
{
    char path[PATH_SIZE];
    struct detail why;
    struct holder other;
    hold_lock(temp_path(*state, "lock", path), &other);
    assert_int_equal(file_lock(path, &why), E_BUSY);
    assert_contains(why.text, path);
    assert_contains(why.text, "another process");
    end_holder(&other);
    int fd = file_lock(path, &why);
    assert_true(fd >= 0);
    close(fd);
}

static void test_a_lock_ends_with_its_descriptor(void **state)
{
    char path[PATH_SIZE];
    int fd = file_lock(temp_path(*state, "lock", path), NULL);
    assert_true(fd >= 0);
    assert_int_equal(file_lock(path, NULL), E_BUSY); /* a second opening is a stranger, even here */
    close(fd);
    fd = file_lock(path, NULL);
    assert_true(fd >= 0);
    close(fd);
}

static void test_looking_at_the_locked_file_does_not_lose_the_lock(void **state)
{
    /* With F_SETLK, closing any descriptor of the file would. */
    char path[PATH_SIZE];
    struct buffer b = {0};
    int fd = file_lock(temp_path(*state, "lock", path), NULL);
    assert_true(fd >= 0);
    assert_int_equal(file_read(path, 10, &b, NULL), 0);
    assert_int_equal(file_lock(path, NULL), E_BUSY);
    close(fd);
    buffer_free(&b);
}

static void test_a_lock_in_a_missing_folder_is_an_io_error(void **state)
{
    char path[PATH_SIZE];
    struct detail why;
    assert_int_equal(file_lock(temp_path(*state, "missing/lock", path), &why), E_IO);
    assert_contains(why.text, path);
}

/* ---- Folders ---- */

static void test_folders_are_made_with_their_parents(void **state)
{
    char path[PATH_SIZE], slashes[PATH_SIZE];
    struct stat st;
    mode_t before = umask(0);
    assert_int_equal(dir_make(temp_path(*state, "a/b/c", path), NULL), 0);
    umask(before);
    assert_int_equal(stat(path, &st), 0);
    assert_true(S_ISDIR(st.st_mode));
    assert_int_equal(st.st_mode & 0777, 0750);
    assert_int_equal(dir_make(path, NULL), 0); /* it may be there already */
    assert_int_equal(dir_make(temp_path(*state, "a//b/d//", slashes), NULL), 0);
    assert_true(file_exists(slashes));
}

static void test_a_file_in_the_way_of_a_folder_is_named(void **state)
{
    char file[PATH_SIZE], path[PATH_SIZE];
    struct detail why;
    write_text(temp_path(*state, "f", file), "");
    assert_int_equal(dir_make(temp_path(*state, "f/sub", path), &why), E_IO);
    assert_contains(why.text, file);
    assert_int_equal(dir_make(file, &why), E_IO);
}

static void test_the_parent_folder_is_synced(void **state)
{
    char path[PATH_SIZE];
    assert_int_equal(dir_sync_parent(temp_path(*state, "file", path)), 0);
    assert_int_equal(dir_sync_parent("name-in-the-working-directory"), 0);
    assert_int_equal(dir_sync_parent(temp_path(*state, "missing/file", path)), E_IO);
}

#define in_temp_dir(test) cmocka_unit_test_setup_teardown(test, make_dir, remove_dir)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_temp_dir(test_a_file_is_appended_whole),
        in_temp_dir(test_a_file_of_many_pages_is_read),
        in_temp_dir(test_an_empty_file_is_read),
        in_temp_dir(test_a_file_that_is_too_large_leaves_nothing_behind),
        in_temp_dir(test_a_missing_file_is_told_from_one_that_cannot_be_read),
        in_temp_dir(test_existence),
        in_temp_dir(test_a_secret_loses_the_white_space_at_its_end_only),
        in_temp_dir(test_a_short_secret_is_refused_without_being_shown),
        in_temp_dir(test_a_secret_has_at_most_4096_bytes),
        in_temp_dir(test_a_missing_secret_is_not_found),
        in_temp_dir(test_a_secret_that_all_can_read_is_warned_of),
        in_temp_dir(test_wiping_nothing_is_fine),
        in_temp_dir(test_a_lock_held_by_another_process_is_busy_until_it_ends),
        in_temp_dir(test_a_lock_ends_with_its_descriptor),
        in_temp_dir(test_looking_at_the_locked_file_does_not_lose_the_lock),
        in_temp_dir(test_a_lock_in_a_missing_folder_is_an_io_error),
        in_temp_dir(test_folders_are_made_with_their_parents),
        in_temp_dir(test_a_file_in_the_way_of_a_folder_is_named),
        in_temp_dir(test_the_parent_folder_is_synced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
