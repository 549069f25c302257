/* SPDX-License-Identifier: MIT */
/* cluster_wiring.h - a worker as a part of several servers that share brokers: which parts of
 * src/cluster it has, and how they know each other.
 *
 *   worker 0      links ──> registry ──view──> all workers
 *   each worker   ways, by the view; what comes by them goes to the worker that has the session
 *                 topics, whose events the brokers number
 *
 * Without `broker` a worker has no node, and nothing here is called but with NULL.
 *
 * Threads  The worker's, unless stated.
 */
#ifndef SERVE_CLUSTER_WIRING_H
#define SERVE_CLUSTER_WIRING_H

#include "cluster/servers.h"
#include "cluster/topics.h"
#include "cluster/ways.h"
#include "serve/cluster_report.h"
#include "serve/cluster_server.h"

struct worker;

/* Of worker 0: one for each broker. */
struct cluster_link {
    struct cluster_node *node; /* borrowed: it owns us */
    size_t index;
    struct broker *broker; /* owned */
};

struct cluster_node {
    struct worker *worker;         /* borrowed: it owns us */
    struct cluster_server *server; /* borrowed */
    struct ways ways;
    struct cluster_topics_config topics_config;
    struct cluster_topics *topics; /* owned */
    struct servers_view *view;     /* a reference; NULL: nothing is known yet */
    uint32_t former_tag;           /* that another server had too; 0: none */
    /* of worker 0 */
    struct servers *registry;
    struct cluster_link *links;
    struct list claims;         /* that a broker is asked about: claim.h */
    struct net_address address; /* of our ways; len 0: none */
    size_t policy_link;         /* the broker that the policy is shared by */
    struct cluster_report *report;
};

/* NULL without memory, or if the server is alone (server->cluster is NULL). */
struct cluster_node *cluster_node_new(struct worker *w);
void cluster_node_free(struct cluster_node *n); /* accepts NULL */

/* A stream was accepted at `cluster-listen`. */
void cluster_node_take(struct cluster_node *n, struct stream *stream);
/* The ways' listener of this worker is bound there; len 0: there is none. */
void cluster_node_listens(struct cluster_node *n, const struct net_address *bound);

/* The sessions' table makes ids with the tag. */
void cluster_node_use_tag(struct cluster_node *n, uint32_t tag);

/* Of its topics; all 0 if there is no node. Any thread may look. */
const struct cluster_topics_counts *cluster_node_counts(const struct cluster_node *n);
struct broker_counts cluster_node_links(const struct cluster_node *n);
/* After a change of the settings. */
void cluster_node_use_config(struct cluster_node *n, const struct config *config);
/* For the process that takes over; before the topics of the home. */
void cluster_node_pack(const struct cluster_node *n, struct pack *p);
void cluster_node_unpack(struct cluster_node *n, struct slice in);

/* What the registry knows now; `n` may be NULL. */
void cluster_node_use_view(struct cluster_node *n, uint32_t tag, struct servers_view *view);
/* Whether sessions with this tag are this server's. */
bool cluster_node_owns(const struct cluster_node *n, uint32_t tag);

/* No new pages come here; others' connections are sent away. */
void cluster_node_drain(struct cluster_node *n);
/* There is another server where pages that are sent away can go on now. */
bool cluster_node_has_other(const struct cluster_node *n);
bool cluster_node_empty(const struct cluster_node *n);
/* The worker's loop ends. */
void cluster_node_leave(struct cluster_node *n);
/* Whatever goes over ways is cut: for a take-over, or the end. */
void cluster_node_part(struct cluster_node *n);

#endif
