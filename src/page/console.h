/* SPDX-License-Identifier: MIT */
/* console.h - what the files of the developer's console share: console.c, console_fault.c. */
#ifndef PAGE_CONSOLE_H
#define PAGE_CONSOLE_H

#include "page/parts.h"

struct page_console {
    struct page_host *host;
    struct hub_client *client; /* publishes records, hears of faults */
    uint64_t left_out;
    struct list watchers;
    uint32_t watcher_count;
};

struct topic_subscription console_subscription(struct slice topic);
struct topic_publication console_publication(struct slice topic, struct slice event,
                                             struct slice data);

/* ---- console_fault.c ---- */

/* Takes the exchange: `POST /.httpsocket/console/fault`. */
void console_take_wish(struct page_console *c, struct exchange *x);

#endif
