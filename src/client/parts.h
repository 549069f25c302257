/* SPDX-License-Identifier: MIT */
/* parts.h - struct httpsocket, and what the files of this room call of each other.
 *
 *   api.c       making, ending and driving a client; the descriptor
 *   send.c      what goes out: checked, queued
 *   form.c      messages between the codec's form and the public one; line.c the same as lines
 *   link.c      the connection: dial, greet, lose, come back, end
 *   receive.c   what comes: the protocol's own, and messages
 *   calls.c     calls that wait for their answers
 *   streams.c   byte streams on the connection; tcp.c TCP connections over them
 *   liveness.c  is the server alive? does the server know that we are?
 */
#ifndef CLIENT_PARTS_H
#define CLIENT_PARTS_H

#include "httpsocket.h"

#include "client/backoff.h"
#include "client/dial.h"
#include "client/outbox_window.h"
#include "client/welcome.h"
#include "core/embedded.h"
#include "proto/message.h"
#include "session/channels.h"
#include "ws/peer.h"

#define CLIENT_KEY_LEN 24
/* The library's own calls are numbered from here, the user's below. */
#define CLIENT_CALLS_FROM (UINT64_C(1) << 52)

/*   CONNECTING ──101──> GREETING ──.welcome──> OPEN ──all delivered, .close said──> LEAVING
 *        ^                  │                    │                                     │
 *        │                  └────────────────────┴── lost ─────────────────────────────┘
 *        └─── backoff ── WAITING <───────────────────┘
 *   any ── link_end ──> OVER
 */
enum client_state {
    CLIENT_CONNECTING,
    CLIENT_GREETING,
    CLIENT_OPEN,
    CLIENT_LEAVING,
    CLIENT_WAITING,
    CLIENT_OVER
};

struct httpsocket {
    struct httpsocket_options options; /* url, origin and ca_file are not kept */
    struct loop *loop;
    struct dial_target target;
    struct dial dial;
    struct ws_peer *peer;    /* NULL: not connected */
    struct ws_peer *parting; /* after the end, while the close frame is on its way */
    struct ws_config ws_config;
    struct ws_counts ws_counts;
    struct outbox_window out;
    struct backoff backoff;
    struct list calls;
    uint64_t next_call;
    struct timer work;    /* work was queued */
    struct timer retry;   /* until the next attempt; or the time limit of one */
    struct timer give_up; /* without a connection */
    struct timer finish;  /* for httpsocket_close */
    struct timer ack;
    struct timer silence;
    struct timer beat;
    uint64_t heard_ms;
    bool asked;             /* `.ping` was sent, in doubt about the connection */
    struct welcome welcome; /* the last one */
    uint64_t received, acknowledged;
    size_t unacknowledged_bytes;
    struct channels *channels; /* NULL: no stream was opened */
    struct channels_config channels_config;
    struct channels_counts channels_counts;
    struct timer tell; /* for channels_tell() */
    struct list tcp_waiting, tcp;
    struct end end;       /* the end; before: what the last failure was */
    struct end announced; /* code 0: no */
    struct httpsocket_end public_end;
    struct embedded embedded; /* for those who poll */
    uint8_t state;            /* enum client_state */
    bool greeted;             /* ever */
    bool paused, wants_room, finishing, said_close, processing;
    char key[CLIENT_KEY_LEN + 1];
    char close_reason[101];
};

/* ---- link.c ---- */

void link_start(struct httpsocket *c);
/* Sends the messages that may go, and the goodbye when it is time. */
void link_pump(struct httpsocket *c);
void link_opened(struct httpsocket *c, const struct welcome *welcome);
/* The connection is lost, or of no use. */
void link_lost(struct httpsocket *c, const struct end *why);
void link_drop(struct httpsocket *c, const char *why);
/* The server broke the rules. */
void link_breach(struct httpsocket *c, const char *why);
void link_end(struct httpsocket *c, const struct end *end);
void link_say(struct httpsocket *c, const char *text);

/* ---- receive.c ---- */

void receive(struct httpsocket *c, bool binary, struct slice data);
void receive_acknowledge(struct httpsocket *c);

/* ---- form.c ---- */

/* Of any kind but CONTROL; points into `m` and `name`. */
struct httpsocket_message form_public(const struct message *m, char name[MESSAGE_NAME_MAX + 1]);
/* NAME, NAME?CALL, =CALL ...: its length as of snprintf. */
int form_head(const struct httpsocket_message *m, char *out, size_t room);

/* ---- send.c ---- */

/* As httpsocket_send, with any number. */
int send_checked(struct httpsocket *c, const struct httpsocket_message *m);

/* ---- calls.c ---- */

/* True: it was the answer to one. */
bool calls_answered(struct httpsocket *c, const struct httpsocket_message *m);
/* All calls that still wait fail. */
void calls_fail(struct httpsocket *c);
/* Frees all calls without telling the user. */
void calls_drop(struct httpsocket *c);

/* ---- streams.c ---- */

void streams_set_up(struct httpsocket *c);
/* Prepares for the first stream. False without memory. */
bool streams_begin(struct httpsocket *c);
/* `.welcome` has come. */
void streams_attach(struct httpsocket *c);
/* To be called before the connection goes. */
void streams_detach(struct httpsocket *c);
void streams_receive(struct httpsocket *c, struct bytes frame);
void streams_drained(struct httpsocket *c);
/* Ends all streams; their owners are told `json`. */
void streams_end(struct httpsocket *c, struct slice json);

/* ---- tcp.c ---- */

/* Opens the connections that wait, as far as the server allows. */
void tcp_turns(struct httpsocket *c);
/* The session is over: ends all connections and tells their users. */
void tcp_fail(struct httpsocket *c);
/* Ends all connections and tells only the server. */
void tcp_drop(struct httpsocket *c);

/* ---- liveness.c ---- */

void client_liveness_init(struct httpsocket *c);
void client_liveness_heard(struct httpsocket *c);
void client_liveness_start(struct httpsocket *c);
void client_liveness_stop(struct httpsocket *c);
void client_liveness_paused(struct httpsocket *c);

/* ---- api.c ---- */

/* Something is to be done in the next turn. */
void client_wake(struct httpsocket *c);

#endif
