/* SPDX-License-Identifier: MIT */
/* wiring.h - decides which room answers a request; wiring.c alone knows all rooms. */
#ifndef SERVE_WIRING_H
#define SERVE_WIRING_H

#include "serve/router.h"
#include "serve/worker.h"

/* What httpsocketd has at its paths: the folder. */
extern const struct router wiring_site;

/* The handler of a worker's http_server; its owner is the worker. */
void wiring_request(struct http_server *server, struct exchange *x);

/* A request that is no handshake and asks nothing of script access (any more). */
void wiring_answer(struct worker *w, struct exchange *x, const struct origin *here);

/* A page opens a TCPConnection: page_host_spec.on_tcp. */
void wiring_tcp(void *owner, struct channel *c, struct slice json,
                const struct page_opener *opener);

#endif
