/*
 * Plain web pages for people with a browser, from the files in web/, which are built into the program. What
 * is dynamic in a page is put in for its {{names}}, escaped. No scripts; the Content-Security-Policy says so,
 * too.
 */
#ifndef SECKILL_ORDER_HTTP_PAGES_H
#define SECKILL_ORDER_HTTP_PAGES_H

#include "common/base/slice.h"
#include "services/order/front_end.h"
#include "services/order/http_reply.h"

enum web_file { WEB_INDEX, WEB_ORDER, WEB_BUSY, WEB_SOLD_OUT, WEB_DASHBOARD, WEB_STYLE };
extern const struct slice web_files[]; /* generated: see embed_web.cmake */

void http_page_static(enum web_file file, struct http_reply *reply);
void http_page_index(struct front_end *fe, struct http_reply *reply);
void http_page_dashboard(struct front_end *fe, struct http_reply *reply);

/* Makes a page of what GET /v1/orders/{id} answered. While the order is undecided, the page asks again. */
void http_page_order(struct front_end *fe, struct http_reply *reply);

/* The answer of POST /v1/orders for a browser: 303 to the page that shows it, where there is one. */
void http_pages_redirect(const struct front_end *fe, struct http_reply *reply);

#endif
