/* SPDX-License-Identifier: MIT */
/* target.c - where to dial: a URL, taken apart and checked. */
#include "client/dial.h"

#include "proto/http_chars.h"

#include <stdio.h>
#include <stdlib.h>

/* The path and query as the request has them. */
static char *path_of(struct slice rest)
{
    char *path = malloc(rest.len + 2);
    if (!path)
        return NULL;
    bool rooted = rest.len && rest.ptr[0] == '/';
    snprintf(path, rest.len + 2, "%s%.*s", rooted ? "" : "/", SLICE_ARG(rest));
    return path;
}

static char *declare(const struct origin *url_origin, const char *origin)
{
    struct origin declared = *url_origin;
    char text[ORIGIN_TEXT_SIZE];
    if (origin && !origin_parse(slice_of(origin), &declared))
        return NULL;
    return slice_to_string(origin_write(&declared, text));
}

/* As the resolver and TLS want it. A name's trailing dot is the resolver's business alone. */
static void copy_host(struct dial_target *t)
{
    struct slice host = authority_host(&t->origin.authority);
    if (t->origin.authority.kind == HOST_IPV6)
        host = slice_make(host.ptr + 1, host.len - 2);
    memcpy(t->host, host.ptr, host.len);
    t->host[host.len] = '\0';
}

const char *dial_target_init(struct dial_target *ret, const char *url, const char *origin)
{
    struct dial_target t = {0};
    struct slice rest;
    if (!origin_parse_url(slice_of(url), &t.origin, &rest))
        return "the URL is not http(s)://HOST[:PORT]/... or ws(s)://";
    if (http_skip_target(rest.ptr, rest.ptr + rest.len) != rest.ptr + rest.len)
        return "the URL has a fragment, or a byte that must be percent-encoded";
    t.declared = declare(&t.origin, origin);
    if (!t.declared)
        return "the origin is not http(s)://HOST[:PORT], or null";
    t.path = path_of(rest);
    if (!t.path) {
        free(t.declared);
        return "no memory";
    }
    copy_host(&t);
    *ret = t;
    return NULL;
}

void dial_target_done(struct dial_target *t)
{
    free(t->path);
    free(t->declared);
    tls_context_unref(t->tls);
    *t = (struct dial_target){0};
}
