#include "services/ctl/service_file.h"

#include <stddef.h>

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
