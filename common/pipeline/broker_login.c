#include "common/pipeline/broker_login.h"

#include "common/base/file.h"

/* A name and a password that the file or the unit gives win over those in the addresses. */
static int log_in(const struct settings *s, struct broker_addresses *a, struct detail *why)
{
    const char *user = *s->broker.user ? s->broker.user : NULL;
    struct buffer password = {0};
    struct detail reason = {.text = ""};
    if (*s->broker.password_file == '\0') {
        broker_addresses_login(a, user, NULL);
        return 0;
    }
    int error = file_read_secret(s->broker.password_file, 1, &password, &reason);
    if (error)
        detail_set(why, "broker.password_file: %s", reason.text);
    else
        broker_addresses_login(a, user, buffer_text(&password));
    file_wipe(&password);
    return error;
}

int broker_login_addresses(const struct settings *s, struct broker_addresses *out, struct detail *why)
{
    struct detail reason = {.text = ""};
    int error = broker_addresses_parse(s->broker.url, out, &reason);
    if (error) {
        detail_set(why, "broker.url: %s", reason.text);
        return error;
    }
    for (size_t i = 0; i < out->count; i++) {
        out->items[i].ca_file = s->broker.ca_file;
        out->items[i].cert_file = s->broker.cert_file;
        out->items[i].key_file = s->broker.key_file;
    }
    error = log_in(s, out, why);
    if (error)
        broker_addresses_free(out);
    return error;
}
