/* SPDX-License-Identifier: MIT */
/* request.h - a page begins: its request goes to its program, first the head, then the body. */
#ifndef PAGE_REQUEST_H
#define PAGE_REQUEST_H

#include "page/lifecycle.h"

/* Of every page's exchange. */
extern const struct exchange_ops page_exchange_ops;

/* Makes the session, and has the program begin. 0, or a negative errno: then the page has ended,
 * and its client is still to be answered. */
int page_begin(struct page *p);
/* The body has no known length, and the program wants to know it: gathers the body first, and
 * begins then. On failure as page_begin(). */
int page_begin_spooling(struct page *p);
/* The client starts one more program: 0, or how long it must wait. */
uint32_t page_rate_wait_s(struct page_host *host, struct exchange *x);
/* The client of `x`, or zeros if it has gone. */
struct net_client_key page_client_key(struct exchange *x);

/* Sends a client away for `wait_s` seconds, by 429 or 503: Retry-After, and for the browser of
 * somebody who looks at the answer Refresh. Takes the exchange. */
void page_answer_later(struct exchange *x, int status, struct slice text, uint32_t wait_s);
/* Answer a client whose request can't be answered by its program. Both take the exchange. */
void page_answer_refused(struct page_host *host, struct exchange *x, enum seat_refusal refusal,
                         uint32_t wait_s);
void page_answer_error(struct page *p, int error);

#endif
