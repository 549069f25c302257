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
#include "client/resolve.h"
#include "net/race.h"
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
    struct end refused;    /* what was found before anything was begun */
    struct timer later;    /* tells it */
    struct stream *stream; /* owned while the handshake goes on */
    char *head;            /* what has come of the response */
    size_t head_len;
    char key[WS_KEY_SIZE];
    char subprotocols[256];
    char policy_path[256]; /* Access-Control-Policy-Path of a refusal; empty: none */
};

/* `subprotocols`: what to offer; at most 255 bytes. Its first one has to be chosen. */
void dial_start(struct loop *loop, struct dial *d, const struct dial_target *target,
                const char *subprotocols, const struct dial_ops *ops);
/* The same without a connection: it fails with `why`. */
void dial_refuse(struct loop *loop, struct dial *d, const struct end *why,
                 const struct dial_ops *ops);
/* No callback after this. Also of one that is zeroed or has answered. */
void dial_stop(struct dial *d);

/* Fills `ret` from a URL and a declared origin (NULL: the URL's own); NULL, or what is wrong. On
 * success dial_target_done() frees it. `tls` is left alone. */
const char *dial_target_init(struct dial_target *ret, const char *url, const char *origin);
void dial_target_done(struct dial_target *t);

/* What a response that is no 101 says. */
struct end dial_refusal(const struct http_response *response);

#endif
