/* SPDX-License-Identifier: MIT */
/* request_json.c - a request as one JSON object: what the environment is to a program of its own
 * (environment.h), `.join` is to a shared one. */
#include "page/shared.h"

#include "page/environment.h"
#include "page/json_text.h"
#include "page/member.h"

static void put(struct text *out, const char *name, struct slice value)
{
    text_printf(out, ",\"%s\":", name);
    if (value.ptr)
        json_text_put(out, value);
    else
        text_put(out, SLICE_LITERAL("null"));
}

static void put_headers(struct text *out, const struct http_head *request)
{
    const char *separator = "";
    text_put(out, SLICE_LITERAL(",\"headers\":{"));
    for (size_t i = 0; i < request->header_count; i++) {
        struct text value = {0};
        if (!environment_header(request, i, &value))
            continue;
        char name[128];
        struct slice from = slice_first(request->headers[i].name, sizeof name);
        for (size_t k = 0; k < from.len; k++)
            name[k] = from.ptr[k] >= 'A' && from.ptr[k] <= 'Z' ? (char)(from.ptr[k] - 'A' + 'a')
                                                               : from.ptr[k];
        text_put(out, slice_of(separator));
        json_text_put(out, slice_make(name, from.len));
        text_put(out, SLICE_LITERAL(":"));
        json_text_put(out, text_slice(&value));
        separator = ",";
        out->failed |= value.failed;
        text_done(&value);
    }
    text_put(out, SLICE_LITERAL("}"));
}

static void put_body(struct text *out, const struct http_head *request)
{
    if (request->body == HTTP_BODY_NONE)
        text_put(out, SLICE_LITERAL(",\"body\":null"));
    else if (request->body == HTTP_BODY_CHUNKED)
        text_put(out, SLICE_LITERAL(",\"body\":true"));
    else
        text_printf(out, ",\"body\":%llu", (unsigned long long)request->content_length);
}

void page_member_describe(const struct page *p, struct text *out)
{
    struct exchange *x = p->x;
    bool connects = p->kind == PAGE_DIRECT || p->kind == PAGE_PLAIN;
    text_printf(out, "{\"page\":%s,\"session\":%s", connects ? "false" : "true",
                p->session ? "true" : "false");
    put(out, "method", x->request->method);
    put(out, "uri", x->request->target);
    put(out, "script", slice_first(x->path, p->script_len));
    put(out, "pathInfo", slice_skip(x->path, p->script_len));
    put(out, "query", x->query.ptr ? x->query : SLICE_LITERAL(""));
    put(out, "scheme", x->secure ? SLICE_LITERAL("https") : SLICE_LITERAL("http"));
    put(out, "host", x->request->host);
    put(out, "origin", p->origin);
    put(out, "address", slice_of(p->address));
    put(out, "type", http_head_find(x->request, SLICE_LITERAL("content-type")));
    put_body(out, x->request);
    put_headers(out, x->request);
    text_put(out, SLICE_LITERAL("}"));
}
