/* SPDX-License-Identifier: MIT */
/* page.c - the life of one page: made for a request, settled whenever something of it ended, freed
 * once nobody holds it. */
#include "page/shared.h"

#include "base/log.h"
#include "page/answer.h"
#include "page/dev.h"
#include "page/events.h"
#include "page/member.h"
#include "page/streams.h"
#include "page/topics.h"
#include "proto/close_code.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* Copies `s` and a NUL to *at, which moves on. */
static struct slice keep(char **at, struct slice s)
{
    char *begin = *at;
    if (s.len > 0)
        memcpy(begin, s.ptr, s.len);
    begin[s.len] = '\0';
    *at = begin + s.len + 1;
    return s.ptr ? slice_make(begin, s.len) : SLICE_NONE;
}

static bool keep_texts(struct page *p, const struct page_spec *spec)
{
    struct slice file = slice_of(spec->stdio ? spec->stdio->file : spec->found->file);
    char *at = p->text = malloc(file.len + spec->origin.len + spec->key.len + 3);
    if (!at)
        return false;
    p->file = keep(&at, file);
    p->origin = keep(&at, spec->origin);
    p->key = keep(&at, spec->key);
    return true;
}

void page_name_client(struct page *p, struct exchange *x)
{
    struct net_address peer = {0};
    if (exchange_peer(x, &peer) < 0)
        return; /* gone already: on_abort follows */
    p->last_client = net_client_key_of(&peer);
    if (!p->counted)
        p->client = p->last_client;
    p->address[net_address_print_host(&peer, p->address)] = '\0';
}

static void on_answer_timeout(struct timer *timer)
{
    struct page *p = container_of(timer, struct page, answer_timer);
    page_answer_fail(p, 504, "the program did not answer in time");
    page_settle(p);
}

static void on_leave(struct timer *timer)
{
    struct page *p = container_of(timer, struct page, leave_timer);
    if (!p->attached) {
        page_end_session(p, CLOSE_NORMAL, SLICE_LITERAL("page-left"));
        page_let_go(p);
        page_answer_drop(p);
    }
    page_settle(p);
}

static bool count_member(struct page *p)
{
    struct slice client = slice_make(p->client.bytes, sizeof p->client.bytes);
    return quota_take(p->host->quota, LIMIT_SHARED_PAGES, client,
                      p->host->config->shared_per_client, &p->member->hold);
}

static bool count_in(struct page *p)
{
    if (p->host->draining)
        return false;
    if (p->member ? !count_member(p) : !program_limits_take(p->host->limits, &p->client)) {
        p->host->counts.refused_limit++;
        log_warn("program.refused", log_quoted("program", p->file), log_text("client", p->address),
                 log_text("reason", p->member ? "too many pages" : "too many programs"));
        return false;
    }
    p->counted = true;
    return true;
}

static bool make_member(struct page *p, struct page *process)
{
    if (!process)
        return true;
    struct page_member *m = p->member = calloc(1, sizeof *m);
    if (!m)
        return false;
    m->page = p;
    m->process = process;
    list_init(&m->node);
    list_init(&m->waiting);
    return true;
}

struct page *page_new(const struct page_spec *spec)
{
    struct page *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->host = spec->host;
    p->kind = spec->kind;
    p->x = spec->x;
    p->script_len = spec->stdio ? spec->stdio->path.len : spec->found->script_len;
    p->command = spec->stdio;
    p->stdio = spec->stdio || page_is_stdio(spec->host, spec->found);
    p->spool = -1;
    if (p->x)
        page_name_client(p, p->x);
    if (!keep_texts(p, spec) || !make_member(p, spec->process) || !count_in(p)) {
        free(p->text);
        free(p->member);
        free(p);
        return NULL;
    }

    timer_init(&p->answer_timer, on_answer_timeout);
    timer_init(&p->leave_timer, on_leave);
    page_ending_init(p);
    page_stderr_init(p);
    page_tcp_init(p);
    page_streams_init(p);
    list_init(&p->connecting);
    list_append(&p->host->pages, &p->node);
    p->host->counts.now += p->member == NULL;
    if (p->x) {
        p->x->owner = p;
        p->x->ops = &page_exchange_ops;
    }
    return p;
}

uint32_t page_retry_s(const struct page_host *host)
{
    return host->draining && host->retry_s ? host->retry_s : 5;
}

void page_set_state(struct page *p, enum page_state state)
{
    static const char *const names[] = {"spooling",  "running",   "eof-sent",
                                        "term-sent", "kill-sent", "gone"};
    assert(state > p->state);
    log_debug("page.state", log_quoted("program", p->file), log_text("session", p->mark),
              log_text("state", names[state]));
    p->state = state;
}

bool page_answered(const struct page *p)
{
    return p->x == NULL && list_empty(&p->connecting);
}

/* Would anybody come to hear of this end? An ordinary CGI program leaves no session behind; while
 * we drain, nobody can come. */
static bool end_matters(const struct page *p, unsigned code)
{
    if (code == CLOSE_SERVICE_RESTART)
        return session_attached(p->session);
    if (p->kind == PAGE_DIRECT && !p->attached) /* its id was told to nobody */
        return false;
    return code != CLOSE_NORMAL || p->attached || p->spoke;
}

void page_end_session(struct page *p, unsigned code, struct slice reason)
{
    if (p->session_done)
        return;
    page_dev_ended(p, code, reason);
    page_console_note(p, "ended", reason);
    page_topics_leave(p);
    p->session_done = true;
    list_remove(&p->connecting);
    if (p->member)
        page_member_note_reason(p, reason);
    if (p->shared)
        page_shared_end(p, code, reason);
    if (p->plain)
        ws_peer_close(p->plain, code, reason);
    if (!p->session)
        return;
    if (end_matters(p, code))
        session_end(p->session, code, reason);
    else
        session_abort(p->session, code, reason);
}

void page_abort_session(struct page *p, unsigned code, struct slice reason)
{
    page_end_session(p, code, reason);
    if (p->session)
        session_abort(p->session, code, reason);
}

void page_fail(struct page *p, struct slice reason)
{
    page_end_session(p, CLOSE_PROGRAM_FAILED, reason);
    page_let_go(p);
}

struct slice page_exit_reason(const struct page *p, char text[64])
{
    if (p->status == 0)
        return SLICE_LITERAL("program-exit");
    int len = WIFSIGNALED(p->status)
                  ? snprintf(text, 64, "program-failed signal=%d", WTERMSIG(p->status))
                  : snprintf(text, 64, "program-failed status=%d", WEXITSTATUS(p->status));
    return slice_make(text, (size_t)len);
}

/* Status 0 is an end like any other; everything else the page must learn. */
static void conclude(struct page *p)
{
    char text[64];
    page_end_session(p, p->status == 0 ? CLOSE_NORMAL : CLOSE_PROGRAM_FAILED,
                     page_exit_reason(p, text));
}

static bool held(const struct page *p)
{
    return p->x || p->session || p->plain || p->in.state || p->out.state || p->err.state ||
           p->events.state;
}

static void free_memory(struct reap *reap)
{
    struct page *p = container_of(reap, struct page, reap);
    struct page_host *host = p->host;
    list_remove(&p->node);
    host->counts.now -= p->member == NULL;
    free(p->member);
    free(p->text);
    free(p->line);
    free(p->err_line);
    free(p);
    if (list_empty(&host->pages) && host->on_empty) {
        void (*on_empty)(struct page_host *) = host->on_empty;
        host->on_empty = NULL;
        on_empty(host);
    }
}

static void release(struct page *p)
{
    p->freeing = true;
    page_topics_leave(p);
    list_remove(&p->connecting);
    timer_stop(&p->answer_timer);
    timer_stop(&p->leave_timer);
    timer_stop(&p->end_timer);
    timer_stop(&p->poll_timer);
    timer_stop(&p->err_timer);
    page_answer_free(p);
    page_grant_end(&p->grant);
    page_dev_end(p);
    if (p->spool >= 0)
        close(p->spool);
    if (p->member)
        quota_release(p->host->quota, &p->member->hold);
    else if (p->counted)
        program_limits_release(p->host->limits, &p->client);
    if (p->shared)
        page_shared_gone(p);
    loop_reap(p->host->loop, &p->reap, free_memory);
}

void page_settle(struct page *p)
{
    if (p->freeing)
        return;
    page_ending_advance(p);
    /* Who closes descriptor 3 and runs on has ended its session as who exits has. */
    bool over = p->state == PAGE_GONE || p->state >= PAGE_TERM_SENT;
    if (over && page_answered(p) && !page_pipe_open(&p->events) && !page_dev_holds(p))
        conclude(p);
    if (p->state == PAGE_GONE && !held(p))
        release(p);
}
