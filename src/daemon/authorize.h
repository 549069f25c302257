/* SPDX-License-Identifier: MIT */
/* authorize.h - script access for other web servers: may this request's page read the answer?
 *
 * nginx (auth_request), Caddy (forward_auth) and Traefik ask for each request, and tell by headers
 * what it is about (docs/access.md, section 7). 204 with the headers of CORS if it may; otherwise
 * the status and headers of the refusal.
 *
 * The asking server is trusted: its words about the client are believed.
 */
#ifndef DAEMON_AUTHORIZE_H
#define DAEMON_AUTHORIZE_H

#include "access/server_origins.h"
#include "serve/pending.h"
#include "serve/proxies.h"

/* Takes the exchange. `proxies`: before the asking server, trusted to name their clients. */
void authorize_begin(struct script_access *script_access, const struct server_origins *origins,
                     const struct proxies *proxies, struct exchange *x);

#endif
