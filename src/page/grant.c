/* SPDX-License-Identifier: MIT */
/* grant.c - the grant by which a client of another origin is connected, and its loss. */
#include "page/parts.h"

#include "page/answer.h"
#include "proto/close_code.h"

#include <stdio.h>

void page_hold_grant(struct page *p, struct page_grant *grant)
{
    p->grant = grant;
    if (grant)
        grant->page = p;
}

void page_grant_end(struct page_grant **grant)
{
    struct page_grant *over = *grant;
    if (!over)
        return;
    *grant = NULL;
    over->page = NULL;
    over->wire = NULL;
    over->on_over(over);
}

void page_grant_revoke(struct page_grant *grant, struct slice token, uint32_t retry_s)
{
    char text[64];
    int len = snprintf(text, sizeof text, "%.*s retry=%u", SLICE_ARG(token), retry_s);
    struct slice reason = slice_make(text, (size_t)len);
    struct page *p = grant->page;
    if (grant->wire) {
        if (grant->wire->session)
            session_abort(grant->wire->session, CLOSE_FORBIDDEN, reason);
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
