/* order export: decided orders as CSV or NDJSON, read from the inventory files of this host. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "services/ctl/commands.h"
#include "services/ctl/order_format.h"
#include "services/ctl/order_pages.h"
#include "services/ctl/output_file.h"

const struct ctl_option cmd_order_export_options[] = {
    {"format", "csv|ndjson", "CSV with a heading (the default), or a JSON object on each line"},
    {"sku", "SKU", "orders of this item only"},
    {"status", "confirmed|rejected|all", "orders that were decided so; all where left out"},
    {"from", "TIME", "decided at this moment or later (RFC 3339, such as 2026-11-11T00:00:00+08:00)"},
    {"to", "TIME", "decided before this moment; now where left out"},
    {"output", "FILE", "write to FILE, which is whole or not there; else to standard output"},
    {NULL, NULL, NULL},
};

#define PROGRESS_NS (NS_PER_S / 2)

struct order_export {
    const char *sku; /* NULL: all */
    bool confirmed, rejected;
    int64_t from_ms, to_ms;
    void (*line)(struct buffer *out, const struct order_row *row);
    struct output_file out;
    struct buffer text;
    int64_t read, written;
    int64_t told_ns;
    bool shows_progress, has_shown;
};

static volatile sig_atomic_t is_interrupted;

static void interrupt(int signal)
{
    (void)signal;
    is_interrupted = 1;
}

/* ---- what is asked for ---- */

static int read_moment(const struct ctl *ctl, const char *option, int64_t *ms)
{
    const char *text = ctl_option(ctl, option);
    if (text && rfc3339_parse(text, ms))
        return ctl_bad_usage(ctl, "--%s must be a time such as 2026-11-11T00:00:00+08:00, not \"%s\"", option,
                             text);
    return EXIT_OK;
}

static int read_wishes(const struct ctl *ctl, struct order_export *e)
{
    const char *format = ctl_option(ctl, "format"), *status = ctl_option(ctl, "status");
    const int64_t now_ms = clock_wall_ms();
    *e = (struct order_export){.sku = ctl_option(ctl, "sku"), .from_ms = INT64_MIN, .to_ms = now_ms + 1};
    e->line = format && strcmp(format, "ndjson") == 0 ? order_ndjson_line : order_csv_line;
    if (format && strcmp(format, "csv") != 0 && e->line == order_csv_line)
        return ctl_bad_usage(ctl, "--format must be csv or ndjson, not \"%s\"", format);
    e->confirmed = !status || strcmp(status, "rejected") != 0;
    e->rejected = !status || strcmp(status, "confirmed") != 0;
    if (status && e->confirmed && e->rejected && strcmp(status, "all") != 0)
        return ctl_bad_usage(ctl, "--status must be confirmed, rejected or all, not \"%s\"", status);
    if (e->sku && !name_is_valid(slice_of(e->sku)))
        return ctl_bad_usage(ctl, "--sku must have 1 to %d bytes of UTF-8 and no control characters",
                             NAME_MAX_BYTES);
    int rc = read_moment(ctl, "from", &e->from_ms);
    if (rc == EXIT_OK)
        rc = read_moment(ctl, "to", &e->to_ms);
    if (rc == EXIT_OK && e->from_ms >= e->to_ms)
        return ctl_bad_usage(ctl, "--from must be earlier than --to");
    if (e->to_ms > now_ms + 1) /* what is decided while we read may be on either side of it */
        e->to_ms = now_ms + 1;
    return rc;
}

static bool is_wanted(const struct order_export *e, const struct order_row *row)
{
    const struct decision *d = &row->decision;
    return (d->status == ORDER_CONFIRMED ? e->confirmed : e->rejected) && d->at_ms >= e->from_ms &&
           d->at_ms < e->to_ms && (!e->sku || strcmp(e->sku, d->sku) == 0);
}

/* ---- writing ---- */

static void show_progress(struct order_export *e, bool is_end)
{
    int64_t now_ns = clock_mono_ns();
    if (!e->shows_progress || (is_end ? !e->has_shown : now_ns - e->told_ns < PROGRESS_NS))
        return;
    fprintf(stderr, "\r%" PRId64 " orders read, %" PRId64 " exported%s", e->read, e->written,
            is_end ? "\n" : "");
    e->told_ns = now_ns;
    e->has_shown = true;
}

/* false: it cannot be written. */
static bool write_text(struct order_export *e)
{
    bool is_written = fwrite(e->text.data, 1, e->text.len, e->out.file) == e->text.len;
    buffer_clear(&e->text);
    return is_written;
}

static int write_page(struct order_export *e, const struct order_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!is_wanted(e, &rows[i]))
            continue;
        e->line(&e->text, &rows[i]);
        e->written++;
    }
    e->read += (int64_t)count;
    show_progress(e, false);
    if (e->text.len > 0 && !write_text(e))
        return ctl_fail(EXIT_DISK, "the output could not be written");
    return is_interrupted ? ctl_fail(EXIT_FAILED, "interrupted: the export is not whole") : EXIT_OK;
}

static int export_shard(const struct ctl *ctl, struct order_export *e, int shard)
{
    char path[STORE_PATH_SIZE];
    struct detail why = {""};
    struct order_pages *pages = NULL;
    const struct order_row *rows;
    size_t count;
    int status = EXIT_OK;
    int rc = order_pages_open(&pages, settings_inventory_path(ctl->settings, shard, path), &why);
    if (rc == E_NOT_FOUND)
        return ctl_fail(EXIT_CONFIG, "%s; is store.dir right, and is it on this host?", why.text);
    while (rc >= 0 && status == EXIT_OK && (rc = order_pages_next(pages, &rows, &count, &why)) == 1)
        status = write_page(e, rows, count);
    order_pages_close(pages);
    return rc < 0 ? ctl_fail(ctl_exit_code(rc), "%s", why.text) : status;
}

/* An interrupted export leaves no file of another name behind. */
static void heed_interrupts(void)
{
    const struct sigaction action = {.sa_handler = interrupt, .sa_flags = (int)SA_RESETHAND};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
}

int cmd_order_export(const struct ctl *ctl)
{
    struct order_export e;
    struct detail why = {""};
    int status = read_wishes(ctl, &e);
    if (status)
        return status;
    if (output_file_open(&e.out, ctl_option(ctl, "output"), &why))
        return ctl_fail(EXIT_DISK, "%s", why.text);
    heed_interrupts();
    e.shows_progress = isatty(STDERR_FILENO) && (e.out.path || !isatty(STDOUT_FILENO));
    e.told_ns = clock_mono_ns();
    if (e.line == order_csv_line) {
        order_csv_heading(&e.text);
        if (!write_text(&e))
            status = ctl_fail(EXIT_DISK, "the output could not be written");
    }
    for (int shard = 0; shard < ctl->settings->topology.shards && status == EXIT_OK; shard++)
        status = export_shard(ctl, &e, shard);
    show_progress(&e, true);
    if (status == EXIT_OK && output_file_keep(&e.out, &why))
        status = ctl_fail(EXIT_DISK, "%s", why.text);
    if (status == EXIT_OK && e.out.path)
        printf("%" PRId64 " orders in %s\n", e.written, e.out.path);
    output_file_discard(&e.out);
    buffer_free(&e.text);
    return status;
}
