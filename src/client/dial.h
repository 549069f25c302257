/* SPDX-License-Identifier: MIT */
/* dial.h - one attempt to get a WebSocket: the host's addresses, a connection to the quickest of
 * them (RFC 8305), TLS, the opening handshake.
 *
 * Lifetime  The caller embeds struct dial; it is ours from dial_start() until one callback has run
 *           or dial_stop() returns. Never calls back from inside dial_start(). No time limit of its
 *           own but for each address.
 * Threads   Loop thread only.
 */
#ifndef CLIENT_DIAL_H
#define CLIENT_DIAL_H

#include "client/end.h"
#include "net/race.h"
#include "net/resolve.h"
#include "net/stream.h"
#include "net/tls.h"
#include "proto/origin.h"
#include "proto/ws_client.h"

struct dial_target {
    struct origin origin;              /* of the URL */
    char *path;                        /* origin-form: with the query */
    char *declared;                    /* the Origin header */
    struct tls_context *tls;           /* NULL: plain */
    char host[AUTHORITY_HOST_MAX + 1]; /* without brackets */
};

struct dial;

struct dial_ops {
    /* `rest` has come behind the handshake; valid during the call. The stream is the callee's. */
    void (*opened)(struct dial *d, struct stream *stream, struct bytes rest);
    void (*failed)(struct dial *d, const struct end *why);
};

struct dial {
    struct loop *loop;
    const struct dial_target *target; /* borrowed: outlives us */
    const struct dial_ops *ops;
    struct resolve lookup;
    struct race race;
    struct end refused;    /* a failure that was found before anything was begun */
    struct timer later;    /* reports `refused` */
    struct stream *stream; /* owned while the handshake goes on */
    char *head;            /* the part of the response that has come */
    size_t head_len;
    char key[WS_KEY_SIZE];
    char subprotocols[256];
    char policy_path[256]; /* Access-Control-Policy-Path of a refusal; empty: none */
};

/* `subprotocols`: the offer; at most 255 bytes. The server has to choose the first one. */
void dial_start(struct loop *loop, struct dial *d, const struct dial_target *target,
                const char *subprotocols, const struct dial_ops *ops);
/* Begins a dial that makes no connection and fails with `why`. */
void dial_refuse(struct loop *loop, struct dial *d, const struct end *why,
                 const struct dial_ops *ops);
/* No callback after this. Allowed for a dial that is zeroed or has answered. */
void dial_stop(struct dial *d);

/* Fills `ret` from a URL and a declared origin (NULL: the URL's own); NULL, or what is wrong. On
 * success dial_target_done() frees it. `tls` is left alone. */
const char *dial_target_init(struct dial_target *ret, const char *url, const char *origin);
void dial_target_done(struct dial_target *t);

/* The end that a response other than 101 means. */
struct end dial_refusal(const struct http_response *response);

#endif
