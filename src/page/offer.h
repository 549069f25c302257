/* SPDX-License-Identifier: MIT */
/* offer.h - what a client offers in Sec-WebSocket-Protocol (docs/protocol.md, section 1).
 *
 * Pure. Subprotocols of others are passed over; ours must be whole and occur once.
 */
#ifndef PAGE_OFFER_H
#define PAGE_OFFER_H

#include "proto/http_head.h"

struct page_offer {
    bool session_protocol; /* httpsocket.v1 is among them */
    struct slice session;  /* SLICE_NONE: a new one */
    struct slice key;
    uint64_t received;
    const char *why;
};

/* False: `why` says what is wrong (`session_protocol` is set all the same). Slices point into the
 * request. */
bool page_offer_read(const struct http_head *request, struct page_offer *ret);

#endif
