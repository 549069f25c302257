/* SPDX-License-Identifier: MIT */
/* redirect.c - the redirect from a folder's name to the path with its slash. */
#include "base/text.h"
#include "http/static.h"

/* pchar of RFC 3986, 3.3, and the slash. */
static bool stands_for_itself(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("/-._~!$&'()*+,;=:@", c) != NULL);
}

static void put_encoded(struct text *t, struct slice path)
{
    for (size_t i = 0; i < path.len; i++) {
        if (stands_for_itself(path.ptr[i]))
            text_put(t, slice_make(path.ptr + i, 1));
        else
            text_printf(t, "%%%02X", (unsigned char)path.ptr[i]);
    }
}

void static_redirect_to_folder(struct exchange *x)
{
    struct text location = {0};
    struct slice name = x->path;
    while (slice_find(name, '/') < name.len)
        name = slice_skip(name, slice_find(name, '/') + 1);
    text_put(&location, SLICE_LITERAL("./"));
    put_encoded(&location, name);
    text_put(&location, SLICE_LITERAL("/"));
    if (x->query.ptr != NULL) {
        text_put(&location, SLICE_LITERAL("?"));
        text_put(&location, x->query);
    }
    struct http_header header = {SLICE_LITERAL("Location"), text_slice(&location)};
    if (location.failed)
        exchange_answer(x, 503, SLICE_LITERAL("out of memory"), NULL, 0);
    else
        exchange_answer(x, 301, SLICE_LITERAL("this is a folder"), &header, 1);
    text_done(&location);
}
