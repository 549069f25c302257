/* SPDX-License-Identifier: MIT */
/* wire.h - WebSockets of sessions, and those that are opened only to be refused. */
#ifndef PAGE_WIRE_H
#define PAGE_WIRE_H

#include "page/host.h"
#include "page/subprotocol.h"
#include "page/watcher.h"

/* The token by which a program learns why a WebSocket is gone, out of its on_end. */
struct slice page_detach_reason(unsigned code, struct slice reason);
/* 101, then attaches the session. `p` is its page; NULL: it has none. `account` pays for the
 * WebSocket while the session is attached. `grant` and `head`, what the program has printed, may be
 * NULL. */
void page_wire_attach(struct page_host *host, struct exchange *x, struct session *s, struct page *p,
                      struct memory_account *account, const struct page_subprotocol *subprotocol,
                      struct page_grant *grant, const struct cgi_head *head);
/* 101, then closes with this code. Slices of the request may be given: they are used before it is
 * over. */
void page_wire_refuse(struct page_host *host, struct exchange *x, unsigned code,
                      struct slice reason);
/* Memory that the WebSocket alone holds: of a message that has not come whole, or that was not
 * taken. */
size_t page_wire_held(const struct page_wire *wire);
/* Closes with 1013 `overload`, and gives back what has come of a message. The session stays. */
void page_wire_let_go(struct page_wire *wire);
void page_wires_drop(struct page_host *host);
/* As page_wires_drop(), but whoever still reads gets what is queued. */
void page_wires_finish(struct page_host *host);

/* ---- for the process that takes over ---- */

struct pack;
/* If its WebSocket can't be taken over, the session loses it: the client comes again. */
void page_wire_part(struct session *s);
/* A field with the WebSocket of this session, if it has one that can be taken over. */
void page_wire_pack(const struct session *s, uint32_t tag, struct pack *p);
/* Attaches it again; `in` may be empty. */
void page_wire_unpack(struct page_host *host, struct session *s, const struct ws_config *config,
                      struct memory_account *account, struct slice in);
/* Those without a session. */
void page_wires_pack(const struct page_host *host, struct pack *p);
void page_wires_unpack(struct page_host *host, struct slice in);

/* What a 101 says beside the handshake. */
struct page_welcome {
    struct slice subprotocol; /* empty: none */
    const struct cgi_head
        *head; /* of the program, whose Set-Cookie and the like go along; or NULL */
};
/* NULL and the exchange answered if that is not possible. */
struct ws_peer *page_upgrade(struct page_host *host, struct exchange *x,
                             const struct ws_config *config, const struct page_welcome *welcome,
                             const struct ws_peer_ops *ops, void *owner, struct bytes *rest);

#endif
