/* SPDX-License-Identifier: MIT */
/* client_session.c - a session as the client of a page: what it asks of the program, and how the
 * program reaches it. */
#include "page/client.h"

#include "base/log.h"
#include "page/batch.h"
#include "page/hear.h"
#include "page/host.h"
#include "page/state.h"
#include "page/streams.h"
#include "page/topics.h"
#include "proto/close_code.h"
#include "session/pack.h"

#include <errno.h>
#include <stdlib.h>

/* A page may say any number of them; the log has the first of each page. */
enum {
    PROBLEMS_LOGGED_MAX = 20
};

/* ---- to the client ---- */

static bool fits(const struct page *p, const struct message *m)
{
    size_t size = m->head.len + (m->binary || m->body.len ? 1 : 0) + m->body.len;
    return size <= p->host->spec.session_config->message_max;
}

/* A line of a program that knows no JSON. Where the escapes of JSON make it too long, it goes as
 * bytes: as such the client may have sent it. */
static void send_text(struct page *p, struct message m)
{
    char *json = log_needed(malloc(JSON_QUOTED_MAX(m.body.len)));
    struct slice line = m.body;
    if (!json) {
        page_end(p, CLOSE_TRY_AGAIN_LATER, SLICE_LITERAL("overload"));
        return;
    }
    m.text = false;
    m.body = slice_make(json, json_quote(line, json));
    if (!fits(p, &m)) {
        m.binary = true;
        m.body = line;
    }
    if (fits(p, &m))
        session_queue(p->session, &m);
    else
        page_breach(p, "a line that is too long", line);
    free(json);
}

static void send_message(struct page *p, const struct message *m)
{
    if (m->text)
        send_text(p, *m);
    else if (m->binary && !fits(p, m))
        page_breach(p, "a message that is too long", m->body);
    else
        session_queue(p->session, m);
    page_count(p);
}

static bool send_batch(struct page *p, struct hub_batch *batch)
{
    struct outbox_frames frames;
    if (!session_has_room(p->session, batch_payload(batch)) || !batch_for_sessions(batch, &frames))
        return false;
    session_send_frames(p->session, &frames);
    page_count(p);
    return true;
}

static bool command(struct page *p, const struct message *m)
{
    session_queue(p->session, m);
    page_count(p);
    page_count(p);
    return true;
}

static bool writable(const struct page *p)
{
    return session_writable(p->session);
}

static bool present(const struct page *p)
{
    return session_attached(p->session);
}

static size_t backlog(const struct page *p)
{
    return session_unacknowledged(p->session);
}

static void program_drained(struct page *p)
{
    (void)p; /* the session counts what was taken: page_acknowledge */
}

static void end(struct page *p, unsigned code, struct slice reason, bool matters)
{
    if (matters)
        session_end(p->session, code, reason);
    else
        session_abort(p->session, code, reason);
}

static void abort_session(struct page *p, unsigned code, struct slice reason)
{
    session_abort(p->session, code, reason);
}

static void drop(struct page *p)
{
    session_abort(p->session, CLOSE_SERVICE_RESTART, SLICE_LITERAL("draining"));
}

const struct page_client_ops page_session_client = {
    .send = send_message,
    .send_batch = send_batch,
    .writable = writable,
    .command = command,
    .present = present,
    .backlog = backlog,
    .program_drained = program_drained,
    .end = end,
    .abort = abort_session,
    .drop = drop,
};

/* ---- from the client ---- */

static void note_problem(struct page *p, const struct message *m)
{
    p->host->counts.problems++;
    if (p->problems++ >= PROBLEMS_LOGGED_MAX)
        return;
    log_warn("page.problem", log_slice("program", page_file(p)), log_text("session", p->mark),
             log_slice("problem", m->body));
    page_seat_stderr(p, m->body);
}

static void on_message(struct session *s, const struct message *m)
{
    struct page *p = session_owner(s);
    if (message_is_problem(m) && page_program_open(p))
        note_problem(p, m);
    if (!page_hear_client(p, m))
        return; /* it is not acknowledged */
    p->untaken++;
    page_acknowledge(p);
    page_count(p);
}

static void on_grown(struct session *s)
{
    page_count(session_owner(s));
}

static void on_attach(struct session *s, bool resumed)
{
    struct page *p = session_owner(s);
    page_note_claim(p);
    page_client_attached(p, resumed);
    if (p->restores && !resumed)
        page_resume(p); /* its lines waited for the state */
}

static void on_detach(struct session *s, struct slice reason)
{
    page_note_claim(session_owner(s));
    page_client_detached(session_owner(s), reason);
}

static void on_writable(struct session *s)
{
    struct page *p = session_owner(s);
    page_client_writable(p);
    page_settle(p);
}

static void on_close(struct session *s, struct slice reason)
{
    struct page *p = session_owner(s);
    page_stop(p, CLOSE_NORMAL, reason);
    page_settle(p);
}

static void on_over(struct session *s)
{
    struct page *p = session_owner(s);
    p->session = NULL;
    p->client = NULL;
    page_stop(p, CLOSE_NORMAL, SLICE_LITERAL("left"));
    page_settle(p);
}

static void on_greeted(struct session *s)
{
    struct page *p = session_owner(s);
    struct page_watcher *watcher = p->host->spec.watcher;
    p->told = true;
    if (watcher)
        watcher->ops->on_event(watcher, p, PAGE_GREETED, SLICE_NONE);
}

static void on_restore(struct session *s, const struct session_restored *restored)
{
    struct page *p = session_owner(s);
    page_state_restored(p, restored);
}

static void on_open(struct session *s, struct channel *c, struct slice json)
{
    struct page *p = session_owner(s);
    struct page_opener opener = page_opener_of(p);
    page_channel_open(p->host, c, json, &opener, p);
}

static bool may_go(const struct session *s)
{
    const struct page *p = session_owner(s);
    return p->claim != PAGE_CLAIMED || p->state == PAGE_ENDED;
}

static void on_given_up(struct session *s)
{
    struct page *p = session_owner(s);
    if (p->state < PAGE_ENDED)
        page_give_up(p);
    else
        session_give_up(s);
}

static const struct session_ops session_ops = {
    .on_message = on_message,
    .on_attach = on_attach,
    .on_detach = on_detach,
    .on_writable = on_writable,
    .on_close = on_close,
    .on_over = on_over,
    .on_greeted = on_greeted,
    .on_grown = on_grown,
    .on_open = on_open,
    .may_go = may_go,
    .on_given_up = on_given_up,
    .on_restore = on_restore,
};

/* ---- made ---- */

static struct session_spec spec_of(struct page *p)
{
    struct page_host *host = p->host;
    return (struct session_spec){
        .config = host->spec.session_config,
        .counts = &host->counts.sessions,
        .table = host->spec.sessions,
        .ops = &session_ops,
        .owner = p,
        .restores = p->restores,
    };
}

bool page_unpack_session(struct page *p, struct slice in)
{
    struct session_spec spec = spec_of(p);
    p->session = session_unpack(p->host->spec.loop, &spec, in);
    if (!p->session)
        return false;
    p->client = &page_session_client;
    session_log_id(p->session, p->mark);
    return true;
}

int page_make_session(struct page *p)
{
    if (p->kind != PAGE_ORDINARY && p->kind != PAGE_DIRECT)
        return 0;
    struct session_spec spec = spec_of(p);
    spec.origin = page_origin(p).ptr ? page_origin(p) : SLICE_LITERAL("");
    spec.path = p->x->path;
    errno = ENOMEM;
    p->session = session_new(p->host->spec.loop, &spec);
    if (!p->session)
        return -errno;
    p->client = &page_session_client;
    session_log_id(p->session, p->mark);
    return 0;
}
