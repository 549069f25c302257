/* SPDX-License-Identifier: MIT */
/* library_page_calls.c - what a program does with a page of its own: the functions of
 * <httpsocket/server.h>. What a page tells its program is in library_page.c. */
#include "serve/library.h"

#include "proto/json_text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define NAME_SIZE (MESSAGE_NAME_MAX + 1)

static int woken(struct httpsocket_page *p, int result)
{
    library_wake(p->thread);
    return result;
}

/* NULL is empty, which is no name. */
static struct slice text_of(const char *text)
{
    return text ? slice_of(text) : SLICE_NONE;
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

/* ---- what it is ---- */

void *httpsocket_page_user(const struct httpsocket_page *p)
{
    return p->user;
}

void httpsocket_page_set_user(struct httpsocket_page *p, void *user)
{
    p->user = user;
}

void *httpsocket_page_handler_user(const struct httpsocket_page *p)
{
    return p->route->page->user;
}

struct httpsocket_server *httpsocket_page_server(const struct httpsocket_page *p)
{
    return p->thread->server;
}

unsigned httpsocket_page_thread(const struct httpsocket_page *p)
{
    return p->thread->worker->index;
}

bool httpsocket_page_is_direct(const struct httpsocket_page *p)
{
    return p->direct;
}

bool httpsocket_page_is_connected(const struct httpsocket_page *p)
{
    return handler_present(p->h);
}

size_t httpsocket_page_queued(const struct httpsocket_page *p)
{
    return handler_backlog(p->h);
}

size_t httpsocket_page_address(const struct httpsocket_page *p, char *out, size_t size)
{
    struct slice address = handler_address(p->h);
    return (size_t)snprintf(out, size, "%.*s", SLICE_ARG(address));
}

/* ---- its answer ---- */

int httpsocket_page_add(struct httpsocket_page *p, const char *name, const char *value)
{
    int error = handler_unanswered(p->h);
    return error ? error : library_headers_add(&p->headers, name, value);
}

int httpsocket_page_begin(struct httpsocket_page *p, int status, const char *type, uint64_t length)
{
    struct http_header list[LIBRARY_HEADERS_MAX + 1];
    size_t count = library_headers_list(&p->headers, type, list);
    return woken(p, handler_respond(p->h, status, list, count, length));
}

int httpsocket_page_write(struct httpsocket_page *p, const void *data, size_t size)
{
    return woken(p, handler_write(p->h, slice_make(data, size)));
}

int httpsocket_page_end(struct httpsocket_page *p)
{
    return woken(p, handler_end(p->h));
}

int httpsocket_page_answer(struct httpsocket_page *p, int status, const char *type,
                           const void *data, size_t size)
{
    struct http_header list[LIBRARY_HEADERS_MAX + 1];
    size_t count = library_headers_list(&p->headers, type, list);
    return woken(p, handler_answer(p->h, status, list, count, slice_make(data, size)));
}

/* ---- messages ---- */

static struct handler_data json_of(const char *json)
{
    return handler_json(text_of(json));
}

int httpsocket_page_send(struct httpsocket_page *p, const struct httpsocket_message *m)
{
    char head[NAME_SIZE + 24];
    const char *name = m && m->name ? m->name : "";
    if (!m || *name == '.' || strlen(name) > MESSAGE_NAME_MAX)
        return -EINVAL;
    struct handler_data data = {m->bytes ? MESSAGE_BYTES : MESSAGE_JSON,
                                slice_make(m->data, m->size)};
    unsigned long long call = m->call;
    switch (m->kind) {
    case HTTPSOCKET_EVENT:
        return woken(p, handler_send(p->h, slice_of(name), &data));
    case HTTPSOCKET_CALL:
        snprintf(head, sizeof(head), "%s?%llu", name, call);
        break;
    case HTTPSOCKET_ANSWER:
        snprintf(head, sizeof(head), "=%llu", call);
        break;
    case HTTPSOCKET_PART:
        snprintf(head, sizeof(head), "+%llu", call);
        break;
    case HTTPSOCKET_FAILURE:
        snprintf(head, sizeof(head), "!%llu", call);
        break;
    }
    return woken(p, handler_say(p->h, slice_of(head), &data));
}

int httpsocket_page_emit(struct httpsocket_page *p, const char *name, const char *json)
{
    struct handler_data data = json_of(json);
    return woken(p, handler_send(p->h, text_of(name), &data));
}

int httpsocket_page_call(struct httpsocket_page *p, const char *name, const char *json,
                         uint64_t *ret_call)
{
    uint64_t unwanted;
    struct handler_data data = json_of(json);
    return woken(p, handler_call(p->h, text_of(name), &data, ret_call ? ret_call : &unwanted));
}

int httpsocket_page_reply(struct httpsocket_page *p, uint64_t call, const char *json)
{
    struct handler_data data = json_of(json);
    return woken(p, handler_answer_call(p->h, call, false, &data));
}

int httpsocket_page_refuse(struct httpsocket_page *p, uint64_t call, const char *message)
{
    return woken(p, handler_fail_call(p->h, call, text_of(message)));
}

int httpsocket_page_command(struct httpsocket_page *p, const char *name, const char *json)
{
    struct handler_data data = json_of(json);
    char head[NAME_SIZE + 1];
    if (!name || strlen(name) >= NAME_SIZE)
        return -EINVAL;
    snprintf(head, sizeof(head), ".%s", name);
    return woken(p, handler_say(p->h, slice_of(head), &data));
}

int httpsocket_page_subscribe(struct httpsocket_page *p, const char *topic)
{
    return woken(p, handler_subscribe(p->h, text_of(topic), NULL));
}

int httpsocket_page_unsubscribe(struct httpsocket_page *p, const char *topic)
{
    return woken(p, handler_unsubscribe(p->h, text_of(topic)));
}

int httpsocket_page_publish(struct httpsocket_page *p, const char *topic, const char *name,
                            const char *json)
{
    struct slice data = text_of(json);
    return woken(p,
                 handler_publish(p->h, text_of(topic), text_of(name), data, TOPIC_KEEP_AS_IT_IS));
}

void httpsocket_page_pause(struct httpsocket_page *p)
{
    handler_pause(p->h, true);
}

void httpsocket_page_resume(struct httpsocket_page *p)
{
    handler_pause(p->h, false);
    library_wake(p->thread);
}

int httpsocket_page_close(struct httpsocket_page *p, const char *reason)
{
    return woken(p, handler_close(p->h, slice_of(reason ? reason : "closed")));
}

/* ---- messages of another form ---- */

int httpsocket_page_emit_text(struct httpsocket_page *p, const char *name, const char *text,
                              size_t size)
{
    struct handler_data data = {MESSAGE_TEXT, slice_make(text, size)};
    return woken(p, handler_send(p->h, text_of(name), &data));
}

int httpsocket_page_set_text(struct httpsocket_page *p, const char *selector, const char *text)
{
    struct text json = {0};
    json_text_begin(&json);
    json_text_string(&json, "select", text_of(selector));
    json_text_string(&json, "text", text_of(text));
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
    return woken(p, handler_accept_stream(p->h, stream, text_of(json)));
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
    struct slice token = text_of(reason);
    return woken(p, handler_reset_stream(p->h, stream, token, SLICE_NONE));
}
