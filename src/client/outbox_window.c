/* SPDX-License-Identifier: MIT */
#include "client/outbox_window.h"

bool outbox_window_push(struct outbox_window *o, bool binary, const struct slice *pieces,
                        size_t count)
{
    const struct outbox_message *m = outbox_push(&o->kept, binary, pieces, count);
    if (m && !o->next)
        o->next = m;
    return m;
}

const struct outbox_message *outbox_window_next(struct outbox_window *o, size_t window)
{
    const struct outbox_message *m = o->next;
    if (!m || (o->in_flight > 0 && (m->len > window || o->in_flight > window - m->len)))
        return NULL;
    o->next = m->next;
    o->next_number++;
    if (o->sent_max < o->next_number)
        o->sent_max = o->next_number;
    o->in_flight += m->len;
    return m;
}

bool outbox_window_ack(struct outbox_window *o, uint64_t count)
{
    size_t before = o->kept.bytes;
    if (count > o->next_number || !outbox_ack(&o->kept, count))
        return false;
    o->in_flight -= before - o->kept.bytes;
    return true;
}

bool outbox_window_rewind(struct outbox_window *o, uint64_t count)
{
    if (count > o->sent_max || !outbox_ack(&o->kept, count))
        return false;
    o->next = o->kept.first;
    o->next_number = o->kept.acked;
    o->in_flight = 0;
    return true;
}

bool outbox_window_exceeds(const struct outbox_window *o, size_t max)
{
    uint64_t number = o->kept.acked;
    for (const struct outbox_message *m = o->kept.first; m; m = m->next, number++)
        if (number >= o->sent_max && m->len > max)
            return true;
    return false;
}

void outbox_window_clear(struct outbox_window *o)
{
    outbox_clear(&o->kept);
    o->next = NULL;
    o->in_flight = 0;
}
