/* Addresses from broker.url. amqp_parse_url (rabbitmq-c) reads each; it decodes percent escapes in place. */
#include "common/broker/address.h"

#include <amqp.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"

/* Cuts the white space around the text off, in place. */
static char *trimmed(char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    size_t len = strlen(text);
    while (len > 0 && isspace((unsigned char)text[len - 1]))
        text[--len] = '\0';
    return text;
}

static int parse_one(char *url, size_t number, struct broker_address *out, struct detail *why)
{
    struct amqp_connection_info info;
    amqp_default_connection_info(&info);
    int status = amqp_parse_url(url, &info);
    if (status != AMQP_STATUS_OK || !*info.host) {
        detail_set(why,
                   "address %zu of broker.url is not of the form amqp[s]://user:password@host:port/vhost "
                   "(special characters in user, password and vhost are written as %%XX)",
                   number);
        return E_INVALID;
    }
    *out = (struct broker_address){
        .tls = info.ssl != 0,
        .host = info.host,
        .user = info.user,
        .password = info.password,
        .vhost = *info.vhost ? info.vhost : "/", /* ".../" names the empty one, which RabbitMQ never has */
        .port = info.port,
    };
    return 0;
}

int broker_addresses_parse(const char *text, struct broker_addresses *out, struct detail *why)
{
    size_t count = 1;
    for (const char *p = text; *p; p++)
        count += *p == ',';
    struct broker_addresses a = {
        .items = xcalloc(count, sizeof *a.items),
        .count = count,
        .storage = xstrdup(text),
    };
    char *rest = a.storage;
    for (size_t i = 0; i < count; i++) {
        char *url = strsep(&rest, ",");
        int error = parse_one(trimmed(url), i + 1, &a.items[i], why);
        if (error) {
            broker_addresses_free(&a);
            return error;
        }
    }
    *out = a;
    return 0;
}

void broker_addresses_login(struct broker_addresses *a, const char *user, const char *password)
{
    if (user)
        a->user = xstrdup(user);
    if (password)
        a->password = xstrdup(password);
    for (size_t i = 0; i < a->count; i++) {
        if (user)
            a->items[i].user = a->user;
        if (password)
            a->items[i].password = a->password;
    }
}

void broker_addresses_free(struct broker_addresses *a)
{
    if (a->password)
        explicit_bzero(a->password, strlen(a->password));
    free(a->user);
    free(a->password);
    free(a->items);
    free(a->storage);
    *a = (struct broker_addresses){0};
}
