/* SPDX-License-Identifier: MIT */
/* request_json.c - a request as one JSON object: what the environment is to a program of its own
 * (environment.h), `.join` is to a shared one. */
#include "program/request.h"

#include "program/environment.h"
#include "proto/json_text.h"

static void put(struct text *out, const char *name, struct slice value)
{
    text_printf(out, ",\"%s\":", name);
    if (value.ptr)
        json_text_put(out, value);
    else
        text_put(out, SLICE_LITERAL("null"));
}

static void put_joined(struct text *out, const char *name, const struct slice *parts, int count)
{
    struct text whole = {0};
    for (int i = 0; i < count; i++)
        text_put(&whole, parts[i]);
    put(out, name, text_slice(&whole));
    out->failed |= whole.failed;
    text_done(&whole);
}

static void put_headers(struct text *out, const struct program_request *r)
{
    const struct http_head *request = r->head;
    const char *separator = "";
    text_put(out, SLICE_LITERAL(",\"headers\":{"));
    for (size_t i = 0; i < request->header_count; i++) {
        struct text value = {0};
        if (!environment_header(r, i, &value))
            continue;
        char name[128];
        struct slice from = slice_first(request->headers[i].name, sizeof(name));
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

void program_request_json(const struct program_request *r, struct text *out)
{
    struct slice uri[ENVIRONMENT_URI_PARTS];
    struct slice script[] = {r->base, slice_first(r->path, r->script_len)};
    environment_uri(r, uri);
    text_printf(out, "{\"page\":%s,\"session\":%s", r->connect ? "false" : "true",
                r->session.ptr ? "true" : "false");
    if (r->restore)
        text_put(out, SLICE_LITERAL(",\"restore\":true"));
    put(out, "method", r->head->method);
    put_joined(out, "uri", uri, ENVIRONMENT_URI_PARTS);
    put_joined(out, "script", script, 2);
    put(out, "pathInfo", slice_skip(r->path, r->script_len));
    put(out, "query", r->query.ptr ? r->query : SLICE_LITERAL(""));
    put(out, "scheme", r->secure ? SLICE_LITERAL("https") : SLICE_LITERAL("http"));
    put(out, "host", environment_host(r));
    put(out, "origin", r->origin);
    put(out, "address", r->address);
    put(out, "type", http_head_find(r->head, SLICE_LITERAL("content-type")));
    put_body(out, r->head);
    put_headers(out, r);
    text_put(out, SLICE_LITERAL("}"));
}
