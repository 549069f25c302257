/* SPDX-License-Identifier: MIT */
#include "page/message_queue.h"

#include "base/log.h"
#include "core/chunk.h"

#include <stdlib.h>
#include <string.h>

static bool is_kept(const struct message *m)
{
    return m->whole && m->body.len >= m->whole->room / 2;
}

static bool is_command(const struct message *m)
{
    return m->kind == MESSAGE_CONTROL || m->kind == MESSAGE_COMMAND;
}

static struct slice name_in(const struct message *m, struct slice head)
{
    if (is_command(m))
        return slice_skip(head, 1);
    return slice_first(head, m->name.len);
}

static void fill(struct queued_message *q, const struct message *m)
{
    struct message *own = &q->message;
    char *at = q->bytes;
    *own = *m;
    own->head = slice_make(at, m->head.len);
    slice_copy(&at, m->head);
    own->name = name_in(m, own->head);
    if (is_kept(m)) {
        own->whole->refs++;
        return;
    }
    own->whole = NULL;
    own->body = slice_make(at, m->body.len);
    slice_copy(&at, m->body);
}

bool message_queue_put(struct message_queue *queue, const struct message *m)
{
    size_t here = m->head.len + (is_kept(m) ? 0 : m->body.len);
    struct queued_message *q = log_needed(malloc(sizeof(*q) + here));
    if (!q)
        return false;
    fill(q, m);
    q->next = NULL;
    q->cost = sizeof(*q) + m->head.len + m->body.len;
    if (queue->last)
        queue->last->next = q;
    else
        queue->first = q;
    queue->last = q;
    queue->count++;
    queue->bytes += q->cost;
    return true;
}

struct queued_message *message_queue_take(struct message_queue *queue)
{
    struct queued_message *q = queue->first;
    if (!q)
        return NULL;
    queue->first = q->next;
    if (!queue->first)
        queue->last = NULL;
    queue->count--;
    queue->bytes -= q->cost;
    return q;
}

void queued_message_free(struct queued_message *q)
{
    if (q->message.whole)
        shared_unref(q->message.whole);
    free(q);
}

void message_queue_clear(struct message_queue *queue)
{
    for (struct queued_message *q; (q = message_queue_take(queue));)
        queued_message_free(q);
}
