/* SPDX-License-Identifier: MIT */
#include "session/outbox.h"

#include <stdlib.h>

const struct outbox_message *outbox_push(struct outbox *o, bool binary, const struct slice *pieces,
                                         size_t count)
{
    size_t len = 0;
    for (size_t i = 0; i < count; i++)
        len += pieces[i].len;

    struct outbox_message *m = malloc(sizeof(*m) + len);
    if (!m)
        return NULL;
    m->next = NULL;
    m->binary = binary;
    m->len = 0;
    for (size_t i = 0; i < count; i++) {
        if (pieces[i].len)
            memcpy(m->data + m->len, pieces[i].ptr, pieces[i].len);
        m->len += pieces[i].len;
    }

    if (o->last)
        o->last->next = m;
    else
        o->first = m;
    o->last = m;
    o->sent++;
    o->bytes += len;
    return m;
}

bool outbox_serves(const struct outbox *o, uint64_t received)
{
    return received >= o->acked && received <= o->sent;
}

static void drop_first(struct outbox *o)
{
    struct outbox_message *m = o->first;
    o->first = m->next;
    if (!o->first)
        o->last = NULL;
    o->bytes -= m->len;
    o->acked++;
    free(m);
}

bool outbox_ack(struct outbox *o, uint64_t received)
{
    if (!outbox_serves(o, received))
        return false;
    while (o->acked < received)
        drop_first(o);
    return true;
}

void outbox_clear(struct outbox *o)
{
    while (o->first)
        drop_first(o);
}
