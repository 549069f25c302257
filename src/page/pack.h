/* SPDX-License-Identifier: MIT */
/* pack.h - all pages of a worker, for the process that takes over (docs/decisions/takeover.md).
 *
 *   taken over      pages whose request is answered, with their programs, sessions, byte streams,
 *                   WebSockets without TLS and without a grant; sessions without a program
 *   not             a WebSocket with TLS or of a page of another origin: the session stays, its
 *                   client comes again. A page whose program is a handler: its session ends
 *                   by 1012, and its client brings the state to the next process
 */
#ifndef PAGE_PACK_H
#define PAGE_PACK_H

#include "page/page.h"

struct pack;

/* Clients that can't be taken over are told to come again: 1001, or 1012 without a session. */
void page_host_part(struct page_host *host);
/* Nothing changes here. No exchange is under way, and no mail. */
void page_host_pack(const struct page_host *host, struct pack *p);
/* Into a host without pages, before its loop runs; program_host_unpack() has come before. */
void page_host_unpack(struct page_host *host, struct slice in);
/* Once everything of the server is there: clients that could not be taken over are missed, and what
 * waits goes on. */
void page_host_go_on(struct page_host *host);
/* How many pages there are. */
size_t page_host_count(const struct page_host *host);

#endif
