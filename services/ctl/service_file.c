#include "services/ctl/service_file.h"

#include <stddef.h>

#include "common/base/file.h"
#include "common/pipeline/settings.h"

int service_file_open(struct store **out, const char *path, const struct migration *migrations,
                      struct detail *why)
{
    struct detail inner = {.text = ""};
    *out = NULL;
    int error = store_open(out, path, STORE_READER, why);
    if (error)
        return error;
    error = migrate_check(*out, migrations, &inner);
    if (error) {
        detail_set(why, "%s: %s", path, inner.text);
        store_close(*out);
        *out = NULL;
    }
    return error;
}

#define COLUMNS                                                                                              \
    "order_id, user_id, sku, quantity, accepted_ms, decided_ms, reason, unit_price, receipt_no, "            \
    "limit_per_user"

/* A name in the temporary schema goes before the same one of a file. An order that is being moved is in both.
 */
static const char both[] =
    "CREATE TEMP VIEW orders AS SELECT " COLUMNS " FROM main.orders UNION ALL SELECT " COLUMNS
    " FROM archive.orders AS a WHERE NOT EXISTS (SELECT 1 FROM main.orders AS m WHERE m.order_id = "
    "a.order_id)";

/* The archive's own form is looked at by itself: its version is of its own schema. */
static int add_archive(struct store *store, const char *archive, struct detail *why)
{
    struct store *alone = NULL;
    int error = service_file_open(&alone, archive, archive_migrations, why);
    store_close(alone);
    if (!error)
        error = store_attach(store, archive, "archive", why);
    if (!error && (error = store_execute(store, both)))
        detail_set(why, "%s: %s", archive, store_error(store));
    return error;
}

int inventory_file_open(struct store **out, const char *path, struct detail *why)
{
    char archive[STORE_PATH_SIZE];
    int error = service_file_open(out, path, inventory_migrations, why);
    if (!error && file_exists(settings_archive_of(path, archive)))
        error = add_archive(*out, archive, why);
    if (error) {
        store_close(*out);
        *out = NULL;
    }
    return error;
}
