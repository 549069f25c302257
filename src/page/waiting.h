/* SPDX-License-Identifier: MIT */
/* waiting.h - a client whose handshake waits for the program's word.
 *
 * If the client comes again with the same key, the new connection waits in the place of the old
 * one. A client of httpsocket.v1 that breaks off may do so too, for goodbye-timeout.
 */
#ifndef PAGE_WAITING_H
#define PAGE_WAITING_H

#include "page/lifecycle.h"
#include "page/refusal.h"
#include "proto/cgi_head.h"

/* The page's client waits from now on; found by key if it has one. */
void page_wait(struct page *p);
/* The page whose client waits with this key, from a page of this origin, for this path; or NULL. */
struct page *page_find_waiting(struct page_host *host, struct slice key, struct slice origin,
                               struct slice path);
/* The exchange is answered elsewhere, or gone: nobody waits, and nothing
 * finds the page any more. */
struct exchange *page_take_exchange(struct page *p);
/* The client is let in. `head`: what the program has printed for it; NULL: nothing. */
void page_admit(struct page *p, const struct cgi_head *head);
/* The client is refused with this close code, or the status that goes with it; its page ends. */
void page_turn_away(struct page *p, const struct page_refusal *refusal);

#endif
