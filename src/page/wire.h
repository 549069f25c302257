/* SPDX-License-Identifier: MIT */
/* wire.h - WebSockets: of a session, which talk.c joins with its program, and of the plain form.
 * Private to this room.
 */
#ifndef PAGE_WIRE_H
#define PAGE_WIRE_H

#include "page/parts.h"

/* ---- wire.c: WebSockets of sessions ---- */

struct page_offer;
/* 101, then attaches the session. `grant` may be NULL. */
void page_wire_attach(struct page_host *host, struct exchange *x, struct session *s,
                      const struct page_offer *offer, struct page_grant *grant);
/* 101, then closes with this code. Slices of the request may be given: they are used before it is
 * over. */
void page_wire_refuse(struct page_host *host, struct exchange *x, unsigned code,
                      struct slice reason);
void page_wires_drop(struct page_host *host);
/* NULL and the exchange answered if that is not possible. `subprotocol` may be empty. */
struct ws_peer *page_upgrade(struct page_host *host, struct exchange *x, struct slice subprotocol,
                             const struct ws_peer_ops *ops, void *owner, struct bytes *rest);

/* From now on each message waits so long, either way. */
void page_fault_latency(struct page *p, uint32_t ms);
/* The connection is lost, and for so long there is no other. */
void page_fault_cut(struct page *p, uint32_t ms);

/* ---- plain.c: WebSockets without a session ---- */

void page_plain_open(struct page *p);
/* A message of the program. */
void page_plain_send(struct page *p, const struct message *m);
bool page_plain_writable(const struct page *p);

/* ---- talk.c: the session's callbacks ---- */

extern const struct session_ops page_session_ops;

#endif
