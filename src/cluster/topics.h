/* SPDX-License-Identifier: MIT */
/* topics.h - the topics of one worker's home, numbered by brokers in the place of the home: so they
 * are the same in all servers that share the brokers.
 *
 *   hub ──request──> home ──publish, follow, show──> outpost ──scripts/topics.lua──> broker
 *    ^                 ^                                ^                              │
 *    └──event──────────┴──numbered, in order────────────┴────channel of the topic──────┘
 *
 * An outpost is this worker at one broker; topics are spread over the brokers by their names. Each
 * outpost follows the topics that have subscribers here. It hears their events by the topic's
 * channel; a gap in their numbers (the link broke, or the broker cut it since it was slow) is
 * filled from the topic's stream, and what that has no more is told to the subscribers as `lost`.
 *
 * Publications leave in their order, each with a number of the outpost: one that is said again
 * after a break is known by its number. While the broker is away they wait; whoever publishes pays
 * for them (hub_client_busy), and anonymous ones are refused (HUB_AWAY), as are those beyond
 * `backlog_max`: clients may publish and leave.
 *
 * After a failover, or a restart from disk, a broker may know less than it had announced. The first
 * outpost that comes to an instance of the broker makes a fence: nothing is published until all
 * outposts have given the broker what they know of, or FENCE_MS have passed.
 *
 * Presence is state: the outpost says who of this server is there, and says it again whenever the
 * broker may have forgotten. Outposts without a sign of life for OUTPOST_TTL_MS are taken for dead
 * by the others, and their clients have left.
 *
 * Threads  The worker's.
 * Memory   Some 200 B a topic that is followed; publications as long as they are under way.
 */
#ifndef CLUSTER_TOPICS_H
#define CLUSTER_TOPICS_H

#include "cluster/broker.h"
#include "hub/upstream.h"

struct pack;

enum {
    OUTPOST_INSTANCE = 12,
    OUTPOST_BEAT_MS = 1000,
    OUTPOST_TTL_MS = 5000,
    FENCE_MS = 3000
};

struct cluster_topics;

struct cluster_topics_config {
    const char *name;     /* of the cluster: what keys and channels begin with */
    uint32_t history_max; /* events of one topic, in the broker */
    size_t history_bytes_max;
    uint32_t linger_ms; /* for a topic that nobody follows or publishes in */
    size_t backlog_max; /* bytes of publications that wait for one broker; beyond: HUB_AWAY */
    uint32_t replicas;  /* that are to have a publication before it counts */
    uint32_t brokers;
};

struct cluster_topics_counts {
    uint64_t published, announced, again, caught_up, lost, mended, fenced, refused;
    uint64_t links_broken;
    uint64_t links, followed, waiting; /* now */
};

struct cluster_topics_spec {
    struct loop *loop;
    struct hub_home *home;                      /* borrowed; this becomes its upstream */
    const struct cluster_topics_config *config; /* borrowed */
    const struct broker_config *brokers;        /* config->brokers of them; borrowed */
    const char *instance; /* of this server: at least OUTPOST_INSTANCE random letters */
    uint16_t worker;
};

/* Becomes the upstream of the home. NULL without memory. */
struct cluster_topics *cluster_topics_new(const struct cluster_topics_spec *spec);
/* After hub_stop() of all hubs; accepts NULL. */
void cluster_topics_free(struct cluster_topics *t);
const struct cluster_topics_counts *cluster_topics_counts(const struct cluster_topics *t);
/* What its links have done, in all. Any thread may look. */
struct broker_counts cluster_topics_links(const struct cluster_topics *t);

/* For the process that takes over: what is still to be published. What is known of the topics goes
 * with the home. Unpacked before hub_home_unpack(). */
void cluster_topics_pack(const struct cluster_topics *t, struct pack *p);
void cluster_topics_unpack(struct cluster_topics *t, struct slice in);

#endif
