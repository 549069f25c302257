/* SPDX-License-Identifier: MIT */
/* handler_parts.h - struct handler, as its own files see it.
 *
 *   made ──begin──> begun ──on_request──> known ──let go──> leaving ──answered, and all told──> over
 */
#ifndef PAGE_HANDLER_PARTS_H
#define PAGE_HANDLER_PARTS_H

#include "page/handler.h"
#include "page/lifecycle.h"
#include "page/message_queue.h"

struct handler {
    struct seat seat; /* its page NULL: that is freed */
    const struct handler_ops *ops;
    void *owner;
    struct list due;                 /* handler_desk.due */
    struct room_place place;         /* among the pages of its client */
    struct message_queue in;         /* not told yet */
    struct message_queue out;        /* not taken by the page yet */
    struct program_request *request; /* owned; not told yet; NULL: it is */
    char *reason;                    /* owned: of on_close; NULL: "left" */
    uint64_t last_call;
    char restore_why[8]; /* of a `.restore` whose bytes are to come */
    uint64_t restore_resent;
    unsigned refs;
    bool begun, known, let_go, closed, over; /* in this order; `closed`: on_close has come */
    bool responded;                          /* an answer has begun, by the handler */
    bool answered; /* the request's answer is complete, or nobody wants it */
    bool shut;     /* there is no conversation */
    bool swallows; /* the body of its answer reaches nobody, as it should */
    bool paused, body_paused;
    bool wants_room;                       /* on_room is due when there is room */
    bool answer_behind, wants_answer_room; /* the same of the answer */
};

static inline struct handler *handler_of(const struct seat *s)
{
    return (struct handler *)s;
}

/* ---- handler.c ---- */

/* It has something to do soon. */
void handler_touch(struct handler *h);
/* NULL, or the page: a function of the handler begins, or a callback. */
struct page *handler_enter(struct handler *h);
void handler_exit(struct handler *h);
/* Is the next message of the handler taken? */
enum program_reading handler_reading(const struct handler *h);
/* As handler_say(), of a message that has been checked. `bounded`: it may be refused. */
int handler_say_message(struct handler *h, const struct message *m, bool bounded);
/* What waited for the page goes, as far as the page takes it. */
void handler_go_on(struct handler *h);
void handler_unref(struct handler *h);

/* ---- handler_hear.c ---- */

/* Tells a message, by the callback that it has. */
void handler_hear(struct handler *h, const struct message *m);

#endif
