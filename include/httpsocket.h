/* SPDX-License-Identifier: MIT */
/* httpsocket.h - the C library of HTTPSocket: a client of page programs.
 *
 * A client connects to a program behind httpsocketd (`http://b.example/feed`). Both sides send
 * events, call each other and answer. A client has one session (docs/protocol.md): when the
 * connection drops, the client reconnects and the session goes on. Each message arrives exactly
 * once and in order, until the session ends and on_close says why.
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
 * Blocking    Only httpsocket_run(), and httpsocket_process() with a time, block. The library looks
 *             names up in a thread of its own, one at a time. The thread ends with its answer.
 * Loops       In a loop of your own, wait until httpsocket_fd() is readable, then call
 *             httpsocket_process(c, 0). The descriptor never changes, and covers timers too.
 * Callbacks   Only httpsocket_process() and httpsocket_run() call them. A callback may call every
 *             function here except these two and httpsocket_free().
 * Threads     A client belongs to the thread that made it. Several threads may have clients.
 * Ownership   Arguments are copied. What a callback receives is valid during the callback, and is
 *             not NUL-terminated if it comes with a size.
 * Units       Bytes; milliseconds where a name ends in _ms, seconds where it ends in _s.
 * Errors      A negative errno, as each function says. on_close tells what ended a session.
 * Signals     The library touches none, and never raises SIGPIPE.
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
    HTTPSOCKET_ANSWER,  /* the only answer to a call, or the last */
    HTTPSOCKET_PART,    /* one of several answers; more follow */
    HTTPSOCKET_FAILURE, /* the call failed; the last answer: JSON {"message": ...} */
};

struct httpsocket_message {
    enum httpsocket_kind kind;
    bool bytes;       /* data is bytes; otherwise JSON on one line in UTF-8, and empty means null */
    const char *name; /* for EVENT and CALL: 1 to 128 of A-Z a-z 0-9 _ - : / . not beginning with a
                         dot; NUL-terminated. NULL for the others */
    uint64_t call;    /* for all but EVENT: the caller's number, below 2^53 */
    const void *data;
    size_t size;
};

/* Why a connection or a session ended: the close codes and reasons of docs/protocol.md, section 5.
 * 1000: the program or this client ended it. 1006: the network, or no answer in time. 1015: TLS
 * refused the server. 4401, 4403: refused. 4404: there is no program. 4410: the session is gone.
 * 4500: the program failed. */
struct httpsocket_end {
    unsigned code;
    const char *reason; /* a token or a text; may be empty */
    int64_t retry_s;    /* do not come back before this time; -1: the server said nothing */
};

enum httpsocket_retry {
    HTTPSOCKET_RETRY_ALWAYS,     /* also if the first connection fails */
    HTTPSOCKET_RETRY_AFTER_OPEN, /* only a session that was open is resumed */
    HTTPSOCKET_RETRY_NEVER,      /* the first lost connection ends the session */
};

struct httpsocket_options {
    size_t size;     /* sizeof(struct httpsocket_options); all other members but url may be zero */
    const char *url; /* http, https, ws or wss; names in ASCII (A-labels); no fragment */
    const char *origin;  /* the origin that this client declares; NULL: the URL's own */
    const char *ca_file; /* PEM: certificates to trust; NULL: the system's */
    size_t buffer_max;   /* bytes unacknowledged; 0: 1 MiB */
    size_t message_max;  /* bytes of one message; 0: 16 MiB. A larger one that arrives: 1009 */
    enum httpsocket_retry retry;
    uint64_t give_up_ms; /* end the session after this time without a connection; 0: never */
    void *user;

    /* Each callback may be NULL. */
    /* The client is connected; `resumed`: it was connected before. */
    void (*on_open)(struct httpsocket *c, bool resumed);
    /* The connection is lost, or an attempt has failed; another attempt follows. */
    void (*on_lost)(struct httpsocket *c, const struct httpsocket_end *why);
    /* An event or a call of the program, or an answer to a call sent by httpsocket_send(). The
     * message is acknowledged when this returns. Without on_message calls are answered by a
     * failure. */
    void (*on_message)(struct httpsocket *c, const struct httpsocket_message *m);
    /* There is room again after -EAGAIN. */
    void (*on_room)(struct httpsocket *c);
    /* The session is over. The last callback, called once. */
    void (*on_close)(struct httpsocket *c, const struct httpsocket_end *end);
};

/* Begins to connect. Returns NULL if an option is wrong or there is no memory, with a text in `why`
 * (which may be NULL). */
HTTPSOCKET_EXPORT struct httpsocket *httpsocket_new(const struct httpsocket_options *options,
                                                    char *why, size_t why_size);
/* Ends the client at once, whatever is queued. The program hears that the client left, and its
 * session ends some seconds later. For a clean end call httpsocket_close() and go on until
 * on_close. Accepts NULL. */
HTTPSOCKET_EXPORT void httpsocket_free(struct httpsocket *c);
HTTPSOCKET_EXPORT void *httpsocket_user(const struct httpsocket *c);

/* ---- running ---- */

/* Runs until the session is over. Returns 0, or a negative errno if waiting failed. */
HTTPSOCKET_EXPORT int httpsocket_run(struct httpsocket *c);
/* Waits at most `timeout_ms` for something to do (0: not at all, -1: without limit), and does it.
 * Returns 1 if the session is over, 0 if not, or a negative errno if waiting failed. */
HTTPSOCKET_EXPORT int httpsocket_process(struct httpsocket *c, int timeout_ms);
/* The library's descriptor, to be polled for reading and used for nothing else. */
HTTPSOCKET_EXPORT int httpsocket_fd(const struct httpsocket *c);

/* ---- sending ----
 *
 * 0: the message is queued. It is sent now or after the next connection, and again until the
 * program has it. -EAGAIN: the message would exceed `buffer_max`; on_room follows. (A larger
 * message goes when nothing else is queued.) -EMSGSIZE: larger than `message_max`, or than the
 * server takes. -EINVAL: an invalid name or number, or invalid JSON. -EPIPE: the session is over or
 * closing. -ENOMEM. On failure nothing has been sent. A message that was queued before the first
 * connection and is larger than the server takes ends the session with 1009.
 */

/* Sends any message. The caller numbers its calls, below 2^52. */
HTTPSOCKET_EXPORT int httpsocket_send(struct httpsocket *c, const struct httpsocket_message *m);
/* Sends an event; `json` NULL: null. */
HTTPSOCKET_EXPORT int httpsocket_emit(struct httpsocket *c, const char *name, const char *json);
HTTPSOCKET_EXPORT int httpsocket_emit_bytes(struct httpsocket *c, const char *name,
                                            const void *data, size_t size);

/* Hears PARTs, then one ANSWER or FAILURE. If the time or the session is over first, the FAILURE
 * has "code": "timeout" or "closed". */
typedef void httpsocket_answer_fn(struct httpsocket *c, const struct httpsocket_message *answer,
                                  void *arg);
/* Calls the program; `timeout_ms` 0: no limit. */
HTTPSOCKET_EXPORT int httpsocket_call(struct httpsocket *c, const char *name, const char *json,
                                      uint64_t timeout_ms, httpsocket_answer_fn *answer, void *arg);
/* Answer a call of the program, by its number: any parts, then one of the other two. */
HTTPSOCKET_EXPORT int httpsocket_part(struct httpsocket *c, uint64_t call, const char *json);
HTTPSOCKET_EXPORT int httpsocket_answer(struct httpsocket *c, uint64_t call, const char *json);
/* `message` is any text in UTF-8. */
HTTPSOCKET_EXPORT int httpsocket_fail(struct httpsocket *c, uint64_t call, const char *message);

/* Bytes that the program has not yet taken; after the end: that it never took. */
HTTPSOCKET_EXPORT size_t httpsocket_buffered(const struct httpsocket *c);

/* Stops on_message until httpsocket_resume(). Meanwhile the program waits. The connection is kept
 * alive. */
HTTPSOCKET_EXPORT void httpsocket_pause(struct httpsocket *c);
HTTPSOCKET_EXPORT void httpsocket_resume(struct httpsocket *c);

/* Ends the session and its TCP connections when the program has taken all queued messages, or after
 * `timeout_ms` (0: as long as needed). The program then reads end of file. on_close follows with
 * 1000, or 1006 `close-timeout`. If the client was never connected and sent nothing, on_close tells
 * why the last attempt failed. `reason` is at most 100 bytes; NULL: "closed". Only the first call
 * counts. -EINVAL: a longer reason, or one that is not UTF-8. */
HTTPSOCKET_EXPORT int httpsocket_close(struct httpsocket *c, const char *reason,
                                       uint64_t timeout_ms);

/* Is the client connected now? */
HTTPSOCKET_EXPORT bool httpsocket_connected(const struct httpsocket *c);
/* Returns NULL while the session goes on; afterwards what on_close received, valid until
 * httpsocket_free(). */
HTTPSOCKET_EXPORT const struct httpsocket_end *httpsocket_ended(const struct httpsocket *c);

/* ---- TCP connections, made by the server (docs/protocol.md, section 10) ----
 *
 * The server opens a connection to HOST:PORT for this client's origin, if script access allows it
 * (docs/access.md). The session carries the connection: it survives lost connections to the server
 * as messages do, and ends with the session. A client that wants only TCP
 * connections, and no program, connects to `/.httpsocket/connect`.
 *
 * The library owns the handle: the handle is dead after on_close, after httpsocket_tcp_reset(), and
 * after httpsocket_free(). This process does not ask for a refused target again before the time
 * that the refusal said: until then the library itself refuses the target, with `banned`. Programs
 * are treated alike: a client of a banned program ends with 4429 `banned`, or waits, as `retry`
 * says.
 */
struct httpsocket_tcp;

struct httpsocket_tcp_peer {
    const char *remote_address, *local_address; /* of the server's socket; may be empty */
    uint16_t remote_port, local_port;
};

/* Why a TCP connection ended. An empty `reason` means: both directions were complete, and
 * everything has arrived. Otherwise `reason` is a token: one of script access, or `banned`,
 * `target-refused`, `connect-timeout`, `tls-failed`, `connection-reset`, `idle-timeout`, `revoked`,
 * `overload`, `stream-unsupported`, or `session-over`, where `message` is the session's reason. */
struct httpsocket_tcp_end {
    const char *reason;
    const char *message; /* for people; may be empty */
    int64_t retry_s;     /* do not come back before this time; -1: nothing was said */
};

struct httpsocket_tcp_options {
    size_t size;      /* sizeof(struct httpsocket_tcp_options); all other members but host and port
                         may be zero */
    const char *host; /* a name in ASCII (A-labels), or an address; at most 255 bytes */
    uint16_t port;
    bool secure;   /* TLS from the server to the target, whose certificate must be for `host` */
    bool no_delay; /* TCP_NODELAY at the target */
    bool own_pace; /* bytes of on_data count as taken only by httpsocket_tcp_consumed() */
    uint64_t keep_alive_ms; /* TCP keep-alive at the target; 0: none */
    void *user;

    /* Each callback may be NULL. */
    void (*on_open)(struct httpsocket_tcp *t, const struct httpsocket_tcp_peer *peer);
    void (*on_data)(struct httpsocket_tcp *t, const void *data, size_t size);
    /* The target has ended its side. Without on_end the client's side ends too. */
    void (*on_end)(struct httpsocket_tcp *t);
    /* There is room again after a write that took less than it was given. */
    void (*on_room)(struct httpsocket_tcp *t);
    /* The connection is over. The last callback, called once. */
    void (*on_close)(struct httpsocket_tcp *t, const struct httpsocket_tcp_end *end);
};

/* Begins a connection, at once or when the server allows one more. -EINVAL: an option is wrong.
 * -EPIPE: the session is over or closing. -ENOMEM. */
HTTPSOCKET_EXPORT int httpsocket_tcp_open(struct httpsocket *c,
                                          const struct httpsocket_tcp_options *options,
                                          struct httpsocket_tcp **ret);
HTTPSOCKET_EXPORT void *httpsocket_tcp_user(const struct httpsocket_tcp *t);
HTTPSOCKET_EXPORT struct httpsocket *httpsocket_tcp_client(const struct httpsocket_tcp *t);

/* Copies as many bytes as there is room for, from the beginning, and returns how many. If these are
 * not all, on_room follows. Bytes may be written before on_open. -EPIPE after
 * httpsocket_tcp_finish(). -ENOMEM: the connection is over and the handle dead, without a
 * callback. */
HTTPSOCKET_EXPORT int64_t httpsocket_tcp_write(struct httpsocket_tcp *t, const void *data,
                                               size_t size);
/* How many bytes a write would take now. */
HTTPSOCKET_EXPORT size_t httpsocket_tcp_room(const struct httpsocket_tcp *t);
/* Bytes that were written and that the server has not yet received. */
HTTPSOCKET_EXPORT size_t httpsocket_tcp_buffered(const struct httpsocket_tcp *t);
/* With `own_pace`: `size` more bytes of on_data are done with. At 1 MiB of bytes that are not, the
 * target has to wait. */
HTTPSOCKET_EXPORT void httpsocket_tcp_consumed(struct httpsocket_tcp *t, size_t size);
/* Ends the client's side, after everything that was written. */
HTTPSOCKET_EXPORT void httpsocket_tcp_finish(struct httpsocket_tcp *t);
/* Ends both sides at once, without a callback. Bytes on their way are lost. `reason` is a token of
 * a-z 0-9 - below 64 bytes; NULL: "aborted". -EINVAL: another reason. */
HTTPSOCKET_EXPORT int httpsocket_tcp_reset(struct httpsocket_tcp *t, const char *reason);

/* ---- messages as lines (docs/page-programs/descriptor-3.md) ---- */

#define HTTPSOCKET_LINE_MAX 192

/* Reads the next message of `in`. Returns 1 if the first `used` bytes are a message: `ret` points
 * into `in`, except its name, which is in `name`. Returns 0 if more bytes are needed. Returns
 * -EINVAL with a static text in *why for a wrong line, and for a message larger than `max`. `seen`
 * is the number of bytes at the beginning of `in` that an earlier call has searched (0 at first),
 * so that a long line is not searched twice. */
HTTPSOCKET_EXPORT int httpsocket_line_read(const char *in, size_t len, size_t seen, size_t max,
                                           char name[HTTPSOCKET_LINE_MAX], size_t *used,
                                           struct httpsocket_message *ret, const char **why);
/* Writes what precedes the data of a message, and returns its length. LF follows the data. */
HTTPSOCKET_EXPORT size_t httpsocket_line_head(const struct httpsocket_message *m,
                                              char out[HTTPSOCKET_LINE_MAX]);

#ifdef __cplusplus
}
#endif

#endif
