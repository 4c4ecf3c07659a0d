#include "services/ctl/shard_file.h"

#include <stddef.h>

#include "common/store/migrate.h"

extern const struct migration inventory_migrations[]; /* schema/inventory */

int shard_file_open(struct store **out, const char *path, struct detail *why)
{
    struct detail inner = {.text = ""};
    *out = NULL;
    int error = store_open(out, path, STORE_READER, why);
    if (error)
        return error;
    error = migrate_check(*out, inventory_migrations, &inner);
    if (error) {
        detail_set(why, "%s: %s", path, inner.text);
        store_close(*out);
        *out = NULL;
    }
    return error;
}
