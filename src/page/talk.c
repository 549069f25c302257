/* SPDX-License-Identifier: MIT */
/* talk.c - what a session asks of its program. */
#include "page/parts.h"

#include "base/log.h"
#include "page/dev.h"
#include "page/events.h"
#include "page/streams.h"
#include "page/topics.h"
#include "page/wire.h"
#include "proto/close_code.h"

/* A page may say any number of them; the log has the first of each page. */
enum {
    PROBLEMS_LOGGED_MAX = 20
};

static void note_problem(struct page *p, const struct message *m)
{
    p->host->counts.problems++;
    if (p->problems++ >= PROBLEMS_LOGGED_MAX)
        return;
    log_warn("page.problem", log_quoted("program", p->file), log_text("session", p->mark),
             log_quoted("problem", m->body));
    page_dev_line(p, m->body);
    page_dev_tell(p);
}

static void on_message(struct session *s, const struct message *m)
{
    struct page *p = session_owner(s);
    if (!page_events_open(p))
        return; /* the program takes no more: it is not acknowledged */
    if (message_is_problem(m))
        note_problem(p, m);
    page_console_from_page(p, m);
    page_events_write(p, m);
    p->untaken++;
    page_events_taken(p);
}

static void on_attach(struct session *s, bool resumed)
{
    struct page *p = session_owner(s);
    p->attached = true;
    timer_stop(&p->leave_timer);
    page_events_attach(p, resumed);
    page_console_note(p, resumed ? "resumed" : "connected", slice_of(p->address));
    page_topics_connected(p, true);
    page_dev_attached(p);
}

static void on_detach(struct session *s, struct slice reason)
{
    struct page *p = session_owner(s);
    page_events_detach(p, reason);
    page_console_note(p, "disconnected", reason);
    page_topics_connected(p, false);
}

static void on_writable(struct session *s)
{
    struct page *p = session_owner(s);
    page_topics_drained(p);
    page_events_resume(p);
    page_settle(p);
}

static void on_close(struct session *s, struct slice reason)
{
    struct page *p = session_owner(s);
    page_end_session(p, CLOSE_NORMAL, reason);
    page_let_go(p);
    page_settle(p);
}

static void on_over(struct session *s)
{
    struct page *p = session_owner(s);
    page_topics_leave(p);
    p->session = NULL;
    p->session_done = true;
    list_remove(&p->connecting);
    page_let_go(p);
    page_settle(p);
}

static void on_greeted(struct session *s)
{
    page_dev_tell(session_owner(s));
}

static void on_open(struct session *s, struct channel *c, struct slice json)
{
    struct page *p = session_owner(s);
    struct page_opener opener = page_opener_of(p);
    page_channel_open(p->host, c, json, &opener, p);
}

const struct session_ops page_session_ops = {
    .on_message = on_message,
    .on_attach = on_attach,
    .on_detach = on_detach,
    .on_writable = on_writable,
    .on_close = on_close,
    .on_over = on_over,
    .on_greeted = on_greeted,
    .on_open = on_open,
};
