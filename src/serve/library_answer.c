/* SPDX-License-Identifier: MIT */
/* library_answer.c - what a program of the library answers to a request. */
#include "serve/library.h"

#include "base/log.h"
#include "proto/http_chars.h"

#include <errno.h>
#include <stdlib.h>

/* What is the connection's own to say. */
static bool is_framing(struct slice name)
{
    static const char *const own[] = {"connection",        "content-length", "date",
                                      "keep-alive",        "server",         "trailer",
                                      "transfer-encoding", "upgrade"};
    for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++)
        if (slice_equal_nocase(name, slice_of(own[i])))
            return true;
    return false;
}

static bool is_field(struct slice name, struct slice value)
{
    const char *end = value.ptr + value.len;
    return name.len && http_skip_token(name.ptr, name.ptr + name.len) == name.ptr + name.len &&
           http_skip_field(value.ptr, end) == end && !is_framing(name);
}

int library_headers_add(struct library_headers *h, const char *name, const char *value)
{
    if (!name || !value)
        return -EINVAL;
    struct slice n = slice_of(name), v = slice_trim(slice_of(value));
    if (!is_field(n, v))
        return -EINVAL;
    if (!h->list)
        h->list = log_needed(calloc(LIBRARY_HEADERS_MAX, sizeof(*h->list)));
    char *text = h->list && h->count < LIBRARY_HEADERS_MAX ? malloc(n.len + v.len) : NULL;
    if (!text)
        return -ENOMEM;
    struct http_header *header = &h->list[h->count++];
    header->name = slice_copy(&text, n);
    header->value = slice_copy(&text, v);
    return 0;
}

size_t library_headers_list(const struct library_headers *h, const char *type,
                            struct http_header *ret)
{
    size_t count = 0;
    if (type && http_skip_field(type, type + strlen(type)) == type + strlen(type))
        ret[count++] = (struct http_header){SLICE_LITERAL("Content-Type"), slice_of(type)};
    for (size_t i = 0; i < h->count; i++)
        ret[count++] = h->list[i];
    return count;
}

void library_headers_done(struct library_headers *h)
{
    for (size_t i = 0; i < h->count; i++)
        free((char *)h->list[i].name.ptr);
    free(h->list);
    *h = (struct library_headers){0};
}

int httpsocket_request_add(struct httpsocket_request *r, const char *name, const char *value)
{
    return r->begun ? -EALREADY : library_headers_add(&r->headers, name, value);
}

static void respond(struct httpsocket_request *r, int status, const char *type, uint64_t length)
{
    struct http_header headers[LIBRARY_HEADERS_MAX + 1];
    size_t count = library_headers_list(&r->headers, type, headers);
    exchange_respond(r->x, status >= 200 && status <= 599 ? status : 500, SLICE_NONE, headers,
                     count, length);
    r->begun = true;
}

void httpsocket_request_answer(struct httpsocket_request *r, int status, const char *type,
                               const void *data, size_t size)
{
    struct library_thread *t = r->thread;
    library_request_owned(r);
    if (r->begun) {
        httpsocket_request_fail(r);
        return;
    }
    if (r->x) {
        respond(r, status, type, size);
        exchange_write(r->x, slice_make(data, size));
    }
    struct exchange *x = library_request_release(r);
    if (x)
        exchange_end(x);
    library_wake(t);
}

int httpsocket_request_begin(struct httpsocket_request *r, int status, const char *type,
                             uint64_t length)
{
    library_request_owned(r);
    if (r->begun)
        return -EALREADY;
    if (r->x)
        respond(r, status, type, length);
    r->begun = true;
    library_wake(r->thread);
    return 0;
}

enum httpsocket_sent httpsocket_request_write(struct httpsocket_request *r, const void *data,
                                              size_t size)
{
    if (!r->x || !r->begun)
        return HTTPSOCKET_REFUSED;
    size_t most = (size_t)r->thread->server->server.config->buffer_max;
    if (r->wants_room && exchange_queued(r->x) + size > most)
        return HTTPSOCKET_REFUSED;
    r->wants_room = !exchange_write(r->x, slice_make(data, size));
    library_wake(r->thread);
    return r->wants_room ? HTTPSOCKET_QUEUED : HTTPSOCKET_SENT;
}

void httpsocket_request_end(struct httpsocket_request *r)
{
    struct library_thread *t = r->thread;
    library_request_owned(r);
    if (r->x && !r->begun)
        respond(r, 204, NULL, 0);
    struct exchange *x = library_request_release(r);
    if (x)
        exchange_end(x);
    library_wake(t);
}

void httpsocket_request_fail(struct httpsocket_request *r)
{
    struct library_thread *t = r->thread;
    library_request_owned(r);
    bool begun = r->begun;
    struct exchange *x = library_request_release(r);
    if (x && begun)
        exchange_fail(x);
    else if (x)
        exchange_answer(x, 500, SLICE_LITERAL("the server has failed"), NULL, 0);
    library_wake(t);
}
