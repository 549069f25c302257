/* SPDX-License-Identifier: MIT */
/* connection.h - one HTTP/1.1 connection, and the exchange that it carries: for the files of this
 * room only.
 *
 *            ┌──────────────────────────── next_request ────────────────────────────┐
 *            v                                                                      │
 *   IDLE ─first byte─> HEAD ─whole head─> EXCHANGE ─answered─┬─body read─> (FLUSH) ─┤
 *    │                  │                  │  │              └─body left─> DRAIN ───┘
 *    │                  │                  │  └─upgrade, hand over─> GONE     │
 *    │                  └─bad, 408, 431────┴──bad body, 413, 408─> LINGER <───┘ too much left, or closing
 *    │                                                               │
 *    └─EOF, idle time-out, drain───────────────────────────> GONE <──┘ EOF or timer
 *
 *   FLUSH   an answer of which much is still queued: the next request waits
 *   DRAIN   reads the rest of a body that nobody wants, up to a bound
 *   LINGER  our side is shut down; input is discarded, so that no RST overtakes the answer (RFC
 *           9112, 9.6). A client that has asked for the end sends nothing more: then the connection
 *           closes when the answer has left
 *
 * An error of the stream leads from every state to GONE. Only connection_set_state() sets the
 * state.
 *
 * Lifetime  From connection_open() until GONE; then freed by the loop at the end of the turn.
 */
#ifndef HTTP_CONNECTION_H
#define HTTP_CONNECTION_H

#include "http/server.h"
#include "limits/pace.h"
#include "limits/quota.h"
#include "proto/authority.h"
#include "proto/http_chunked.h"

/* Bounds that have no setting: none of them is a promise to a user. */
#define HTTP_QUEUE_HIGH   (64u << 10) /* answer bytes queued: above, the writer should wait */
#define HTTP_HELD_MAX     (16u << 10) /* bytes read ahead: above, reading pauses */
#define HTTP_DRAIN_MAX    (64u << 10) /* of an unwanted body, to keep a connection */
#define HTTP_LINGER_MS    5000
#define HTTP_FIRST_MS     1000 /* for the first request of a connection that a drain has met */
#define HTTP_REFUSING_MAX 64   /* connections beyond the limit that get their 503 at a time */

enum connection_state {
    CONNECTION_IDLE,
    CONNECTION_HEAD,
    CONNECTION_EXCHANGE,
    CONNECTION_DRAIN,
    CONNECTION_FLUSH,
    CONNECTION_LINGER,
    CONNECTION_GONE,
};

/* Input that can't be processed yet: part of a head, pipelined requests, a paused body. */
struct held {
    struct reap reap;
    size_t len, size;
    char bytes[];
};

/* The part of the current request's body that is still to be read. */
struct request_body {
    enum http_body kind; /* HTTP_BODY_NONE: read to its end */
    uint64_t left;       /* with HTTP_BODY_LENGTH */
    uint64_t seen;       /* data bytes so far */
    bool begun;          /* some of it was read, if only a chunk's head */
    struct http_chunked chunked;
};

struct http_exchange;

struct connection {
    struct list node;           /* in server->connections */
    struct http_server *server; /* borrowed: stops its connections before it goes */
    struct stream *stream;      /* owned; NULL in GONE */
    struct http_exchange *exchange;
    struct held *held;
    struct bytes in;  /* input not yet taken: in `held`, or in the loop's buffer while running */
    size_t head_seen; /* bytes at the beginning of `in` that the head parser knows */
    union {
        struct sockaddr any; /* AF_UNSPEC: not known, or a Unix socket's */
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } peer;
    struct net_client_key client;
    struct quota_hold of_client; /* among the client's connections */
    struct http_passed *passed;  /* owned; NULL: the connection is the client's own */
    struct timer timer;          /* of the state */
    struct timer kick;           /* processes held input, outside the caller's stack */
    uint64_t written;            /* bytes given to the stream, */
    uint64_t sent_seen; /* and how many had left when the timer last looked; UINT64_MAX: never */
    struct request_body body;
    struct memory_account account;
    size_t counted;
    struct reap reap;
    uint64_t opened_ms;
    enum connection_state state;
    uint16_t in_a_row; /* requests since connection_run began */
    bool used;         /* it has carried a request */
    bool running;      /* connection_run is on the stack */
    bool paused;       /* the stream is */
    bool closing;      /* after this answer */
    bool said_last;    /* the client has said that this request, which has no body, is its last */
    bool eof;          /* the client has ended its side */
    bool peer_known;   /* the account is the peer's; or nobody's, if that is a trusted proxy */
    bool refusing;     /* beyond the limit of connections */
};

/* How the client finds the end of the answer's body. */
enum framing {
    FRAMING_NONE, /* HEAD, 204, 304: there is no body */
    FRAMING_LENGTH,
    FRAMING_CHUNKED,
    FRAMING_CLOSE,
};

/* departure.c */
struct departure {
    struct timer timer;
    bool begun;                  /* the client has ended its side, */
    uint64_t began_ms, moved_ms; /* then, as far as is known, and something moved last then */
    uint64_t moved;              /* bytes of the exchange when the timer last looked */
};

struct http_exchange {
    struct exchange x;
    struct connection *connection; /* borrowed: it ends us */
    struct timer body_timer;
    struct pace body_pace;
    struct departure departure;
    struct reap reap;
    enum framing framing;
    uint64_t left;     /* of the answer, with FRAMING_LENGTH */
    uint64_t sent;     /* bytes of the answer's body */
    uint64_t began_ms; /* on the loop's clock */
    int status;        /* of the answer; 0: it has not begun */
    struct slice told; /* the text of a short answer, until its head is written */
    bool responded, paused, want_writable;
    bool expects_continue; /* the client waits for 100 */
    uint32_t size;         /* of `bytes` */
    struct http_head head;
    char host[AUTHORITY_HOST_MAX + 7]; /* of x.host, if it is not as it came */
    char bytes[]; /* the head as it came, then the decoded path, then the base */
};

/* ---- connection.c ---- */

/* NULL without memory: the stream is closed. */
struct connection *connection_open(struct http_server *server, struct stream *stream);
/* Takes input as if it had been received now. */
void connection_feed(struct connection *c, struct bytes data);
/* Goes on with what had come in another process: `input`, or the end of the client's side. */
void connection_take_over(struct connection *c, struct slice input);
void connection_write(struct connection *c, const struct iovec *pieces, int count);
void connection_write_file(struct connection *c, int file, off_t offset, size_t len);
/* The exchange has been answered and is gone: reads what is left of its body, then the next
 * request. */
void connection_answered(struct connection *c);
/* Ends our side once the queue has been sent, and waits until the client has ended its own. */
void connection_linger(struct connection *c);
/* Sends what is queued, and closes so that the client sees that the answer is incomplete. */
void connection_break(struct connection *c);
/* Likewise, where the end of the stream is the end of an answer: what the client has not been sent
 * yet is tried once, then the connection is reset (under TLS without close_notify). */
void connection_reset(struct connection *c);
/* Closes now. An exchange is aborted. */
void connection_close(struct connection *c);
/* Closes an idle connection now, any other after the current answer. A connection that has only
 * just come, or whose next request is here, is given the time to be answered. */
void connection_drain(struct connection *c);
/* Gives up the stream, and the connection is gone. *rest is the input that has not been processed,
 * valid until the end of this turn. Without memory for *rest the stream is shut down, which its new
 * owner sees. */
struct stream *connection_release(struct connection *c, struct bytes *rest);
/* Gives up the stream to another worker, without the input. Negative errno: nothing has changed. */
int connection_detach(struct connection *c, struct stream_parcel *ret);
/* Whether the client has ended its side and nothing that it has sent is left. */
bool connection_is_last(const struct connection *c);
/* Whether the connection can be kept although the rest of the current body is not wanted. */
bool connection_outlives_body(const struct connection *c);
/* The exchange wants more of its body now. */
void connection_go_on(struct connection *c);
/* After the exchange has paused or resumed. */
void connection_update_reading(struct connection *c);
/* There may be output: watches its progress. */
void connection_watch_output(struct connection *c);

/* Its next request waits: http_server_rest(). */
static inline bool connection_rests(const struct connection *c)
{
    return c->server->resting && (c->state == CONNECTION_IDLE || c->state == CONNECTION_HEAD);
}

/* ---- memory.c ---- */

void connection_pay(struct connection *c);
/* To be called when the connection may hold more or less. */
void connection_count(struct connection *c);

/* ---- input.c ---- */

/* Moves what is left of the input, and `more` after it, to the heap. False: no memory. */
bool input_hold(struct connection *c, struct slice more);
/* As input_hold(), at the end of a dispatch, when nothing may point into the loop's buffer any
 * more. Without memory it closes the connection. */
void input_keep_rest(struct connection *c);
/* Frees the held input at the end of the turn, since a callback's slices may still point into it.
 */
void input_drop(struct connection *c);

/* ---- request.c ---- */

/* Turns a parsed head into an exchange and calls the handler, or refuses. `raw` is the head as it
 * came; the slices of `head` lie in it. */
void request_begin(struct connection *c, const struct http_head *head, struct slice raw);
void exchange_free(struct reap *reap);

/* ---- place.c ---- */

/* Sets the place of the exchange (exchange.h) from its head, its connection and, if the peer is a
 * trusted proxy, from what that says. Returns false if the target is of another scheme. */
bool place_find(struct http_exchange *hx);
/* Takes the base off the path. False: the path is the base without its slash. */
bool place_cut_base(struct http_exchange *hx);

/* ---- refusal.c ---- */

/* Aborts an exchange if there is one and answers, if that is still possible; then lingers. */
void connection_refuse(struct connection *c, int status, const char *why);
/* One connection too many: 503 without waiting for a request. */
void connection_refuse_full(struct connection *c);

/* ---- body.c ---- */

void request_body_init(struct request_body *body, const struct http_head *head);
static inline bool request_body_whole(const struct request_body *body)
{
    return body->kind == HTTP_BODY_NONE;
}
/* Takes body bytes off the connection's input and gives them to the exchange, or discards them if
 * there is none. False: nothing can be done without more input, or the connection's state has
 * changed. */
bool request_body_step(struct connection *c);

/* ---- exchange.c ---- */

static inline struct http_exchange *exchange_of(struct exchange *x)
{
    return container_of(x, struct http_exchange, x);
}
/* Stops the exchange's timers, detaches it from the connection and frees it at the end of the turn.
 */
void exchange_release(struct http_exchange *hx);
/* The client is gone or broke the protocol: tells the owner, once. */
void exchange_abort(struct http_exchange *hx);
/* To be called after the handler has taken the exchange. */
void exchange_taken(struct http_exchange *hx);
void exchange_got_body(struct http_exchange *hx, struct slice data);
void exchange_got_body_end(struct http_exchange *hx);
void exchange_drained(struct http_exchange *hx);

/* ---- departure.c ---- */

void departure_init(struct http_exchange *hx);
/* The client has ended its side. */
void departure_begin(struct http_exchange *hx);
/* Nothing is read from the client: looks from time to time whether the client is there. */
void departure_watch(struct http_exchange *hx);
/* Bytes that the client's machine has taken. The kernel's own queue does not count: it can be so
 * long that nothing leaves ours for minutes. */
uint64_t connection_sent(const struct connection *c);

/* ---- response.c ---- */

struct response {
    int status;
    struct slice reason; /* empty: the usual one */
    const struct http_header *headers;
    size_t header_count;
    const struct http_header *added; /* those whose name `headers` does not have */
    size_t added_count;
    enum framing framing;
    uint64_t length; /* with FRAMING_LENGTH, and of a HEAD; UINT64_MAX: no Content-Length */
    bool chunked;    /* Transfer-Encoding of a HEAD, whose GET would be chunked (RFC 9112, 6.1) */
    bool close;      /* Connection: close */
    bool keep_alive; /* Connection: keep-alive, for HTTP/1.0 */
};

/* Room for a head without memory from the heap. */
struct response_room {
    char bytes[2048];
    char *heap; /* to be freed after use */
};

/* The whole head with its blank line, in `room`. SLICE_NONE without memory. */
struct slice response_head(struct http_server *server, const struct response *r,
                           struct response_room *room);
/* The reason phrase that the RFCs give the status, or an empty slice. */
struct slice response_reason(int status);

/* ---- crowd.c ---- */

/* Counts the connection among its client's, of which the oldest idle one may be closed for it.
 * False: there are too many, and none is idle. */
bool crowd_count(struct connection *c);
/* False: this client has begun too many TLS handshakes lately. */
bool crowd_may_shake_hands(const struct http_server *server, const struct net_address *peer);
/* One connection more than there is room for has come, from this client: closes an idle one of the
 * client that has most of them. False: that would be this client. */
bool crowd_make_room(struct http_server *server, const struct net_client_key *client);

/* ---- server.c ---- */

/* stream_peer(), asked for once. */
int connection_peer(struct connection *c, struct net_address *ret);

void server_count_status(struct http_server *server, int status);

#endif
