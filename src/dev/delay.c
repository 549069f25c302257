/* SPDX-License-Identifier: MIT */
#include "dev/delay.h"

#include <stdlib.h>

struct delayed {
    struct list node;
    uint64_t due_ms;
    bool to_page, binary;
    size_t len;
    char data[];
};

static void wait_for_first(struct dev_delay *d)
{
    struct delayed *first = container_of(d->waiting.next, struct delayed, node);
    uint64_t now = loop_now_ms(d->loop);
    timer_start(d->loop, &d->timer, first->due_ms > now ? first->due_ms - now : 0);
}

static void on_due(struct timer *timer)
{
    struct dev_delay *d = container_of(timer, struct dev_delay, timer);
    uint64_t now = loop_now_ms(d->loop);
    while (!list_empty(&d->waiting)) {
        struct delayed *m = container_of(d->waiting.next, struct delayed, node);
        if (m->due_ms > now) {
            wait_for_first(d);
            return;
        }
        list_remove(&m->node);
        bool goes_on = d->deliver(d, m->to_page, m->binary, (struct bytes){m->data, m->len});
        free(m);
        if (!goes_on)
            return; /* the connection is gone, and we with it */
    }
}

void dev_delay_init(struct dev_delay *d, struct loop *loop,
                    bool (*deliver)(struct dev_delay *, bool, bool, struct bytes))
{
    *d = (struct dev_delay){.loop = loop, .deliver = deliver};
    list_init(&d->waiting);
    timer_init(&d->timer, on_due);
}

void dev_delay_drop(struct dev_delay *d)
{
    timer_stop(&d->timer);
    for (struct list *node; (node = list_pop(&d->waiting));)
        free(container_of(node, struct delayed, node));
}

void dev_delay_hurry(struct dev_delay *d)
{
    timer_stop(&d->timer);
    for (struct list *node; (node = list_pop(&d->waiting));) {
        struct delayed *m = container_of(node, struct delayed, node);
        if (m->to_page)
            d->deliver(d, true, m->binary, (struct bytes){m->data, m->len});
        free(m);
    }
}

bool dev_delay_take(struct dev_delay *d, bool to_page, bool binary, const struct slice *pieces,
                    size_t count)
{
    size_t len = 0;
    if (!d->latency_ms && list_empty(&d->waiting))
        return false;
    for (size_t i = 0; i < count; i++)
        len += pieces[i].len;
    struct delayed *m = malloc(sizeof(*m) + len);
    if (!m)
        return false;
    *m = (struct delayed){.to_page = to_page, .binary = binary, .len = len};
    m->due_ms = loop_now_ms(d->loop) + d->latency_ms;
    char *at = m->data;
    for (size_t i = 0; i < count; i++)
        at = mempcpy(at, pieces[i].ptr, pieces[i].len);
    bool first = list_empty(&d->waiting);
    list_append(&d->waiting, &m->node);
    if (first)
        wait_for_first(d);
    return true;
}
