/* SPDX-License-Identifier: MIT */
#include "page/handler_desk.h"

/* Who comes to be due by this has its turn in the loop's next one. */
static void on_turn(struct timer *timer)
{
    struct handler_desk *d = container_of(timer, struct handler_desk, timer);
    struct list now;
    list_init(&now);
    list_splice(&now, &d->due);
    for (struct list *node; (node = list_pop(&now));)
        d->tend(node);
}

void handler_desk_init(struct handler_desk *d, struct loop *loop)
{
    d->loop = loop;
    timer_init(&d->timer, on_turn);
    list_init(&d->due);
}

void handler_desk_done(struct handler_desk *d)
{
    timer_stop(&d->timer);
}

void handler_desk_add(struct handler_desk *d, struct list *node)
{
    if (list_empty(node))
        list_append(&d->due, node);
    if (!timer_active(&d->timer))
        timer_start(d->loop, &d->timer, 0);
}
