/* SPDX-License-Identifier: MIT */
#include "serve/cors.h"

#define PREFLIGHT_SECONDS "60"

bool cors_is_preflight(const struct http_head *request, struct slice method)
{
    return slice_equal(method, SLICE_LITERAL("OPTIONS")) &&
           http_head_find(request, SLICE_LITERAL("origin")).ptr &&
           http_head_find(request, SLICE_LITERAL("access-control-request-method")).ptr;
}

size_t cors_allow(struct slice origin, struct http_header headers[CORS_HEADERS_MAX])
{
    headers[0] = (struct http_header){SLICE_LITERAL("Access-Control-Allow-Origin"), origin};
    headers[1] = (struct http_header){SLICE_LITERAL("Vary"), SLICE_LITERAL("Origin")};
    return 2;
}

size_t cors_allow_preflight(const struct http_head *request,
                            struct http_header headers[CORS_HEADERS_MAX])
{
    size_t count = cors_allow(http_head_find(request, SLICE_LITERAL("origin")), headers);
    struct slice fields = http_head_find(request, SLICE_LITERAL("access-control-request-headers"));
    headers[count++] = (struct http_header){
        SLICE_LITERAL("Access-Control-Allow-Methods"),
        http_head_find(request, SLICE_LITERAL("access-control-request-method"))};
    if (fields.ptr)
        headers[count++] =
            (struct http_header){SLICE_LITERAL("Access-Control-Allow-Headers"), fields};
    headers[count++] = (struct http_header){SLICE_LITERAL("Access-Control-Max-Age"),
                                            SLICE_LITERAL(PREFLIGHT_SECONDS)};
    return count;
}
