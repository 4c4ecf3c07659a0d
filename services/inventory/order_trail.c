#include "services/inventory/order_trail.h"

#include <inttypes.h>

#include "common/base/log.h"

struct order_step {
    char order_id[ORDER_ID_SIZE];
    enum order_status status;
    enum reject_reason reason;
    int64_t receipt_no;
    bool is_again;
};

void order_trail_note(struct order_trail *t, const struct decision *d, bool is_again)
{
    if (!t->is_on)
        return;
    struct order_step step = {
        .status = d->status, .reason = d->reason, .receipt_no = d->receipt_no, .is_again = is_again};
    memcpy(step.order_id, d->order_id, sizeof step.order_id);
    buffer_add(&t->steps, &step, sizeof step);
}

void order_trail_committed(struct order_trail *t)
{
    for (size_t at = 0; at < t->steps.len; at += sizeof(struct order_step)) {
        struct order_step step;
        memcpy(&step, t->steps.data + at, sizeof step);
        const char *event = step.is_again ? "order_decided_before" : "order_decided";
        if (step.status == ORDER_CONFIRMED)
            log_info(event, "order=%s status=confirmed receipt_no=%" PRId64, step.order_id, step.receipt_no);
        else
            log_info(event, "order=%s status=%s reason=%s", step.order_id, order_status_name(step.status),
                     reject_reason_name(step.reason));
    }
    buffer_clear(&t->steps);
}

void order_trail_rolled_back(struct order_trail *t)
{
    buffer_clear(&t->steps);
}

void order_trail_free(struct order_trail *t)
{
    buffer_free(&t->steps);
}
