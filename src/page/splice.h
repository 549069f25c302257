/* SPDX-License-Identifier: MIT */
/* splice.h - puts one element into an HTML document that streams by: first in its head, in whatever
 * pieces the document comes.
 *
 * What comes before the place is known is held back, 16 KiB at most (then the element goes to the
 * last safe place so far).
 *
 * Lifetime  Zeroed is ready; page_splice_done() frees what is held.
 * Pure      No fd, clock or log.
 */
#ifndef PAGE_SPLICE_H
#define PAGE_SPLICE_H

#include "base/slice.h"

#define SPLICE_HELD_MAX 16384

struct page_splice {
    char *held; /* owned */
    size_t len;
    bool placed; /* the rest of the document passes as it is */
};

/* Passes the next piece to `put`, with `element` where it belongs; `last`: the document ends with
 * it. Without memory the element goes before what can't be held. */
void page_splice_feed(struct page_splice *splice, struct slice piece, bool last,
                      struct slice element, void (*put)(void *arg, struct slice), void *arg);
void page_splice_done(struct page_splice *splice);

#endif
