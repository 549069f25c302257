/* SPDX-License-Identifier: MIT */
/* httpsocket.h - the C library of HTTPSocket: a client of page programs.
 *
 * A client connects to a program behind httpsocketd (`http://b.example/feed`), and both sides send
 * events, call each other and answer. It is one session (docs/protocol.md): when the connection
 * drops it reconnects and goes on, and each message arrives exactly once and in order, until the
 * session ends and on_close says why.
 *
 *     static void heard(struct httpsocket *c, const struct httpsocket_message *m)
 *     {
 *         printf("%s %.*s\n", m->name, (int)m->size, (const char *)m->data);
 *     }
 *
 *     struct httpsocket_options options = {
 *         .size = sizeof(options), .url = "http://localhost:8080/feed", .on_message = heard};
 *     struct httpsocket *c = httpsocket_new(&options, why, sizeof(why));
 *     httpsocket_emit(c, "hello", "{\"name\":\"Frode\"}");
 *     httpsocket_run(c);
 *     httpsocket_free(c);
 *
 * Blocking    Nothing blocks but httpsocket_run() and httpsocket_process() with a time. Names are
 *             looked up in a thread of the library's own, one at a time, that outlives no answer.
 * Loops       Inside a loop of yours: wait until httpsocket_fd() is readable, then call
 *             httpsocket_process(c, 0). The descriptor stays the same, and covers time as well.
 * Callbacks   Come from httpsocket_process() and httpsocket_run() alone. Every call here may be
 *             made inside one, but these two and httpsocket_free().
 * Threads     A client belongs to the thread that made it. Several threads may have clients.
 * Ownership   What is given is copied; what a callback is given is valid during the call, and is
 *             not NUL-terminated where a size is beside it.
 * Units       Bytes; milliseconds where a name ends in _ms, seconds where it ends in _s.
 * Errors      A negative errno, as each function says. What ends a session comes by on_close.
 * Signals     None is touched; SIGPIPE is never raised.
 */
#ifndef HTTPSOCKET_H
#define HTTPSOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HTTPSOCKET_EXPORT __attribute__((visibility("default")))

struct httpsocket;

enum httpsocket_kind {
    HTTPSOCKET_EVENT,
    HTTPSOCKET_CALL,    /* wants an answer */
    HTTPSOCKET_ANSWER,  /* of a call, its last */
    HTTPSOCKET_PART,    /* one of several answers: more follow */
    HTTPSOCKET_FAILURE, /* of a call, its last: JSON {"message": ...} */
};

struct httpsocket_message {
    enum httpsocket_kind kind;
    bool bytes;       /* data is bytes; otherwise JSON on one line in UTF-8, and empty means null */
    const char *name; /* of EVENT and CALL: 1 to 128 of A-Z a-z 0-9 _ - : / . not beginning with a
                         dot; NUL-terminated. NULL of the others */
    uint64_t call;    /* of all but EVENT: the caller's number, below 2^53 */
    const void *data;
    size_t size;
};

/* Why a connection or a session is over: the close codes and reasons of docs/protocol.md,
 * section 5. 1000: by the program's or our own will. 1006: the network, or no answer in time.
 * 1015: TLS refused the server. 4401, 4403: refused. 4404: no program there. 4410: the session
 * is gone. 4500: the program failed. */
struct httpsocket_end {
    unsigned code;
    const char *reason; /* a token or a text, may be empty */
    int64_t retry_s;    /* not to come back before; -1: nothing was said */
};

enum httpsocket_retry {
    HTTPSOCKET_RETRY_ALWAYS,     /* also when the first connection fails */
    HTTPSOCKET_RETRY_AFTER_OPEN, /* a session that has begun is resumed */
    HTTPSOCKET_RETRY_NEVER,      /* the first lost connection ends the session */
};

struct httpsocket_options {
    size_t size;     /* sizeof(struct httpsocket_options); what follows may be zero but for url */
    const char *url; /* http, https, ws or wss; names in ASCII (A-labels); no fragment */
    const char *origin;  /* what this client says to be a script of; NULL: the URL's own origin */
    const char *ca_file; /* PEM: who is trusted to vouch for the server; NULL: the system's */
    size_t buffer_max;   /* bytes unacknowledged; 0: 1 MiB */
    size_t message_max;  /* bytes of one message; 0: 16 MiB; one above that comes: the end, 1009 */
    enum httpsocket_retry retry;
    uint64_t give_up_ms; /* without a connection for so long the session ends; 0: never */
    void *user;

    /* All may be NULL. */
    /* Connected; `resumed`: not for the first time. */
    void (*on_open)(struct httpsocket *c, bool resumed);
    /* The connection is lost, or an attempt has failed; another one follows. */
    void (*on_lost)(struct httpsocket *c, const struct httpsocket_end *why);
    /* Events and calls of the program, and answers to calls that were sent by httpsocket_send().
     * It is acknowledged when this returns. Without on_message calls are answered by a failure. */
    void (*on_message)(struct httpsocket *c, const struct httpsocket_message *m);
    /* There is room again after -EAGAIN. */
    void (*on_room)(struct httpsocket *c);
    /* The last callback; once. */
    void (*on_close)(struct httpsocket *c, const struct httpsocket_end *end);
};

/* Begins to connect. NULL with a text in `why` (may be NULL): an option is wrong, or no memory. */
HTTPSOCKET_EXPORT struct httpsocket *httpsocket_new(const struct httpsocket_options *options,
                                                    char *why, size_t why_size);
/* Ends it at once, whatever is queued: the program is told that the client left, and waits some
 * seconds for nobody. For a clean end call httpsocket_close() and go on until on_close. Accepts
 * NULL. */
HTTPSOCKET_EXPORT void httpsocket_free(struct httpsocket *c);
HTTPSOCKET_EXPORT void *httpsocket_user(const struct httpsocket *c);

/* ---- driving it ---- */

/* Until the session is over. 0, or a negative errno if waiting failed. */
HTTPSOCKET_EXPORT int httpsocket_run(struct httpsocket *c);
/* Does what is due, after waiting at most `timeout_ms` for it (0: not at all, -1: without limit).
 * 1: the session is over; 0: not yet; a negative errno if waiting failed. */
HTTPSOCKET_EXPORT int httpsocket_process(struct httpsocket *c, int timeout_ms);
/* To be polled for reading, and nothing else; the library's own. */
HTTPSOCKET_EXPORT int httpsocket_fd(const struct httpsocket *c);

/* ---- sending ----
 *
 * 0: it is queued, sent now or after the next connection, and again until the program has it.
 * -EAGAIN: `buffer_max` would be passed (a larger message goes when nothing else is queued);
 * on_room follows. -EMSGSIZE: larger than `message_max`, or than the server takes. -EINVAL: a name
 * or number that is none, or no JSON. -EPIPE: the session is over or closing. -ENOMEM. On failure
 * nothing has been sent. A message that was queued before the first connection and is larger than
 * the server takes ends the session with 1009.
 */

/* Any message. Calls are numbered by the caller, below 2^52. */
HTTPSOCKET_EXPORT int httpsocket_send(struct httpsocket *c, const struct httpsocket_message *m);
/* An event; `json` NULL: null. */
HTTPSOCKET_EXPORT int httpsocket_emit(struct httpsocket *c, const char *name, const char *json);
HTTPSOCKET_EXPORT int httpsocket_emit_bytes(struct httpsocket *c, const char *name,
                                            const void *data, size_t size);

/* PARTs, then one ANSWER or FAILURE. Also a FAILURE, with "code": "timeout" or "closed", when the
 * time or the session is over first. */
typedef void httpsocket_answer_fn(struct httpsocket *c, const struct httpsocket_message *answer,
                                  void *arg);
/* A call of the program; `timeout_ms` 0: none. */
HTTPSOCKET_EXPORT int httpsocket_call(struct httpsocket *c, const char *name, const char *json,
                                      uint64_t timeout_ms, httpsocket_answer_fn *answer, void *arg);
/* Answers to a call of the program, by its number: any parts, then one of the other two. */
HTTPSOCKET_EXPORT int httpsocket_part(struct httpsocket *c, uint64_t call, const char *json);
HTTPSOCKET_EXPORT int httpsocket_answer(struct httpsocket *c, uint64_t call, const char *json);
/* `message` is any text in UTF-8. */
HTTPSOCKET_EXPORT int httpsocket_fail(struct httpsocket *c, uint64_t call, const char *message);

/* Bytes that the program has not yet taken; after the end: that it never did. */
HTTPSOCKET_EXPORT size_t httpsocket_buffered(const struct httpsocket *c);

/* No on_message until resumed: the program waits in its turn. The connection is kept alive. */
HTTPSOCKET_EXPORT void httpsocket_pause(struct httpsocket *c);
HTTPSOCKET_EXPORT void httpsocket_resume(struct httpsocket *c);

/* Ends the session, TCP connections included, when the program has taken all messages that are
 * queued, or after `timeout_ms` (0: as long as it takes); the program then sees end of file.
 * on_close follows: 1000, or 1006 `close-timeout`; if it was never connected and nothing was sent,
 * what the last attempt failed with. `reason` NULL: "closed"; at most 100 bytes. The first call
 * counts. -EINVAL for another reason. */
HTTPSOCKET_EXPORT int httpsocket_close(struct httpsocket *c, const char *reason,
                                       uint64_t timeout_ms);

/* Is it connected now? */
HTTPSOCKET_EXPORT bool httpsocket_connected(const struct httpsocket *c);
/* NULL while the session goes on; afterwards what on_close was given, until httpsocket_free(). */
HTTPSOCKET_EXPORT const struct httpsocket_end *httpsocket_ended(const struct httpsocket *c);

/* ---- TCP connections, made by the server (docs/protocol.md, section 10) ----
 *
 * A connection to HOST:PORT that the server opens for this client's origin, if script access allows
 * it (docs/access.md). It rides on the session: it survives lost connections like messages do, and
 * ends with the session. A server without a program for it has `/.httpsocket/connect`.
 *
 * The handle is the library's: it is dead after on_close, after httpsocket_tcp_reset(), and after
 * httpsocket_free(). A target that was refused is not asked again by this process before the time
 * that the refusal said is over; it is then refused here, with `banned`. So it is with programs: a
 * client of one that is banned ends with 4429 `banned`, or waits, as `retry` says.
 */
struct httpsocket_tcp;

struct httpsocket_tcp_peer {
    const char *remote_address, *local_address; /* of the server's socket; may be empty */
    uint16_t remote_port, local_port;
};

/* Why it is over. A `reason` that is empty: both directions were complete, and everything has
 * arrived. Otherwise a token: one of script access, or `banned`, `target-refused`,
 * `connect-timeout`, `tls-failed`, `connection-reset`, `idle-timeout`, `revoked`, `overload`,
 * `stream-unsupported`, or `session-over`, where `message` is the session's reason. */
struct httpsocket_tcp_end {
    const char *reason;
    const char *message; /* for people; may be empty */
    int64_t retry_s;     /* not to come back before; -1: nothing was said */
};

struct httpsocket_tcp_options {
    size_t size;      /* sizeof(struct httpsocket_tcp_options); what follows may be zero but for
                         host and port */
    const char *host; /* a name in ASCII (A-labels), or an address; at most 255 bytes */
    uint16_t port;
    bool secure;   /* TLS from the server to the target, whose certificate has to be for `host` */
    bool no_delay; /* TCP_NODELAY at the target */
    bool own_pace; /* what on_data gives is taken only by httpsocket_tcp_consumed() */
    uint64_t keep_alive_ms; /* TCP keep-alive at the target; 0: none */
    void *user;

    /* All may be NULL. */
    void (*on_open)(struct httpsocket_tcp *t, const struct httpsocket_tcp_peer *peer);
    void (*on_data)(struct httpsocket_tcp *t, const void *data, size_t size);
    /* The target has ended its side. Without on_end ours ends too. */
    void (*on_end)(struct httpsocket_tcp *t);
    /* There is room again after a write that was cut short. */
    void (*on_room)(struct httpsocket_tcp *t);
    /* The last callback; once. */
    void (*on_close)(struct httpsocket_tcp *t, const struct httpsocket_tcp_end *end);
};

/* Begins one, at once or when the server allows one more. -EINVAL: an option is wrong. -EPIPE: the
 * session is over or closing. -ENOMEM. */
HTTPSOCKET_EXPORT int httpsocket_tcp_open(struct httpsocket *c,
                                          const struct httpsocket_tcp_options *options,
                                          struct httpsocket_tcp **ret);
HTTPSOCKET_EXPORT void *httpsocket_tcp_user(const struct httpsocket_tcp *t);
HTTPSOCKET_EXPORT struct httpsocket *httpsocket_tcp_client(const struct httpsocket_tcp *t);

/* Takes a copy of the first of them and returns how many; if not all, on_room follows. They may be
 * written before on_open. -EPIPE after httpsocket_tcp_finish(). -ENOMEM: the connection is over,
 * the handle dead, without a callback. */
HTTPSOCKET_EXPORT int64_t httpsocket_tcp_write(struct httpsocket_tcp *t, const void *data,
                                               size_t size);
/* How many bytes a write would take now. */
HTTPSOCKET_EXPORT size_t httpsocket_tcp_room(const struct httpsocket_tcp *t);
/* Bytes that were written and that the server has not yet got. */
HTTPSOCKET_EXPORT size_t httpsocket_tcp_buffered(const struct httpsocket_tcp *t);
/* With `own_pace`: `size` bytes more of those that on_data gave are done with. What is not holds
 * the target back, at 1 MiB. */
HTTPSOCKET_EXPORT void httpsocket_tcp_consumed(struct httpsocket_tcp *t, size_t size);
/* Ends our side, after all that was written. */
HTTPSOCKET_EXPORT void httpsocket_tcp_finish(struct httpsocket_tcp *t);
/* Both sides at once; what is on its way is lost. No callback. `reason` NULL: "aborted"; a token of
 * a-z 0-9 - below 64 bytes, otherwise -EINVAL. */
HTTPSOCKET_EXPORT int httpsocket_tcp_reset(struct httpsocket_tcp *t, const char *reason);

/* ---- messages as lines: the form of a page program's descriptor 3
 * (docs/page-programs/descriptor-3.md) ---- */

#define HTTPSOCKET_LINE_MAX 192

/* The next message of `in`. 1: `used` bytes were one message, `ret` points into them, but for its
 * name, which is in `name`. 0: more is needed. -EINVAL with a static text in *why, also if it is
 * larger than `max`. `in` may begin with what was searched before: `seen` bytes of it (0 at first),
 * so that a long line is not searched twice. */
HTTPSOCKET_EXPORT int httpsocket_line_read(const char *in, size_t len, size_t seen, size_t max,
                                           char name[HTTPSOCKET_LINE_MAX], size_t *used,
                                           struct httpsocket_message *ret, const char **why);
/* What stands before the data; after the data comes LF. Its length. */
HTTPSOCKET_EXPORT size_t httpsocket_line_head(const struct httpsocket_message *m,
                                              char out[HTTPSOCKET_LINE_MAX]);

#ifdef __cplusplus
}
#endif

#endif
