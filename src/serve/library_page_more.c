/* SPDX-License-Identifier: MIT */
/* library_page_more.c - what the program does with a page beside its messages: byte streams, bytes
 * of the state, holding it, leaving it. */
#include "serve/library.h"

#include "proto/json_text.h"

#include <errno.h>
#include <stdlib.h>

static int woken(struct httpsocket_page *p, int result)
{
    library_wake(p->thread);
    return result;
}

/* ---- how long it lives ---- */

void httpsocket_page_hold(struct httpsocket_page *p)
{
    p->refs++;
}

void httpsocket_page_release(struct httpsocket_page *p)
{
    if (--p->refs > 0)
        return;
    library_headers_done(&p->headers);
    handler_release(p->h);
    free(p);
}

void httpsocket_page_leave(struct httpsocket_page *p)
{
    struct library_thread *t = p->thread;
    if (!handler_leave(p->h))
        return;
    httpsocket_page_release(p); /* there is no on_over */
    library_wake(t);
}

void httpsocket_page_pause_body(struct httpsocket_page *p, bool paused)
{
    handler_pause_body(p->h, paused);
    library_wake(p->thread);
}

/* ---- messages ---- */

int httpsocket_page_emit_text(struct httpsocket_page *p, const char *name, const char *text,
                              size_t size)
{
    struct handler_data data = {MESSAGE_TEXT, slice_make(text, size)};
    return woken(p, handler_send(p->h, slice_of(name), &data));
}

int httpsocket_page_set_text(struct httpsocket_page *p, const char *selector, const char *text)
{
    struct text json = {0};
    json_text_begin(&json);
    json_text_string(&json, "select", slice_of(selector));
    json_text_string(&json, "text", slice_of(text));
    json_text_end(&json);
    struct handler_data data = handler_json(text_slice(&json));
    int sent = json.failed ? -ENOMEM : handler_say(p->h, SLICE_LITERAL(".dom"), &data);
    text_done(&json);
    return woken(p, sent);
}

int httpsocket_page_save_bytes(struct httpsocket_page *p, const void *data, size_t size)
{
    struct handler_data state = {MESSAGE_BYTES, slice_make(data, size)};
    return woken(p, handler_save(p->h, &state));
}

/* ---- byte streams ---- */

int httpsocket_page_stream_accept(struct httpsocket_page *p, uint32_t stream, const char *json)
{
    return woken(p, handler_accept_stream(p->h, stream, json ? slice_of(json) : SLICE_NONE));
}

int64_t httpsocket_page_stream_write(struct httpsocket_page *p, uint32_t stream, const void *data,
                                     size_t size)
{
    int64_t taken = handler_write_stream(p->h, stream, slice_make(data, size));
    library_wake(p->thread);
    return taken;
}

int httpsocket_page_stream_end(struct httpsocket_page *p, uint32_t stream)
{
    return woken(p, handler_end_stream(p->h, stream));
}

int httpsocket_page_stream_reset(struct httpsocket_page *p, uint32_t stream, const char *reason)
{
    struct slice token = reason ? slice_of(reason) : SLICE_NONE;
    return woken(p, handler_reset_stream(p->h, stream, token, SLICE_NONE));
}
