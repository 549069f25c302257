/* SPDX-License-Identifier: MIT */
/* handler.c - what handlers say to their pages. */
#include "page/handler.h"

#include "base/log.h"
#include "page/answer.h"
#include "page/handler_parts.h"
#include "page/hear.h"
#include "page/host.h"
#include "proto/close_code.h"
#include "proto/json_text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- its place in the loop ---- */

void handler_touch(struct handler *h)
{
    handler_desk_add(&h->seat.page->host->handlers, &h->due);
}

struct page *handler_enter(struct handler *h)
{
    struct page *p = h->over ? NULL : h->seat.page;
    if (p)
        p->host->handlers.inside++;
    return p;
}

/* What has changed of the page beside its messages is settled from the loop. */
void handler_exit(struct handler *h)
{
    struct page *p = h->seat.page;
    p->host->handlers.inside--;
    if (p->state != PAGE_OPEN)
        handler_touch(h);
}

/* ---- messages ---- */

enum program_reading handler_reading(const struct handler *h)
{
    const struct page *p = h->seat.page;
    enum program_reading reading = page_reading(p);
    return reading == PROGRAM_READ && page_waits(p) ? PROGRAM_WAIT : reading;
}

static int sent(struct handler *h)
{
    if (handler_reading(h) == PROGRAM_READ && message_queue_empty(&h->out))
        return HANDLER_SENT;
    h->wants_room = true;
    return HANDLER_QUEUED;
}

static int wait_turn(struct handler *h, const struct message *m, bool bounded)
{
    struct page *p = h->seat.page;
    h->wants_room = true;
    if (bounded && h->out.bytes >= p->host->spec.session_config->buffer_max)
        return -EAGAIN;
    if (!message_queue_put(&h->out, m))
        return -ENOMEM;
    page_count(p);
    return HANDLER_QUEUED;
}

static bool is_too_long(const struct page *p, const struct message *m)
{
    return m->head.len + 1 + m->body.len > p->host->spec.session_config->message_max;
}

int handler_say_message(struct handler *h, const struct message *m, bool bounded)
{
    struct page *p = h->over ? NULL : h->seat.page;
    enum program_reading reading = p ? handler_reading(h) : PROGRAM_DROP;
    if (reading == PROGRAM_DROP)
        return -ENOTCONN;
    if (is_too_long(p, m))
        return -EMSGSIZE;
    if (reading == PROGRAM_WAIT || !message_queue_empty(&h->out))
        return wait_turn(h, m, bounded);
    handler_enter(h);
    page_hear(p, m);
    handler_exit(h);
    return page_unheard(p) ? -ENOTCONN : sent(h);
}

void handler_go_on(struct handler *h)
{
    struct page *p = h->seat.page;
    struct queued_message *q;
    while (!message_queue_empty(&h->out) && handler_reading(h) == PROGRAM_READ) {
        q = message_queue_take(&h->out);
        page_hear(p, &q->message);
        queued_message_free(q);
    }
    if (handler_reading(h) == PROGRAM_DROP)
        message_queue_clear(&h->out);
    page_count(p);
}

static bool make(struct slice head, const struct handler_data *data, struct message *ret)
{
    static const struct handler_data none;
    data = data ? data : &none;
    return message_make(head, data->form, data->bytes, ret) == PARSE_OK;
}

int handler_say(struct handler *h, struct slice head, const struct handler_data *data)
{
    struct message m;
    return make(head, data, &m) ? handler_say_message(h, &m, true) : -EINVAL;
}

int handler_send(struct handler *h, struct slice name, const struct handler_data *data)
{
    struct message m;
    if (!make(name, data, &m) || m.kind != MESSAGE_EVENT)
        return -EINVAL;
    return handler_say_message(h, &m, true);
}

int handler_call(struct handler *h, struct slice name, const struct handler_data *data,
                 uint64_t *ret_call)
{
    char head[MESSAGE_HEAD_MAX + 1];
    if (!message_is_name(name))
        return -EINVAL;
    int len = snprintf(head, sizeof(head), "%.*s?%llu", SLICE_ARG(name),
                       (unsigned long long)h->last_call + 1);
    int sent = handler_say(h, slice_make(head, (size_t)len), data);
    if (sent >= 0)
        *ret_call = ++h->last_call;
    return sent;
}

static int say_of_call(struct handler *h, char mark, uint64_t call, const struct handler_data *data)
{
    char head[32];
    int len = snprintf(head, sizeof(head), "%c%llu", mark, (unsigned long long)call);
    return handler_say(h, slice_make(head, (size_t)len), data);
}

int handler_answer_call(struct handler *h, uint64_t call, bool more_follow,
                        const struct handler_data *data)
{
    struct handler_data null = handler_json(SLICE_LITERAL("null"));
    if (more_follow && (!data || (data->form == MESSAGE_JSON && !data->bytes.len)))
        data = &null; /* a part has to have some */
    return say_of_call(h, more_follow ? '+' : '=', call, data);
}

int handler_fail_call(struct handler *h, uint64_t call, struct slice message)
{
    struct text json = {0};
    json_text_begin(&json);
    json_text_string(&json, "message", message);
    json_text_end(&json);
    struct handler_data data = handler_json(text_slice(&json));
    int sent = json.failed ? -ENOMEM : say_of_call(h, '!', call, &data);
    text_done(&json);
    return sent;
}

/* ---- its end ---- */

int handler_close(struct handler *h, struct slice reason)
{
    struct text json = {0};
    struct message m;
    json_text_begin(&json);
    if (reason.len)
        json_text_string(&json, "reason", reason);
    json_text_end(&json);
    bool good = !json.failed && message_make(SLICE_LITERAL(".close"), MESSAGE_JSON,
                                             text_slice(&json), &m) == PARSE_OK;
    int sent = good ? handler_say_message(h, &m, false) : -ENOMEM;
    text_done(&json);
    return sent == -ENOTCONN && !h->over && h->seat.page ? 0 : sent;
}

bool handler_leave(struct handler *h)
{
    static const struct handler_ops nothing = {0};
    struct page *p = h->ops == &nothing ? NULL : handler_enter(h);
    if (!p)
        return false;
    h->ops = &nothing;
    message_queue_clear(&h->in);
    message_queue_clear(&h->out);
    page_end(p, CLOSE_NORMAL, SLICE_LITERAL("program-exit"));
    if (p->x && p->answer)
        page_answer_fail(p, 502, "the handler left before its answer was whole");
    page_let_go(p);
    handler_exit(h);
    return true;
}

void handler_hold(struct handler *h)
{
    h->refs++;
}

void handler_unref(struct handler *h)
{
    if (--h->refs > 0)
        return;
    free(h->reason);
    free(h);
}

void handler_release(struct handler *h)
{
    handler_unref(h);
}

/* ---- the page ---- */

void *handler_owner(const struct handler *h)
{
    return h->owner;
}

void handler_own(struct handler *h, void *owner)
{
    h->owner = owner;
}

struct page_host *handler_host(const struct handler *h)
{
    return h->seat.page ? h->seat.page->host : NULL;
}

bool handler_present(const struct handler *h)
{
    return h->seat.page && page_present(h->seat.page);
}

struct slice handler_session(const struct handler *h)
{
    const struct page *p = h->seat.page;
    return p && p->session ? session_id(p->session) : SLICE_NONE;
}

struct slice handler_mark(const struct handler *h)
{
    return h->seat.page ? slice_of(h->seat.page->mark) : SLICE_NONE;
}

struct slice handler_address(const struct handler *h)
{
    return h->seat.page ? slice_of(page_address(h->seat.page)) : SLICE_NONE;
}

size_t handler_backlog(const struct handler *h)
{
    const struct page *p = h->seat.page;
    return h->out.bytes + (p && p->client ? p->client->backlog(p) : 0);
}

void handler_pause(struct handler *h, bool paused)
{
    h->paused = paused;
    if (!paused && h->seat.page)
        handler_touch(h);
}

void handler_pause_body(struct handler *h, bool paused)
{
    h->body_paused = paused;
    if (!paused && h->seat.page)
        handler_touch(h);
}
