/* SPDX-License-Identifier: MIT */
/* parts.h - struct relay, one TCPConnection, and what the files of this room call of each other.
 *
 *   CHECKING ──allowed──> CONNECTING ──connected, TLS done: OPENED──> OPEN
 *      │                      │                                         │
 *      └──────────────────────┴──────────── relay_end() ────────────────┘
 *
 * relay_end() tells the page by a RESET, unless the page itself has ended the connection, and frees
 * the relay at the end of the turn.
 */
#ifndef GATEWAY_PARTS_H
#define GATEWAY_PARTS_H

#include "gateway/gateway.h"
#include "gateway/request.h"
#include "net/race.h"
#include "net/stream.h"

/* The part of a relay that is needed only until it is open. */
struct relay_setup {
    struct relay *relay; /* borrowed: it owns us */
    struct tcp_request request;
    struct access *access; /* a reference; NULL: handed on to the grant */
    struct access_check check;
    struct program_question question;
    void (*ask_program)(void *owner, struct program_question *question);
    void *program;
    struct target target; /* once allowed */
    struct race race;
    struct reap reap;
    bool checking; /* the check is script access's */
};

struct relay {
    struct list node; /* gateway.relays */
    struct gateway *gateway;
    struct channel *channel; /* NULL: over */
    enum gateway_state state;
    struct relay_setup *setup; /* NULL: open */
    struct stream *stream;     /* NULL: not connected yet */
    struct grant grant;
    struct timer timer; /* the program's answer; connecting; idle */
    uint64_t began_ms, moved_ms;
    uint64_t to_page, to_target; /* bytes */
    size_t untaken;              /* bytes that the target's socket has not taken */
    struct quota_hold of_client;
    struct quota_share of_origin, of_target;
    struct memory_account account; /* of the client: pays for what waits for the target */
    size_t counted;
    struct reap reap;
    struct net_client_key client_key;
    struct slice origin, client, target; /* parts of text[] */
    char address[NET_ADDRESS_TEXT_MAX];  /* of the target, once connected */
    char text[];
};

/* ---- relay.c ---- */

/* NULL without memory. */
struct relay *relay_new(struct gateway *g, struct channel *c, const struct tcp_request *request,
                        const struct gateway_page *page);
/* As relay_new(), of one that is open, without a channel. */
struct relay *relay_make(struct gateway *g, struct slice origin, struct slice client,
                         struct slice target, const struct net_client_key *key);
void relay_set_state(struct relay *r, enum gateway_state state);
/* Ends the relay, for this reason. */
void relay_end(struct relay *r, const struct tcp_ending *ending);
void relay_end_as(struct relay *r, enum tcp_end end, const char *message);
/* To be called when more or less waits for the target. */
void relay_count(struct relay *r);

/* ---- relay_start.c: from the request to OPENED ---- */

void relay_start(struct relay *r, const struct gateway_page *page);
/* It was let in by the process before this one: gateway_review() decides again. */
void relay_let_in_again(struct relay *r, const struct access_request *request);
/* Cancels whatever is under way. */
void relay_start_cancel(struct relay *r);

/* ---- relay_bytes.c: from OPENED to the end ---- */

extern const struct channel_ops relay_channel_ops;
extern const struct stream_ops relay_stream_ops;
/* The page may be told, and bytes may flow. */
void relay_flow(struct relay *r);
/* As relay_flow(), for one that was taken over; something last moved then. */
void relay_go_on(struct relay *r, uint64_t moved_ms);

#endif
