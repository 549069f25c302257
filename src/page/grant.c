/* SPDX-License-Identifier: MIT */
#include "page/grant.h"

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
