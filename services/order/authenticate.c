/* Header → token → cache, or signature → who. */
#include "services/order/authenticate.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/alloc.h"
#include "common/base/clock.h"
#include "services/order/rate_limit.h"
#include "services/order/token_cache.h"

/* A signature costs up to 0.4 ms for each key that is tried, and who makes one up pays nothing. So many may
 * be false, and the next tokens that are not known to be good have to wait. */
#define FALSE_A_SECOND 100

struct rules { /* replaced as one */
    struct token_keys *keys;
    char *audience;
    int64_t leeway_s;
};

struct authenticator {
    bool is_on;
    struct admin_token *admin;
    pthread_rwlock_t
        lock; /* of rules; held while a token is judged, so that none enters the cache too late */
    struct rules rules;
    struct token_cache *cache;
    struct rate_bucket falsehoods; /* a token for each false signature that may be looked at */
};

static void free_rules(struct rules *r)
{
    token_keys_free(r->keys);
    free(r->audience);
    sodium_memzero(r, sizeof *r);
}

static int read_rules(struct rules *r, const struct settings *s, struct detail *why)
{
    *r = (struct rules){.audience = xstrdup(s->auth.jwt_audience), .leeway_s = s->auth.jwt_leeway_s};
    int rc = token_keys_load(&r->keys, s->auth.jwt_keys, s->auth.jwt_algorithm, why);
    if (rc != 0)
        free_rules(r);
    return rc;
}

int authenticator_new(struct authenticator **out, const struct settings *s, struct admin_token *admin,
                      struct detail *why)
{
    struct rules rules = {0};
    bool is_on = s->auth.mode != AUTH_NONE;
    if (sodium_init() < 0) {
        detail_set(why, "libsodium could not be started");
        return E_IO;
    }
    int rc = is_on ? read_rules(&rules, s, why) : 0;
    if (rc != 0)
        return rc;
    struct authenticator *a = xcalloc(1, sizeof *a);
    a->is_on = is_on;
    a->admin = admin;
    a->rules = rules;
    a->cache = is_on ? token_cache_new() : NULL;
    pthread_rwlock_init(&a->lock, NULL);
    *out = a;
    return 0;
}

void authenticator_free(struct authenticator *a)
{
    if (!a)
        return;
    free_rules(&a->rules);
    token_cache_free(a->cache);
    pthread_rwlock_destroy(&a->lock);
    free(a);
}

int authenticator_reload(struct authenticator *a, const struct settings *s, struct detail *why)
{
    struct rules fresh, old;
    if (!a->is_on)
        return 0;
    int rc = read_rules(&fresh, s, why);
    if (rc != 0)
        return rc;
    pthread_rwlock_wrlock(&a->lock);
    old = a->rules;
    a->rules = fresh;
    token_cache_clear(a->cache);
    pthread_rwlock_unlock(&a->lock);
    free_rules(&old);
    return 0;
}

bool authenticator_is_on(const struct authenticator *a)
{
    return a->is_on;
}

/* What stands behind "Bearer", or NULL. */
static const char *bearer(const char *header)
{
    static const char scheme[] = "Bearer ";
    if (!header || strncasecmp(header, scheme, sizeof scheme - 1) != 0)
        return NULL;
    const char *token = header + sizeof scheme - 1;
    token += strspn(token, " ");
    return *token ? token : NULL;
}

static enum token_verdict judge(struct authenticator *a, const char *token, int64_t now_s, bool only_known,
                                struct token_subject *subject)
{
    struct token_mark mark = token_cache_mark(a->cache, token);
    if (token_cache_find(a->cache, &mark, now_s, subject))
        return TOKEN_GOOD;
    if (only_known)
        return TOKEN_UNKNOWN_KEY;
    const struct rate bound = rate_of(FALSE_A_SECOND, FALSE_A_SECOND);
    const int64_t now_ns = clock_mono_ns();
    if (rate_bucket_wait_ns(&a->falsehoods, bound, now_ns) > 0)
        return TOKEN_CROWD;
    const struct token_rules rules = {
        .keys = a->rules.keys, .audience = a->rules.audience, .leeway_s = a->rules.leeway_s};
    enum token_verdict verdict = user_token_judge(&rules, token, now_s, subject);
    if (verdict == TOKEN_GOOD)
        token_cache_put(a->cache, &mark, subject);
    if (verdict == TOKEN_SIGNATURE)
        (void)!rate_bucket_take(&a->falsehoods, bound, now_ns);
    return verdict;
}

static void identify(struct authenticator *a, const char *header, int64_t now_s, bool only_known,
                     struct identity *who)
{
    struct token_subject subject;
    const char *token = bearer(header);
    *who = (struct identity){.kind = a->is_on ? IDENTITY_NOBODY : IDENTITY_ANYONE, .verdict = TOKEN_MISSING};
    if (!a->is_on || !token)
        return;
    if (admin_token_check(a->admin, header) == ADMIN_GRANTED) {
        who->kind = IDENTITY_ADMIN;
        who->verdict = TOKEN_GOOD;
        return;
    }
    pthread_rwlock_rdlock(&a->lock);
    who->verdict = judge(a, token, now_s, only_known, &subject);
    pthread_rwlock_unlock(&a->lock);
    if (who->verdict == TOKEN_GOOD) {
        who->kind = IDENTITY_USER;
        memcpy(who->user_id, subject.user_id, sizeof who->user_id);
    }
}

void authenticate(struct authenticator *a, const char *header, int64_t now_s, struct identity *who)
{
    identify(a, header, now_s, false, who);
}

void authenticate_if_known(struct authenticator *a, const char *header, int64_t now_s, struct identity *who)
{
    identify(a, header, now_s, true, who);
}

bool identity_may_see(const struct identity *who, const char *user_id)
{
    return who->kind == IDENTITY_ADMIN || identity_may_order(who, user_id);
}

bool identity_may_order(const struct identity *who, const char *user_id)
{
    return who->kind == IDENTITY_ANYONE || (who->kind == IDENTITY_USER && strcmp(who->user_id, user_id) == 0);
}
