/* SPDX-License-Identifier: MIT */
/* forward.h - a handshake for a session that another server has: its connection is passed on.
 *
 * While the way there is being made the request waits. If the server is gone, the handshake goes on
 * here, where its session is not: the client hears 4410, and goes on from its state or loads again.
 * If the server may be there, and can't be reached, the client hears 1013, and comes again.
 *
 * Threads  The worker's.
 */
#ifndef SERVE_FORWARD_H
#define SERVE_FORWARD_H

#include "serve/worker.h"

/* Whether another server has the session of this id, as far as is known: then the exchange is
 * taken. False: it goes on here. */
bool forward_session(struct worker *w, struct exchange *x, struct slice session, bool same_origin);

#endif
