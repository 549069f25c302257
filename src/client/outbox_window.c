/* SPDX-License-Identifier: MIT */
#include "client/outbox_window.h"

bool outbox_window_push(struct outbox_window *o, bool binary, const struct slice *pieces,
                        size_t count)
{
    struct outbox_place place = outbox_push(&o->kept, binary, pieces, count);
    if (!o->next.block)
        o->next = place;
    return place.block;
}

const struct outbox_message *outbox_window_next(struct outbox_window *o, size_t window)
{
    if (!o->next.block)
        return NULL;
    struct outbox_message m = outbox_at(o->next);
    if (o->in_flight > 0 && (m.len > window || o->in_flight > window - m.len))
        return NULL;
    o->taken = m;
    o->next = outbox_behind(o->next);
    o->next_number++;
    if (o->sent_max < o->next_number)
        o->sent_max = o->next_number;
    o->in_flight += m.len;
    return &o->taken;
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
    o->next = outbox_begin(&o->kept);
    o->next_number = o->kept.acked;
    o->in_flight = 0;
    return true;
}

bool outbox_window_exceeds(const struct outbox_window *o, size_t max)
{
    uint64_t number = o->kept.acked;
    struct outbox_place place = outbox_begin(&o->kept);
    for (; place.block; place = outbox_behind(place), number++)
        if (number >= o->sent_max && outbox_at(place).len > max)
            return true;
    return false;
}

void outbox_window_clear(struct outbox_window *o)
{
    outbox_clear(&o->kept);
    o->next = (struct outbox_place){0};
    o->in_flight = 0;
}
