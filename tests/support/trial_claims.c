/* What the clients of a trial were told. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/trial_internal.h"

enum trial_told trial_told_by(int status, enum swarm_failure why)
{
    if (why == SWARM_REFUSED)
        return NOT_SENT;
    if (why != SWARM_ANSWERED)
        return TOLD_NOTHING;
    if (status == 202)
        return TOLD_ACCEPTED;
    /* 500, 504 and whatever else a server may say promise nothing. */
    return (status >= 400 && status < 500) || status == 503 ? TOLD_REFUSED : TOLD_NOTHING;
}

void trial_claims_add(struct trial_claims *claims, const struct trial_claim *claim)
{
    if (claims->count == claims->capacity) {
        claims->capacity = claims->capacity ? claims->capacity * 2 : 256;
        claims->list = realloc(claims->list, claims->capacity * sizeof *claims->list);
        if (!claims->list)
            abort();
    }
    claims->list[claims->count++] = *claim;
}

void trial_claims_add_load(struct trial_claims *claims, const struct load *l)
{
    for (int i = 0; i < load_count(l); i++) {
        const struct load_answer *a = load_answer(l, i);
        struct trial_claim claim = {
            .key = load_key(l, i), .told = trial_told_by(a->status, a->why), .quantity = load_quantity(l)};

        load_user(l, i, claim.user);
        memcpy(claim.id, a->order_id, sizeof claim.id);
        trial_claims_add(claims, &claim);
    }
}

void trial_claims_free(struct trial_claims *claims)
{
    free(claims->list);
    *claims = (struct trial_claims){0};
}
