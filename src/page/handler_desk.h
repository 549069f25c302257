/* SPDX-License-Identifier: MIT */
/* handler_desk.h - the handlers of one worker that are to be called soon.
 *
 * What a page has to say to its handler while the handler runs, or while the page is in the midst
 * of something, waits here until the loop's timers fire, in the same turn in most cases. So no
 * callback of a handler comes from inside of a function that a handler has called.
 */
#ifndef PAGE_HANDLER_DESK_H
#define PAGE_HANDLER_DESK_H

#include "core/loop.h"

struct handler_desk {
    struct loop *loop; /* borrowed */
    struct timer timer;
    struct list due;                 /* their nodes */
    void (*tend)(struct list *node); /* calls one of them */
    unsigned inside; /* a handler runs, or a function that it has called: how deep */
};

void handler_desk_init(struct handler_desk *d, struct loop *loop);
void handler_desk_done(struct handler_desk *d);
/* Its turn comes soon. Any number of times. */
void handler_desk_add(struct handler_desk *d, struct list *node);

#endif
