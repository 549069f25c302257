/* SPDX-License-Identifier: MIT */
/* permit.c - the permission by which a client of another origin is connected, and its loss. */
#include "page/parts.h"

#include "page/answer.h"
#include "proto/close_code.h"

#include <stdio.h>

void page_hold_permit(struct page *p, struct page_permit *permit)
{
    p->permit = permit;
    if (permit)
        permit->page = p;
}

void page_permit_end(struct page_permit **permit)
{
    struct page_permit *over = *permit;
    if (!over)
        return;
    *permit = NULL;
    over->page = NULL;
    over->wire = NULL;
    over->on_over(over);
}

void page_permit_revoke(struct page_permit *permit, struct slice token, uint32_t retry_s)
{
    char text[64];
    int len = snprintf(text, sizeof text, "%.*s retry=%u", SLICE_ARG(token), retry_s);
    struct slice reason = slice_make(text, (size_t)len);
    struct page *p = permit->page;
    if (permit->wire) {
        if (permit->wire->session)
            session_abort(permit->wire->session, CLOSE_FORBIDDEN, reason);
        return;
    }
    if (!p)
        return;
    if (p->x) {
        page_direct_refuse(p, CLOSE_FORBIDDEN, token, retry_s);
    } else {
        page_end_session(p, CLOSE_FORBIDDEN, reason);
        page_let_go(p);
    }
    page_settle(p);
}
