/* seckillctl backup and restore: copies of files that are in use and of files that are not, and what a
 * restore takes and refuses. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/store/statement.h"
#include "tests/support/check.h"
#include "tests/support/ctl.h"
#include "tests/support/json.h"

static char earlier[STACK_PATH]; /* a backup of inventory, from before the order `late` */
static char late[27];

static void store_path(const struct stack *s, const char *name, char out[STACK_PATH])
{
    snprintf(out, STACK_PATH, "%s/store/%s", s->dir, name);
}

/* Backs everything up; the path of inventory's copy. Returns how many there are. */
static size_t back_up(struct stack *s, char inventory[STACK_PATH])
{
    struct ctl_answer answer;
    ctl(s, &answer, (const char *[]){"backup", NULL});
    assert_int_equal(answer.output.status, 0);
    const json_t *backups = json_object_get(answer.json, "backups");
    size_t count = json_array_size(backups), i;
    const json_t *backup;
    *inventory = '\0';
    json_array_foreach(backups, i, backup)
    {
        const char *file = json_string_value(json_object_get(backup, "file"));
        assert_int_equal(access(file, R_OK), 0);
        assert_true(json_integer_value(json_object_get(backup, "bytes")) > 0);
        if (strstr(file, "/inventory.0-"))
            snprintf(inventory, STACK_PATH, "%s", file);
    }
    ctl_free(&answer);
    assert_true(*inventory);
    return count;
}

/* One unit, confirmed. Returns its receipt's number. */
static int64_t buy_one(struct stack *s, const char *sku, const char *user, char id[27])
{
    struct http_response response;
    char body[120];
    snprintf(body, sizeof body, "{\"user_id\":\"%s\",\"sku\":\"%s\",\"quantity\":1}", user, sku);
    post_order(s, NULL, body, &response);
    assert_accepted(&response, id);
    http_response_free(&response);
    json_t *order = assert_becomes(s, id, "confirmed");
    int64_t receipt = json_number(order, "receipt_no");
    json_decref(order);
    return receipt;
}

static int64_t last_receipt(const char *database)
{
    struct store *store = NULL;
    struct statement *st = NULL;
    assert_int_equal(store_open(&store, database, STORE_READER, NULL), 0);
    assert_int_equal(statement_prepare(&st, store, "SELECT receipt_no FROM shard", NULL), 0);
    assert_int_equal(statement_next(st), 1);
    int64_t receipt = statement_int(st, 0);
    statement_free(st);
    store_close(store);
    return receipt;
}

static void place_order(struct stack *s, const char *user, char id[27])
{
    buy_one(s, "kept", user, id);
}

static void test_running_workers_copy_their_files(void **state)
{
    struct stack *s = *state;
    char id[27];
    assert_int_equal(item_put(s, &(struct item_terms){.sku = "kept", .stock = 10}), 0);
    place_order(s, "u1", id);
    assert_true(audit_passes(s)); /* the others have heard of it */
    assert_int_equal(back_up(s, earlier), 3);
}

static void test_restore_keeps_off_a_file_in_use(void **state)
{
    assert_int_equal(ctl_status(*state, 69, (const char *[]){"restore", earlier, NULL}), 69);
    assert_int_equal(ctl_status(*state, 64, (const char *[]){"restore", "/tmp/other.db", NULL}), 64);
    assert_int_equal(ctl_status(*state, 64, (const char *[]){"restore", NULL}), 64);
}

static void test_file_without_a_worker_is_copied_and_restored(void **state)
{
    struct stack *s = *state;
    struct ctl_answer answer;
    char latest[STACK_PATH];
    place_order(s, "late", late);
    assert_true(audit_passes(s));
    assert_int_equal(stack_do(s, "stop", "inventory", NULL), 0);
    assert_int_equal(back_up(s, latest), 3);
    ctl(s, &answer, (const char *[]){"restore", latest, NULL});
    assert_int_equal(answer.output.status, 0);
    assert_int_equal(json_number(answer.json, "unknown_orders"), 0);
    assert_int_equal(access(json_string_value(json_object_get(answer.json, "replaced")), R_OK), 0);
    ctl_free(&answer);
    assert_int_equal(stack_do(s, "start", "inventory", NULL), 0);
    assert_int_equal(item_left(s, "kept"), 8);
}

static void test_damaged_backup_changes_nothing(void **state)
{
    struct stack *s = *state;
    char damaged[STACK_PATH];
    store_path(s, "inventory.0-damaged.db", damaged);
    FILE *file = fopen(damaged, "w");
    assert_non_null(file);
    assert_true(fputs("SQLite format 3", file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(stack_do(s, "stop", "inventory", NULL), 0);
    assert_int_equal(ctl_status(s, 74, (const char *[]){"restore", damaged, NULL}), 74);
    assert_int_equal(stack_do(s, "start", "inventory", NULL), 0);
    assert_int_equal(item_left(s, "kept"), 8);
}

/* The file of before `late` comes back: the order is named, and its item sells nothing until somebody has
 * looked. */
static void test_orders_after_the_backup_are_named_and_their_items_paused(void **state)
{
    struct stack *s = *state;
    struct ctl_answer answer;
    char replaced[STACK_PATH], line[200] = "", path[STACK_PATH], newer[27];
    assert_int_equal(item_put(s, &(struct item_terms){.sku = "newer", .stock = 5}), 0);
    int64_t told = buy_one(s, "newer", "u2", newer);
    assert_true(audit_passes(s)); /* the others have heard of it */
    assert_int_equal(stack_do(s, "stop", "inventory", NULL), 0);
    ctl(s, &answer, (const char *[]){"restore", earlier, NULL});
    assert_int_equal(answer.output.status, 0);
    assert_int_equal(json_number(answer.json, "unknown_orders"), 2);
    assert_int_equal(json_number(answer.json, "orders_of_unknown_items"), 1); /* put up after the backup */
    snprintf(replaced, sizeof replaced, "%s", json_string_value(json_object_get(answer.json, "replaced")));
    FILE *list = fopen(json_string_value(json_object_get(answer.json, "unknown_orders_file")), "r");
    assert_non_null(list);
    assert_non_null(fgets(line, sizeof line, list));
    assert_string_equal(line, "order_id,user_id,sku,told_at\n");
    assert_non_null(fgets(line, sizeof line, list));
    assert_non_null(strstr(line, late));
    assert_non_null(fgets(line, sizeof line, list));
    assert_non_null(strstr(line, newer));
    assert_int_equal(fclose(list), 0);
    ctl_free(&answer);

    assert_int_equal(stack_do(s, "start", "inventory", NULL), 0);
    ctl(s, &answer, (const char *[]){"item", "show", "kept", NULL});
    assert_true(json_is_true(json_object_get(answer.json, "paused")));
    ctl_free(&answer);
    assert_int_equal(ctl_status(s, 1, (const char *[]){"audit", "--wait", "0", NULL}), 1);

    assert_int_equal(stack_do(s, "stop", "inventory", NULL), 0);
    store_path(s, "inventory.0.db", path);
    assert_true(last_receipt(path) > told); /* none is told twice */
    assert_int_equal(rename(replaced, path), 0);
    assert_int_equal(stack_do(s, "start", "inventory", NULL), 0);
}

static void test_archive_is_copied_as_well(void **state)
{
    struct stack *s = *state;
    char inventory[STACK_PATH];
    assert_int_equal(ctl_status(s, 0, (const char *[]){"archive", "--older-than", "0", NULL}), 0);
    assert_int_equal(back_up(s, inventory), 4);
    assert_int_equal(stack_do(s, "stop", "inventory", NULL), 0);
    assert_int_equal(back_up(s, inventory), 4);
    assert_int_equal(ctl_status(s, 0, (const char *[]){"restore", inventory, NULL}), 0);
    assert_int_equal(stack_do(s, "start", "inventory", NULL), 0);
    assert_int_equal(item_left(s, "kept"), 8);
}

static void test_old_backups_go_when_there_is_a_newer_one(void **state)
{
    struct stack *s = *state;
    struct ctl_answer answer;
    ctl(s, &answer, (const char *[]){"backup", "--keep-days", "0", NULL});
    assert_int_equal(answer.output.status, 0);
    assert_true(json_number(answer.json, "removed") >= 3);
    ctl_free(&answer);
    assert_int_not_equal(access(earlier, F_OK), 0);
    assert_int_equal(ctl_status(s, 64, (const char *[]){"backup", "--keep-days", "-1", NULL}), 64);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_running_workers_copy_their_files, everything_runs),
        cmocka_unit_test_setup(test_restore_keeps_off_a_file_in_use, everything_runs),
        cmocka_unit_test_setup(test_file_without_a_worker_is_copied_and_restored, everything_runs),
        cmocka_unit_test_setup(test_damaged_backup_changes_nothing, everything_runs),
        cmocka_unit_test_setup(test_orders_after_the_backup_are_named_and_their_items_paused,
                               everything_runs),
        cmocka_unit_test_setup(test_archive_is_copied_as_well, everything_runs),
        cmocka_unit_test_setup(test_old_backups_go_when_there_is_a_newer_one, everything_runs),
        STACK_END,
    };
    return run_with_stack("restore", tests, sizeof tests / sizeof *tests, (const char *[]){NULL});
}
