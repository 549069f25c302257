/* SPDX-License-Identifier: MIT */
/* tcp_session.h - sessions without a program, for the TCPConnections of pages that have none. */
#ifndef PAGE_TCP_SESSION_H
#define PAGE_TCP_SESSION_H

#include "page/host.h"

struct tcp_session;
/* For the client of `x`. NULL without memory, or when there are too many. */
struct tcp_session *tcp_session_new(struct page_host *host, struct exchange *x,
                                    struct slice origin);
struct session *tcp_session_base(struct tcp_session *t);
/* What pays for it. */
struct memory_account *tcp_session_account(struct tcp_session *t);
/* `x` is its client's connection now. */
void tcp_session_name_client(struct tcp_session *t, struct exchange *x);
void tcp_sessions_drain(struct page_host *host);
void tcp_sessions_stop(struct page_host *host);

/* ---- for the process that takes over: as of page/pack.h ---- */

struct pack;
/* What a byte stream is told whose other side could not be taken over. */
#define PAGE_REPLACED SLICE_LITERAL("{\"reason\":\"server-replaced\"}")

void tcp_sessions_part(struct page_host *host);
void tcp_sessions_pack(const struct page_host *host, uint32_t tag, struct pack *p);
void tcp_session_unpack(struct page_host *host, struct slice in);
void tcp_sessions_go_on(struct page_host *host);

#endif
