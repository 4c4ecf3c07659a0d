/* Pages: templates, and what is put into them. */
#include "services/order/http_pages.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "common/base/clock.h"
#include "services/order/submit_order.h"

#define REFRESH_S 2

#define POLICY                                                                                               \
    "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; frame-ancestors 'none'; "         \
    "form-action "

/* ---- templates ---- */

/* Text into HTML, between tags or in a quoted attribute. */
static void add_html(struct buffer *b, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        switch (text.data[i]) {
        case '&':
            buffer_add_text(b, "&amp;");
            break;
        case '<':
            buffer_add_text(b, "&lt;");
            break;
        case '>':
            buffer_add_text(b, "&gt;");
            break;
        case '"':
            buffer_add_text(b, "&quot;");
            break;
        case '\'':
            buffer_add_text(b, "&#39;");
            break;
        default:
            buffer_add(b, text.data + i, 1);
        }
    }
}

struct fill { /* HTML for a {{name}} */
    const char *name;
    struct slice html;
};

static struct slice fill_for(const struct fill *fills, struct slice name)
{
    for (; fills->name; fills++)
        if (slice_is(name, fills->name))
            return fills->html;
    return slice_of("");
}

/* fills: ends with name NULL. A name that is not among them becomes nothing. */
static void render(struct buffer *out, struct slice page, const struct fill *fills)
{
    const char *at = page.data, *end = page.data + page.len;
    for (;;) {
        const char *open = memmem(at, (size_t)(end - at), "{{", 2);
        const char *close = open ? memmem(open, (size_t)(end - open), "}}", 2) : NULL;
        if (!close)
            break;
        buffer_add(out, at, (size_t)(open - at));
        struct slice html =
            fill_for(fills, (struct slice){.data = open + 2, .len = (size_t)(close - open - 2)});
        buffer_add(out, html.data, html.len);
        at = close + 2;
    }
    buffer_add(out, at, (size_t)(end - at));
}

static struct slice whole(const struct buffer *b)
{
    return (struct slice){.data = b->len ? b->data : "", .len = b->len};
}

static struct buffer *begin_page(struct http_reply *reply, unsigned status, const char *cache_control)
{
    struct buffer *b = http_reply_text(reply, status, "text/html; charset=utf-8");
    reply->cache_control = cache_control;
    reply->policy = POLICY "'none'";
    return b;
}

void http_page_static(enum web_file file, struct http_reply *reply)
{
    struct buffer *b = begin_page(reply, 200, "max-age=60");
    if (file == WEB_STYLE)
        reply->content_type = "text/css; charset=utf-8";
    buffer_add(b, web_files[file].data, web_files[file].len);
}

/* ---- items ---- */

static void add_money(struct buffer *b, int64_t fen)
{
    buffer_printf(b, "¥%" PRId64 ".%02d", fen / 100, (int)(fen % 100));
}

struct listing {
    struct buffer rows, options;
    int64_t now_ms;
};

static const char *sale_state(const struct item *item, int64_t now_ms, char text[RFC3339_SIZE + 8])
{
    if (item->starts_ms != 0 && now_ms < item->starts_ms) {
        char at[RFC3339_SIZE];
        rfc3339_format(item->starts_ms, at);
        snprintf(text, RFC3339_SIZE + 8, "from %.19sZ", at);
        return text;
    }
    if (item->ends_ms != 0 && now_ms >= item->ends_ms)
        return "ended";
    if (item->paused)
        return "paused";
    return item->stock_left > 0 ? "on sale" : "sold out";
}

static void list_item(void *context, const struct item *item, int64_t age_ms)
{
    (void)age_ms;
    struct listing *l = context;
    char text[RFC3339_SIZE + 8];
    struct slice sku = slice_of(item->sku);
    struct slice name = item->name[0] ? slice_of(item->name) : sku;
    buffer_add_text(&l->rows, "<tr><td>");
    add_html(&l->rows, name);
    buffer_add_text(&l->rows, "</td><td class=\"number\">");
    add_money(&l->rows, item->unit_price);
    buffer_printf(&l->rows, "</td><td class=\"number\">%" PRId64 "</td><td>%s</td></tr>\n", item->stock_left,
                  sale_state(item, l->now_ms, text));
    buffer_add_text(&l->options, "<option value=\"");
    add_html(&l->options, sku);
    buffer_add_text(&l->options, "\">");
    add_html(&l->options, name);
    buffer_add_text(&l->options, "</option>\n");
}

static const char form[] =
    "<h2>Order</h2>\n<form method=\"post\" action=\"/v1/orders\">\n"
    "<label for=\"sku\">Item</label><select id=\"sku\" name=\"sku\">\n%s</select>\n"
    "<label for=\"user\">Your name</label><input id=\"user\" name=\"user_id\" maxlength=\"64\" required "
    "autocomplete=\"username\">\n"
    "<label for=\"quantity\">Quantity</label><input id=\"quantity\" name=\"quantity\" type=\"number\" "
    "min=\"1\" "
    "max=\"1000\" value=\"1\" required>\n"
    "<button>Order</button>\n</form>\n";

static bool is_absolute(const char *page)
{
    return page[0] != '/' || page[1] == '/';
}

/* A browser follows the form's redirect only where the policy allows it. */
static const char *form_policy(const struct front_end *fe)
{
    bool leaves =
        is_absolute(fe->pages.order) || is_absolute(fe->pages.busy) || is_absolute(fe->pages.sold_out);
    return leaves ? POLICY "'self' http: https:" : POLICY "'self'";
}

void http_page_index(struct front_end *fe, struct http_reply *reply)
{
    struct listing l = {.now_ms = clock_wall_ms()};
    struct buffer items = {0};
    catalogue_visit(fe->catalogue, clock_mono_ns(), list_item, &l);
    if (l.rows.len == 0) {
        buffer_add_text(&items,
                        catalogue_is_complete(fe->catalogue)
                            ? "<p>There is nothing on sale yet.</p>\n"
                            : "<p>The catalogue has not come in yet. Please try again in a moment.</p>\n");
    } else {
        buffer_add_text(&items, "<table>\n<thead><tr><th>Item</th><th class=\"number\">Price</th>"
                                "<th class=\"number\">Left</th><th>Sale</th></tr></thead>\n<tbody>\n");
        buffer_add(&items, l.rows.data, l.rows.len);
        buffer_add_text(&items, "</tbody>\n</table>\n");
        buffer_printf(&items, form, buffer_text(&l.options));
    }
    struct buffer *page = begin_page(reply, 200, "max-age=1");
    reply->policy = form_policy(fe);
    render(page, web_files[WEB_INDEX], (const struct fill[]){{"items", whole(&items)}, {0}});
    buffer_free(&items);
    buffer_free(&l.rows);
    buffer_free(&l.options);
}

/* ---- one order ---- */

static void add_row(struct buffer *b, const char *name, struct slice value)
{
    buffer_printf(b, "<tr><th>%s</th><td>", name);
    add_html(b, value);
    buffer_add_text(b, "</td></tr>\n");
}

static void add_text_row(struct buffer *b, const char *name, const json_t *value)
{
    if (json_is_string(value))
        add_row(b, name, (struct slice){.data = json_string_value(value), .len = json_string_length(value)});
}

static void add_number_row(struct buffer *b, const char *name, const json_t *value, bool is_money)
{
    struct buffer text = {0};
    if (!json_is_integer(value))
        return;
    if (is_money)
        add_money(&text, json_integer_value(value));
    else
        buffer_add_int(&text, json_integer_value(value));
    add_row(b, name, whole(&text));
    buffer_free(&text);
}

static void add_details(struct buffer *b, const json_t *order)
{
    buffer_add_text(b, "<table>\n");
    add_text_row(b, "Order", json_object_get(order, "order_id"));
    add_text_row(b, "Item", json_object_get(order, "sku"));
    add_number_row(b, "Quantity", json_object_get(order, "quantity"), false);
    add_number_row(b, "Total", json_object_get(order, "total"), true);
    add_number_row(b, "Receipt", json_object_get(order, "receipt_no"), false);
    add_number_row(b, "Red packet", json_object_get(json_object_get(order, "red_packet"), "amount"), true);
    buffer_add_text(b, "</table>\n<p><a href=\"/\">Back to the items</a></p>\n");
}

struct words {
    const char *is, *headline, *sentence;
    bool is_open; /* it may change by itself: ask again */
};

/* What an order's status, or a rejection's reason, says to its buyer. */
static const struct words statuses[] = {
    {"accepted", "Your order is in the queue",
     "It will be decided in a moment; this page asks again by itself.", true},
    {"confirmed", "The order is yours", "Your order was confirmed.", false},
    {"unknown", "Your order is not decided yet",
     "It is not known whether it reached the queue; this page asks again by itself.", true},
    {"rejected", "Your order was not granted", "It was rejected.", false},
    {NULL, "Your order", "", true},
};

static const struct words reasons[] = {
    {"sold_out", NULL, "Fewer were left than you asked for.", false},
    {"limit_exceeded", NULL, "It would have been more than one buyer may have.", false},
    {"unknown_item", NULL, "There is no such item.", false},
    {"sale_not_started", NULL, "The sale had not started.", false},
    {"sale_ended", NULL, "The sale was over.", false},
    {"sale_paused", NULL, "The sale was paused.", false},
    {NULL, NULL, "", false},
};

static const struct words *words_for(const struct words *w, const json_t *value)
{
    const char *text = json_string_value(value);
    while (w->is && !(text && strcmp(w->is, text) == 0))
        w++;
    return w;
}

static void render_order(struct buffer *page, const struct words *w, const char *sentence,
                         struct slice details)
{
    struct buffer refresh = {0};
    if (w->is_open)
        buffer_printf(&refresh, "<meta http-equiv=\"refresh\" content=\"%d\">\n", REFRESH_S);
    render(page, web_files[WEB_ORDER],
           (const struct fill[]){{"refresh", whole(&refresh)},
                                 {"headline", slice_of(w->headline)},
                                 {"sentence", slice_of(sentence)},
                                 {"details", details},
                                 {0}});
    buffer_free(&refresh);
}

void http_page_order(struct front_end *fe, struct http_reply *reply)
{
    static const struct words not_found = {NULL, "No such order", NULL, false};
    static const struct words not_known = {NULL, "It is not known who you are", NULL, false};
    static const struct words not_yours = {NULL, "This is not your order", NULL, false};
    static const struct words not_now = {NULL, "Your order cannot be looked up right now", NULL, true};
    (void)fe;
    unsigned status = reply->status;
    json_t *order = status == 200 ? json_loadb(reply->body.data, reply->body.len, 0, NULL) : NULL;
    struct buffer details = {0};
    struct buffer *page = begin_page(reply, status, "no-store");
    reply->is_ready_made = false;
    if (order) {
        const struct words *w = words_for(statuses, json_object_get(order, "status"));
        const json_t *reason = json_object_get(order, "reason");
        add_details(&details, order);
        render_order(page, w, reason ? words_for(reasons, reason)->sentence : w->sentence, whole(&details));
    } else if (status == 404) {
        render_order(page, &not_found, "The address of this page does not name an order of this shop.",
                     slice_of("<p><a href=\"/\">Back to the items</a></p>\n"));
    } else if (status == 401) {
        render_order(page, &not_known, "Sign in where you bought: an order is shown to its buyer only.",
                     slice_of(""));
    } else if (status == 403) {
        render_order(page, &not_yours, "An order is shown to its buyer only.", slice_of(""));
    } else {
        render_order(page, &not_now, "Nothing is lost by that; this page asks again by itself.",
                     slice_of(""));
    }
    json_decref(order);
    buffer_free(&details);
}

/* ---- the dashboard ---- */

static void add_count(struct buffer *rows, const char *name, int64_t value)
{
    buffer_printf(rows, "<tr><td>%s</td><td class=\"number\">%" PRId64 "</td></tr>\n", name, value);
}

static void add_metric(struct buffer *rows, const struct front_end *fe, const char *name, enum metric which)
{
    add_count(rows, name, (int64_t)atomic_load_explicit(&fe->metrics->value[which], memory_order_relaxed));
}

static const char *state_words(const struct front_end *fe)
{
    if (atomic_load_explicit(&fe->draining, memory_order_relaxed))
        return "Shutting down: no new orders.";
    switch (publisher_state(fe->publisher)) {
    case BROKER_UNREACHABLE:
        return "Refusing orders: the order queue cannot be reached.";
    case BROKER_BLOCKED:
        return "Refusing orders: the order queue is short of memory or disk.";
    case BROKER_NO_LEDGER:
        return "Refusing orders: this front end cannot write its ledger.";
    case BROKER_USABLE:
        break;
    }
    return "Taking orders.";
}

static void add_cell(struct buffer *rows, int64_t value)
{
    buffer_printf(rows, "<td class=\"number\">%" PRId64 "</td>", value);
}

static void add_service(void *context, const struct heartbeat *h, int64_t last_seen_ms)
{
    struct buffer *rows = context;
    (void)last_seen_ms;
    buffer_add_text(rows, "<tr><td>");
    add_html(rows, slice_of(h->service));
    buffer_add_text(rows, "</td><td>");
    add_html(rows, slice_of(h->host));
    buffer_add_text(rows, "</td>");
    add_cell(rows, h->pid);
    add_cell(rows, h->rate);
    add_cell(rows, h->backlog);
    add_cell(rows, h->lag_ms);
    add_cell(rows, h->errors);
    buffer_add_text(rows, "</tr>\n");
}

void http_page_dashboard(struct front_end *fe, struct http_reply *reply)
{
    struct pending_counts counts = pending_counts(fe->pending);
    struct buffer rows = {0}, services = {0};
    alive_visit(fe->alive, clock_mono_ns(), add_service, &services);
    add_metric(&rows, fe, "Orders accepted", METRIC_ACCEPTED);
    add_count(&rows, "… confirmed", (int64_t)counts.decided_confirmed);
    add_count(&rows, "… rejected", (int64_t)counts.decided_rejected);
    add_count(&rows, "… waiting for a decision", counts.undecided);
    add_metric(&rows, fe, "Refused: sold out", METRIC_SOLD_OUT);
    add_metric(&rows, fe, "Refused: too many requests", METRIC_RATE_LIMITED);
    add_metric(&rows, fe, "Refused: too long a backlog", METRIC_OVERLOADED);
    add_metric(&rows, fe, "Refused: not available", METRIC_UNAVAILABLE);
    add_metric(&rows, fe, "Outcome unknown", METRIC_OUTCOME_UNKNOWN);
    add_metric(&rows, fe, "HTTP requests", METRIC_HTTP_REQUESTS);
    add_count(&rows, "Open connections", atomic_load_explicit(&fe->connections, memory_order_relaxed));
    struct buffer *page = begin_page(reply, 200, "no-store");
    render(page, web_files[WEB_DASHBOARD],
           (const struct fill[]){{"state", slice_of(state_words(fe))},
                                 {"rows", whole(&rows)},
                                 {"services", whole(&services)},
                                 {0}});
    buffer_free(&rows);
    buffer_free(&services);
}

/* ---- redirects ---- */

void http_pages_redirect(const struct front_end *fe, struct http_reply *reply)
{
    if (reply->status == 202) {
        char id[ORDER_ID_SIZE] = "";
        const char *last = strrchr(reply->location, '/');
        if (last)
            snprintf(id, sizeof id, "%s", last + 1);
        http_reply_see_other(reply, fe->pages.order, id);
    } else if (reply->status == 429 || reply->status == 503) {
        http_reply_see_other(reply, fe->pages.busy, NULL);
    } else if (reply->is_problem && reply->problem.code == PROBLEM_SOLD_OUT) {
        http_reply_see_other(reply, fe->pages.sold_out, NULL);
    }
}
