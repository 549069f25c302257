/* SPDX-License-Identifier: MIT */
/* dev.h - what a developer is shown of pages and their programs, and may do
 * to them: only with --dev.
 *
 * Pages and programs know their watcher; this room is both kinds of watcher, and nothing of it runs
 * without --dev.
 *
 * Lifetime  dev_new() before the hosts of pages and programs, dev_free() after both.
 * Threads   Loop thread only.
 */
#ifndef DEV_DEV_H
#define DEV_DEV_H

#include "page/watcher.h"

struct dev;

/* NULL without memory. */
struct dev *dev_new(struct loop *loop, struct hub *hub);
void dev_free(struct dev *dev); /* accepts NULL */
struct page_watcher *dev_page_watcher(struct dev *dev);
const struct program_watcher *dev_program_watcher(struct dev *dev);
/* Whom it watches. */
void dev_own(struct dev *dev, struct page_host *pages, struct program_host *programs);

/* Is this the question of a failed page whether its program has changed?
 * Then takes the exchange. */
bool dev_wait(struct dev *dev, struct exchange *x, const struct site_found *found);
/* `console/events` and `console/fault` below /.httpsocket/. False: it is none of them. Otherwise
 * takes the exchange, of which the caller knows that it comes from our own page. */
bool dev_console(struct dev *dev, struct exchange *x, struct slice name);
/* Turns away all clients that wait or look; accepts NULL. */
void dev_drain(struct dev *dev);

#endif
