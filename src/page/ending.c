/* SPDX-License-Identifier: MIT */
/* ending.c - how a program ends: end of file on descriptor 3, then SIGTERM, then SIGKILL, to its
 * whole group, until nobody of it is left.
 *
 * A program that is let go while its answer still streams may finish that first: the clock starts
 * when the answer is complete. The program is its first process: when that exits, what is left of
 * its group goes the same way.
 */
#include "page/parts.h"

#include "base/log.h"
#include "page/answer.h"
#include "page/events.h"
#include "page/member.h"

#include <signal.h>
#include <sys/wait.h>

#define POLL_FIRST_MS 10
#define POLL_LAST_MS  500

static void process_gone(struct page *p)
{
    timer_stop(&p->end_timer);
    timer_stop(&p->poll_timer);
    timer_stop(&p->err_timer);
    page_set_state(p, PAGE_GONE);
    page_body_stop(p);

    page_pipe_set_last(&p->out);
    page_pipe_set_last(&p->err);
    if (p->stdio)
        page_stdio_last(p);
    else
        page_pipe_set_last(&p->events);
    page_events_resume(p);
    if (page_pipe_open(&p->err))
        io_resume(&p->err.io);
    if (page_pipe_at_end(&p->out))
        page_answer_end(p);
    if (page_pipe_at_end(&p->err))
        page_stderr_end(p);
    if (page_pipe_at_end(&p->events))
        page_events_end(p);
}

/* There is no event for the end of a group, only the question; and a zombie that waits for a slow
 * init counts as alive. SIGKILL reaches every member, so nobody is waited for after that. */
static void poll_group(struct page *p)
{
    if (p->state == PAGE_KILL_SENT || !process_group_alive(&p->process)) {
        process_gone(p);
        return;
    }
    timer_start(p->host->loop, &p->poll_timer, p->poll_ms);
    p->poll_ms = p->poll_ms * 2 < POLL_LAST_MS ? p->poll_ms * 2 : POLL_LAST_MS;
}

static void on_poll(struct timer *timer)
{
    struct page *p = container_of(timer, struct page, poll_timer);
    poll_group(p);
    page_settle(p);
}

static void send_signal(struct page *p, int number, const char *name)
{
    log_info("program.signalled", log_quoted("program", p->file), log_int("pid", p->process.pid),
             log_text("session", p->mark), log_text("signal", name));
    process_group_signal(&p->process, number);
}

void page_kill(struct page *p)
{
    timer_stop(&p->end_timer);
    page_set_state(p, PAGE_KILL_SENT);
    p->host->counts.killed++;
    send_signal(p, SIGKILL, "KILL");
    if (p->exited)
        poll_group(p);
}

static void on_end_timer(struct timer *timer)
{
    struct page *p = container_of(timer, struct page, end_timer);
    if (p->state == PAGE_EOF_SENT) {
        page_set_state(p, PAGE_TERM_SENT);
        send_signal(p, SIGTERM, "TERM");
        timer_start(p->host->loop, &p->end_timer, p->host->config->term_grace_ms);
    } else {
        page_kill(p);
    }
    page_settle(p);
}

void page_ending_init(struct page *p)
{
    timer_init(&p->end_timer, on_end_timer);
    timer_init(&p->poll_timer, on_poll);
    p->poll_ms = POLL_FIRST_MS;
}

void page_ending_advance(struct page *p)
{
    if (p->member) {
        page_member_advance(p);
        return;
    }
    if (p->state == PAGE_RUNNING && p->let_go)
        page_set_state(p, PAGE_EOF_SENT);
    if (p->state != PAGE_EOF_SENT || timer_active(&p->end_timer))
        return;
    if (page_answered(p) || p->exited)
        timer_start(p->host->loop, &p->end_timer, p->host->config->eof_grace_ms);
}

void page_let_go(struct page *p)
{
    p->let_go = true;
    page_events_shut(p);
}

static void log_exit(const struct page *p)
{
    bool signalled = WIFSIGNALED(p->status);
    enum log_level level = signalled || WEXITSTATUS(p->status) ? LOG_WARN : LOG_INFO;
    log_at(level, "program.exited", log_quoted("program", p->file), log_int("pid", p->process.pid),
           log_text("session", p->mark),
           log_int(signalled ? "signal" : "status",
                   signalled ? WTERMSIG(p->status) : WEXITSTATUS(p->status)));
}

void page_exited(struct process *process, int status)
{
    struct page *p = container_of(process, struct page, process);
    p->exited = true;
    p->status = status;
    log_exit(p);
    page_let_go(p);
    page_ending_advance(p);
    poll_group(p);
    page_settle(p);
}
