/* SPDX-License-Identifier: MIT */
/* ways.h - the ways of one worker: those that it has made to other servers, when they were needed,
 * and those that other servers have made to it.
 *
 * Who passes a connection on asks for the way to its server:
 *
 *   WAYS_READY   there is one
 *   WAYS_WAIT    it is being made, or nobody knows yet where the server is; the answer follows
 *   WAYS_GONE    the server is gone, for certain: the registry has it no more; or it has missed a
 *                sign of life and nobody listens at its address; or another server does
 *   WAYS_AWAY    it can't be reached now, or is not known, and may be there
 *
 * Strangers  Who connects has HANDSHAKE_MS to show that it has the key. So many at a time may be
 *            about it; one more costs the oldest of them its try, which for an honest server takes
 *            a moment. Who invents ids makes the registry be asked, but not often, and for 256
 *            servers at a time that nobody knows; beyond, those are away.
 * Threads    Loop thread only.
 */
#ifndef CLUSTER_WAYS_H
#define CLUSTER_WAYS_H

#include "cluster/pump.h"
#include "cluster/servers_view.h"

enum ways_answer {
    WAYS_READY,
    WAYS_WAIT,
    WAYS_GONE,
    WAYS_AWAY
};

struct ways_wish {
    struct list node; /* the target's */
    struct timer timer;
    struct ways *ways;
    uint32_t tag;
    /* Once, never WAYS_WAIT. `way` only if it is WAYS_READY. */
    void (*on_answer)(struct ways_wish *wish, enum ways_answer answer, struct way *way);
};

struct ways_spec {
    struct loop *loop;          /* borrowed */
    struct tls_context *tls;    /* of keys; borrowed. NULL: there are no ways */
    struct memory_desk *memory; /* borrowed */
    uint32_t tag;               /* our own */
    void *owner;
    /* A connection that another server passes on. Takes the descriptor: a Unix socket. */
    void (*adopt)(void *owner, int fd, uint16_t worker, const struct http_passed *passed);
    /* A server is not in the view: is it there by now? ways_checked() answers, later, by the view
     * that there is then. */
    void (*check)(void *owner, uint32_t tag);
};

struct ways_counts {
    uint64_t made, accepted, failed, refused; /* refused: strangers */
};

struct ways {
    struct ways_spec spec;
    struct servers_view *view; /* a reference; NULL: nothing is known yet */
    struct list targets;
    size_t target_count;
    struct list accepted, shaking; /* ways */
    uint32_t shaking_count;
    struct pumps forwarded, passed; /* clients here; clients of other servers */
    struct ways_counts counts;
};

void ways_init(struct ways *ways, const struct ways_spec *spec);
/* Closes all. */
void ways_done(struct ways *ways);
/* Another tag of our own. */
void ways_use_tag(struct ways *ways, uint32_t tag);
/* Takes a reference. */
void ways_use_view(struct ways *ways, struct servers_view *view);
/* Takes a stream that was accepted at `cluster-listen`. */
void ways_take(struct ways *ways, struct stream *stream);

/* With WAYS_READY *ret is the way. With WAYS_WAIT `wish` is ours until on_answer, or ways_cancel().
 */
enum ways_answer ways_ask(struct ways *ways, uint32_t tag, struct ways_wish *wish,
                          struct way **ret);
void ways_cancel(struct ways_wish *wish);

/* The view is up to date, as far as this server is concerned. */
void ways_checked(struct ways *ways, uint32_t tag);

/* Passes on a request that is not answered, with its connection, whose session is in `worker` of
 * the other server (WAY_NO_WORKER: any). The exchange is over. False: it goes on here. */
bool ways_forward(struct ways *ways, struct way *way, struct exchange *x, uint16_t worker);

/* Clients of other servers' sessions are sent away, to come again elsewhere; what others pass on is
 * still taken. */
void ways_drain(struct ways *ways);
/* For a take-over: nothing that goes over a way can be taken over. */
void ways_part(struct ways *ways);
bool ways_empty(const struct ways *ways);

#endif
