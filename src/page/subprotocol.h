/* SPDX-License-Identifier: MIT */
/* subprotocol.h - what a client offers in Sec-WebSocket-Protocol (docs/protocol.md, section 1).
 *
 * Pure. Subprotocols of others are passed over; ours must be whole and occur once.
 */
#ifndef PAGE_SUBPROTOCOL_H
#define PAGE_SUBPROTOCOL_H

#include "proto/http_head.h"

struct page_subprotocol {
    bool session_protocol; /* httpsocket.v1 is among them */
    struct slice session;  /* SLICE_NONE: a new one */
    struct slice key;
    uint64_t received;
    bool parts; /* it takes large messages in parts */
    const char *why;
};

/* False: `why` says what is wrong (`session_protocol` is set all the same). Slices point into the
 * request. */
bool page_subprotocol_read(const struct http_head *request, struct page_subprotocol *ret);

#endif
