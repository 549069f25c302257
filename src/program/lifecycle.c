/* SPDX-License-Identifier: MIT */
/* lifecycle.c - a program's states, and its end as an object: it is freed when its process is gone
 * and its descriptors are closed. */
#include "program/parts.h"

#include "base/log.h"

#include <assert.h>
#include <stdlib.h>

void program_set_state(struct program *p, enum program_state state)
{
    static const char *const names[] = {"new",       "running",   "eof-sent",
                                        "term-sent", "kill-sent", "gone"};
    assert(state > p->state);
    log_debug("program.state", log_slice("program", p->file), log_int("pid", p->pid),
              log_text("state", names[state]));
    p->state = state;
}

/* The clock of the end runs once the answer is complete. */
static void advance(struct program *p)
{
    if (p->state == PROGRAM_RUNNING && p->let_go)
        program_set_state(p, PROGRAM_EOF_SENT);
    if (p->state != PROGRAM_EOF_SENT || timer_active(&p->end_timer))
        return;
    if (!p->answering || p->exited)
        timer_start(p->host->spec.loop, &p->end_timer, p->host->spec.config->eof_grace_ms);
}

void program_answered(struct program *p)
{
    p->answering = false;
    advance(p);
}

static void free_memory(struct reap *reap)
{
    struct program *p = container_of(reap, struct program, reap);
    free((char *)p->file.ptr);
    free(p->line);
    free(p->err_line);
    text_done(&p->err_rest);
    free(p);
}

static void release(struct program *p)
{
    const struct program_watcher *watcher = p->host->spec.watcher;
    if (watcher)
        watcher->on_over(watcher, p);
    timer_stop(&p->end_timer);
    timer_stop(&p->poll_timer);
    timer_stop(&p->err_timer);
    room_release(&p->place);
    list_remove(&p->node);
    p->host->counts.now--;
    host_rest_soon(p->host);
    p->ops = NULL;
    loop_reap(p->host->spec.loop, &p->reap, free_memory);
}

bool program_is_over(const struct program *p)
{
    return p->state == PROGRAM_GONE && !p->body.state && !p->output.state && !p->lines.state &&
           !p->err.state;
}

void program_settle(struct program *p)
{
    if (!p->ops) /* released */
        return;
    advance(p);
    p->ops->on_settle(p);
    if (!program_is_over(p))
        return;
    const struct program_ops *ops = p->ops;
    release(p);
    ops->on_over(p);
}
