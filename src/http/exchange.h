/* SPDX-License-Identifier: MIT */
/* exchange.h - one request and its answer, independent of the HTTP version.
 *
 * The connection makes the exchange and calls the server's handler once the head is there. The
 * handler takes the exchange by setting `ops` and `owner`, or answers it before returning.
 *
 *   handler ──> (body ──> body end) ──> respond ──> write* ──> end     respond may come before the
 *      │                                                               body's end
 *      ├──────> answer     a short answer in one call
 *      └──────> upgrade    101: the connection's stream is handed over
 *
 *   on_abort at any time: the client is gone, broke the protocol or timed out; the last callback
 *
 * Lifetime  Borrowed by the handler until exchange_end, _answer or _upgrade returns, or on_abort
 *           has been called. The request's slices live as long.
 * Threads   Loop thread only.
 */
#ifndef HTTP_EXCHANGE_H
#define HTTP_EXCHANGE_H

#include "net/stream.h"
#include "proto/http_head.h"

struct exchange;

struct exchange_ops {
    void (*on_body)(struct exchange *x, struct slice data); /* valid during the call */
    void (*on_body_end)(struct exchange *x);                /* once, also for an empty body */
    void (*on_writable)(struct exchange *x); /* after exchange_write returned false: go on */
    void (*on_abort)(struct exchange *x);
};

#define EXCHANGE_ADDED_MAX 4

struct exchange {
    const struct http_head *request;
    struct slice path;  /* decoded and normalised: http_path_decode */
    struct slice query; /* raw; ptr NULL: none */
    /* The place that the browser sees, which a trusted proxy may have told (forwarded.h). */
    bool secure;       /* https */
    struct slice host; /* as Host has it; ptr NULL: the request names none (HTTP/1.0) */
    uint16_t port;     /* of `host`, or the scheme's; as long as nobody told, our own */
    struct slice base; /* the path before ours, such as `/app`; ptr NULL: none */
    bool base_cut;     /* the request came without it: `path` has it never */
    const struct exchange_ops *ops;
    void *owner;
    size_t added_count;
    struct http_header added[EXCHANGE_ADDED_MAX]; /* exchange_add_header() */
};

/* Names the host of a request that names none. `host` is copied; longer ones are cut. */
void exchange_name_host(struct exchange *x, struct slice host);

/* Adds a header to the answer, unless the answer has a header of this name itself (a Vary is added
 * in any case). The slices live as long as the exchange. */
void exchange_add_header(struct exchange *x, struct slice name, struct slice value);

/* A keyed hash of the request's cookies and Authorization; 0: it has none. */
uint64_t exchange_credentials(const struct exchange *x);

/* exchange_peer(): the client's address, which is that of the connection's peer or, behind a
 * trusted proxy, the one that the proxy names (forwarded.h). exchange_local(): our own address of
 * this connection. */
int exchange_peer(struct exchange *x, struct net_address *ret);
int exchange_local(struct exchange *x, struct net_address *ret);
struct loop *exchange_loop(struct exchange *x);
/* What another server is told of the connection that the request has come by: of its peer itself,
 * be that a proxy. Negative errno: it is gone. */
struct http_passed;
int exchange_pass(struct exchange *x, struct http_passed *ret);
/* Whether another server has passed it on: it is not to be passed on again. */
bool exchange_was_passed(struct exchange *x);

/* Bytes of the answer that wait for the client. */
size_t exchange_queued(const struct exchange *x);
/* For how long the client has ended its side, as one does that has left. 0: it has not. */
uint64_t exchange_departed_ms(struct exchange *x);
/* Whether the client has ended its side, or broken the connection, up to this moment. */
bool exchange_client_gone(struct exchange *x);
/* When the request's last bytes came: stream_arrived_ms(). */
uint64_t exchange_arrived_ms(struct exchange *x);

#define EXCHANGE_LENGTH_UNKNOWN UINT64_MAX

/* The answer's head; Date, Server, Content-Length or chunked (HTTP/1.0: until close), Connection
 * are the connection's own. `reason` may be empty. For HEAD, 204 and 304 no body follows: writes
 * are swallowed. The head waits for the first body bytes of the same dispatch, so that both leave
 * in one packet. */
void exchange_respond(struct exchange *x, int status, struct slice reason,
                      const struct http_header *headers, size_t header_count, uint64_t length);
/* False: more than 64 KiB are queued; the handler should wait for on_writable. Bytes above a known
 * length are dropped and logged. */
bool exchange_write(struct exchange *x, struct slice data);
/* A part of a file as the rest of the body. Takes the descriptor. */
void exchange_write_file(struct exchange *x, int file, off_t offset, size_t len);
/* The answer is complete. If the body is shorter than its known length, the connection is closed so
 * that the client notices. */
void exchange_end(struct exchange *x);
/* The answer can't be completed: closes the connection without a proper end. */
void exchange_fail(struct exchange *x);

/* Sends a whole short answer: text/plain, `text` and LF, Cache-Control: no-store, and the extra
 * headers, 32 at most. */
void exchange_answer(struct exchange *x, int status, struct slice text,
                     const struct http_header *headers, size_t header_count);

/* Logs at level info that the server has refused the client, if `status` is one that an operator
 * wants to see: 403, 421, 429, 503. Answers log by themselves; a refusal by a WebSocket close code
 * is its sender's to log. */
void exchange_log_refusal(struct exchange *x, int status, struct slice reason);

/* Backpressure for the request's body: nothing is read from the client while paused. */
void exchange_pause(struct exchange *x);
void exchange_resume(struct exchange *x);

/* Sends a 101 with these headers and `Connection: Upgrade`. The stream becomes the caller's
 * (stream_own it at once). *rest is what the client has already sent after the head, mutable and
 * valid until the end of this turn of the loop. While an exchange with Upgrade is unanswered, only
 * a small bounded amount is read. The exchange is over. */
struct stream *exchange_upgrade(struct exchange *x, const struct http_header *headers,
                                size_t header_count, struct bytes *rest);

/* Moves a request that has not been answered, with its connection, to another worker: there
 * http_adopt() reads the same bytes again, as if they had come to that worker. The exchange is
 * over. Negative errno (-EBUSY: output is pending, or some of the body has been read): the exchange
 * goes on here. */
struct http_parcel {
    struct stream_parcel stream;
    struct http_passed *passed; /* owned; NULL: the connection tells by itself */
    char *bytes;                /* owned, on the heap */
    size_t len;
};
int exchange_hand_over(struct exchange *x, struct http_parcel *ret);

#endif
