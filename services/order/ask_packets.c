/* What the red packets' worker is asked about orders. See ask_packets.h. */
#include "services/order/ask_packets.h"

#include <jansson.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/pipeline/json_read.h"
#include "common/pipeline/names.h"

#define IDS_AT_ONCE 500

/* {"order_id", "status", "amount"}. A status that we have never heard of is not final to us. */
static int read_packet(const json_t *entry, char id[ORDER_ID_SIZE], int64_t *packet, struct detail *why)
{
    char status[32];
    int error = json_read_order_id(entry, "order_id", id, why);
    if (!error)
        error = json_read_text(entry, "status", status, sizeof status, why);
    if (error)
        return error;
    *packet = PACKET_UNKNOWN;
    if (strcmp(status, "granted") == 0)
        return json_read_int(entry, "amount", 1, INT64_MAX, packet, why);
    if (strcmp(status, "none_left") == 0 || strcmp(status, "no_campaign") == 0)
        *packet = PACKET_NONE;
    return 0;
}

static void take_packet(struct ask_packets *a, const json_t *entry, int64_t now_ns)
{
    char id[ORDER_ID_SIZE];
    int64_t packet;
    struct detail why;
    if (read_packet(entry, id, &packet, &why) != 0) {
        log_warn("packet_answer_unreadable", "reason=\"%s\"", why.text);
    } else if (packet == PACKET_UNKNOWN) {
        packet_desk_not_known(a->desk, id, now_ns);
    } else {
        pending_note_packet(a->pending, id, packet);
        packet_desk_told(a->desk, id, packet);
    }
}

static void answered(void *context, const struct rpc_answer *answer)
{
    struct ask_packets *a = context;
    json_t *packets = json_object_get(answer->result, "packets"), *entry;
    int64_t now_ns = clock_mono_ns();
    size_t i;
    if (answer->status != 0)
        log_debug("packets_not_answered", "reason=\"%s\"", answer->detail);
    json_array_foreach(packets, i, entry) take_packet(a, entry, now_ns);
    /* A connection that broke says nothing about the worker; an answer without packets is as good as none. */
    packet_desk_answered(a->desk, now_ns, answer->status != E_CLOSED && !json_is_array(packets));
}

int ask_packets(struct ask_packets *a, int64_t now_ns)
{
    char ids[IDS_AT_ONCE][ORDER_ID_SIZE];
    packet_desk_heed(a->desk);
    int count = packet_desk_take(a->desk, now_ns, IDS_AT_ONCE, ids, &a->next_ns);
    if (count == 0)
        return 0;
    struct buffer body = {0};
    buffer_add_text(&body, "{\"ids\":[");
    for (int i = 0; i < count; i++) {
        buffer_add_text(&body, i ? ",\"" : "\"");
        buffer_add(&body, ids[i], ORDER_ID_CHARS);
        buffer_add_text(&body, "\"");
    }
    buffer_add_text(&body, "]}");
    int error = rpc_ask(a->rpc, &(struct rpc_question){
                                    .routing_key = KEY_RPC_REDPACKET,
                                    .method = RPC_PACKET_SHOW,
                                    .body = {.data = body.data, .len = body.len},
                                    .deadline_ns = now_ns + PACKET_ANSWER_NS,
                                    .answered = answered,
                                    .context = a,
                                });
    buffer_free(&body);
    metric_add(a->metrics, METRIC_PACKET_QUESTIONS, 1);
    metric_add(a->metrics, METRIC_PACKET_IDS, (uint64_t)count);
    if (error) {
        packet_desk_answered(a->desk, now_ns, false);
        a->next_ns = now_ns + PACKET_AGAIN_NS;
    }
    return error == E_CLOSED ? E_CLOSED : 0;
}
