/* SPDX-License-Identifier: MIT */
/* grant.h - a page or a connection holds the grant by which its client was let in. */
#ifndef PAGE_GRANT_H
#define PAGE_GRANT_H

#include "page/lifecycle.h"

void page_hold_grant(struct page *p, struct page_grant *grant);
/* *grant (may be NULL) is over. */
void page_grant_end(struct page_grant **grant);

#endif
