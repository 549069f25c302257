/* SPDX-License-Identifier: MIT */
/* retry.h - when clients that are sent away may come back. */
#ifndef PAGE_RETRY_H
#define PAGE_RETRY_H

#include "page/page.h"

/* Seconds after which one client, who is sent away now for want of room or by a drain, may come
 * back. Clients that are sent away together do not come back together: a few each second, and more
 * of them evenly over a minute. */
uint32_t page_retry_s(struct page_host *host);
/* The same for a client that has to wait for `wait_s` at least. */
uint32_t page_retry_spread_s(struct page_host *host, uint32_t wait_s);

#endif
