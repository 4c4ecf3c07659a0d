/* A request to the gateway. */
#include "services/notification/webhook_request.h"

#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/pipeline/settings.h"
#include "services/notification/webhook_body.h"

#define BUFFER_BYTES 4096L /* answers are small */

/* An option that this libcurl does not take is our bug: what it protects from would happen. */
#define SET(easy, option, value)                                                                             \
    do {                                                                                                     \
        CURLcode set_code = curl_easy_setopt((easy), (option), (value));                                     \
        if (set_code != CURLE_OK)                                                                            \
            log_panic("curl_option", "option=%d error=\"%s\"", (int)(option), curl_easy_strerror(set_code)); \
    } while (0)

/* ---- What curl calls ---- */

static int on_new_socket(void *context, curl_socket_t fd, curlsocktype purpose)
{
    struct webhook_request *r = context;
    (void)fd;
    (void)purpose;
    r->has_socket = true;
    if (r->is_resolved)
        *r->is_resolved = true;
    return CURL_SOCKOPT_OK;
}

static size_t on_header(char *data, size_t size, size_t count, void *context)
{
    struct webhook_request *r = context;
    const struct slice line = {.data = data, .len = size * count};
    return webhook_answer_header(&r->answer, line, clock_wall_ms()) ? line.len : 0;
}

static size_t on_body(char *data, size_t size, size_t count, void *context)
{
    struct webhook_request *r = context;
    const struct slice bytes = {.data = data, .len = size * count};
    return webhook_answer_body(&r->answer, bytes) ? bytes.len : 0;
}

/* ---- What is the same for all ---- */

static void set_what_is_allowed(CURL *easy, const struct settings *s)
{
    SET(easy, CURLOPT_URL, s->notification.webhook_url);
    SET(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    SET(easy, CURLOPT_FOLLOWLOCATION, 0L);
    SET(easy, CURLOPT_PROXY, ""); /* none, not even from the environment */
    SET(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    SET(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    SET(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (*s->notification.webhook_ca_file) {
        SET(easy, CURLOPT_CAINFO, s->notification.webhook_ca_file);
        SET(easy, CURLOPT_CAPATH, NULL); /* these, and not the system's beside them */
    }
}

static void set_what_is_bounded(CURL *easy, const struct settings *s)
{
    SET(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)s->notification.connect_timeout_ms);
    SET(easy, CURLOPT_TIMEOUT_MS, (long)s->notification.total_timeout_ms);
    SET(easy, CURLOPT_BUFFERSIZE, BUFFER_BYTES);
    SET(easy, CURLOPT_UPLOAD_BUFFERSIZE, 4 * BUFFER_BYTES);
    SET(easy, CURLOPT_NOSIGNAL, 1L);
    /* A look-up in its thread is left behind when its request is over: else curl waits for it, and we with
     * curl. */
    SET(easy, CURLOPT_QUICK_EXIT, 1L);
}

static CURL *easy_new(struct webhook_request *r, const struct settings *settings)
{
    CURL *easy = curl_easy_init();
    if (!easy)
        log_panic("curl_easy_init", "");
    set_what_is_allowed(easy, settings);
    set_what_is_bounded(easy, settings);
    SET(easy, CURLOPT_USERAGENT, "seckill/" SECKILL_VERSION);
    SET(easy, CURLOPT_PRIVATE, r);
    SET(easy, CURLOPT_ERRORBUFFER, r->error);
    SET(easy, CURLOPT_HEADERFUNCTION, on_header);
    SET(easy, CURLOPT_HEADERDATA, r);
    SET(easy, CURLOPT_WRITEFUNCTION, on_body);
    SET(easy, CURLOPT_WRITEDATA, r);
    SET(easy, CURLOPT_SOCKOPTFUNCTION, on_new_socket);
    SET(easy, CURLOPT_SOCKOPTDATA, r);
    return easy;
}

/* ---- One message ---- */

static void add_header(struct webhook_request *r, const char *line)
{
    struct curl_slist *longer = curl_slist_append(r->headers, line);
    if (!longer)
        log_panic("curl_slist_append", "");
    r->headers = longer;
}

static void headers_free(struct webhook_request *r)
{
    for (const struct curl_slist *h = r->headers; h; h = h->next)
        explicit_bzero(h->data, strlen(h->data));
    curl_slist_free_all(r->headers);
    r->headers = NULL;
}

void webhook_request_prepare(struct webhook_request *r, const struct settings *settings,
                             struct buffer *authorization, const struct sink_message *m)
{
    char key[SINK_KEY_SIZE], line[SINK_KEY_SIZE + 32];
    if (!r->easy)
        r->easy = easy_new(r, settings);
    snprintf(line, sizeof(line), "Idempotency-Key: %s", sink_key(m->event, key));
    add_header(r, line);
    add_header(r, "Content-Type: application/json");
    add_header(r, "Expect:"); /* never wait for a 100 */
    if (authorization->len > 0)
        add_header(r, buffer_text(authorization));
    buffer_clear(&r->body);
    webhook_body_encode(&r->body, m->event, m->text);
    SET(r->easy, CURLOPT_HTTPHEADER, r->headers);
    SET(r->easy, CURLOPT_POSTFIELDS, r->body.data); /* not copied: stays until the end */
    SET(r->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.len);
    r->token = m->token;
    r->answer = (struct webhook_answer){.status = 0};
    r->has_socket = false;
    r->error[0] = '\0';
}

bool webhook_request_is_unresolved(const struct webhook_request *r)
{
    long sent = 0; /* bytes; on a kept connection there are some without a new socket */
    curl_easy_getinfo(r->easy, CURLINFO_REQUEST_SIZE, &sent);
    return r->result == CURLE_COULDNT_RESOLVE_HOST ||
           (r->result == CURLE_OPERATION_TIMEDOUT && !r->has_socket && sent == 0);
}

void webhook_request_judge(struct webhook_request *r, struct sink_outcome *out)
{
    out->token = r->token;
    webhook_answer_judge(&r->answer, r->error[0] ? r->error : curl_easy_strerror(r->result), out);
    headers_free(r);
}

void webhook_request_free(struct webhook_request *r)
{
    curl_easy_cleanup(r->easy); /* NULL is fine */
    headers_free(r);
    buffer_free(&r->body);
    r->easy = NULL;
}
