/* SPDX-License-Identifier: MIT */
/* client_grant.h - the grant (access/grant.h) of a client of another origin, for as long as the
 * client's connection lasts.
 *
 * Once the grant is revoked the connection is closed with 4403 `revoked`.
 *
 * Lifetime  From client_grant_new() until src/page says that the connection is over.
 * Threads   The worker's.
 * Memory    Some 800 B a connection.
 */
#ifndef SERVE_CLIENT_GRANT_H
#define SERVE_CLIENT_GRANT_H

#include "page/page.h"
#include "serve/pending.h"

struct worker;

/* In the callback of the verdict that let the request in. NULL without memory. */
struct page_grant *client_grant_new(struct worker *w, const struct pending_request *p);

/* The worker's settings of script access have changed: decides about all grants again. */
void client_grants_review(struct worker *w);

#endif
