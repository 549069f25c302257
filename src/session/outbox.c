/* SPDX-License-Identifier: MIT */
#include "session/outbox.h"

#include "base/heap.h"

#include <assert.h>
#include <stddef.h>

static_assert(offsetof(struct shared_bytes, bytes) % _Alignof(max_align_t) == 0,
              "a message begins where the bytes do");

/* With what the heap adds to each block. */
static size_t size_of(const struct outbox_message *m)
{
    return sizeof(struct shared_bytes) + sizeof(*m) + m->len + HEAP_HEAD;
}

const struct outbox_message *outbox_push(struct outbox *o, bool binary, const struct slice *pieces,
                                         size_t count)
{
    size_t len = 0;
    for (size_t i = 0; i < count; i++)
        len += pieces[i].len;

    struct shared_bytes *shared = shared_new(sizeof(struct outbox_message) + len);
    if (!shared)
        return NULL;
    struct outbox_message *m = (struct outbox_message *)(void *)shared->bytes;
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
    o->held += size_of(m);
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
    o->held -= size_of(m);
    o->acked++;
    shared_unref(outbox_shared(m));
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
