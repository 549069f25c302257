/* SPDX-License-Identifier: MIT */
/* peer.h - one connection of the generator: what it sends is the pattern `out` over and over, and
 * what comes back has to be the pattern `back` over and over.
 *
 * What is no answer (a ping, an `.ack` of a session) is answered and passed over. A session
 * acknowledges what it has, as a browser does.
 */
#pragma once

#include "pattern.h"

#include <stdbool.h>

enum kind {
    KIND_RAW,     /* a server of bytes: the frames of a WebSocket come back as they are */
    KIND_WS,      /* a WebSocket */
    KIND_SESSION, /* a session of httpsocket.v1 */
    KIND_REDIS,
};

enum {
    SESSION_MAX = 32
};

/* Of all connections of this process. */
struct wire {
    enum kind kind;
    uint16_t home; /* where sessions are made, before they come to their ports; 0: there */
    unsigned source;
    const char *path;
    struct pattern out, back;
    int epoll_fd;
};

struct peer {
    int fd;
    uint16_t port;
    uint64_t number;
    char session[SESSION_MAX]; /* its id, "" as long as there is none */
    uint32_t events;
    bool publisher;                   /* of Redis: the answers are only counts */
    uint64_t to_start;                /* messages of this run */
    uint64_t to_finish;               /* that have not come back */
    uint64_t received;                /* messages that have come back, ever */
    uint64_t to_send;                 /* bytes of messages that were started */
    uint64_t due;                     /* see load.c, open loop: messages started */
    size_t send_at, receive_at;       /* in their patterns */
    size_t send_frame, receive_frame; /* and in the message there */
    unsigned char head[3];            /* of a frame that may be no answer */
    unsigned head_len;
    uint64_t skip; /* bytes of one that is none */
    uint64_t acknowledged;
    char control[160]; /* frames to be sent between two messages */
    size_t control_len;
};

/* Connects to `port`, or the home, and begins to shake hands as `kind` does. */
void peer_connect(struct wire *w, struct peer *p, uint64_t number);
/* Waits for the other's hand, and with a home goes from there to `port`. `place`: so that each
 * begins elsewhere in the patterns; 0: at their beginning. */
void peer_welcome(struct wire *w, struct peer *p, uint64_t place);
void peer_start(struct wire *w, struct peer *p, uint64_t count);
void peer_send(struct wire *w, struct peer *p);
/* Returns how many messages came back whole. */
uint64_t peer_receive(struct wire *w, struct peer *p);
/* Says what is left to say: a session is over, not lost. */
void peer_close(struct wire *w, struct peer *p);
