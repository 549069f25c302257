/* SPDX-License-Identifier: MIT */
/* router.h - what a server has at its paths: for httpsocketd the folder that it serves (wiring.c),
 * for the library the program's routes (library_routes.c).
 *
 * Before it is asked, the Host was found to be ours, and script access has let the request in. What
 * begins with /.httpsocket/ does not get here.
 *
 * Threads  The worker's.
 */
#ifndef SERVE_ROUTER_H
#define SERVE_ROUTER_H

#include "page/page.h"
#include "proto/origin.h"

struct worker;

struct router {
    /* A request that is no WebSocket handshake, which reached the origin `here`. Takes the
     * exchange. */
    void (*answer)(struct worker *w, struct exchange *x, const struct origin *here);
    /* A handshake, whose session, if it names one, is this worker's. Takes the exchange and the
     * visitor's grant. */
    void (*connect)(struct worker *w, struct exchange *x, const struct page_visitor *visitor);
    /* Whether something stands here that another site's page must not start without leave. */
    bool (*guards)(struct worker *w, struct slice path);
    /* No more comes; what is there ends in its time. NULL: the router has nothing of its own. */
    void (*drain)(struct worker *w);
    /* What is there ends now. */
    void (*stop)(struct worker *w);
    bool (*empty)(const struct worker *w);
};

#endif
