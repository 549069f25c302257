/* SPDX-License-Identifier: MIT */
/* ending.c - how a program ends: end of file on descriptor 3, then SIGTERM, then SIGKILL, to its
 * first process and all that descend from it, until none of them is left.
 *
 * A program that is let go while its answer still streams may finish that first: the clock starts
 * when the answer is complete. The program is its first process: when that exits, what it has
 * started goes the same way.
 */
#include "program/parts.h"

#include "base/log.h"
#include "net/process_tree.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#define POLL_FIRST_MS 10
#define POLL_LAST_MS  500
/* Some seconds. Who is left then stands still in the kernel, or forks faster than we look. */
#define KILLS_MAX 16

/* What was written before the end is read to its end. */
static void process_gone(struct program *p)
{
    timer_stop(&p->end_timer);
    timer_stop(&p->poll_timer);
    timer_stop(&p->err_timer);
    process_done(&p->process);
    program_set_state(p, PROGRAM_GONE);
    program_body_stop(p);

    pipe_set_last(&p->output);
    pipe_set_last(&p->err);
    if (p->kind == PROGRAM_LINES)
        program_lines_last(p);
    else
        pipe_set_last(&p->lines);
    program_lines_deliver(p);
    program_lines_judge(p);
    program_stderr_hurry(p);
    if (pipe_at_end(&p->output))
        program_output_end(p);
    if (pipe_at_end(&p->err))
        program_stderr_end(p);
    if (pipe_at_end(&p->lines))
        program_lines_end(p);
}

/* Who forks meanwhile is killed in the next round. */
static bool kill_rest(struct program *p)
{
    if (process_kill_rest(&p->process))
        return true;
    if (++p->kills < KILLS_MAX)
        return false;
    log_warn("program.remains", log_slice("program", p->file), log_int("pid", p->pid),
             log_text("why", "what it has started can't be killed"));
    return true;
}

/* There is no event for the end of all, only the question; and a zombie that waits for a slow init
 * counts as alive. */
static void poll_rest(struct program *p)
{
    if (p->state == PROGRAM_KILL_SENT ? kill_rest(p) : !process_alive(&p->process)) {
        process_gone(p);
        return;
    }
    timer_start(p->host->spec.loop, &p->poll_timer, p->poll_ms);
    p->poll_ms = p->poll_ms * 2 < POLL_LAST_MS ? p->poll_ms * 2 : POLL_LAST_MS;
}

static void on_poll(struct timer *timer)
{
    struct program *p = container_of(timer, struct program, poll_timer);
    if (p->exited)
        poll_rest(p);
    else
        program_brief_over(p);
    program_settle(p);
}

void program_continue(struct program *p)
{
    if (p->state > PROGRAM_NEW && p->state < PROGRAM_GONE)
        process_signal(&p->process, SIGCONT);
}

static void send_signal(struct program *p, int number, const char *name)
{
    log_info("program.signalled", log_slice("program", p->file), log_int("pid", p->pid),
             log_text("session", p->mark), log_text("signal", name));
    process_signal(&p->process, number);
}

void program_kill(struct program *p)
{
    if (p->state == PROGRAM_NEW || p->state >= PROGRAM_KILL_SENT)
        return;
    timer_stop(&p->end_timer);
    program_set_state(p, PROGRAM_KILL_SENT);
    p->host->counts.killed++;
    p->poll_ms = POLL_FIRST_MS;
    send_signal(p, SIGKILL, "KILL");
    if (p->exited)
        timer_start(p->host->spec.loop, &p->poll_timer, 0);
}

static void on_end_timer(struct timer *timer)
{
    struct program *p = container_of(timer, struct program, end_timer);
    if (p->state == PROGRAM_EOF_SENT) {
        program_lines_judge(p);
        program_set_state(p, PROGRAM_TERM_SENT);
        send_signal(p, SIGTERM, "TERM");
        program_continue(p);
        timer_start(p->host->spec.loop, &p->end_timer, p->host->spec.config->term_grace_ms);
    } else {
        program_kill(p);
    }
    program_settle(p);
}

void program_ending_init(struct program *p)
{
    timer_init(&p->end_timer, on_end_timer);
    timer_init(&p->poll_timer, on_poll);
    p->poll_ms = POLL_FIRST_MS;
}

static void log_exit(const struct program *p)
{
    bool signalled = WIFSIGNALED(p->status);
    enum log_level level = signalled || WEXITSTATUS(p->status) ? LOG_WARN : LOG_INFO;
    log_at(level, "program.exited", log_slice("program", p->file), log_int("pid", p->pid),
           log_text("session", p->mark),
           log_int(signalled ? "signal" : "status",
                   signalled ? WTERMSIG(p->status) : WEXITSTATUS(p->status)));
}

void program_exited(struct process *process, int status)
{
    struct program *p = container_of(process, struct program, process);
    p->exited = true;
    p->status = status;
    program_brief_end(p);
    log_exit(p);
    program_let_go(p);
    poll_rest(p);
    program_brief_over(p);
    program_settle(p);
}

void program_log_fault(const struct program *p, int error)
{
    log_error("program.server_failed", log_slice("program", p->file), log_int("pid", p->pid),
              log_text("session", p->mark), log_errno("error", error));
}

bool program_is_silent(const struct program *p)
{
    return p->state == PROGRAM_GONE && !pipe_is_open(&p->err);
}

/* A program that closes descriptor 3 and runs on has ended its session, as one that exits. */
bool program_has_ended(const struct program *p)
{
    return !pipe_is_open(&p->lines) &&
           (program_is_silent(p) || (p->state >= PROGRAM_TERM_SENT && p->state != PROGRAM_GONE));
}

enum program_fate program_fate(struct program *p)
{
    if (p->exited)
        return WIFSIGNALED(p->status) ? PROGRAM_KILLED : PROGRAM_WILLING;
    p->dying = p->dying || process_ended(&p->process) || process_is_exiting(p->pid);
    return p->dying ? PROGRAM_DYING : PROGRAM_WILLING;
}

struct slice program_end_reason(const struct program *p, char text[64])
{
    if (p->status == 0)
        return SLICE_LITERAL("program-exit");
    int len = WIFSIGNALED(p->status)
                  ? snprintf(text, 64, "program-failed signal=%d", WTERMSIG(p->status))
                  : snprintf(text, 64, "program-failed status=%d", WEXITSTATUS(p->status));
    return slice_make(text, (size_t)len);
}
