/* SPDX-License-Identifier: MIT */
/* httpsocket/server.h - the C library of HTTPSocket as a server: HTTP and WebSocket inside of a C
 * or C++ program, made of the same parts as httpsocketd.
 *
 *     static void hello(struct httpsocket_request *r, void *user)
 *     {
 *         httpsocket_request_answer(r, 200, "text/plain", "hello\n", 6);
 *     }
 *
 *     struct httpsocket_server_options options = {.size = sizeof(options), .listen = "[::]:8080"};
 *     struct httpsocket_server *s = httpsocket_server_new(&options, why, sizeof(why));
 *     httpsocket_server_route(s, "GET /hello", hello, NULL);
 *     httpsocket_server_run(s);
 *     httpsocket_server_free(s);
 *
 * Protection  What protects httpsocketd protects a server of yours, unless its options say
 *             otherwise: slow clients, large messages, memory, rates, foreign Hosts (421), and
 *             script access for pages of other origins (docs/access.md). Each limit is a setting
 *             of httpsocketd, by its name: docs/operations.md.
 * Threads     A server has one thread, or N. Each connection belongs to one of them, from its
 *             beginning to its end, and everything about it is called back there; a function of
 *             a request, a peer or a timer is called in the thread that it belongs to.
 *             Callbacks of different threads run side by side. From any thread:
 *             httpsocket_server_post(), _publish() and _stop().
 * Loops       httpsocket_server_run() is a loop of its own. In a loop of yours (`threads` 0), wait
 *             until httpsocket_server_fd() is readable, then call httpsocket_server_process(s, 0).
 *             The descriptor never changes, and covers timers too. Requests and peers may then be
 *             used outside of callbacks too, in the same thread.
 * Callbacks   May call every function here except _run(), _process() and httpsocket_server_free(),
 *             which end the program by an assertion.
 *             They should return soon: their thread serves nobody else meanwhile.
 * Ownership   Arguments are copied, but callbacks' `user` and `arg`. What a callback receives is
 *             valid during the callback, and is not NUL-terminated if it comes with a size.
 * Units       Bytes; milliseconds where a name ends in _ms.
 * Errors      A negative errno, as each function says. NULL in the place of a text, a struct, a
 *             function or the server is -EINVAL, unless it is allowed: whoever looks only at what
 *             httpsocket_server_run() returns misses nothing but the text of what was wrong.
 * Signals     The library touches none, and never raises SIGPIPE.
 * fork()      In the child every function but httpsocket_server_free() is forbidden, and that one
 *             does nothing: execute something, or _exit().
 */
#ifndef HTTPSOCKET_SERVER_H
#define HTTPSOCKET_SERVER_H

#include <httpsocket.h>

#ifdef __cplusplus
extern "C" {
#endif

struct httpsocket_server;
struct httpsocket_request; /* one HTTP request, and its answer */
struct httpsocket_peer;    /* one WebSocket connection of an endpoint */
struct httpsocket_timer;

/* ---- a server ---- */

struct httpsocket_server_options {
    size_t size; /* sizeof(struct httpsocket_server_options); all other members may be zero */
    /* Where to listen, separated by spaces: ADDR:PORT, [::]:80, *:80, unix:PATH; port 0 picks one.
     * NULL: 127.0.0.1:8080. */
    const char *listen;
    /* 0: the server lives in the thread that calls httpsocket_server_run() or _process(). 1 to 256:
     * it has so many threads of its own. */
    unsigned threads;
    /* WebSocket connections of endpoints by client address (IPv6: its /64); beyond: 503.
     * 0: 1024. */
    unsigned peers_per_client;
    /* Pages may open TCPConnections through this server (docs/browser.md), to targets that allow
     * it. */
    bool gateway;
    /* Settings of httpsocketd, each "NAME=VALUE" as its config file has them, ended by NULL:
     * "origin=https://a.example", "tls-cert=FILE", "memory-max=1G", "idle-timeout=10s". Without
     * "log-level" the library logs nothing; what it logs goes to stderr. Settings that are about
     * page programs, processes, the admin listener or the loop's backend are refused. */
    const char *const *settings;
    void *user;

    /* Each callback may be NULL. */
    /* A thread of the server begins; it is `thread`, from 0 on. */
    void (*on_start)(struct httpsocket_server *s, unsigned thread);
    /* May this request have what it asks for? Called before any route, endpoint or folder is
     * concerned, and after script access. Answers the request, or calls
     * httpsocket_request_allow(), now or later. A WebSocket handshake that is answered is refused
     * with that status. */
    void (*on_access)(struct httpsocket_request *r);
};

/* Begins to listen; nobody is answered yet. Returns NULL if an option is wrong, an address is taken
 * or there is no memory, with a text in `why` (which may be NULL). */
HTTPSOCKET_EXPORT struct httpsocket_server *
httpsocket_server_new(const struct httpsocket_server_options *options, char *why, size_t why_size);
/* Ends everything at once: peers hear on_close, requests that wait for their answers on_gone, all
 * before this returns, and requests that were never answered are freed. Not from a callback, and
 * not while another thread is in a call for this server. Accepts NULL. */
HTTPSOCKET_EXPORT void httpsocket_server_free(struct httpsocket_server *s);
HTTPSOCKET_EXPORT void *httpsocket_server_user(const struct httpsocket_server *s);
/* Where the server listens, as text, the first address by `index` 0: what port 0 has become. NULL
 * after the last one. Valid until httpsocket_server_free(). */
HTTPSOCKET_EXPORT const char *httpsocket_server_address(const struct httpsocket_server *s,
                                                        unsigned index);

/* ---- running ---- */

/* Starts the threads of a server that has its own, and returns. 0; -EBUSY: they run already.
 * -EINVAL: `threads` is 0. Another negative errno: there is no thread to be had. */
HTTPSOCKET_EXPORT int httpsocket_server_start(struct httpsocket_server *s);
/* Runs until the server has stopped; starts its threads if that was not done. Returns 0, or a
 * negative errno if waiting failed. */
HTTPSOCKET_EXPORT int httpsocket_server_run(struct httpsocket_server *s);
/* `threads` 0: waits at most `timeout_ms` for something to do (0: not at all, -1: without limit),
 * and does it. Returns 1 if the server has stopped, 0 if not, or a negative errno if waiting
 * failed. -EINVAL: the server has threads of its own. */
HTTPSOCKET_EXPORT int httpsocket_server_process(struct httpsocket_server *s, int timeout_ms);
/* `threads` 0: the server's descriptor, to be polled for reading and used for nothing else.
 * -EINVAL: the server has threads of its own. */
HTTPSOCKET_EXPORT int httpsocket_server_fd(const struct httpsocket_server *s);
/* Takes no new connection, closes peers with 1001, lets requests be answered for `timeout_ms`, and
 * then ends what is left; httpsocket_server_run() returns. Called again: at once. From any thread,
 * and from a signal handler. */
HTTPSOCKET_EXPORT void httpsocket_server_stop(struct httpsocket_server *s, unsigned timeout_ms);

/* How many threads call back: `threads`, and at least 1. */
HTTPSOCKET_EXPORT unsigned httpsocket_server_threads(const struct httpsocket_server *s);
/* The server's thread that this code runs in, from 0 on; -1: none of its own, or the server has not
 * begun to run. */
HTTPSOCKET_EXPORT int httpsocket_server_thread(const struct httpsocket_server *s);

typedef void httpsocket_work_fn(struct httpsocket_server *s, void *arg);
/* Runs `work` in that thread of the server, soon, and in the order of the calls of one thread; what
 * is posted before the server runs, or after it has stopped, runs in httpsocket_server_free() at
 * the latest. Work that posts itself for ever is ended there by -EPIPE. From any thread. 0;
 * -EINVAL: no such thread; -EPIPE: the server is being freed; -ENOMEM. */
HTTPSOCKET_EXPORT int httpsocket_server_post(struct httpsocket_server *s, unsigned thread,
                                             httpsocket_work_fn *work, void *arg);

/* Calls `work` in this thread after `delay_ms`, and then every `repeat_ms` (0: once). Before the
 * server runs: in thread 0. *ret (`ret` may be NULL) is dead when httpsocket_timer_stop() has been
 * called, or when `work` of a timer without repetition has returned. 0; -EPERM: this is no thread
 * of the server; -EINVAL; -ENOMEM. */
HTTPSOCKET_EXPORT int httpsocket_server_timer(struct httpsocket_server *s, uint64_t delay_ms,
                                              uint64_t repeat_ms, httpsocket_work_fn *work,
                                              void *arg, struct httpsocket_timer **ret);
/* In the timer's thread; also inside of its `work`. `work` is not called any more. Accepts NULL. */
HTTPSOCKET_EXPORT void httpsocket_timer_stop(struct httpsocket_timer *t);

/* ---- routes ----
 *
 * A pattern is "METHOD /PATH" or "/PATH" (any method). A segment of the path is a text, `{NAME}`
 * (any one segment), or at the end `{NAME...}` (the rest, which may be empty). The path of a
 * request is compared decoded and without dot segments. Of several patterns that match, a text wins
 * over `{NAME}` and that over `{NAME...}`, segment by segment from the left; a method wins over
 * any. GET answers HEAD too. Where patterns match, but none with the request's method, the answer
 * is 405, or 204 for OPTIONS, with Allow; where none matches, 404. `/.httpsocket/` belongs to the
 * library: client.js for pages is there.
 *
 * To be called before the server runs. 0; -EINVAL: the pattern is wrong, or its path begins with
 * /.httpsocket/; -EEXIST: it is there already; -EBUSY: the server runs; -ENOMEM. */

/* Owns `r` from now on, and answers it now or later; see below. */
typedef void httpsocket_request_fn(struct httpsocket_request *r, void *user);
HTTPSOCKET_EXPORT int httpsocket_server_route(struct httpsocket_server *s, const char *pattern,
                                              httpsocket_request_fn *handler, void *user);
/* Hands out the files of `folder` below the path `prefix`, such as "/static/", with types, ETags
 * and ranges, as httpsocketd does; programs, and files that are not meant for browsers, are
 * refused. -ENOTDIR and the like: `folder` can't be opened. */
HTTPSOCKET_EXPORT int httpsocket_server_folder(struct httpsocket_server *s, const char *prefix,
                                               const char *folder);

/* ---- a request, and its answer ----
 *
 * A handler owns the request that it is called with, until it has called one of
 * httpsocket_request_answer(), _end(), _fail() and _allow(): then the handle is dead. That also
 * holds for a client that has gone meanwhile: the handle stays good, the answer goes nowhere, and
 * what the request consisted of reads as empty.
 */

/* Texts of the request, NUL-terminated, valid as long as the handle. */
HTTPSOCKET_EXPORT const char *httpsocket_request_method(const struct httpsocket_request *r);
HTTPSOCKET_EXPORT const char *httpsocket_request_path(const struct httpsocket_request *r);
/* What follows `?`, as it came; "" if there is none. */
HTTPSOCKET_EXPORT const char *httpsocket_request_query(const struct httpsocket_request *r);
/* What `{NAME}` of the route's pattern has matched; NULL if it has no such NAME. */
HTTPSOCKET_EXPORT const char *httpsocket_request_param(const struct httpsocket_request *r,
                                                       const char *name);
/* A header field by its name in any case, several ones as the first; NULL if the request has none,
 * or its client has gone. `ret_size` may be NULL; the value is not NUL-terminated. Valid until the
 * request's client has gone or the answer is complete. */
HTTPSOCKET_EXPORT const char *httpsocket_request_header(const struct httpsocket_request *r,
                                                        const char *name, size_t *ret_size);
/* The client's address without a port, behind trusted proxies too ("trusted-proxy"). Returns the
 * length that it has, as snprintf(3) does. */
HTTPSOCKET_EXPORT size_t httpsocket_request_address(const struct httpsocket_request *r, char *out,
                                                    size_t size);
/* Is it a WebSocket handshake? (In on_access and on_request.) */
HTTPSOCKET_EXPORT bool httpsocket_request_is_websocket(const struct httpsocket_request *r);
HTTPSOCKET_EXPORT struct httpsocket_server *
httpsocket_request_server(const struct httpsocket_request *r);
/* The thread that it belongs to, for httpsocket_server_post(): a thread of yours that has worked
 * out the answer posts a function there, which answers. */
HTTPSOCKET_EXPORT unsigned httpsocket_request_thread(const struct httpsocket_request *r);

/* Yours; NULL at first. */
HTTPSOCKET_EXPORT void httpsocket_request_set_user(struct httpsocket_request *r, void *user);
HTTPSOCKET_EXPORT void *httpsocket_request_user(const struct httpsocket_request *r);

/* Called once if the client goes, or breaks off, before the answer is complete. Not called for a
 * request that was answered. */
typedef void httpsocket_gone_fn(struct httpsocket_request *r, void *arg);
HTTPSOCKET_EXPORT void httpsocket_request_on_gone(struct httpsocket_request *r,
                                                  httpsocket_gone_fn *gone, void *arg);
HTTPSOCKET_EXPORT bool httpsocket_request_is_gone(const struct httpsocket_request *r);

/* In on_access, or after it: the request goes its way. The handle is dead. */
HTTPSOCKET_EXPORT void httpsocket_request_allow(struct httpsocket_request *r);

/* The body. Nothing is read from a client before one of these two is called; what nobody wants is
 * passed over. `body-max` bounds every body: 413, and the client is gone.
 *
 * `error` 0: bytes of the body. -EPIPE: the client has gone. -EMSGSIZE: the body is larger than
 * `max`; the request is still to be answered, with 413 as a rule. After an error nothing more is
 * called. */

/* The whole body in one call, which may be empty. `max` 0: `body-max`. */
typedef void httpsocket_body_fn(struct httpsocket_request *r, int error, const void *data,
                                size_t size, void *arg);
HTTPSOCKET_EXPORT void httpsocket_request_read(struct httpsocket_request *r, size_t max,
                                               httpsocket_body_fn *whole, void *arg);
/* The body as it comes; a call with `size` 0 is its end. */
HTTPSOCKET_EXPORT void httpsocket_request_stream(struct httpsocket_request *r,
                                                 httpsocket_body_fn *piece, void *arg);
/* The client has to wait with the rest of its body, until httpsocket_request_resume(). */
HTTPSOCKET_EXPORT void httpsocket_request_pause(struct httpsocket_request *r);
HTTPSOCKET_EXPORT void httpsocket_request_resume(struct httpsocket_request *r);

/* Adds a header field to the answer, which has not begun. Date, Content-Length, Connection and the
 * like are the library's. 0; -EINVAL: not a name, or not a value; -EALREADY: the answer has begun;
 * -ENOMEM. */
HTTPSOCKET_EXPORT int httpsocket_request_add(struct httpsocket_request *r, const char *name,
                                             const char *value);
/* The whole answer, with Content-Type `type` (NULL: none). The handle is dead. */
HTTPSOCKET_EXPORT void httpsocket_request_answer(struct httpsocket_request *r, int status,
                                                 const char *type, const void *data, size_t size);

#define HTTPSOCKET_LENGTH_UNKNOWN UINT64_MAX
/* Begins an answer whose body follows by httpsocket_request_write() and ends by _end(). `length`
 * is the body's. 0; -EALREADY: it has begun. */
HTTPSOCKET_EXPORT int httpsocket_request_begin(struct httpsocket_request *r, int status,
                                               const char *type, uint64_t length);

/* What has become of something that was given to be sent. */
enum httpsocket_sent {
    HTTPSOCKET_SENT,   /* it leaves; go on */
    HTTPSOCKET_QUEUED, /* taken too, but much waits for the other side: on_room, on_drain follow */
    HTTPSOCKET_REFUSED /* not taken: the other side has gone or is leaving, or the queue is full */
};

/* Copies the bytes. QUEUED: more than 64 KiB wait, and on_room follows. REFUSED: the client has
 * gone, the answer has not begun, or `buffer-max` bytes wait. Bytes above `length` are dropped. */
HTTPSOCKET_EXPORT enum httpsocket_sent httpsocket_request_write(struct httpsocket_request *r,
                                                                const void *data, size_t size);
/* Called each time there is room again after QUEUED or REFUSED. */
HTTPSOCKET_EXPORT void httpsocket_request_on_room(struct httpsocket_request *r,
                                                  httpsocket_gone_fn *room, void *arg);
/* The answer is complete; one that was not begun is 204. The handle is dead. */
HTTPSOCKET_EXPORT void httpsocket_request_end(struct httpsocket_request *r);
/* The answer can't be completed: one that was not begun is 500, otherwise the connection breaks, so
 * that the client notices. The handle is dead. */
HTTPSOCKET_EXPORT void httpsocket_request_fail(struct httpsocket_request *r);

/* ---- WebSocket endpoints ----
 *
 * An endpoint is a path at which clients speak WebSocket (RFC 6455) with this program: browsers'
 * `new WebSocket(url)`, devices, other programs. Each of them is a peer. Pages of other origins are
 * let in if script access allows them; clients that name no Origin are.
 *
 *     on_request ──> on_open ──> on_message* ──> on_close
 *         └─ refuses                               once, for each peer that on_request accepted
 *
 * The library owns the handle: it is dead when on_close has returned.
 */

struct httpsocket_endpoint {
    size_t size; /* sizeof(struct httpsocket_endpoint); all other members may be zero */
    /* The subprotocols that the endpoint speaks, the preferred one first, separated by spaces. The
     * first that the client offers is chosen; a client that offers none of them has none. */
    const char *subprotocols;
    size_t message_max; /* of one message that comes; beyond: 1009. 0: `message-max` */
    size_t queue_max;   /* bytes that wait for a peer; beyond: REFUSED. 0: `buffer-max` */
    /* A peer whose queue is full misses what is published. Otherwise it is closed with 1013. */
    bool lossy;
    void *user;

    /* Each callback may be NULL. */
    /* A client wants to connect. 0 accepts, any other number is the HTTP status of the refusal
     * (400 to 599). `r` is valid during the callback, and to be read only; *peer_user (NULL before)
     * becomes the peer's. */
    int (*on_request)(struct httpsocket_request *r, void *user, void **peer_user);
    /* The peer is there. */
    void (*on_open)(struct httpsocket_peer *p);
    /* A whole message; `text`: UTF-8, otherwise bytes. */
    void (*on_message)(struct httpsocket_peer *p, const void *data, size_t size, bool text);
    /* After QUEUED or REFUSED: everything has been taken. */
    void (*on_drain)(struct httpsocket_peer *p);
    /* A subscription that was under way came to nothing: the server has `topics-max` topics. */
    void (*on_unsubscribed)(struct httpsocket_peer *p, const char *topic);
    /* The last callback. `code` is the close code that came, or the one of
     * httpsocket_peer_close(); 1005: none came; 1006: the connection was lost, and `reason` says
     * how. `reason` is not NUL-terminated. */
    void (*on_close)(struct httpsocket_peer *p, unsigned code, const char *reason, size_t size);
    /* Every peer is subscribed to this topic before on_open. If the server has no room for the
     * topic, on_unsubscribed is called; without that the peer is closed with 1013. */
    const char *topic;
};

/* `path` is a pattern without a method. The endpoint is copied. Errors as of
 * httpsocket_server_route(); -EINVAL also: no size, a subprotocol that is no token, or no topic. */
HTTPSOCKET_EXPORT int httpsocket_server_endpoint(struct httpsocket_server *s, const char *path,
                                                 const struct httpsocket_endpoint *endpoint);

HTTPSOCKET_EXPORT void *httpsocket_peer_user(const struct httpsocket_peer *p);
HTTPSOCKET_EXPORT void httpsocket_peer_set_user(struct httpsocket_peer *p, void *user);
/* The endpoint's `user`. */
HTTPSOCKET_EXPORT void *httpsocket_peer_endpoint_user(const struct httpsocket_peer *p);
HTTPSOCKET_EXPORT struct httpsocket_server *httpsocket_peer_server(const struct httpsocket_peer *p);
/* The subprotocol that was chosen; NULL: none. Valid as long as the server. */
HTTPSOCKET_EXPORT const char *httpsocket_peer_subprotocol(const struct httpsocket_peer *p);
/* As httpsocket_request_address(). */
HTTPSOCKET_EXPORT size_t httpsocket_peer_address(const struct httpsocket_peer *p, char *out,
                                                 size_t size);

/* Sends one message; the bytes are copied. `text`: they are UTF-8, which is the caller's promise.
 * QUEUED: more than 64 KiB wait, and on_drain follows. REFUSED: the peer is closing, or more than
 * `queue_max` bytes would wait (a larger message goes when nothing waits); nothing was sent. */
HTTPSOCKET_EXPORT enum httpsocket_sent
httpsocket_peer_send(struct httpsocket_peer *p, const void *data, size_t size, bool text);
/* Bytes that the other side's machine has not yet taken. */
HTTPSOCKET_EXPORT size_t httpsocket_peer_queued(const struct httpsocket_peer *p);
/* No on_message until httpsocket_peer_resume(); the client has to wait. */
HTTPSOCKET_EXPORT void httpsocket_peer_pause(struct httpsocket_peer *p);
HTTPSOCKET_EXPORT void httpsocket_peer_resume(struct httpsocket_peer *p);
/* Sends what waits, then a close frame with `code` (1000, 1001, 1003, 1007 to 1014, 3000 to 4999)
 * and `reason` (NULL: none; at most 123 bytes, in UTF-8). on_close follows, after the client has
 * answered or 5 s. Only the first call counts. -EINVAL: another code or reason. */
HTTPSOCKET_EXPORT int httpsocket_peer_close(struct httpsocket_peer *p, unsigned code,
                                            const char *reason);

/* ---- pages ----
 *
 * A page is what httpsocketd makes of an executable file, with callbacks in the place of the
 * program: it answers a request with a document, and goes on talking with that document's
 * `document.serverConnection`, across dropped connections, until one of the two ends it
 * (docs/page-programs.md). Scripts may also connect to its path directly, and so may plain
 * WebSockets, whose messages are events `message`.
 *
 *     on_request ─> on_body* ─> … on_attach ─> on_message* … on_detach … on_close ─> on_over
 *
 * Callbacks never come from inside of a function for pages. The library owns the handle: it is dead
 * when on_over has returned. The page is to be answered, in on_request or later; for a client that
 * connects directly an answer of 2xx lets it in, and another one refuses it. A handle that is kept
 * for later is good until on_over, or for as long as it is held (httpsocket_page_hold()). More is
 * in docs/c-server-pages.md.
 *
 * Functions that send return 0 (HTTPSOCKET_SENT); 1 (HTTPSOCKET_QUEUED): taken too, but wait for
 * on_room; -EAGAIN: not taken, `buffer-max` bytes wait, and on_room follows; -EINVAL: no such name,
 * or invalid JSON; -EMSGSIZE: larger than `message-max`; -ENOTCONN: the page is over; -ENOMEM.
 */
struct httpsocket_page;

struct httpsocket_topic_event {
    const char *topic, *name; /* NUL-terminated */
    const void *data;         /* JSON */
    size_t size;
    uint64_t seq;    /* its number in the topic */
    uint64_t lost;   /* not 0: so many events are missing here, and there is no other data */
    bool self, past; /* published by this page itself; before it subscribed */
};

struct httpsocket_page_handler {
    size_t size; /* sizeof(struct httpsocket_page_handler) */
    void *user;

    /* Each callback but on_request may be NULL. */
    /* `r` is the request, to be read only, during the callback. */
    void (*on_request)(struct httpsocket_page *p, struct httpsocket_request *r);
    /* The request's body as it comes; `size` 0 is its end. */
    void (*on_body)(struct httpsocket_page *p, const void *data, size_t size);
    /* There is room for more of the answer, after httpsocket_page_write() gave 1 or -EAGAIN. */
    void (*on_answer_room)(struct httpsocket_page *p);
    /* The document is connected; `resumed`: it was connected before. */
    void (*on_attach)(struct httpsocket_page *p, bool resumed);
    /* It is not, and may come back. */
    void (*on_detach)(struct httpsocket_page *p, const char *reason);
    /* An event or a call of the document, or an answer to a call of the page. Without on_message
     * calls are refused. */
    void (*on_message)(struct httpsocket_page *p, const struct httpsocket_message *m);
    /* There is room for messages, after one gave 1 or -EAGAIN. */
    void (*on_room)(struct httpsocket_page *p);
    /* The document brings what a page before this one has saved (docs/page-programs/state.md): the
     * JSON of `save`, or the `bytes` of httpsocket_page_save_bytes(). */
    void (*on_restore)(struct httpsocket_page *p, const char *why, uint64_t resent,
                       const void *state, size_t size, bool bytes);
    void (*on_topic)(struct httpsocket_page *p, const struct httpsocket_topic_event *event);
    /* Another word of the server (docs/page-programs/descriptor-3.md), without its dot. */
    void (*on_command)(struct httpsocket_page *p, const char *name, const void *json, size_t size);
    /* The conversation is over; the answer may still go on. */
    void (*on_close)(struct httpsocket_page *p, const char *reason);
    /* The last callback. */
    void (*on_over)(struct httpsocket_page *p);
    /* The document wants a byte stream (docs/page-programs/streams.md): accept or reset it, now or
     * later. `json`: what it says of it; may be empty. Without on_stream all are refused. */
    void (*on_stream)(struct httpsocket_page *p, uint32_t stream, const char *name,
                      const void *json, size_t size);
    /* `size` 0: the document has sent all. */
    void (*on_stream_data)(struct httpsocket_page *p, uint32_t stream, const void *data,
                           size_t size);
    /* There is room again, after httpsocket_page_stream_write() did not take all. */
    void (*on_stream_room)(struct httpsocket_page *p, uint32_t stream);
    /* It has ended before both sides were done. */
    void (*on_stream_reset)(struct httpsocket_page *p, uint32_t stream, const char *reason);
};

/* `path` is a pattern without a method; the handler is copied. Errors as of
 * httpsocket_server_route(); -EINVAL also: no size, or no on_request. */
HTTPSOCKET_EXPORT int httpsocket_server_page(struct httpsocket_server *s, const char *path,
                                             const struct httpsocket_page_handler *handler);

HTTPSOCKET_EXPORT void *httpsocket_page_user(const struct httpsocket_page *p);
HTTPSOCKET_EXPORT void httpsocket_page_set_user(struct httpsocket_page *p, void *user);
/* The handler's `user`. */
HTTPSOCKET_EXPORT void *httpsocket_page_handler_user(const struct httpsocket_page *p);
HTTPSOCKET_EXPORT struct httpsocket_server *httpsocket_page_server(const struct httpsocket_page *p);
HTTPSOCKET_EXPORT unsigned httpsocket_page_thread(const struct httpsocket_page *p);
/* No document is wanted: a script, or another client, connects to the path. */
HTTPSOCKET_EXPORT bool httpsocket_page_is_direct(const struct httpsocket_page *p);
HTTPSOCKET_EXPORT bool httpsocket_page_is_connected(const struct httpsocket_page *p);
/* Bytes that the document has not acknowledged. */
HTTPSOCKET_EXPORT size_t httpsocket_page_queued(const struct httpsocket_page *p);
/* As httpsocket_request_address(). */
HTTPSOCKET_EXPORT size_t httpsocket_page_address(const struct httpsocket_page *p, char *out,
                                                 size_t size);

/* The answer, as httpsocket_request_add(), _answer(), _begin(), _write() and _end() have it, with
 * these errors: -EALREADY: it has begun; -EPIPE: its client has gone, while the document may still
 * come; -EINVAL. The page goes on after its answer. */
HTTPSOCKET_EXPORT int httpsocket_page_add(struct httpsocket_page *p, const char *name,
                                          const char *value);
HTTPSOCKET_EXPORT int httpsocket_page_answer(struct httpsocket_page *p, int status,
                                             const char *type, const void *data, size_t size);
HTTPSOCKET_EXPORT int httpsocket_page_begin(struct httpsocket_page *p, int status, const char *type,
                                            uint64_t length);
HTTPSOCKET_EXPORT int httpsocket_page_write(struct httpsocket_page *p, const void *data,
                                            size_t size);
HTTPSOCKET_EXPORT int httpsocket_page_end(struct httpsocket_page *p);

/* Sends any message. Who numbers calls in this way does not use httpsocket_page_call(). */
HTTPSOCKET_EXPORT int httpsocket_page_send(struct httpsocket_page *p,
                                           const struct httpsocket_message *m);
/* Sends an event; `json` NULL: null. */
HTTPSOCKET_EXPORT int httpsocket_page_emit(struct httpsocket_page *p, const char *name,
                                           const char *json);
/* Calls the document; on_message has its answers, with the number *ret_call (`ret_call` may be
 * NULL). */
HTTPSOCKET_EXPORT int httpsocket_page_call(struct httpsocket_page *p, const char *name,
                                           const char *json, uint64_t *ret_call);
/* Answer a call of the document, by its number. */
HTTPSOCKET_EXPORT int httpsocket_page_reply(struct httpsocket_page *p, uint64_t call,
                                            const char *json);
HTTPSOCKET_EXPORT int httpsocket_page_refuse(struct httpsocket_page *p, uint64_t call,
                                             const char *message);
/* A command to the server, without its dot: "listen", "dom", "save" and the others of
 * docs/page-programs/descriptor-3.md, with its JSON. */
HTTPSOCKET_EXPORT int httpsocket_page_command(struct httpsocket_page *p, const char *name,
                                              const char *json);
/* on_topic hears what is published under this name from now on. */
HTTPSOCKET_EXPORT int httpsocket_page_subscribe(struct httpsocket_page *p, const char *topic);
HTTPSOCKET_EXPORT int httpsocket_page_unsubscribe(struct httpsocket_page *p, const char *topic);
HTTPSOCKET_EXPORT int httpsocket_page_publish(struct httpsocket_page *p, const char *topic,
                                              const char *name, const char *json);
/* No on_message until httpsocket_page_resume(); the document has to wait. */
HTTPSOCKET_EXPORT void httpsocket_page_pause(struct httpsocket_page *p);
HTTPSOCKET_EXPORT void httpsocket_page_resume(struct httpsocket_page *p);
/* The same of the request's body. */
HTTPSOCKET_EXPORT void httpsocket_page_pause_body(struct httpsocket_page *p, bool paused);
/* The handle stays good after on_over, until it is released as often as it was held; functions then
 * return -ENOTCONN. In the page's thread. */
HTTPSOCKET_EXPORT void httpsocket_page_hold(struct httpsocket_page *p);
HTTPSOCKET_EXPORT void httpsocket_page_release(struct httpsocket_page *p);

/* Sends an event whose data is this text, in UTF-8, as a string. */
HTTPSOCKET_EXPORT int httpsocket_page_emit_text(struct httpsocket_page *p, const char *name,
                                                const char *text, size_t size);
/* The text of the elements that a CSS selector matches (`.dom`); both are UTF-8. */
HTTPSOCKET_EXPORT int httpsocket_page_set_text(struct httpsocket_page *p, const char *selector,
                                               const char *text);
/* The state that outlives this process, as bytes; as JSON: httpsocket_page_command(p, "save"). */
HTTPSOCKET_EXPORT int httpsocket_page_save_bytes(struct httpsocket_page *p, const void *data,
                                                 size_t size);

/* Byte streams, beside the messages. -ENOENT: there is none of this number any more; -ENOTCONN. */
HTTPSOCKET_EXPORT int httpsocket_page_stream_accept(struct httpsocket_page *p, uint32_t stream,
                                                    const char *json);
/* How many bytes were taken: as many as there is room for. -EPIPE: it is not accepted, or this side
 * has ended. */
HTTPSOCKET_EXPORT int64_t httpsocket_page_stream_write(struct httpsocket_page *p, uint32_t stream,
                                                       const void *data, size_t size);
HTTPSOCKET_EXPORT int httpsocket_page_stream_end(struct httpsocket_page *p, uint32_t stream);
HTTPSOCKET_EXPORT int httpsocket_page_stream_reset(struct httpsocket_page *p, uint32_t stream,
                                                   const char *reason);

/* Ends the page at once, as a process that exits: what waits here is lost. No callback follows, and
 * the handle is dead unless it is held. */
HTTPSOCKET_EXPORT void httpsocket_page_leave(struct httpsocket_page *p);
/* Ends the page, behind all that was sent; on_close and on_over follow. `reason` NULL: "closed". */
HTTPSOCKET_EXPORT int httpsocket_page_close(struct httpsocket_page *p, const char *reason);

/* ---- topics ----
 *
 * A topic is a name (1 to 255 bytes of A-Z a-z 0-9 _ - : / .) to which peers of all threads
 * subscribe, and under which anybody publishes. All subscribers see what is published in one
 * order.
 *
 * Pages share the topics. They hear texts as the event `message`, a JSON string, and bytes as the
 * event `bytes`, a JSON string in base64url without padding (RFC 4648, 5). Peers hear what a page
 * publishes under these names as text and as bytes, and other JSON as its text.
 */

/* Everything that is published from now on goes to the peer, as messages, until it has left or
 * unsubscribes. 0, also if it was subscribed; -EINVAL: no such name; -ENOSPC: the peer has
 * `subscriptions-max`, or the server `topics-max`; -EPIPE: it is closing; -ENOMEM. */
HTTPSOCKET_EXPORT int httpsocket_peer_subscribe(struct httpsocket_peer *p, const char *topic);
HTTPSOCKET_EXPORT int httpsocket_peer_unsubscribe(struct httpsocket_peer *p, const char *topic);
/* Sends `text`, which is UTF-8, to all subscribers of the topic. From any thread. 0; -EINVAL: no
 * such name, or not UTF-8; -EMSGSIZE: larger than `topic-message-max`, as a JSON string; -EAGAIN:
 * too much of what this server has published is still under way (4 MiB); -EPIPE: it is being freed;
 * -ENOMEM. Nothing was sent on failure. */
HTTPSOCKET_EXPORT int httpsocket_server_publish(struct httpsocket_server *s, const char *topic,
                                                const char *text, size_t size);
/* The same of bytes, which count as 4/3 of their size. */
HTTPSOCKET_EXPORT int httpsocket_server_publish_bytes(struct httpsocket_server *s,
                                                      const char *topic, const void *data,
                                                      size_t size);

#ifdef __cplusplus
}
#endif

#endif
