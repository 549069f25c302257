/* SPDX-License-Identifier: MIT */
/* shared.c - a process that has many pages: who joins and leaves, which member gets each line, and
 * the bytes that members have not taken. */
#include "program/shared_parts.h"

#include "base/base64url.h"
#include "base/log.h"
#include "program/command.h"
#include "proto/close_code.h"
#include "proto/shared_line.h"

#include <stdlib.h>

/* ---- its members ---- */

bool shared_join(struct shared_process *s, struct shared_member *m,
                 const struct shared_member_ops *ops, struct slice id)
{
    *m = (struct shared_member){.ops = ops, .process = s};
    list_init(&m->node);
    list_init(&m->waiting);
    if (id.len == SHARED_ID_LEN) {
        memcpy(m->id, id.ptr, SHARED_ID_LEN);
    } else if (base64url_draw(m->id, SHARED_ID_LEN) < 0) {
        m->process = NULL;
        return false;
    }
    shared_members_add(&s->members, m);
    s->program->host->counts.shared_pages_now++;
    timer_stop(&s->idle_timer);
    return true;
}

/* Without pages the process is let go, now or after a while. */
static void look_if_idle(struct shared_process *s)
{
    struct program *p = s->program;
    if (s->members.count > 0 || p->let_go)
        return;
    if (!s->retiring) {
        timer_start(p->host->spec.loop, &s->idle_timer, p->host->spec.config->shared_idle_ms);
        return;
    }
    program_let_go(p);
    program_settle(p);
}

/* The next lines may end any member, so they are not read before the next turn. */
static void read_on(struct shared_process *s)
{
    s->busy = NULL;
    timer_start(s->program->host->spec.loop, &s->resume_timer, 0);
}

static void on_resume(struct timer *timer)
{
    program_resume(container_of(timer, struct shared_process, resume_timer)->program);
}

void shared_leave(struct shared_member *m)
{
    struct shared_process *s = m->process;
    if (!s)
        return;
    m->process = NULL;
    shared_forget_pending(m);
    shared_members_remove(&s->members, m);
    list_remove(&m->waiting);
    s->program->host->counts.shared_pages_now--;
    if (s->busy == m)
        read_on(s);
    look_if_idle(s);
}

/* No effect unless reading had stopped: else this may be called from the midst of reading. */
void shared_resume(struct shared_process *s)
{
    if (!s->busy || s->busy->ops->busy(s->busy))
        return;
    s->busy = NULL;
    program_resume(s->program);
}

void shared_resume_later(struct shared_process *s)
{
    if (s->busy && !s->busy->ops->busy(s->busy))
        read_on(s);
}

/* ---- its end ---- */

static void end(struct shared_process *s, unsigned code, struct slice reason)
{
    if (s->ended)
        return;
    s->ended = true;
    s->busy = NULL;
    while (!list_empty(&s->members.list)) {
        struct shared_member *m = container_of(s->members.list.next, struct shared_member, node);
        m->ops->on_end(m, code, reason);
        shared_leave(m);
    }
}

static void end_and_let_go(struct shared_process *s, unsigned code, struct slice reason)
{
    end(s, code, reason);
    program_let_go(s->program);
}

void shared_retire(struct shared_process *s)
{
    struct program *p = s->program;
    if (!s->retiring)
        log_info("program.retired", log_slice("program", p->file), log_int("pid", p->pid),
                 log_int("pages", s->members.count));
    s->retiring = true;
    look_if_idle(s);
}

static void on_idle(struct timer *timer)
{
    shared_retire(container_of(timer, struct shared_process, idle_timer));
}

/* ---- what its members have not taken ---- */

static struct shared_member *count_backlog(struct shared_process *s)
{
    struct shared_member *most = NULL;
    size_t most_bytes = 0;
    s->backlog = s->since = 0;
    for (struct list *node = s->members.list.next; node != &s->members.list; node = node->next) {
        struct shared_member *m = container_of(node, struct shared_member, node);
        size_t bytes = m->ops->backlog(m);
        s->backlog += bytes;
        if (bytes <= most_bytes)
            continue;
        most = m;
        most_bytes = bytes;
    }
    return most;
}

void shared_overflow(struct shared_member *m)
{
    m->process->program->host->counts.shared_overflows++;
    m->ops->on_overflow(m);
    shared_leave(m);
}

/* Those with most of it make room, until a quarter is free: so the count is worth its while. */
static void bound_backlog(struct shared_process *s)
{
    size_t max = s->program->host->spec.config->shared_max;
    if (s->backlog + s->since <= max)
        return;
    struct shared_member *most = count_backlog(s);
    if (s->backlog <= max)
        return;
    while (most && s->backlog > max / 4 * 3) {
        shared_overflow(most);
        most = count_backlog(s);
    }
}

/* ---- lines of the process itself ---- */

static void breach(struct shared_process *s, const char *why, const char *what, struct slice text)
{
    struct program *p = s->program;
    p->host->counts.protocol_errors++;
    log_error("program.protocol_error", log_slice("program", p->file), log_int("pid", p->pid),
              log_text("why", why), log_slice(what, slice_first(text, 80)));
    end_and_let_go(s, CLOSE_PROGRAM_FAILED, SLICE_LITERAL("program-failed reason=protocol"));
}

static void run_close(struct shared_process *s, const struct message *m)
{
    char text[COMMAND_REASON_MAX];
    struct slice reason;
    if (command_read_close(m, text, &reason))
        end_and_let_go(s, CLOSE_NORMAL, reason);
    else
        breach(s, COMMAND_CLOSE_EXPECTED, "command", m->name);
}

/* `.shared` changes nothing: the process has many pages already. */
static void run_command(struct shared_process *s, const struct message *m)
{
    if (slice_equal(m->name, SLICE_LITERAL("close")))
        run_close(s, m);
    else if (!slice_equal(m->name, SLICE_LITERAL("shared")))
        breach(s, "a command for a page, without @SESSION", "command", m->name);
}

/* ---- lines ---- */

static struct slice first_line(struct slice in)
{
    return slice_first(in, slice_find(in, '\n'));
}

/* Without the id, which is in no log. */
static struct slice without_id(struct slice line)
{
    size_t len = 0;
    if (!slice_starts_with(line, SLICE_LITERAL("@")))
        return line;
    while (len < line.len && line.ptr[len] != ' ')
        len++;
    return slice_skip(line, len);
}

static void deliver(struct shared_process *s, const struct message *m, struct shared_member *member,
                    size_t len)
{
    s->since += len;
    member->ops->on_message(member, m);
    bound_backlog(s);
}

/* The line's end and the page's may have crossed. */
static void take_member_line(struct shared_process *s, const struct shared_line *line,
                             struct slice in, size_t len, bool good)
{
    struct shared_member *m = shared_members_find(&s->members, line->session);
    if (!m)
        s->program->host->counts.shared_late_lines++;
    else if (good)
        deliver(s, &line->m, m, len);
    else
        m->ops->on_bad_line(m, line->m.why, without_id(first_line(in)));
    m = shared_members_find(&s->members, line->session);
    if (m && m->ops->busy(m))
        s->busy = m;
}

/* Whose line it is decides how long the line may be. */
static enum parse_status parse(struct shared_process *s, struct slice in, size_t seen, size_t *used,
                               struct shared_line *ret)
{
    size_t want, max = s->program->host->spec.config->line_max;
    enum parse_status status = shared_line_parse(in, seen, max, used, &want, ret);
    if (status != PARSE_BAD || ret->session.len == 0)
        return status;
    const struct shared_member *m = shared_members_find(&s->members, ret->session);
    return m && m->ops->plain(m) ? shared_line_parse_escaped(in, seen, max, used, &want, ret)
                                 : PARSE_BAD;
}

static enum parse_status on_line(struct program *p, struct slice in, size_t seen, size_t *used)
{
    struct shared_process *s = p->owner;
    struct shared_line line;
    s->busy = NULL; /* else nothing would be read */
    enum parse_status status = parse(s, in, seen, used, &line);
    if (status == PARSE_MORE)
        return PARSE_MORE;
    if (status == PARSE_BAD && (*used == 0 || line.session.len == 0)) {
        breach(s, line.m.why, "line", without_id(first_line(in)));
        return PARSE_BAD;
    }
    if (line.session.len > 0)
        take_member_line(s, &line, in, *used, status == PARSE_OK);
    else
        run_command(s, &line.m);
    return PARSE_OK;
}

static void on_last_line(struct program *p, struct slice line)
{
    breach(p->owner, "the last line is not complete", "line", without_id(line));
}

static void on_fault(struct program *p, int error)
{
    program_log_fault(p, error);
    end_and_let_go(p->owner, CLOSE_INTERNAL_ERROR, SLICE_LITERAL("server-failed"));
}

static enum program_reading reading(const struct program *p)
{
    const struct shared_process *s = p->owner;
    if (s->ended)
        return PROGRAM_DROP;
    return s->busy && s->busy->ops->busy(s->busy) ? PROGRAM_WAIT : PROGRAM_READ;
}

/* ---- the rest of what it does ---- */

static void on_output(struct program *p, struct slice data)
{
    struct shared_process *s = p->owner;
    (void)data;
    if (s->excess)
        return;
    s->excess = true;
    log_warn("program.answer_excess", log_slice("program", p->file), log_int("pid", p->pid),
             log_text("why", "stdout of a shared program is dropped: its answers are `.answer`"));
}

static void ignore(struct program *p)
{
    (void)p;
}

static void on_stderr(struct program *p, struct slice line)
{
    struct shared_process *s = p->owner;
    struct list *next;
    for (struct list *node = s->members.list.next; node != &s->members.list; node = next) {
        struct shared_member *m = container_of(node, struct shared_member, node);
        next = node->next; /* the member may leave, and no other one */
        m->ops->on_stderr(m, line);
    }
}

/* What waited for the process goes on; those that wait again, at the next time. */
static void on_drain(struct program *p)
{
    struct shared_process *s = p->owner;
    struct list todo;
    list_init(&todo);
    list_splice(&todo, &s->waiting);
    for (struct list *node; (node = list_pop(&todo));) {
        struct shared_member *m = container_of(node, struct shared_member, waiting);
        if (m->pending && m->pending->failed) { /* no memory: lines are missing */
            shared_overflow(m);
            continue;
        }
        if (m->pending && !shared_crowded(s))
            shared_release_pending(m);
        if (m->pending || program_queued(p) > IO_CORKED_MAX)
            list_append(&s->waiting, &m->waiting);
        else
            m->ops->on_drain(m);
    }
    shared_count_queue(s);
}

static void on_settle(struct program *p)
{
    struct shared_process *s = p->owner;
    char text[64];
    shared_count_queue(s);
    if (program_has_ended(p))
        end(s, p->status == 0 ? CLOSE_NORMAL : CLOSE_PROGRAM_FAILED, program_end_reason(p, text));
}

static void on_over(struct program *p)
{
    struct shared_process *s = p->owner;
    s->on_over(s);
}

const struct program_ops shared_program_ops = {
    .reading = reading,
    .on_line = on_line,
    .on_last_line = on_last_line,
    .on_fault = on_fault,
    .on_output = on_output,
    .on_output_end = ignore,
    .on_stderr = on_stderr,
    .on_drain = on_drain,
    .on_body_drain = ignore,
    .on_settle = on_settle,
    .on_over = on_over,
};

/* ---- its life ---- */

static void recount(struct memory_account *a)
{
    shared_count_queue(container_of(a, struct shared_process, account));
}

static const struct memory_ops memory_ops = {"shared", NULL, recount};

struct shared_process *shared_process_new(void (*over)(struct shared_process *s))
{
    struct shared_process *s = log_needed(calloc(1, sizeof(*s)));
    if (!s || !shared_members_init(&s->members)) {
        free(s);
        return NULL;
    }
    s->on_over = over;
    list_init(&s->node);
    list_init(&s->waiting);
    timer_init(&s->idle_timer, on_idle);
    timer_init(&s->resume_timer, on_resume);
    return s;
}

void shared_process_free(struct shared_process *s)
{
    timer_stop(&s->idle_timer);
    timer_stop(&s->resume_timer);
    memory_close(&s->account);
    shared_members_done(&s->members);
    free(s);
}

void shared_process_own(struct shared_process *s, struct program *p)
{
    s->program = p;
    memory_open(&s->account, p->host->spec.memory, &memory_ops, NULL);
    s->started_ms = loop_now_ms(p->host->spec.loop);
    p->kind = PROGRAM_SHARED;
    p->answering = false;
    p->mark[0] = '\0';
    program_own(p, &shared_program_ops, s);
    look_if_idle(s); /* its first page may never come */
}

/* What its pages have not read goes on by the timer: each of them may end by that. */
void shared_process_go_on(struct shared_process *s)
{
    read_on(s);
    look_if_idle(s);
    shared_count_queue(s);
}

struct program *shared_program(struct shared_process *s)
{
    return s->program;
}

struct shared_process *shared_of(const struct program *p)
{
    return p->kind == PROGRAM_SHARED ? p->owner : NULL;
}
