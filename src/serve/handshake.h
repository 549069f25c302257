/* SPDX-License-Identifier: MIT */
/* handshake.h - WebSocket handshakes: who may connect, and to which worker.
 *
 *   handshake ──> the worker that has the session (or shall have it) ──> script access ──> page_connect
 *                                                                            │
 *                                                                            └──> refused
 *
 * Every handshake is checked anew, a resume just as the first. A refusal reaches the server's own
 * pages as a close code, all other clients as an HTTP status (docs/protocol.md, section 5).
 */
#ifndef SERVE_HANDSHAKE_H
#define SERVE_HANDSHAKE_H

#include "proto/ws_handshake.h"
#include "serve/pending.h"
#include "serve/worker.h"

/* `here`: the origin that was reached. Takes the exchange. */
void handshake_begin(struct worker *w, struct exchange *x, const struct ws_handshake *handshake,
                     const struct origin *here);

/* As handshake_begin(), of a request whose session no other server has. */
void handshake_go_on_here(struct worker *w, struct exchange *x);

/* A session without a program, for TCPConnections only, is for the server's own pages alone: if
 * another origin's page asks for one, answers that it can't have it. */
bool handshake_refuse_tcp_session(struct pending_request *p);

/* Whether the request is for a shared program whose processes are another worker's. If so, takes
 * the exchange. */
bool handshake_is_elsewhere(struct worker *w, struct exchange *x);
/* page_host_spec.hand_over, of any request. */
void handshake_hand_over(void *owner, struct exchange *x, uint32_t worker);

/* A program of this worker has refused a client by 401: page_host_spec.on_denied. */
void handshake_denied(void *owner, struct exchange *x, uint32_t max_age_s,
                      struct slice policy_path);

#endif
