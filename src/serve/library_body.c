/* SPDX-License-Identifier: MIT */
/* library_body.c - the body of a request of the library, as its program wants to read it. */
#include "serve/library.h"

#include <errno.h>

void library_body_leave(struct httpsocket_request *r)
{
    bool unread = r->x && r->body == BODY_UNREAD && !r->body_ended;
    if (unread && r->x->request->body != HTTP_BODY_NONE && !r->paused) {
        r->paused = true;
        exchange_pause(r->x);
    }
}

void library_body_go_on(struct httpsocket_request *r)
{
    if (!r->paused || !r->x)
        return;
    r->paused = false;
    if (r->body_ended)
        timer_start(library_loop(r->thread), &r->kick, 0);
    exchange_resume(r->x);
}

void library_body_failed(struct httpsocket_request *r, int error)
{
    r->body = BODY_DONE;
    text_done(&r->gathered);
    r->on_body(r, error, NULL, 0, r->body_arg);
}

void library_on_body(struct exchange *x, struct slice data)
{
    struct httpsocket_request *r = x->owner;
    if (r->body == BODY_STREAM) {
        r->on_body(r, 0, data.ptr, data.len, r->body_arg);
        return;
    }
    if (r->body != BODY_WHOLE)
        return;
    if (data.len > r->body_max - r->gathered.len) {
        library_body_failed(r, -EMSGSIZE);
        return;
    }
    text_put(&r->gathered, data);
    if (r->gathered.failed)
        library_body_failed(r, -ENOMEM);
}

static void deliver_end(struct httpsocket_request *r)
{
    bool whole = r->body == BODY_WHOLE;
    r->body = BODY_DONE;
    struct slice data = whole ? text_slice(&r->gathered) : SLICE_NONE;
    r->on_body(r, 0, data.ptr ? data.ptr : "", data.len, r->body_arg);
}

void library_on_body_end(struct exchange *x)
{
    struct httpsocket_request *r = x->owner;
    r->body_ended = true;
    if ((r->body == BODY_WHOLE || r->body == BODY_STREAM) && !r->paused)
        deliver_end(r);
}

void library_on_kick(struct timer *timer)
{
    struct httpsocket_request *r = container_of(timer, struct httpsocket_request, kick);
    if (r->body != BODY_WHOLE && r->body != BODY_STREAM)
        return;
    if (!r->x)
        library_body_failed(r, -EPIPE);
    else if (r->body_ended && !r->paused)
        deliver_end(r);
}

static void read_body(struct httpsocket_request *r, httpsocket_body_fn *fn, void *arg, bool whole)
{
    library_request_owned(r);
    if (r->body != BODY_UNREAD || r->asking || !fn)
        return;
    r->body = whole ? BODY_WHOLE : BODY_STREAM;
    r->on_body = fn;
    r->body_arg = arg;
    if (!r->x || (r->body_ended && !r->paused))
        timer_start(library_loop(r->thread), &r->kick, 0);
    library_body_go_on(r);
    library_wake(r->thread);
}

void httpsocket_request_read(struct httpsocket_request *r, size_t max, httpsocket_body_fn *whole,
                             void *arg)
{
    r->body_max = max ? max : (size_t)r->thread->server->server.config->body_max;
    read_body(r, whole, arg, true);
}

void httpsocket_request_stream(struct httpsocket_request *r, httpsocket_body_fn *piece, void *arg)
{
    read_body(r, piece, arg, false);
}

void httpsocket_request_pause(struct httpsocket_request *r)
{
    if (!r->x || r->paused || r->asking)
        return;
    r->paused = true;
    exchange_pause(r->x);
}

void httpsocket_request_resume(struct httpsocket_request *r)
{
    if (r->body == BODY_UNREAD || r->asking)
        return;
    library_body_go_on(r);
    library_wake(r->thread);
}
