/* Checks of the webhook's settings at start, so that a slip there is not found message by message. */
#include "services/notification/webhook_settings.h"

#include <curl/curl.h>
#include <string.h>

#include "common/base/file.h"

#define CA_FILE_MAX (16u << 20)

static bool has_part(CURLU *url, CURLUPart part)
{
    char *text = NULL;
    bool has = curl_url_get(url, part, &text, 0) == CURLUE_OK && text && *text;
    curl_free(text);
    return has;
}

static bool scheme_is_http(CURLU *url)
{
    char *scheme = NULL;
    bool is = curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
              (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);
    curl_free(scheme);
    return is;
}

/* The address itself may hold a secret (a gateway's key in the query): the detail does not show it. */
static int check_url(const char *text, struct detail *why)
{
    if (!*text) {
        detail_set(why, "notification.webhook_url is needed for the sink webhook");
        return E_INVALID;
    }
    CURLU *url = curl_url();
    const char *wrong = NULL;
    if (!url || curl_url_set(url, CURLUPART_URL, text, 0) != CURLUE_OK)
        wrong = "is not a whole address, such as https://sms.example/v1/messages";
    else if (!scheme_is_http(url))
        wrong = "is neither http nor https";
    else if (has_part(url, CURLUPART_USER) || has_part(url, CURLUPART_PASSWORD))
        wrong = "holds a user or a password; put a token into notification.webhook_token_file";
    else if (has_part(url, CURLUPART_FRAGMENT))
        wrong = "has a fragment (#…), which is never sent";
    curl_url_cleanup(url);
    if (!wrong)
        return 0;
    detail_set(why, "notification.webhook_url %s", wrong);
    return E_INVALID;
}

static int check_ca_file(const char *path, struct detail *why)
{
    static const char begin[] = "-----BEGIN ";
    struct buffer text = {0};
    if (!*path)
        return 0;
    struct detail reason;
    if (file_read(path, CA_FILE_MAX, &text, &reason) != 0) {
        detail_set(why, "notification.webhook_ca_file: %.250s", reason.text);
        return E_INVALID;
    }
    bool is_pem = text.len > 0 && memmem(text.data, text.len, begin, sizeof(begin) - 1);
    buffer_free(&text);
    if (is_pem)
        return 0;
    detail_set(why, "notification.webhook_ca_file: %.200s holds no certificate in PEM form", path);
    return E_INVALID;
}

int webhook_settings_check(const struct settings *settings, struct detail *why)
{
    int rc = check_url(settings->notification.webhook_url, why);
    return rc ? rc : check_ca_file(settings->notification.webhook_ca_file, why);
}

int webhook_read_token(const struct settings *settings, struct buffer *out, struct detail *why)
{
    static const char header[] = "Authorization: Bearer ";
    const char *path = settings->notification.webhook_token_file;
    if (!*path)
        return 0;
    struct detail reason;
    struct buffer token = {0};
    if (file_read_secret(path, 1, &token, &reason) != 0) {
        detail_set(why, "notification.webhook_token_file: %.250s", reason.text);
        return E_INVALID;
    }
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < token.len; i++) {
        if (token.data[i] <= ' ' || token.data[i] > '~') { /* it goes into a header as it is */
            detail_set(why, "notification.webhook_token_file: byte %zu of the token is not visible ASCII",
                       i + 1);
            rc = E_INVALID;
        }
    }
    if (rc == 0) {
        buffer_reserve(out, sizeof(header) + token.len); /* at once: growing leaves copies behind */
        buffer_add_text(out, header);
        buffer_add(out, token.data, token.len);
    }
    file_wipe(&token);
    return rc;
}
