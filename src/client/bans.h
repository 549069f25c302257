/* SPDX-License-Identifier: MIT */
/* bans.h - the servers and targets that have told the clients of this process to stay away, and for
 * how long: the library's side of docs/access.md, section 7.
 *
 * A ban is for the origin that a client declares; for a program by the server's origin and path,
 * and with Access-Control-Policy-Path for all below it; for a TCP target by the server that refused
 * it, and HOST:PORT. Bans end with the process.
 *
 * Memory   16 KiB from the first ban on.
 * Threads  Any.
 */
#ifndef CLIENT_BANS_H
#define CLIENT_BANS_H

#include "client/dial.h"

/* How many seconds of a ban remain; 0: the program may be asked. */
uint32_t client_program_ban_s(const struct dial_target *t);
/* Bans if `why` is a refusal that says when to come back. `policy_path` may be empty. */
void client_program_ban_add(const struct dial_target *t, const struct end *why,
                            const char *policy_path);

/* The functions above for a TCP target; `retry_s` is from the refusal, -1: it has none. */
uint32_t client_tcp_ban_s(const struct dial_target *via, const char *host, uint16_t port);
void client_tcp_ban_add(const struct dial_target *via, const char *host, uint16_t port,
                        int64_t retry_s);

#endif
