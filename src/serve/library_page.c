/* SPDX-License-Identifier: MIT */
/* library_page.c - a page whose program is a handler of the library's user (page/handler.h).
 *
 * The object is made when the page's request is told, and freed when on_over has returned, or when
 * nobody holds it any more. A page that ends before that is never told of. What the program does
 * with it is in library_page_calls.c.
 */
#include "serve/library.h"

#include "base/log.h"
#include "page/handler.h"
#include "page/host.h"
#include "proto/json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define NAME_SIZE (MESSAGE_NAME_MAX + 1)

static const struct httpsocket_page_handler *handler_of_page(const struct httpsocket_page *p)
{
    return p->route->page;
}

static struct httpsocket_page *page_of(struct handler *h)
{
    return handler_owner(h);
}

/* Calls back, if the program wants to hear it. */
#define TELL(p, callback, ...)                                                                     \
    do {                                                                                           \
        if (handler_of_page(p)->callback)                                                          \
            handler_of_page(p)->callback(p __VA_OPT__(, ) __VA_ARGS__);                            \
    } while (0)

/* ---- a copy of a slice, NUL-terminated, for the time of a callback ---- */

static const char *cut(struct slice s, char *out, size_t size)
{
    snprintf(out, size, "%.*s", (int)s.len, s.len ? s.ptr : "");
    return out;
}

static const char *not_null(struct slice s)
{
    return s.ptr ? s.ptr : "";
}

/* ---- its beginning ---- */

static struct httpsocket_page *make(struct handler *h, const struct program_request *request)
{
    struct worker *w = handler_host(h)->spec.owner;
    struct httpsocket_page *p = log_needed(calloc(1, sizeof(*p)));
    if (!p)
        return NULL;
    p->h = h;
    p->thread = library_thread_of(w);
    p->route = handler_owner(h);
    p->direct = request->connect;
    p->refs = 1;
    handler_hold(h);
    return p;
}

static void on_request(struct handler *h, const struct program_request *request)
{
    struct httpsocket_page *p = make(h, request);
    struct httpsocket_request *r = p ? library_request_to_read(p->thread, p->route, request) : NULL;
    if (!r) {
        if (p)
            httpsocket_page_release(p);
        handler_leave(h);
        return;
    }
    handler_own(h, p);
    TELL(p, on_request, r);
    library_request_drop(r);
}

static void on_over(struct handler *h)
{
    struct httpsocket_page *p = page_of(h);
    TELL(p, on_over);
    httpsocket_page_release(p);
}

/* ---- what comes ---- */

static void on_body(struct handler *h, struct slice data)
{
    struct httpsocket_page *p = page_of(h);
    TELL(p, on_body, not_null(data), data.len);
}

static void on_body_end(struct handler *h)
{
    struct httpsocket_page *p = page_of(h);
    TELL(p, on_body, "", 0);
}

static void on_answer_room(struct handler *h)
{
    struct httpsocket_page *p = page_of(h);
    TELL(p, on_answer_room);
}

static void on_attach(struct handler *h, bool resumed)
{
    struct httpsocket_page *p = page_of(h);
    TELL(p, on_attach, resumed);
}

static void on_detach(struct handler *h, struct slice reason)
{
    struct httpsocket_page *p = page_of(h);
    char text[128];
    TELL(p, on_detach, cut(reason, text, sizeof(text)));
}

static void tell_message(struct handler *h, enum httpsocket_kind kind, struct slice name,
                         uint64_t call, const struct handler_data *data)
{
    struct httpsocket_page *p = page_of(h);
    char text[NAME_SIZE];
    struct httpsocket_message m = {
        .kind = kind,
        .bytes = data->form == MESSAGE_BYTES,
        .name = name.ptr ? cut(name, text, sizeof(text)) : NULL,
        .call = call,
        .data = not_null(data->bytes),
        .size = data->bytes.len,
    };
    TELL(p, on_message, &m);
}

/* The text of a client without our subprotocol. */
static void tell_text(struct handler *h, struct slice name, struct slice text)
{
    char *json = log_needed(malloc(JSON_QUOTED_MAX(text.len)));
    if (!json) {
        handler_close(h, SLICE_LITERAL("overload"));
        return;
    }
    struct handler_data data = handler_json(slice_make(json, json_quote(text, json)));
    tell_message(h, HTTPSOCKET_EVENT, name, 0, &data);
    free(json);
}

static void on_event(struct handler *h, struct slice name, const struct handler_data *data)
{
    if (data->form == MESSAGE_TEXT)
        tell_text(h, name, data->bytes);
    else
        tell_message(h, HTTPSOCKET_EVENT, name, 0, data);
}

static void on_call(struct handler *h, struct slice name, uint64_t call,
                    const struct handler_data *data)
{
    if (page_of(h)->route->page->on_message)
        tell_message(h, HTTPSOCKET_CALL, name, call, data);
    else
        (void)handler_fail_call(h, call, SLICE_LITERAL("there are no calls here"));
}

static void on_answer(struct handler *h, uint64_t call, enum message_kind kind,
                      const struct handler_data *data)
{
    tell_message(h,
                 kind == MESSAGE_PART     ? HTTPSOCKET_PART
                 : kind == MESSAGE_ANSWER ? HTTPSOCKET_ANSWER
                                          : HTTPSOCKET_FAILURE,
                 SLICE_NONE, call, data);
}

static void on_room(struct handler *h)
{
    struct httpsocket_page *p = page_of(h);
    TELL(p, on_room);
}

static void on_restore(struct handler *h, struct slice why, uint64_t resent,
                       const struct handler_data *state)
{
    struct httpsocket_page *p = page_of(h);
    char text[32];
    TELL(p, on_restore, cut(why, text, sizeof(text)), resent, not_null(state->bytes),
         state->bytes.len, state->form == MESSAGE_BYTES);
}

static void on_topic(struct handler *h, const struct handler_topic_event *event)
{
    struct httpsocket_page *p = page_of(h);
    char topic[TOPIC_NAME_MAX + 1], name[NAME_SIZE];
    struct httpsocket_topic_event e = {
        .topic = cut(event->topic, topic, sizeof(topic)),
        .name = cut(event->event, name, sizeof(name)),
        .data = event->data.len ? event->data.ptr : "null",
        .size = event->data.len ? event->data.len : 4,
        .seq = event->seq,
        .lost = event->lost,
        .self = event->self,
        .past = event->past,
    };
    TELL(p, on_topic, &e);
}

static void on_command(struct handler *h, struct slice name, struct slice json)
{
    struct httpsocket_page *p = page_of(h);
    char text[NAME_SIZE];
    TELL(p, on_command, cut(name, text, sizeof(text)), not_null(json), json.len);
}

static void on_stream(struct handler *h, uint32_t number, struct slice name, struct slice json)
{
    struct httpsocket_page *p = page_of(h);
    char text[NAME_SIZE];
    if (handler_of_page(p)->on_stream)
        handler_of_page(p)->on_stream(p, number, cut(name, text, sizeof(text)), not_null(json),
                                      json.len);
    else
        handler_reset_stream(h, number, SLICE_LITERAL("stream-unsupported"), SLICE_NONE);
}

static void on_stream_data(struct handler *h, uint32_t number, struct slice data)
{
    struct httpsocket_page *p = page_of(h);
    if (data.len)
        TELL(p, on_stream_data, number, data.ptr, data.len);
}

static void on_stream_end(struct handler *h, uint32_t number)
{
    struct httpsocket_page *p = page_of(h);
    TELL(p, on_stream_data, number, "", 0);
}

static void on_stream_room(struct handler *h, uint32_t number)
{
    struct httpsocket_page *p = page_of(h);
    TELL(p, on_stream_room, number);
}

static void on_stream_reset(struct handler *h, uint32_t number, struct slice reason,
                            struct slice message)
{
    struct httpsocket_page *p = page_of(h);
    char text[128];
    (void)message;
    TELL(p, on_stream_reset, number, cut(reason, text, sizeof(text)));
}

static void on_close(struct handler *h, struct slice reason)
{
    struct httpsocket_page *p = page_of(h);
    char text[128];
    TELL(p, on_close, cut(reason, text, sizeof(text)));
}

static const struct handler_ops ops = {
    .on_request = on_request,
    .on_body = on_body,
    .on_body_end = on_body_end,
    .on_answer_room = on_answer_room,
    .on_attach = on_attach,
    .on_detach = on_detach,
    .on_event = on_event,
    .on_call = on_call,
    .on_answer = on_answer,
    .on_room = on_room,
    .on_restore = on_restore,
    .on_topic = on_topic,
    .on_stream = on_stream,
    .on_stream_data = on_stream_data,
    .on_stream_end = on_stream_end,
    .on_stream_room = on_stream_room,
    .on_stream_reset = on_stream_reset,
    .on_command = on_command,
    .on_close = on_close,
    .on_over = on_over,
};

/* ---- a seat for it ---- */

/* What stands at a path, as rooms below know it. */
struct library_found {
    struct site_found found;
    const struct library_route *route;
};

static void describe(struct library_found *f, const struct library_route *route, size_t path_len)
{
    f->found.kind = SITE_PROGRAM;
    f->found.fd = -1;
    f->found.script_len = path_len;
    snprintf(f->found.file, sizeof(f->found.file), "%s", route->route.pattern);
    f->route = route;
}

static struct seat *find_seat(struct seat_source *source, struct page_host *host,
                              const struct seat_wish *wish, enum seat_refusal *ret_refusal,
                              uint32_t *ret_wait_s)
{
    (void)source, (void)ret_refusal, (void)ret_wait_s;
    const struct library_found *f = container_of(wish->found, const struct library_found, found);
    return seat_handler_new(host, wish, &ops, (void *)f->route);
}

struct seat_source library_seats = {find_seat};

void library_page_open(struct library_thread *t, const struct library_route *route,
                       struct exchange *x)
{
    struct library_found f;
    struct origin here;
    char text[ORIGIN_TEXT_SIZE];
    if (!worker_is_ours(t->worker, x, &here)) {
        exchange_answer(x, 421, SLICE_LITERAL("host-foreign"), NULL, 0);
        return;
    }
    describe(&f, route, x->path.len);
    page_open(t->worker->pages, x, &f.found, origin_write(&here, text));
}

void library_page_connect(struct library_thread *t, const struct library_route *route,
                          struct exchange *x, const struct page_visitor *visitor)
{
    struct library_found f;
    describe(&f, route, x->path.len);
    page_connect(t->worker->pages, x, &f.found, visitor);
}
