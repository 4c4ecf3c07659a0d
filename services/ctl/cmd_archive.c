/* archive: moves old decided orders out of inventory's files into their archives. Inventory, which is the
 * only one that writes to them, does it, a bounded number at a time; to break it off is always safe. */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/pipeline/json_read.h"
#include "common/pipeline/message.h"
#include "common/pipeline/names.h"
#include "services/ctl/commands.h"
#include "services/ctl/inventory.h"

const struct ctl_option cmd_archive_options[] = {
    {"older-than", "DAYS", "orders that were decided so many days ago or earlier; must be given"},
    {"json", NULL, "print JSON: {\"moved\": N, \"looked_at\": N}"},
    {NULL, NULL, NULL},
};

#define MS_PER_DAY  INT64_C(86400000)
#define AT_ONCE     1000
#define PROGRESS_NS (NS_PER_S / 2)

struct archiving {
    int64_t decided_before_ms, moved, looked_at, told_ns;
    bool shows_progress, has_shown;
};

static void show_progress(struct archiving *a, bool is_end)
{
    int64_t now_ns = clock_mono_ns();
    if (!a->shows_progress || (is_end ? !a->has_shown : now_ns - a->told_ns < PROGRESS_NS))
        return;
    fprintf(stderr, "\r%" PRId64 " orders looked at, %" PRId64 " moved%s", a->looked_at, a->moved,
            is_end ? "\n" : "");
    a->told_ns = now_ns;
    a->has_shown = true;
}

static int take_answer(struct archiving *a, const json_t *answer, char next[ORDER_ID_SIZE])
{
    int64_t moved, looked_at;
    struct detail why = {""};
    next[0] = '\0';
    int rc = json_read_int(answer, "moved", 0, INT64_MAX, &moved, &why);
    if (rc == 0)
        rc = json_read_int(answer, "looked_at", 0, INT64_MAX, &looked_at, &why);
    if (rc == 0 && !json_is_null(json_object_get(answer, "next")))
        rc = json_read_order_id(answer, "next", next, &why);
    if (rc)
        return ctl_fail(EXIT_SOFTWARE, "inventory's answer cannot be read: %s", why.text);
    a->moved += moved;
    a->looked_at += looked_at;
    return EXIT_OK;
}

static int archive_shard(struct inventory *inventory, int shard, struct archiving *a)
{
    char next[ORDER_ID_SIZE] = "";
    int status;
    do {
        json_t *answer = NULL, *body = json_pack("{s:I, s:i}", "decided_before_ms",
                                                 (json_int_t)a->decided_before_ms, "limit", AT_ONCE);
        if (next[0])
            json_object_set_new(body, "after", json_string(next));
        status = inventory_ask(inventory, shard, RPC_ORDERS_ARCHIVE, body, &answer, NULL);
        if (status == EXIT_OK)
            status = take_answer(a, answer, next);
        json_decref(body);
        json_decref(answer);
        show_progress(a, false);
    } while (status == EXIT_OK && next[0]);
    return status;
}

int cmd_archive(const struct ctl *ctl)
{
    int64_t days = 0;
    struct inventory *inventory = NULL;
    if (!ctl_option(ctl, "older-than"))
        return ctl_bad_usage(ctl, "--older-than DAYS must be given");
    int status = ctl_option_number(ctl, "older-than", 0, 36500, &days);
    if (status == EXIT_OK)
        status = inventory_open(ctl, &inventory);
    if (status)
        return status;
    int64_t before_ms = clock_wall_ms() - days * MS_PER_DAY;
    struct archiving a = {.decided_before_ms = before_ms > 0 ? before_ms : 0,
                          .told_ns = clock_mono_ns(),
                          .shows_progress = isatty(STDERR_FILENO)};
    for (int shard = 0; shard < ctl->settings->topology.shards && status == EXIT_OK; shard++)
        status = archive_shard(inventory, shard, &a);
    show_progress(&a, true);
    inventory_close(inventory);
    if (ctl_json(ctl))
        printf("{\n  \"moved\": %" PRId64 ",\n  \"looked_at\": %" PRId64 "\n}\n", a.moved, a.looked_at);
    else
        printf("%" PRId64 " orders moved into the archive, of %" PRId64 " that were looked at\n", a.moved,
               a.looked_at);
    return status;
}
