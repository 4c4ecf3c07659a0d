/* Message properties, to and from the library's form. */
#include <amqp.h>

#include "common/broker/connection_internal.h"

const struct broker_header *broker_header_find(const struct broker_properties *p, const char *name)
{
    for (int i = 0; i < p->header_count; i++)
        if (slice_is(p->headers[i].name, name))
            return &p->headers[i];
    return NULL;
}

void broker_properties_encode(const struct broker_properties *in, amqp_table_entry_t *entries,
                              amqp_basic_properties_t *out)
{
    *out = (amqp_basic_properties_t){0};
    if (in->content_type.len) {
        out->_flags |= AMQP_BASIC_CONTENT_TYPE_FLAG;
        out->content_type = bytes_of_slice(in->content_type);
    }
    if (in->message_id.len) {
        out->_flags |= AMQP_BASIC_MESSAGE_ID_FLAG;
        out->message_id = bytes_of_slice(in->message_id);
    }
    if (in->correlation_id.len) {
        out->_flags |= AMQP_BASIC_CORRELATION_ID_FLAG;
        out->correlation_id = bytes_of_slice(in->correlation_id);
    }
    if (in->reply_to.len) {
        out->_flags |= AMQP_BASIC_REPLY_TO_FLAG;
        out->reply_to = bytes_of_slice(in->reply_to);
    }
    if (in->expiration.len) {
        out->_flags |= AMQP_BASIC_EXPIRATION_FLAG;
        out->expiration = bytes_of_slice(in->expiration);
    }
    out->_flags |= AMQP_BASIC_DELIVERY_MODE_FLAG;
    out->delivery_mode = in->persistent ? AMQP_DELIVERY_PERSISTENT : AMQP_DELIVERY_NONPERSISTENT;
    if (in->header_count == 0)
        return;
    out->_flags |= AMQP_BASIC_HEADERS_FLAG;
    out->headers = (amqp_table_t){.num_entries = in->header_count, .entries = entries};
    for (int i = 0; i < in->header_count; i++) {
        const struct broker_header *h = &in->headers[i];
        entries[i].key = bytes_of_slice(h->name);
        if (h->is_text) {
            entries[i].value.kind = AMQP_FIELD_KIND_UTF8;
            entries[i].value.value.bytes = bytes_of_slice(h->text);
        } else {
            entries[i].value.kind = AMQP_FIELD_KIND_I64;
            entries[i].value.value.i64 = h->number;
        }
    }
}

/* Other clients send small integers in whatever width they like. false: no integer. */
static bool integer_of(const amqp_field_value_t *value, int64_t *out)
{
    switch (value->kind) {
    case AMQP_FIELD_KIND_I8:
        *out = value->value.i8;
        return true;
    case AMQP_FIELD_KIND_U8:
        *out = value->value.u8;
        return true;
    case AMQP_FIELD_KIND_I16:
        *out = value->value.i16;
        return true;
    case AMQP_FIELD_KIND_U16:
        *out = value->value.u16;
        return true;
    case AMQP_FIELD_KIND_I32:
        *out = value->value.i32;
        return true;
    case AMQP_FIELD_KIND_U32:
        *out = value->value.u32;
        return true;
    case AMQP_FIELD_KIND_I64:
        *out = value->value.i64;
        return true;
    default:
        return false;
    }
}

void broker_properties_decode(const amqp_basic_properties_t *in, struct broker_properties *out)
{
    *out = (struct broker_properties){0};
    if (in->_flags & AMQP_BASIC_CONTENT_TYPE_FLAG)
        out->content_type = slice_of_bytes(in->content_type);
    if (in->_flags & AMQP_BASIC_MESSAGE_ID_FLAG)
        out->message_id = slice_of_bytes(in->message_id);
    if (in->_flags & AMQP_BASIC_CORRELATION_ID_FLAG)
        out->correlation_id = slice_of_bytes(in->correlation_id);
    if (in->_flags & AMQP_BASIC_REPLY_TO_FLAG)
        out->reply_to = slice_of_bytes(in->reply_to);
    if (in->_flags & AMQP_BASIC_EXPIRATION_FLAG)
        out->expiration = slice_of_bytes(in->expiration);
    if (in->_flags & AMQP_BASIC_DELIVERY_MODE_FLAG)
        out->persistent = in->delivery_mode == AMQP_DELIVERY_PERSISTENT;
    if (!(in->_flags & AMQP_BASIC_HEADERS_FLAG))
        return;
    for (int i = 0; i < in->headers.num_entries && out->header_count < BROKER_MAX_HEADERS; i++) {
        const amqp_table_entry_t *entry = &in->headers.entries[i];
        struct broker_header h = {.name = slice_of_bytes(entry->key)};
        if (entry->value.kind == AMQP_FIELD_KIND_UTF8) {
            h.is_text = true;
            h.text = slice_of_bytes(entry->value.value.bytes);
        } else if (!integer_of(&entry->value, &h.number)) {
            continue;
        }
        out->headers[out->header_count++] = h;
    }
}
