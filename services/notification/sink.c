#include "services/notification/sink.h"

#include <stdio.h>

const char *sink_key(const struct event *e, char out[SINK_KEY_SIZE])
{
    snprintf(out, SINK_KEY_SIZE, "%s:%s", event_order_id(e), event_kind_name(e->kind));
    return out;
}
