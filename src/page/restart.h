/* SPDX-License-Identifier: MIT */
/* restart.h - programs are let go for the operator, some at a time, so that new ones go on from
 * their states (docs/page-programs/state.md).
 *
 * A process of one page reads end of file, and its last lines still count; with its end the session
 * ends. A shared process takes no more pages, and its pages' sessions end one after the other.
 */
#ifndef PAGE_RESTART_H
#define PAGE_RESTART_H

#include "page/lifecycle.h"

/* Stops: no more are let go. */
void page_restarts_stop(struct page_host *host);
/* What was begun in the process before goes on. */
void page_restarts_go_on(struct page_host *host);
/* `host` is new. */
void page_restarts_init(struct page_host *host);

#endif
