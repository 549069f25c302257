/* SPDX-License-Identifier: MIT */
/* claim.h - which of several servers has the session of a client that knows no id.
 *
 * A client without a page, or one that goes on from a state, names only its key. If its connection
 * is lost before it has heard the session's id, it comes again with that key, at any server. So the
 * server that it reaches first claims the key in a broker, and any other passes the client on:
 *
 *   let in ──> worker 0 ──claim.lua──> broker      whose is it?
 *     ours, or the broker does not answer in CLAIM_MS  ──> goes on here
 *     another server's                                 ──> passed on; refused by 1013 if it is away
 *     of a server that is gone                         ──> claimed anew
 *
 * The broker is shown a hash of the key. A claim lasts as long as a session may take to begin and
 * its client to come again.
 *
 * Threads  The worker's; the call goes by mail through worker 0.
 */
#ifndef SERVE_CLAIM_H
#define SERVE_CLAIM_H

#include "serve/worker.h"

/* For a client that has been let in: takes the exchange and the visitor's grant, and calls
 * `go_on`, unless another server takes them. False: there is nothing to claim. */
bool claim_begin(struct worker *w, struct exchange *x, const struct page_visitor *visitor,
                 void (*go_on)(struct worker *w, struct exchange *x,
                               const struct page_visitor *visitor));

/* Worker 0's links have gone, and no loop runs any more: those that waited for a broker. */
void claims_end(struct worker *first, struct list *claims);

#endif
