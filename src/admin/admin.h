/* SPDX-License-Identifier: MIT */
/* admin.h - the requests of the admin listener: GET /healthz, /metrics (Prometheus text), /sessions
 * and /cluster (JSON); POST /restart?path=PATH, /lift-bans; /.httpsocket/authorize, by which other
 * web servers ask about their requests; POST /publish (publish.h).
 *
 * Knows HTTP and nothing of the server: the owner gives the contents. Answers only on its own
 * listener; who may reach that is the operator's choice of address. A browser that can reach it
 * shows it to its user, but no page gets or sends anything: what names another page (Origin,
 * Sec-Fetch-Site) is refused. /.httpsocket/authorize hands on the fields of other requests, so
 * neither rule holds for it; it looks at the host that it is asked about itself.
 *
 * Threads  One loop.
 */
#ifndef ADMIN_ADMIN_H
#define ADMIN_ADMIN_H

#include "base/text.h"
#include "http/server.h"

struct admin_query;

enum admin_cluster {
    ADMIN_CLUSTER_SERVERS,  /* GET /cluster */
    ADMIN_CLUSTER_SESSIONS, /* GET /cluster?sessions */
    ADMIN_CLUSTER_METRICS,  /* GET /cluster?metrics */
};

struct admin_ops {
    /* Whether the request's Host may be this listener's: another is a page's whose name suddenly
     * points here. */
    bool (*knows_host)(void *owner, struct exchange *x);
    bool (*healthy)(void *owner);
    void (*metrics)(void *owner, struct text *out);
    /* Collects a JSON array of the live sessions and hands it to admin_answer(), now or later,
     * exactly once. */
    void (*sessions)(void *owner, struct admin_query *query);
    /* Asks all servers of the cluster, and hands an object to admin_answer(), or refuses. */
    void (*cluster)(void *owner, enum admin_cluster what, struct admin_query *query);
    /* Lifts all bans, and hands an object about it to admin_answer(). */
    void (*lift_bans)(void *owner, struct admin_query *query);
    /* Lets the programs of this path go, and hands an object about it to admin_answer(), now or
     * later, exactly once. `path` is valid during the call. */
    void (*restart)(void *owner, struct slice path, struct admin_query *query);
    /* Takes the exchange: decides about the request that its headers describe. */
    void (*authorize)(void *owner, struct exchange *x);
    /* Takes the exchange: publishes what it holds. */
    void (*publish)(void *owner, struct exchange *x);
};

struct admin {
    struct http_server server;
    const struct admin_ops *ops;
    void *owner;
};

void admin_init(struct admin *admin, struct loop *loop, const struct http_limits *limits,
                const struct admin_ops *ops, void *owner);

/* To be called also if the client has gone meanwhile. `json` is copied. */
void admin_answer(struct admin_query *query, struct slice json);
/* In its place. */
void admin_refuse(struct admin_query *query, int status, struct slice why);

#endif
