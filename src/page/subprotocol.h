/* SPDX-License-Identifier: MIT */
/* subprotocol.h - what a client offers in Sec-WebSocket-Protocol (docs/protocol.md, section 1).
 *
 * Pure. Subprotocols of others are passed over; ours must be whole and occur once.
 */
#ifndef PAGE_SUBPROTOCOL_H
#define PAGE_SUBPROTOCOL_H

#include "http/exchange.h"
#include "program/kinds.h"
#include "proto/cgi_head.h"

struct page_subprotocol {
    bool session_protocol; /* httpsocket.v1 is among them */
    struct slice session;  /* SLICE_NONE: a new one */
    struct slice key;
    uint64_t received;
    bool parts;           /* it takes large messages in parts, */
    uint64_t has_of_next; /* and has so many bytes of the message behind `received` */
    bool state;           /* it keeps its program's state, */
    bool restore;         /* and brings one to a new session */
    const char *why;
};

/* False: `why` says what is wrong (`session_protocol` is set all the same). Slices point into the
 * request. */
bool page_subprotocol_read(const struct http_head *request, struct page_subprotocol *ret);

/* ---- of a client without a session ---- */

/* The one that the program has printed, or SLICE_NONE. */
struct slice page_subprotocol_of(const struct cgi_head *head);
/* NULL, or what is wrong with what it has printed: it must be one of those that the client offers
 * (RFC 6455, 4.2.2). */
const char *page_subprotocol_judge(const struct http_head *request, const struct cgi_head *head);
/* The first of the client's offers that `stdio-subprotocol` has for this path, or SLICE_NONE. */
struct slice page_subprotocol_for_lines(const struct exchange *x,
                                        const struct program_kinds *kinds);

#endif
