/* SPDX-License-Identifier: MIT */
#include "proto/origin.h"

#include <assert.h>
#include <stdio.h>

static const struct scheme {
    struct slice prefix;
    enum origin_scheme scheme;
} schemes[] = {
    {{"https://", 8}, ORIGIN_HTTPS},
    {{"http://", 7}, ORIGIN_HTTP},
    {{"wss://", 6}, ORIGIN_HTTPS},
    {{"ws://", 5}, ORIGIN_HTTP},
};
enum {
    SCHEMES_OF_ORIGINS = 2,
    SCHEMES_OF_URLS = 4
};

/* The scheme at the beginning, taken off *text; ORIGIN_OPAQUE if it is none of the first `count`.
 */
static enum origin_scheme take_scheme(struct slice *text, int count)
{
    for (int i = 0; i < count; i++) {
        struct slice prefix = schemes[i].prefix;
        if (!slice_equal_nocase(slice_first(*text, prefix.len), prefix))
            continue;
        *text = slice_skip(*text, prefix.len);
        return schemes[i].scheme;
    }
    return ORIGIN_OPAQUE;
}

bool origin_parse(struct slice text, struct origin *ret)
{
    if (slice_equal(text, SLICE_LITERAL("null"))) {
        *ret = (struct origin){.scheme = ORIGIN_OPAQUE};
        return true;
    }
    struct authority authority;
    enum origin_scheme scheme = take_scheme(&text, SCHEMES_OF_ORIGINS);
    if (scheme == ORIGIN_OPAQUE || slice_ends_with(text, SLICE_LITERAL(":")) ||
        !authority_parse(text, &authority))
        return false;
    *ret = origin_of(scheme, &authority);
    return true;
}

bool origin_parse_url(struct slice url, struct origin *ret, struct slice *ret_rest)
{
    enum origin_scheme scheme = take_scheme(&url, SCHEMES_OF_URLS);
    if (scheme == ORIGIN_OPAQUE)
        return false;
    size_t len = 0;
    while (len < url.len && !memchr("/?#", url.ptr[len], 3))
        len++;
    struct authority authority;
    if (!authority_parse(slice_first(url, len), &authority))
        return false;
    *ret = origin_of(scheme, &authority);
    *ret_rest = slice_skip(url, len);
    return true;
}

struct origin origin_of(enum origin_scheme scheme, const struct authority *host)
{
    assert(scheme != ORIGIN_OPAQUE);
    struct origin o = {.scheme = scheme, .authority = *host};
    if (o.authority.port == 0)
        o.authority.port = origin_default_port(scheme);
    return o;
}

bool origin_equal(const struct origin *a, const struct origin *b)
{
    return a->scheme != ORIGIN_OPAQUE && a->scheme == b->scheme &&
           a->authority.port == b->authority.port &&
           authority_host_equal(&a->authority, &b->authority);
}

struct slice origin_write(const struct origin *o, char text[ORIGIN_TEXT_SIZE])
{
    if (o->scheme == ORIGIN_OPAQUE)
        return slice_make(memcpy(text, "null", 5), 4);
    const char *scheme = o->scheme == ORIGIN_HTTPS ? "https" : "http";
    int len = sprintf(text, "%s://%s", scheme, o->authority.host);
    if (o->authority.port != origin_default_port(o->scheme))
        len += sprintf(text + len, ":%u", o->authority.port);
    return slice_make(text, (size_t)len);
}
