/* SPDX-License-Identifier: MIT */
/* brief.c - the descriptors of a program that is likely to end at once.
 *
 *   started ──(its file was brief last time)──> resting ──> ended: all that it left is taken at once
 *      │                                          │
 *      └──────────> watched <── after BRIEF_MS ───┘
 *
 * A page that is made and done costs one turn of the loop, in which its answer leaves whole,
 * in place of one for each of its descriptors. Whoever lives longer is watched from the next time
 * on as soon as it is started; what it says in between comes up to BRIEF_MS late, this once.
 */
#include "program/parts.h"

#define BRIEF_MS 5

static size_t bit_of(const struct program *p)
{
    return (p->version.inode ^ p->version.device) % BRIEF_BITS;
}

static void note(struct program *p, bool brief)
{
    uint8_t *byte = &p->host->brief[bit_of(p) / 8], bit = (uint8_t)(1U << bit_of(p) % 8);
    *byte = (uint8_t)(brief ? *byte | bit : *byte & ~bit);
}

bool program_is_brief(const struct program *p)
{
    return p->kind == PROGRAM_PAGE && p->host->brief[bit_of(p) / 8] >> bit_of(p) % 8 & 1;
}

void program_brief_start(struct program *p)
{
    struct loop *loop = p->host->spec.loop;
    p->started_ms = loop_now_ms(loop);
    if (p->resting)
        timer_start(loop, &p->poll_timer, BRIEF_MS);
}

void program_brief_over(struct program *p)
{
    if (!p->resting)
        return;
    p->resting = false;
    if (!p->exited)
        note(p, false);
    pipe_wake(&p->err);
    pipe_wake(&p->output);
    pipe_wake(&p->lines);
}

/* An answer comes before its end, and a line before the end of the answer, as they do if each is
 * told by itself. */
void program_brief_end(struct program *p)
{
    if (p->kind != PROGRAM_PAGE)
        return;
    timer_stop(&p->poll_timer);
    note(p, loop_now_ms(p->host->spec.loop) - p->started_ms < BRIEF_MS);
    if (!p->resting)
        return;
    pipe_look(&p->err);
    pipe_look(&p->output);
    pipe_look(&p->lines);
}
