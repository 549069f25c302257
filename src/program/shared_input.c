/* SPDX-License-Identifier: MIT */
/* shared_input.c - lines to a process that has many pages: led by the page's id, in one queue up to
 * SHARED_QUEUE_MAX; behind that each page's wait with it. */
#include "program/shared_parts.h"

#include "base/log.h"

#include <stdlib.h>

#define LED_MAX 12

/* What stands for lines for which there was no memory. */
static struct text missing = {.failed = true};

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
    struct slice lines = shared_pending(m);
    program_write(m->process->program, &lines, 1);
    shared_forget_pending(m);
}

static void keep(struct shared_member *m, const struct slice *pieces, int count)
{
    if (!m->pending)
        m->pending = log_needed(calloc(1, sizeof(*m->pending)));
    if (!m->pending)
        m->pending = &missing;
    for (int i = 0; i < count && m->pending != &missing; i++)
        text_put(m->pending, pieces[i]);
}

static bool waits(const struct shared_member *m)
{
    return m->pending || program_queued(m->process->program) > IO_CORKED_MAX;
}

void shared_write(struct shared_member *m, const struct slice *pieces, int count)
{
    struct slice led[LED_MAX];
    struct shared_process *s = m->process;
    if (!s)
        return;
    count = lead(m, pieces, count, led);
    if (!m->pending && !shared_crowded(s)) {
        program_write(s->program, led, count);
        shared_count_queue(s);
    } else {
        keep(m, led, count);
    }
    if (waits(m) && list_empty(&m->waiting))
        list_append(&s->waiting, &m->waiting);
}

/* A member that leaves while far too much waits takes its last lines with it. */
void shared_write_last(struct shared_member *m, const struct slice *pieces, int count)
{
    struct slice led[LED_MAX];
    struct shared_process *s = m->process;
    if (!s)
        return;
    if (m->pending && program_queued(s->program) <= 4 * (size_t)SHARED_QUEUE_MAX)
        shared_release_pending(m);
    program_write(s->program, led, lead(m, pieces, count, led));
    shared_count_queue(s);
}

void shared_forget_pending(struct shared_member *m)
{
    if (m->pending && m->pending != &missing) {
        text_done(m->pending);
        free(m->pending);
    }
    m->pending = NULL;
}

bool shared_has_taken(const struct shared_member *m)
{
    return m->process && !m->pending && program_has_taken(m->process->program);
}

void shared_restore_pending(struct shared_member *m, struct slice lines)
{
    struct shared_process *s = m->process;
    if (lines.len)
        keep(m, &lines, 1);
    if (waits(m) && list_empty(&m->waiting))
        list_append(&s->waiting, &m->waiting);
}
