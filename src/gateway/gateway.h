/* SPDX-License-Identifier: MIT */
/* gateway.h - TCPConnections of pages: each joins a channel of a session with a TCP connection to a
 * target (docs/protocol.md, section 10, kind `tcp`).
 *
 *   page ── session ── channel ── relay ── stream ── target
 *
 * Script access decides first; then the relay connects to the addresses that script access has just
 * validated, and to no others. Limits count connections from their opening on, refused ones too
 * while they last.
 *
 * Lifetime  One for each worker. gateway_init() to the end of all sessions: a relay lives no longer
 *           than its channel.
 * Bounds    Towards the page a channel's window, towards the target that window and what TLS adds
 *           to it.
 * Threads   Loop thread only; the quota is shared by all workers.
 * Memory    Some 800 B and three texts for an open relay; 6 KiB more until it is open. Bytes on
 *           their way to a page lie in buffers of 64 KiB, at least half full.
 */
#ifndef GATEWAY_GATEWAY_H
#define GATEWAY_GATEWAY_H

#include "access/grant.h"
#include "access/program_question.h"
#include "gateway/end.h"
#include "limits/memory.h"
#include "limits/quota.h"
#include "net/tls.h"
#include "session/channels.h"

struct pack;
struct session_table;

struct gateway_config {
    uint32_t connect_timeout_ms; /* from the verdict to the end of the TLS handshake */
    uint32_t idle_timeout_ms;    /* without a byte either way */
    uint32_t answer_timeout_ms;  /* for the program that is asked */
    uint32_t per_client;
    uint32_t per_origin, per_target; /* shared by clients: quota_take_share() */
};

enum gateway_state {
    GATEWAY_CHECKING,
    GATEWAY_CONNECTING,
    GATEWAY_OPEN,
    GATEWAY_STATES
};

enum gateway_limit {
    GATEWAY_PER_CLIENT,
    GATEWAY_PER_ORIGIN,
    GATEWAY_PER_TARGET,
    GATEWAY_LIMITS
};

struct gateway_counts {
    uint64_t opened, now[GATEWAY_STATES];
    uint64_t bytes_to_page, bytes_to_target;
    uint64_t limited[GATEWAY_LIMITS]; /* refused by which limit */
    uint64_t ends[TCP_ENDS];
};

/* All that the relays of one worker share. Fill in what is borrowed, then gateway_init(). */
struct gateway {
    struct loop *loop; /* borrowed, like all pointers here */
    const struct gateway_config *config;
    struct access_source *access;
    struct quota *quota;
    struct memory_desk *memory; /* NULL: nothing is counted */
    struct gateway_counts counts;
    /* The rest is the room's own. */
    struct tls_context *trust; /* of targets: a reference */
    struct list relays;
    struct shared_bytes *spare; /* the next bytes of a target are received here; NULL: none yet */
    bool draining;
};

/* The page that opens a connection. */
struct gateway_page {
    struct slice origin;  /* of the session; copied */
    struct slice address; /* of the client, for the log; copied */
    struct net_client_key client;
    uint64_t who;    /* exchange_credentials() */
    bool here_known; /* the origin that the page reached the server by is known: */
    struct origin here;
    /* Asks the program; NULL: there is no program, or it does not want to be asked. `owner` lives
     * as long as the channel. */
    void (*ask)(void *owner, struct program_question *question);
    void *owner;
};

void gateway_init(struct gateway *g);
/* Every session is over. */
void gateway_done(struct gateway *g);

/* Sets the trust by which targets are verified from now on. Takes a reference of its own. */
void gateway_trust(struct gateway *g, struct tls_context *trust);

/* A page has opened this channel: takes it. */
void gateway_open(struct gateway *g, struct channel *c, struct slice json,
                  const struct gateway_page *page);

/* The settings of script access have changed: decides about all connections again. */
void gateway_review(struct gateway *g);
/* For the process that takes over: connections that are open, and without TLS. gateway_unpack()
 * comes before the channels of sessions that nobody reclaims are reset; then gateway_review(). */
void gateway_pack(const struct gateway *g, struct pack *p);
void gateway_unpack(struct gateway *g, struct session_table *sessions, struct slice in);
/* Resets all connections with `draining`, and every one that is opened from now on. */
void gateway_drain(struct gateway *g);

#endif
