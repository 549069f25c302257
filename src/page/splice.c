/* SPDX-License-Identifier: MIT */
/* splice.c - see splice.h. */
#include "page/splice.h"

#include "base/log.h"
#include "proto/cgi_head.h"

#include <stdlib.h>

static void put_some(void (*put)(void *, struct slice), void *arg, struct slice s)
{
    if (s.len > 0)
        put(arg, s);
}

/* Adds what still fits; the rest of `piece` is left. */
static bool hold(struct page_splice *splice, struct slice *piece)
{
    if (!splice->held)
        splice->held = log_needed(malloc(SPLICE_HELD_MAX));
    if (!splice->held)
        return false;
    struct slice fits = slice_first(*piece, SPLICE_HELD_MAX - splice->len);
    if (fits.len > 0)
        memcpy(splice->held + splice->len, fits.ptr, fits.len);
    splice->len += fits.len;
    *piece = slice_skip(*piece, fits.len);
    return true;
}

void page_splice_feed(struct page_splice *splice, struct slice piece, bool last,
                      struct slice element, void (*put)(void *arg, struct slice), void *arg)
{
    if (splice->placed) {
        put_some(put, arg, piece);
        return;
    }

    bool held = hold(splice, &piece);
    struct slice begin = slice_make(splice->held, splice->len);
    size_t offset = 0;
    enum parse_status status = html_head_offset(begin, &offset);
    if (held && status == PARSE_MORE && !last && begin.len < SPLICE_HELD_MAX)
        return;

    splice->placed = true;
    put_some(put, arg, slice_first(begin, offset));
    put(arg, element);
    put_some(put, arg, slice_skip(begin, offset));
    put_some(put, arg, piece);
    page_splice_done(splice);
}

void page_splice_done(struct page_splice *splice)
{
    free(splice->held);
    splice->held = NULL;
    splice->len = 0;
}
