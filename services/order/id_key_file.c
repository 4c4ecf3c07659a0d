/* Files into one key. */
#include "services/order/id_key_file.h"

#include "common/base/file.h"
#include "common/base/list.h"

#define ID_KEY_MIN 16
#define PATH_SIZE  4096

static int add_key(struct order_id_key **key, const char *path, struct detail *why)
{
    struct buffer secret = {0};
    int rc = file_read_secret(path, ID_KEY_MIN, &secret, why);
    if (rc == 0)
        rc = *key ? order_id_key_add(*key, secret.data, secret.len, why)
                  : order_id_key_new(key, secret.data, secret.len, why);
    file_wipe(&secret);
    return rc;
}

int id_key_load(struct order_id_key **out, const char *files, struct detail *why)
{
    struct order_id_key *key = NULL;
    size_t count = list_count(files);
    int rc = 0;
    if (count == 0) {
        detail_set(
            why,
            "order.id_key_file is not set: make a key with 'head -c 32 /dev/urandom | base64 > FILE' and "
            "give the same file to every front end of this deployment");
        return E_INVALID;
    }
    for (size_t i = 0; i < count && rc == 0; i++) {
        char path[PATH_SIZE];
        if (list_at(files, i, path, sizeof path)) {
            rc = add_key(&key, path, why);
        } else {
            detail_set(why, "order.id_key_file: entry %zu is empty or too long", i + 1);
            rc = E_INVALID;
        }
    }
    if (rc != 0)
        order_id_key_free(key);
    else
        *out = key;
    return rc;
}
