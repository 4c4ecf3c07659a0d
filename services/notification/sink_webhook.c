/*
 * The gateway: each message is a POST to notification.webhook_url, up to notification.in_flight of them at
 * once, by libcurl's multi interface in the caller's thread.
 *
 * Nothing here waits. curl tells which descriptors it wants to hear of (they are in an epoll set of our own,
 * which is wait_fd) and when it wants to be called at the latest (due_ns). Names are looked up in threads of
 * curl's. Memory is bounded by in_flight; a request ends within total_timeout_ms whatever the gateway does.
 */
#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/base/alloc.h"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "services/notification/sink.h"
#include "services/notification/webhook_request.h"
#include "services/notification/webhook_settings.h"

#define READY_AT_ONCE     64
#define UNRESOLVED_ROOM   4  /* requests at once while the gateway's address is not known */
#define OTHER_DESCRIPTORS 64 /* of the process: broker, database, log */

struct sink_webhook {
    struct sink base;
    const struct settings *settings;
    CURLM *multi;
    int epoll;
    int64_t due_ns; /* curl's timer */
    int limit;
    int in_flight;    /* prepared and not handed over */
    bool is_resolved; /* as far as is known */
    struct buffer authorization;
    struct webhook_request *requests; /* limit of them: idle, with curl, or ended */
    struct webhook_request *idle;
    struct webhook_request *ended, **ended_last;
};

static struct sink_webhook *webhook(struct sink *s)
{
    return (struct sink_webhook *)s; /* base is its first member */
}

/* ---- What curl calls ---- */

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *socket_context)
{
    struct sink_webhook *w = context;
    (void)easy;
    (void)socket_context;
    if (what == CURL_POLL_REMOVE) {
        epoll_ctl(w->epoll, EPOLL_CTL_DEL, fd, NULL);
        return 0;
    }
    struct epoll_event event = {.events = (what & CURL_POLL_IN ? EPOLLIN : 0u) |
                                          (what & CURL_POLL_OUT ? EPOLLOUT : 0u),
                                .data.fd = fd};
    int rc = epoll_ctl(w->epoll, EPOLL_CTL_MOD, fd, &event);
    if (rc != 0 && errno == ENOENT)
        rc = epoll_ctl(w->epoll, EPOLL_CTL_ADD, fd, &event);
    if (rc != 0) /* its time-out ends it: no reason to give up all the others, as curl would for a -1 */
        log_warn("gateway_socket_unwatched", "error=\"%s\"", strerror(errno));
    return 0;
}

static int on_timer(CURLM *multi, long timeout_ms, void *context)
{
    struct sink_webhook *w = context;
    (void)multi;
    w->due_ns = timeout_ms < 0 ? INT64_MAX : clock_mono_ns() + timeout_ms * NS_PER_MS;
    return 0;
}

/* ---- Messages ---- */

static int room(struct sink *s)
{
    const struct sink_webhook *w = webhook(s);
    /* Each look-up has a thread of its own, which may outlive its request by the resolver's time-outs. */
    const int limit = w->is_resolved || w->limit < UNRESOLVED_ROOM ? w->limit : UNRESOLVED_ROOM;
    return limit > w->in_flight ? limit - w->in_flight : 0;
}

static void start(struct sink *s, const struct sink_message *m)
{
    struct sink_webhook *w = webhook(s);
    struct webhook_request *r = w->idle;
    if (!r)
        log_panic("gateway_no_room", "in_flight=%d", w->in_flight);
    w->idle = r->next;
    w->in_flight++;
    webhook_request_prepare(r, w->settings, &w->authorization, m);
    CURLMcode code = curl_multi_add_handle(w->multi, r->easy);
    if (code != CURLM_OK)
        log_panic("curl_multi_add_handle", "error=\"%s\"", curl_multi_strerror(code));
}

static void act(struct sink_webhook *w, curl_socket_t fd, int events)
{
    int running;
    CURLMcode code = curl_multi_socket_action(w->multi, fd, events, &running);
    if (code != CURLM_OK)
        log_panic("curl_multi_socket_action", "error=\"%s\"", curl_multi_strerror(code));
}

static void move_on(struct sink_webhook *w, int64_t now_ns)
{
    struct epoll_event ready[READY_AT_ONCE];
    /* Once is enough: what is left over keeps wait_fd readable. */
    const int count = epoll_wait(w->epoll, ready, READY_AT_ONCE, 0);
    for (int i = 0; i < count; i++) {
        const uint32_t events = ready[i].events;
        act(w, ready[i].data.fd,
            (events & EPOLLIN ? CURL_CSELECT_IN : 0) | (events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                (events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0));
    }
    if (w->due_ns <= now_ns) {
        w->due_ns = INT64_MAX; /* curl sets it anew where it wants to be called again */
        act(w, CURL_SOCKET_TIMEOUT, 0);
    }
}

static void gather_ended(struct sink_webhook *w)
{
    const CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(w->multi, &left)) != NULL) {
        CURL *easy = message->easy_handle;
        struct webhook_request *r = NULL;
        curl_easy_getinfo(easy, CURLINFO_PRIVATE, &r);
        r->result = message->data.result;
        curl_multi_remove_handle(w->multi, easy); /* and the message with it */
        r->next = NULL;
        *w->ended_last = r;
        w->ended_last = &r->next;
        if (webhook_request_is_unresolved(r))
            w->is_resolved = false;
        else if (r->answer.has_head) /* on a kept connection, maybe */
            w->is_resolved = true;
    }
}

static void hand_over(struct sink_webhook *w, struct sink_outcome *out)
{
    struct webhook_request *r = w->ended;
    w->ended = r->next;
    if (!w->ended)
        w->ended_last = &w->ended;
    webhook_request_judge(r, out);
    r->next = w->idle;
    w->idle = r;
    w->in_flight--;
}

static int run(struct sink *s, int64_t now_ns, struct sink_outcome *outcomes, int max)
{
    struct sink_webhook *w = webhook(s);
    int count = 0;
    move_on(w, now_ns);
    gather_ended(w);
    while (w->ended && count < max)
        hand_over(w, &outcomes[count++]);
    return count;
}

static int wait_fd(struct sink *s)
{
    return webhook(s)->epoll;
}

static int64_t due_ns(struct sink *s)
{
    const struct sink_webhook *w = webhook(s);
    return w->ended ? 0 : w->due_ns;
}

static int in_flight(struct sink *s)
{
    return webhook(s)->in_flight;
}

/* ---- Its life ---- */

static void reload(struct sink *s)
{
    struct sink_webhook *w = webhook(s);
    struct buffer fresh = {0};
    struct detail why;
    if (webhook_read_token(w->settings, &fresh, &why) != 0) {
        char quoted[sizeof(why.text)];
        log_warn("gateway_token_kept", "reason=%s", log_quote(why.text, quoted, sizeof(quoted)));
        return;
    }
    file_wipe(&w->authorization);
    w->authorization = fresh;
}

static void webhook_free(struct sink *s)
{
    struct sink_webhook *w = webhook(s);
    for (int i = 0; i < w->limit; i++) {
        if (w->requests[i].easy)
            curl_multi_remove_handle(w->multi, w->requests[i].easy); /* nothing for one that is not there */
        webhook_request_free(&w->requests[i]);
    }
    curl_multi_cleanup(w->multi); /* closes connections and tells on_socket: before the epoll set goes */
    close(w->epoll);
    free(w->requests);
    file_wipe(&w->authorization);
    free(w);
    curl_global_cleanup();
}

static const struct sink_ops webhook_ops = {
    .free = webhook_free,
    .room = room,
    .start = start,
    .run = run,
    .wait_fd = wait_fd,
    .due_ns = due_ns,
    .in_flight = in_flight,
    .reload = reload,
};

static CURLM *multi_new(struct sink_webhook *w)
{
    CURLM *multi = curl_multi_init();
    if (!multi)
        log_panic("curl_multi_init", "");
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, w);
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(multi, CURLMOPT_TIMERDATA, w);
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)w->limit); /* kept alive */
    curl_multi_setopt(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)w->limit);
    return multi;
}

/* A connection for each request, and as many again for those whose next address is tried meanwhile. */
static void raise_descriptor_limit(int64_t requests)
{
    const rlim_t wanted = (rlim_t)requests * 2 + OTHER_DESCRIPTORS;
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted)
        return;
    limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < wanted)
        log_warn("few_descriptors", "notification.in_flight=%lld limit=%llu", (long long)requests,
                 (unsigned long long)limit.rlim_cur);
}

int sink_webhook_new(struct sink **out, const struct settings *settings, struct detail *why)
{
    struct buffer authorization = {0};
    int rc;
    if ((rc = webhook_settings_check(settings, why)) ||
        (rc = webhook_read_token(settings, &authorization, why)))
        return rc;
    const int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0 || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        log_panic("gateway_start", "error=\"%s\"", strerror(errno));
    raise_descriptor_limit(settings->notification.in_flight);

    struct sink_webhook *w = xcalloc(1, sizeof(*w));
    *w = (struct sink_webhook){
        .base = {.name = "webhook", .ops = &webhook_ops},
        .settings = settings,
        .epoll = epoll,
        .due_ns = INT64_MAX,
        .limit = (int)settings->notification.in_flight,
        .authorization = authorization,
    };
    w->multi = multi_new(w);
    w->ended_last = &w->ended;
    w->requests = xcalloc((size_t)w->limit, sizeof(*w->requests));
    for (int i = w->limit - 1; i >= 0; i--) {
        w->requests[i].is_resolved = &w->is_resolved;
        w->requests[i].next = w->idle;
        w->idle = &w->requests[i];
    }
    *out = &w->base;
    return 0;
}
