/* SPDX-License-Identifier: MIT */
/* lines_page.h - the page that a program which reads lines is given: one
 * field, and what comes back.
 */
#ifndef PAGE_LINES_PAGE_H
#define PAGE_LINES_PAGE_H

#include "page/page.h"

/* An ordinary request for such a program. Takes the exchange. */
void page_lines_answer(struct exchange *x);

#endif
