#include "services/ctl/unknown_orders.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/pipeline/order_id.h"
#include "common/store/statement.h"

/* Receipt numbers that are passed over: nobody can say how many were told to buyers whose events have not
 * come. */
#define RECEIPTS_PASSED_OVER 1000000

struct comparison {
    struct store *restored, *told, *archive; /* the last may be NULL */
    struct statement *order, *archived, *item, *pause, *packets;
    FILE *out;
    int shard;
    bool is_only_shard;
    int64_t unknown, homeless; /* homeless: of items that the file does not have */
};

static int open_both(struct comparison *c, const struct settings *s, const char *path, struct detail *why)
{
    char told[STORE_PATH_SIZE];
    int error = service_file_open(&c->told, settings_redpacket_path(s, told), redpacket_migrations, why);
    if (!error)
        error = store_open(&c->restored, path, STORE_OWNER, why);
    if (!error)
        error = statement_prepare(&c->order, c->restored, "SELECT 1 FROM orders WHERE order_id = ?", why);
    if (!error)
        error = statement_prepare(&c->item, c->restored, "SELECT 1 FROM item WHERE sku = ?", why);
    if (!error)
        error = statement_prepare(&c->pause, c->restored, "UPDATE item SET paused = 1 WHERE sku = ?", why);
    if (!error)
        error = statement_prepare(&c->packets, c->told,
                                  "SELECT order_id, user_id, sku, at_ms FROM packet ORDER BY at_ms", why);
    return error;
}

static int read_last_receipt(struct store *s, int64_t *out, struct detail *why)
{
    struct statement *st = NULL;
    int row = statement_prepare(&st, s, "SELECT receipt_no FROM shard", why);
    if (!row)
        row = statement_next(st);
    if (row == 1)
        *out = statement_int(st, 0);
    statement_free(st);
    return row == 1 ? 0 : row < 0 ? row : E_CORRUPT;
}

/* What was moved into the archive before the backup is known, and its sale is in the file's stock. What was
 * decided after the backup has a later receipt, wherever it was moved since: that stock knows nothing of it.
 */
static int open_archive(struct comparison *c, const struct database_file *file, struct detail *why)
{
    char path[STORE_PATH_SIZE];
    if (!file_exists(settings_archive_of(file->path, path)))
        return 0;
    int64_t last_receipt = 0;
    int error = read_last_receipt(c->restored, &last_receipt, why);
    if (!error)
        error = service_file_open(&c->archive, path, archive_migrations, why);
    if (!error)
        error = statement_prepare(&c->archived, c->archive,
                                  "SELECT 1 FROM orders WHERE order_id = ?1 AND receipt_no <= ?2", why);
    if (!error)
        statement_bind_int(c->archived, 2, last_receipt);
    return error;
}

static int has(struct statement *st, struct slice key)
{
    statement_bind_text(st, 1, key);
    int found = statement_next(st);
    if (found == 1)
        statement_reset(st);
    return found;
}

/* A field of a CSV file (RFC 4180). */
static void put_field(FILE *out, struct slice text, char end)
{
    fputc('"', out);
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '"')
            fputc('"', out);
        fputc(text.data[i], out);
    }
    fprintf(out, "\"%c", end);
}

/* Is this confirmed order one of the file's shard? An item that was put up after the backup is not in it. */
static bool is_of_shard(const struct comparison *c, struct slice order)
{
    char id[ORDER_ID_SIZE] = "";
    if (c->is_only_shard || !order_id_is_well_formed(order.data, order.len))
        return c->is_only_shard;
    memcpy(id, order.data, ORDER_ID_CHARS);
    return order_id_shard(id) == c->shard;
}

static int compare(struct comparison *c)
{
    int more, error = 0;
    fputs("order_id,user_id,sku,told_at\n", c->out);
    while (!error && (more = statement_next(c->packets)) == 1) {
        struct slice order = statement_text(c->packets, 0), sku = statement_text(c->packets, 2);
        char at[RFC3339_SIZE];
        int has_item = has(c->item, sku), known = 1;
        if (has_item == 1 || is_of_shard(c, order))
            known = has(c->order, order);
        if (known == 0 && c->archived)
            known = has(c->archived, order);
        error = has_item < 0 ? has_item : known < 0 ? known : 0;
        if (error || known == 1)
            continue;
        c->unknown++;
        c->homeless += has_item == 0;
        statement_bind_text(c->pause, 1, sku);
        error = statement_run(c->pause);
        put_field(c->out, order, ',');
        put_field(c->out, statement_text(c->packets, 1), ',');
        put_field(c->out, sku, ',');
        fprintf(c->out, "%s\n", rfc3339_format(statement_int(c->packets, 3), at));
    }
    return error ? error : more;
}

/* In one transaction: the items are paused together, or not at all. */
static int compare_and_pause(struct comparison *c)
{
    int error = store_begin(c->restored);
    if (!error)
        error = compare(c);
    if (!error)
        error = store_commit(c->restored);
    if (error)
        store_rollback(c->restored);
    return error;
}

/* The last receipt of the file that is replaced; 0 where it is gone, or too damaged to say. */
static int64_t last_receipt_there(const char *path)
{
    struct store *s = NULL;
    struct detail ignored;
    int64_t receipt = 0;
    if (store_open(&s, path, STORE_READER, &ignored) == 0 && read_last_receipt(s, &receipt, &ignored) != 0)
        receipt = 0;
    store_close(s);
    return receipt;
}

static int pass_over_receipts(const char *path, int64_t last_there, struct detail *why)
{
    struct store *s = NULL;
    struct statement *st = NULL;
    int error = store_open(&s, path, STORE_OWNER, why);
    if (!error)
        error = statement_prepare(&st, s, "UPDATE shard SET receipt_no = max(receipt_no, ?1) + ?2", why);
    if (!error) {
        statement_bind_int(st, 1, last_there);
        statement_bind_int(st, 2, RECEIPTS_PASSED_OVER);
        error = statement_run(st);
        if (error)
            detail_set(why, "receipt numbers: %s", error_text(error));
    }
    statement_free(st);
    store_close(s);
    return error;
}

int unknown_orders_find(const struct settings *s, const struct database_file *file, const char *path,
                        struct unknown_orders *found, struct detail *why)
{
    struct comparison c = {.out = NULL, .shard = file->shard, .is_only_shard = s->topology.shards == 1};
    *found = (struct unknown_orders){.count = -1};
    snprintf(found->list, sizeof found->list, "%s.unknown.csv", file->path);
    int error = open_both(&c, s, path, why);
    if (error == E_NOT_FOUND)
        goto done; /* no redpacket.db: the other one is there */
    if (!error)
        error = open_archive(&c, file, why);
    if (!error && !(c.out = fopen(found->list, "we"))) {
        detail_set(why, "%s: %s", found->list, strerror(errno));
        error = E_IO;
    } else if (!error && (error = compare_and_pause(&c)) != 0) {
        detail_set(why, "the comparison with redpacket.db: %s", error_text(error));
    }
    if (c.out && fclose(c.out) != 0 && !error) {
        detail_set(why, "%s: %s", found->list, strerror(errno));
        error = E_IO;
    }
    if (!error)
        *found = (struct unknown_orders){.count = c.unknown, .homeless = c.homeless};
    snprintf(found->list, sizeof found->list, "%s.unknown.csv", file->path);
done:
    statement_free(c.order);
    statement_free(c.archived);
    statement_free(c.item);
    statement_free(c.pause);
    statement_free(c.packets);
    store_close(c.restored);
    store_close(c.told);
    store_close(c.archive);
    return error && error != E_NOT_FOUND ? error
                                         : pass_over_receipts(path, last_receipt_there(file->path), why);
}
