/* SPDX-License-Identifier: MIT */
/* shared_input.c - lines to a process that has many pages: led by the page's id, in one queue up to
 * SHARED_QUEUE_MAX; behind that each page's wait with it. */
#include "program/shared_parts.h"

#define LED_MAX 12

void shared_count_queue(struct shared_process *s)
{
    memory_hold(&s->account, &s->counted, program_held(s->program));
}

static int lead(const struct shared_member *m, const struct slice *pieces, int count,
                struct slice ret[LED_MAX])
{
    ret[0] = SLICE_LITERAL("@");
    ret[1] = shared_member_id(m);
    ret[2] = SLICE_LITERAL(" ");
    memcpy(ret + 3, pieces, (size_t)count * sizeof(*ret));
    return count + 3;
}

bool shared_crowded(const struct shared_process *s)
{
    return program_queued(s->program) > SHARED_QUEUE_MAX;
}

void shared_release_pending(struct shared_member *m)
{
    struct slice lines = text_slice(&m->pending);
    program_write(m->process->program, &lines, 1);
    text_done(&m->pending);
}

void shared_write(struct shared_member *m, const struct slice *pieces, int count)
{
    struct slice led[LED_MAX];
    struct shared_process *s = m->process;
    if (!s)
        return;
    count = lead(m, pieces, count, led);
    if (m->pending.len == 0 && !shared_crowded(s)) {
        program_write(s->program, led, count);
        shared_count_queue(s);
    } else {
        for (int i = 0; i < count; i++)
            text_put(&m->pending, led[i]);
    }
    bool behind =
        m->pending.len > 0 || m->pending.failed || program_queued(s->program) > IO_CORKED_MAX;
    if (behind && list_empty(&m->waiting))
        list_append(&s->waiting, &m->waiting);
}

/* A member that leaves while far too much waits takes its last lines with it. */
void shared_write_last(struct shared_member *m, const struct slice *pieces, int count)
{
    struct slice led[LED_MAX];
    struct shared_process *s = m->process;
    if (!s)
        return;
    if (m->pending.len > 0 && program_queued(s->program) <= 4 * (size_t)SHARED_QUEUE_MAX)
        shared_release_pending(m);
    program_write(s->program, led, lead(m, pieces, count, led));
    shared_count_queue(s);
}

void shared_forget_pending(struct shared_member *m)
{
    text_done(&m->pending);
}

bool shared_has_taken(const struct shared_member *m)
{
    return m->process && m->pending.len == 0 && !m->pending.failed &&
           program_has_taken(m->process->program);
}

void shared_restore_pending(struct shared_member *m, struct slice lines)
{
    struct shared_process *s = m->process;
    text_put(&m->pending, lines);
    bool behind = m->pending.len > 0 || program_queued(s->program) > IO_CORKED_MAX;
    if (behind && list_empty(&m->waiting))
        list_append(&s->waiting, &m->waiting);
}
