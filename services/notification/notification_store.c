#include "services/notification/notification_store.h"

#include <stdlib.h>

#include "common/base/alloc.h"
#include "common/store/statement.h"
#include "services/notification/notification_sql.h"

enum {
    RECORD_ADD,
    RECORD_FIND,
    RECORDS_OF,
    RECORD_CHANGE,
    TO_SEND_ADD,
    TO_SEND_NEXT,
    TO_SEND_FIND,
    TO_SEND_REMOVE,
    STATEMENTS
};

static const char *const sql[STATEMENTS] = {
    [RECORD_ADD] = SQL_RECORD_ADD,         [RECORD_FIND] = SQL_RECORD_FIND,
    [RECORD_CHANGE] = SQL_RECORD_CHANGE,   [TO_SEND_ADD] = SQL_TO_SEND_ADD,
    [TO_SEND_NEXT] = SQL_TO_SEND_NEXT,     [TO_SEND_FIND] = SQL_TO_SEND_FIND,
    [TO_SEND_REMOVE] = SQL_TO_SEND_REMOVE, [RECORDS_OF] = SQL_RECORDS_OF,
};

struct notification_store {
    struct store *store;
    struct statement *st[STATEMENTS];
};

int notification_store_new(struct notification_store **out, struct store *store, struct detail *why)
{
    struct notification_store *s = xcalloc(1, sizeof *s);
    s->store = store;
    int error = statements_prepare(s->st, store, sql, STATEMENTS, why);
    if (error) {
        free(s);
        return error;
    }
    *out = s;
    return 0;
}

void notification_store_free(struct notification_store *s)
{
    if (!s)
        return;
    statements_free(s->st, STATEMENTS);
    free(s);
}

const char *notification_store_error(const struct notification_store *s)
{
    return store_error(s->store);
}

const char *notification_state_name(enum notification_state state)
{
    static const char *const names[] = {"", "pending", "sent", "waiting", "failed"};
    return (size_t)state < sizeof names / sizeof *names ? names[state] : "";
}

static struct statement *bind_key(struct statement *st, const char *order_id, enum event_kind kind)
{
    statement_bind_text(st, 1, slice_of(order_id));
    statement_bind_int(st, 2, kind);
    return st;
}

int notification_add(struct notification_store *s, const char *order_id, enum event_kind kind,
                     const struct notification *n, int64_t now_ms, bool *is_new)
{
    struct statement *st = bind_key(s->st[RECORD_ADD], order_id, kind);
    int64_t changed = 0;
    statement_bind_int(st, 3, n->state);
    statement_bind_int(st, 4, n->attempts);
    statement_bind_int(st, 5, now_ms);
    int error = statement_run_counted(st, &changed);
    *is_new = changed == 1;
    return error;
}

int notification_find(struct notification_store *s, const char *order_id, enum event_kind kind,
                      struct notification *out)
{
    struct statement *st = bind_key(s->st[RECORD_FIND], order_id, kind);
    int row = statement_next(st);
    if (row == 1)
        *out = (struct notification){.state = (enum notification_state)statement_int(st, 0),
                                     .attempts = statement_int(st, 1),
                                     .changed_ms = statement_int(st, 2)};
    statement_reset(st);
    return row == 0 ? E_NOT_FOUND : row < 0 ? row : 0;
}

int notification_each(struct notification_store *s, const char *order_id,
                      void (*tell)(void *context, const struct notification_view *view), void *context)
{
    struct statement *st = s->st[RECORDS_OF];
    int row;
    statement_bind_text(st, 1, slice_of(order_id));
    while ((row = statement_next(st)) == 1) {
        const struct notification_view view = {.kind = (enum event_kind)statement_int(st, 0),
                                               .state = (enum notification_state)statement_int(st, 1),
                                               .attempts = statement_int(st, 2),
                                               .last_error = statement_text(st, 3),
                                               .created_ms = statement_int(st, 4),
                                               .changed_ms = statement_int(st, 5)};
        tell(context, &view);
    }
    return row;
}

int notification_change(struct notification_store *s, const char *order_id, enum event_kind kind,
                        const struct notification *n, const char *error, int64_t now_ms)
{
    struct statement *st = bind_key(s->st[RECORD_CHANGE], order_id, kind);
    statement_bind_int(st, 3, n->state);
    statement_bind_int(st, 4, n->attempts);
    if (error)
        statement_bind_text(st, 5, slice_of(error));
    else
        statement_bind_null(st, 5);
    statement_bind_int(st, 6, now_ms);
    return statement_run(st);
}

int to_send_add(struct notification_store *s, const struct event *event, struct slice line)
{
    struct statement *st = bind_key(s->st[TO_SEND_ADD], event_order_id(event), event->kind);
    statement_bind_blob(st, 3, line);
    return statement_run(st);
}

static void take_line(struct statement *st, int column, struct buffer *line)
{
    struct slice stored = statement_blob(st, column);
    buffer_clear(line);
    buffer_add(line, stored.data, stored.len);
}

int to_send_next(struct notification_store *s, int64_t after, struct to_send *out, struct buffer *line)
{
    struct statement *st = s->st[TO_SEND_NEXT];
    statement_bind_int(st, 1, after);
    int row = statement_next(st);
    if (row == 1) {
        *out = (struct to_send){.seq = statement_int(st, 0), .attempts = statement_int(st, 2)};
        take_line(st, 1, line);
    }
    statement_reset(st);
    return row;
}

int to_send_find(struct notification_store *s, int64_t seq, struct notification_key *out, struct buffer *line)
{
    struct statement *st = s->st[TO_SEND_FIND];
    statement_bind_int(st, 1, seq);
    int row = statement_next(st);
    if (row == 1) {
        statement_copy_text(st, 0, out->order_id, sizeof out->order_id);
        out->kind = (enum event_kind)statement_int(st, 1);
        take_line(st, 2, line);
    }
    statement_reset(st);
    return row == 0 ? E_NOT_FOUND : row < 0 ? row : 0;
}

int to_send_remove(struct notification_store *s, int64_t seq)
{
    statement_bind_int(s->st[TO_SEND_REMOVE], 1, seq);
    return statement_run(s->st[TO_SEND_REMOVE]);
}
