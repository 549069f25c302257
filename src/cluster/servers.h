/* SPDX-License-Identifier: MIT */
/* servers.h - the registry: which servers share the brokers, at which addresses they have ways, and
 * whether they are alive.
 *
 * Each server says each second at each broker that it lives, by scripts/beat.lua, and hears what
 * has changed. Who has not been heard for SERVERS_LIFETIME_MS is gone from there; who is a second
 * late is told as late. A broker that was away for a while, with all its servers still there, gives
 * each its time anew; one that has begun afresh is not believed that somebody is gone until all
 * have had the time to come. So `gone` (servers_view_is_gone) may come late, and is not wrong
 * unless a server lives that can't reach any broker.
 *
 * A tag that another server has is drawn anew, and on_tag tells it: among 2^32 once in many lives.
 *
 * Threads  The loop's; the views that it makes may go to any.
 * Cost     A call each second and broker, whose reply is some 50 B, or all servers if there is a
 *          change: some 200 B each.
 */
#ifndef CLUSTER_SERVERS_H
#define CLUSTER_SERVERS_H

#include "cluster/broker.h"
#include "cluster/servers_view.h"

enum {
    SERVERS_BEAT_MS = 1000,
    SERVERS_LIFETIME_MS = 5000,
    SERVERS_LATE_MS = 1500,
    SERVERS_ASK_MS = 50,
    SERVERS_ABOUT_MAX = 1024
};

struct servers_spec {
    struct loop *loop;    /* borrowed */
    const char *cluster;  /* borrowed; what its keys begin with */
    const char *name;     /* borrowed; of this server, for people; cut to SERVERS_NAME_MAX */
    const char *version;  /* borrowed */
    const char *instance; /* borrowed; of this process, 32 random characters */
    uint32_t tag;
    uint64_t since_ms;
    size_t brokers;
    void *owner;
    /* Something has changed. `view` is borrowed. */
    void (*on_view)(void *owner, struct servers_view *view);
    void (*on_tag)(void *owner, uint32_t tag);
};

struct servers;

/* NULL without memory. */
struct servers *servers_new(const struct servers_spec *spec);
/* After the links, which may hold a call of ours. Accepts NULL. */
void servers_free(struct servers *s);
/* From broker_ops of each of the links. */
void servers_link_up(struct servers *s, size_t index, struct broker *broker);
void servers_link_down(struct servers *s, size_t index);

/* Runs `on_known` once all brokers that can be reached have told what they know, asked after this
 * call; the view is up to date then. Never from inside of it; also when the registry is freed. The
 * brokers are asked so often a second at most, for all questions together. */
struct servers_question {
    struct list node;
    uint64_t round;
    void (*on_known)(struct servers_question *question);
};
void servers_ask(struct servers *s, struct servers_question *question);

/* Where our ways are; len 0: nowhere. */
void servers_use_address(struct servers *s, const struct net_address *address);
/* No new pages come to us. The others hear it at once. */
void servers_drain(struct servers *s);
/* What others are shown of us, of SERVERS_ABOUT_MAX at most: the field of our tag, in hexadecimal,
 * in the hash NAME:about. */
void servers_set_about(struct servers *s, struct slice about);
/* We end: nothing is said any more but that. */
void servers_leave(struct servers *s);
/* NULL at first. */
struct servers_view *servers_now(const struct servers *s);

/* A tag that is not 0. Negative errno. */
int servers_draw_tag(uint32_t *ret);

#endif
