/* SPDX-License-Identifier: MIT */
/* handler.h - a page whose program is a handler in this process: C functions in the place of
 * descriptor 3 (docs/page-programs/descriptor-3.md says what each message means).
 *
 *   seat_handler_new ─> on_request ─> on_body* on_body_end, on_attach, on_event*, … ─> on_close
 *                           │                                                            └> on_over
 *                           └── handler_answer, or handler_respond, _write*, _end: now or later
 *
 * A struct handler is one page. It is a seat like the others (seat_handler.c): what it says goes
 * the way that lines of a program go, without being lines.
 *
 * Callbacks  Come from the loop, and never from inside of a function of this header. What a
 *            function causes comes later, in the same turn of the loop in most cases. A callback
 *            may call anything here, for any page of its thread, also handler_leave(). The order
 *            is kept: what came earlier is told earlier, also on_close, which comes behind all
 *            messages. After on_close only the answer can still go on; on_over is the last
 *            callback. A page that ends before on_request is never told of.
 * Lifetime   From on_request until on_over has returned; longer by handler_hold(), until
 *            handler_release(). Functions that are called after the end return -ENOTCONN.
 * Ownership  Arguments are copied. What a callback is given is valid during the call.
 * Threads    The page's worker's, all of it.
 * Bounds     A message is taken while what waits for the client is below `buffer_max`, and then
 *            into a queue of the handler's own, up to `buffer_max` again: HANDLER_QUEUED. Above
 *            that it is not taken: -EAGAIN. on_room follows both. The client pays for what waits.
 *            From the client: messages that come while handler_pause() is on wait, up to
 *            `window`, and so does the client.
 * Errors     -EINVAL, and nothing has happened: a name, JSON, text, headers that are none.
 *            -EMSGSIZE: longer than `message_max`. -EAGAIN, -ENOMEM, -ENOTCONN as above. A
 *            command that can't be obeyed ends the page as failed, and the log says why, as for
 *            other programs.
 * Take-over  Is not possible: the page's client is told 1012, comes again, and brings the state.
 * Cost       An event of the client is told where it was received, and one of the handler goes to
 *            the session at once; neither is copied or parsed again. The page's own words
 *            (`.attach` and the like) are copied once.
 */
#ifndef PAGE_HANDLER_H
#define PAGE_HANDLER_H

#include "page/seat.h"
#include "proto/topic.h"

#include <sys/types.h>

struct handler;

/* Of functions that send. */
enum handler_sent {
    HANDLER_SENT,  /* and there is room for more */
    HANDLER_QUEUED /* it will be sent; on_room or on_answer_room says when there is room again */
};

struct handler_data {
    enum message_form
        form; /* JSON, empty: null; bytes; text: of a client without our subprotocol */
    struct slice bytes;
};

static inline struct handler_data handler_json(struct slice json)
{
    return (struct handler_data){MESSAGE_JSON, json};
}

struct handler_topic_event {
    struct slice topic, event, data; /* JSON; empty: null */
    struct slice from;               /* who has published it; empty: from outside */
    uint64_t seq, time_ms;
    bool self, past;
    uint64_t lost; /* not 0: so many events are missing here, and all else is empty */
};

/* Each may be NULL. A call is refused then, and so is a stream. */
struct handler_ops {
    /* The request is to be answered. Slices of `request` last as long as the callback. */
    void (*on_request)(struct handler *h, const struct program_request *request);
    void (*on_body)(struct handler *h, struct slice data);
    void (*on_body_end)(struct handler *h); /* not for a request without a body */
    /* After HANDLER_QUEUED or -EAGAIN of handler_write(): go on. */
    void (*on_answer_room)(struct handler *h);
    /* The page is connected, for the first time or again; is not connected, and may come back. */
    void (*on_attach)(struct handler *h, bool resumed);
    void (*on_detach)(struct handler *h, struct slice reason);
    void (*on_event)(struct handler *h, struct slice name, const struct handler_data *data);
    /* Wants handler_answer_call() or handler_fail_call(), now or later. */
    void (*on_call)(struct handler *h, struct slice name, uint64_t call,
                    const struct handler_data *data);
    /* Of a handler_call(): MESSAGE_ANSWER, MESSAGE_PART (more follow) or MESSAGE_FAILURE. */
    void (*on_answer)(struct handler *h, uint64_t call, enum message_kind kind,
                      const struct handler_data *data);
    /* After HANDLER_QUEUED or -EAGAIN of a message: go on. */
    void (*on_room)(struct handler *h);
    /* The page brings its state; on_attach follows. `why`: deploy, crash, changed, gone. */
    void (*on_restore)(struct handler *h, struct slice why, uint64_t resent,
                       const struct handler_data *state);
    void (*on_topic)(struct handler *h, const struct handler_topic_event *event);
    /* The page wants a byte stream: handler_accept_stream() or handler_reset_stream(). */
    void (*on_stream)(struct handler *h, uint32_t number, struct slice name, struct slice json);
    void (*on_stream_data)(struct handler *h, uint32_t number, struct slice data);
    void (*on_stream_end)(struct handler *h, uint32_t number);
    void (*on_stream_room)(struct handler *h, uint32_t number);
    /* It has ended before both sides were done. */
    void (*on_stream_reset)(struct handler *h, uint32_t number, struct slice reason,
                            struct slice message);
    /* All other words of the server: `problem`, `subscribed`, `presence`, `tcp`. */
    void (*on_command)(struct handler *h, struct slice name, struct slice json);
    /* The conversation is over. */
    void (*on_close)(struct handler *h, struct slice reason);
    void (*on_over)(struct handler *h);
};

/* For a seat_source: a page of this handler. `owner` is handler_owner() of it at first. NULL: a
 * limit, or no memory. */
struct seat *seat_handler_new(struct page_host *host, const struct seat_wish *wish,
                              const struct handler_ops *ops, void *owner);

/* ---- the page ---- */

void *handler_owner(const struct handler *h);
void handler_own(struct handler *h, void *owner);
/* The memory stays, after on_over too. Any number of times. */
void handler_hold(struct handler *h);
void handler_release(struct handler *h);
/* NULL: it is over. */
struct page_host *handler_host(const struct handler *h);
/* Is the page connected? */
bool handler_present(const struct handler *h);
/* The session's id, which is a secret; its mark for logs; its client's address. Empty: there is
 * none. */
struct slice handler_session(const struct handler *h);
struct slice handler_mark(const struct handler *h);
struct slice handler_address(const struct handler *h);
/* Bytes that wait for the client, or are not acknowledged. */
size_t handler_backlog(const struct handler *h);
/* Of the client's messages and streams nothing is told until `false`. */
void handler_pause(struct handler *h, bool paused);
/* The same of the request's body. */
void handler_pause_body(struct handler *h, bool paused);
/* The end of the page by the handler's will, behind all that was sent: `.close`. */
int handler_close(struct handler *h, struct slice reason);
/* At once, as a process that exits: what is queued here is lost. No callback comes after this, and
 * the pointer is dead unless it is held. False: it was over, or has been left. */
bool handler_leave(struct handler *h);

/* ---- the answer, handler_answer.c ---- */

#define HANDLER_LENGTH_UNKNOWN UINT64_MAX

/* 0: the answer has not begun. -EALREADY: it has. -EPIPE: nobody waits for one any more. */
int handler_unanswered(const struct handler *h);
/* Errors as of handler_unanswered(). For a client that connects
 * without a page a status of 2xx lets it in, and the body is dropped; other statuses refuse it. */
int handler_respond(struct handler *h, int status, const struct http_header *headers, size_t count,
                    uint64_t length);
/* -EPIPE: the client of the answer is gone; the page may still come. */
int handler_write(struct handler *h, struct slice data);
int handler_end(struct handler *h);
/* All three at once. */
int handler_answer(struct handler *h, int status, const struct http_header *headers, size_t count,
                   struct slice body);
/* The answer won't come, or not whole: 500, or it breaks off. The page ends as failed. */
int handler_fail(struct handler *h, const char *why);

/* ---- messages, handler.c ---- */

/* Any line of descriptor 3: `hello`, `add?7`, `=7`, `+7`, `!7`, `.listen`, `.save`. */
int handler_say(struct handler *h, struct slice head, const struct handler_data *data);
int handler_send(struct handler *h, struct slice name, const struct handler_data *data);
/* *ret_call is what on_answer will say. */
int handler_call(struct handler *h, struct slice name, const struct handler_data *data,
                 uint64_t *ret_call);
int handler_answer_call(struct handler *h, uint64_t call, bool more_follow,
                        const struct handler_data *data);
int handler_fail_call(struct handler *h, uint64_t call, struct slice message);

/* ---- commands, handler_commands.c ---- */

struct handler_subscription {
    uint32_t history;
    bool last, watch, without_self, to_page;
    struct slice presence; /* JSON object; empty: not shown */
};

/* `how` NULL: all 0. */
int handler_subscribe(struct handler *h, struct slice topic,
                      const struct handler_subscription *how);
int handler_unsubscribe(struct handler *h, struct slice topic);
/* `json` empty: null. `keep` as of struct topic_publication. */
int handler_publish(struct handler *h, struct slice topic, struct slice event, struct slice json,
                    enum topic_keep keep);
/* The state: JSON or bytes. */
int handler_save(struct handler *h, const struct handler_data *state);
int handler_confirm(struct handler *h, uint64_t count);
/* Each at once, beside the messages. -ENOENT: there is no such stream any more. */
int handler_accept_stream(struct handler *h, uint32_t number, struct slice json);
int handler_end_stream(struct handler *h, uint32_t number);
int handler_reset_stream(struct handler *h, uint32_t number, struct slice reason,
                         struct slice message);
/* How many bytes were taken: as many as there is room for. on_stream_room follows if those are not
 * all. -EPIPE: it is not accepted, or has been ended by this side. */
ssize_t handler_write_stream(struct handler *h, uint32_t number, struct slice data);

#endif
