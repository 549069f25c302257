/* SPDX-License-Identifier: MIT */
/* lobby.h - sessions without a program, for the TCPConnections of pages that have none. */
#ifndef PAGE_LOBBY_H
#define PAGE_LOBBY_H

#include "page/host.h"

struct lobby;
/* For the client of `x`. NULL without memory, or when there are too many. */
struct lobby *lobby_new(struct page_host *host, struct exchange *x, struct slice origin);
struct session *lobby_session(struct lobby *lobby);
/* `x` is its client's connection now. */
void lobby_name_client(struct lobby *lobby, struct exchange *x);
void lobbies_drain(struct page_host *host);
void lobbies_stop(struct page_host *host);

#endif
