/* SPDX-License-Identifier: MIT */
/* seat_handler.c - a handler in this process as the program of a page (handler.h).
 *
 * Events, calls and answers of the client, bytes of streams and of the request are told at once,
 * from inside of send() and body(): those who call them look at nothing afterwards that a handler
 * may end. The handler gets all other words of the page when its turn comes (handler_desk.h), since
 * who writes them may be in the midst of something; and so does everything that comes while a
 * handler runs.
 *
 * What is not told yet counts as not taken: the client waits, as for a program that does not read.
 */
#include "page/handler_parts.h"

#include "base/log.h"
#include "page/hear.h"
#include "page/host.h"
#include "proto/close_code.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- to the handler ---- */

static bool is_open(const struct seat *s)
{
    const struct handler *h = handler_of(s);
    return h->begun && !h->let_go && !h->shut;
}

static void later(struct handler *h, const struct message *m)
{
    if (message_queue_put(&h->in, m))
        handler_touch(h);
    else
        page_fault(h->seat.page);
}

static bool may_tell(const struct handler *h)
{
    return h->known && !h->over && !h->paused && message_queue_empty(&h->in) &&
           h->seat.page->host->handlers.inside == 0;
}

static void tell(struct handler *h, const struct message *m)
{
    handler_enter(h);
    handler_hear(h, m);
    handler_exit(h);
}

/* Bytes of a stream come in such; all other words of the page wait. */
static bool is_told_at_once(const struct message *m)
{
    return m->kind < MESSAGE_COMMAND || (m->kind == MESSAGE_CONTROL && m->binary);
}

static void send_message(struct seat *s, const struct message *m)
{
    struct handler *h = handler_of(s);
    struct message named = *m;
    if (!is_open(s))
        return;
    if (m->kind >= MESSAGE_COMMAND)
        named.name = slice_skip(m->head, 1);
    if (is_told_at_once(m) && may_tell(h))
        tell(h, &named);
    else
        later(h, &named);
}

/* `line` has come from one who writes lines: HEAD JSON LF, or HEAD @LEN LF bytes LF. */
static void take_line(struct handler *h, struct slice line, struct shared_bytes *whole)
{
    size_t space = slice_find(line, ' '), lf = slice_find(line, '\n');
    size_t end = space < lf ? space : lf;
    struct message m = {.kind = MESSAGE_CONTROL, .head = slice_first(line, end), .whole = whole};
    m.binary = end < lf && line.ptr[end + 1] == '@';
    m.body = slice_skip(line, (m.binary ? lf : end) + 1);
    if (m.body.len)
        m.body.len--;
    later(h, &m);
}

static void write_line(struct seat *s, const struct slice *pieces, int count)
{
    struct text line = {0};
    if (!is_open(s))
        return;
    if (count == 1) {
        take_line(handler_of(s), pieces[0], NULL);
        return;
    }
    for (int i = 0; i < count; i++)
        text_put(&line, pieces[i]);
    if (line.failed)
        page_fault(s->page);
    else
        take_line(handler_of(s), text_slice(&line), NULL);
    text_done(&line);
}

static void write_shared(struct seat *s, struct shared_bytes *line)
{
    if (is_open(s))
        take_line(handler_of(s), slice_make(line->bytes, line->len), line);
}

/* ---- the request's body: also after let_go, since it belongs to the answer ---- */

static void tell_body(struct handler *h, struct slice data, bool last)
{
    struct message m = {.kind = MESSAGE_CONTROL,
                        .binary = !last,
                        .head = SLICE_LITERAL(".body"),
                        .name = SLICE_LITERAL("body"),
                        .body = data};
    if (may_tell(h))
        tell(h, &m);
    else
        later(h, &m);
}

/* The exchange may be over by what the handler does: then it is not to be paused. */
static bool body(struct seat *s, struct slice data)
{
    struct handler *h = handler_of(s);
    tell_body(h, data, false);
    return !s->page->x || (message_queue_empty(&h->in) && !h->body_paused);
}

static void body_end(struct seat *s)
{
    const struct exchange *x = s->page->x;
    if (x && x->request->body != HTTP_BODY_NONE)
        tell_body(handler_of(s), SLICE_LITERAL(""), true);
}

static void body_stop(struct seat *s)
{
    (void)s; /* the handler sees that by on_close, or by its own answer */
}

/* ---- what waits ---- */

static size_t queued(const struct seat *s)
{
    return handler_of(s)->in.bytes;
}

static size_t held(const struct seat *s)
{
    const struct handler *h = handler_of(s);
    return h->in.bytes + h->out.bytes + (h->request ? sizeof(*h->request) : 0);
}

static bool has_taken(const struct seat *s)
{
    return message_queue_empty(&handler_of(s)->in);
}

static void flush(struct seat *s)
{
    (void)s;
}

static void resume(struct seat *s)
{
    handler_touch(handler_of(s));
}

static void stream_room(struct seat *s, uint32_t number)
{
    char head[sizeof(".room/4294967295")];
    int len = snprintf(head, sizeof(head), ".room/%u", number);
    struct message m = {.kind = MESSAGE_CONTROL, .head = slice_make(head, (size_t)len)};
    if (is_open(s))
        later(handler_of(s), &m);
}

static void pause_answer(struct seat *s, bool paused)
{
    struct handler *h = handler_of(s);
    h->answer_behind = paused;
    if (!paused && h->wants_answer_room)
        handler_touch(h);
}

/* ---- its life ---- */

static int begin(struct seat *s, const struct program_request *request, int spooled)
{
    struct handler *h = handler_of(s);
    (void)spooled; /* never: the body comes as it comes */
    h->request = log_needed(malloc(sizeof(*request)));
    if (!h->request) {
        h->let_go = h->over = true;
        return -ENOMEM;
    }
    *h->request = *request;
    h->begun = true;
    h->swallows = request->connect || s->page->kind == PAGE_HEAD;
    handler_touch(h);
    return 0;
}

static void shut(struct seat *s)
{
    handler_of(s)->shut = true;
}

/* The first one counts. */
static void note_reason(struct seat *s, struct slice reason)
{
    struct handler *h = handler_of(s);
    if (!h->reason)
        h->reason = slice_to_string(reason);
}

static void let_go(struct seat *s)
{
    struct handler *h = handler_of(s);
    if (h->let_go)
        return;
    h->let_go = true;
    if (h->begun)
        handler_touch(h);
    else
        h->over = true;
}

static void drop_request(struct handler *h)
{
    free(h->request);
    h->request = NULL;
}

static void kill_seat(struct seat *s)
{
    struct handler *h = handler_of(s);
    message_queue_clear(&h->in);
    message_queue_clear(&h->out);
    let_go(s);
}

static void settle(struct seat *s, bool answered)
{
    struct handler *h = handler_of(s);
    h->answered = answered;
    if (h->let_go && answered && !h->over)
        handler_touch(h);
}

static bool alive(const struct seat *s)
{
    return !handler_of(s)->over;
}

static bool silent(const struct seat *s)
{
    (void)s;
    return true;
}

/* A handler that has been let go needs no time to end. */
static bool ended(const struct seat *s, unsigned *ret_code, char text[64], struct slice *ret_reason)
{
    (void)text;
    if (!handler_of(s)->let_go)
        return false;
    *ret_code = CLOSE_NORMAL;
    *ret_reason = SLICE_LITERAL("program-exit");
    return true;
}

static bool gone(const struct seat *s)
{
    return handler_of(s)->over;
}

static int pid(const struct seat *s)
{
    (void)s;
    return 0;
}

static struct room_place *place(struct seat *s)
{
    return &handler_of(s)->place;
}

static void free_seat(struct seat *s)
{
    struct handler *h = handler_of(s);
    list_remove(&h->due);
    room_release(&h->place);
    message_queue_clear(&h->in);
    message_queue_clear(&h->out);
    drop_request(h);
    s->page = NULL;
    handler_unref(h);
}

/* ---- its turn ---- */

/* Whoever asked has gone already: then it is told nothing of the page. */
static void tell_request(struct handler *h)
{
    struct page *p = h->seat.page;
    if (!p->x && !h->let_go)
        page_stop(p, CLOSE_NORMAL, SLICE_LITERAL("page-left"));
    if (!h->let_go) {
        h->known = true;
        if (h->ops->on_request)
            h->ops->on_request(h, h->request);
        else
            handler_answer(h, 501, NULL, 0, SLICE_NONE);
    }
    drop_request(h);
}

/* What is there now: what comes by this waits for the next turn. */
static void tell_queued(struct handler *h)
{
    struct page *p = h->seat.page;
    size_t count = h->known ? h->in.count : 0;
    bool any = count > 0;
    for (; count > 0 && (!h->paused || h->let_go); count--) {
        struct queued_message *q = message_queue_take(&h->in);
        if (!q)
            break; /* the page was killed meanwhile */
        handler_hear(h, &q->message);
        queued_message_free(q);
    }
    if (any && message_queue_empty(&h->in))
        page_seat_drained(p);
    if (!h->body_paused && message_queue_empty(&h->in))
        page_body_drained(p);
}

static void tell_room(struct handler *h)
{
    bool open = message_queue_empty(&h->out) && handler_reading(h) == PROGRAM_READ;
    if (h->wants_room && open && !h->closed) {
        h->wants_room = false;
        if (h->ops->on_room)
            h->ops->on_room(h);
    }
    if (h->wants_answer_room && !h->answer_behind) {
        h->wants_answer_room = false;
        if (h->ops->on_answer_room)
            h->ops->on_answer_room(h);
    }
}

static void tell_end(struct handler *h)
{
    if (!h->let_go || (h->known && !message_queue_empty(&h->in)))
        return;
    if (h->known && !h->closed && h->ops->on_close)
        h->ops->on_close(h, h->reason ? slice_of(h->reason) : SLICE_LITERAL("left"));
    h->closed = true;
    if (!h->answered || !message_queue_empty(&h->in))
        return;
    h->over = true; /* before: in the last callback the page is over already */
    if (h->known && h->ops->on_over)
        h->ops->on_over(h);
    room_release(&h->place);
}

static void tend(struct list *node)
{
    struct handler *h = container_of(node, struct handler, due);
    struct page *p = h->seat.page;
    struct handler_desk *desk = &p->host->handlers;
    if (h->over)
        return;
    desk->inside++;
    if (h->request)
        tell_request(h);
    tell_queued(h);
    handler_go_on(h);
    tell_room(h);
    tell_end(h);
    desk->inside--;
    if (!message_queue_empty(&h->in) && (!h->paused || h->let_go))
        handler_touch(h);
    page_count(p);
    page_settle(p);
}

static const struct seat_ops seat_ops = {
    .knows_no_drain = true,
    .begin = begin,
    .send = send_message,
    .write = write_line,
    .write_shared = write_shared,
    .open = is_open,
    .queued = queued,
    .held = held,
    .has_taken = has_taken,
    .has_read = has_taken,
    .is_waiting = has_taken,
    .stream_room = stream_room,
    .flush = flush,
    .body = body,
    .body_end = body_end,
    .body_stop = body_stop,
    .resume = resume,
    .pause_answer = pause_answer,
    .shut = shut,
    .note_reason = note_reason,
    .let_go = let_go,
    .kill = kill_seat,
    .settle = settle,
    .alive = alive,
    .silent = silent,
    .ended = ended,
    .gone = gone,
    .pid = pid,
    .place = place,
    .free = free_seat,
};

struct seat *seat_handler_new(struct page_host *host, const struct seat_wish *wish,
                              const struct handler_ops *ops, void *owner)
{
    struct handler *h = log_needed(calloc(1, sizeof(*h)));
    if (!h)
        return NULL;
    h->seat.ops = &seat_ops;
    h->ops = ops;
    h->owner = owner;
    h->refs = 1;
    list_init(&h->due);
    host->handlers.tend = tend;
    if (seat_take_place(host, wish, &h->place))
        return &h->seat;
    free(h);
    return NULL;
}
