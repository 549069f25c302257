/* SPDX-License-Identifier: MIT */
/* shared.c - shared programs: one process has many pages (docs/page-programs/shared.md).
 *
 * The process is a struct page without a client: it has descriptors, a log and an end like any other.
 * Its pages are struct page without a process (member.c). Here: which ones they are, what they have
 * not taken, and the lines of the process.
 */
#include "page/shared.h"

#include "base/hash.h"
#include "page/events.h"
#include "page/member.h"
#include "page/streams.h"
#include "page/topics.h"
#include "proto/shared_line.h"

#include <stdlib.h>

/* ---- its members ---- */

static uint32_t bucket_of(const struct page_shared *s, struct slice id)
{
    return (uint32_t)hash_bytes(id) & (s->bucket_count - 1);
}

static struct slice id_of(const struct page_member *m)
{
    return slice_make(m->id, SESSION_ID_LEN);
}

static struct page_member *find(const struct page_shared *s, struct slice id)
{
    struct page_member *m = s->buckets[bucket_of(s, id)];
    while (m && !slice_equal(id_of(m), id))
        m = m->next;
    return m;
}

static void link_member(struct page_shared *s, struct page_member *m)
{
    struct page_member **head = &s->buckets[bucket_of(s, id_of(m))];
    m->next = *head;
    *head = m;
}

/* Without memory the table only gets slower. */
static void grow(struct page_shared *s)
{
    struct page_member **buckets = calloc((size_t)s->bucket_count * 2, sizeof *buckets);
    if (!buckets)
        return;
    free(s->buckets);
    s->buckets = buckets;
    s->bucket_count *= 2;
    for (struct list *node = s->members.next; node != &s->members; node = node->next)
        link_member(s, container_of(node, struct page_member, node));
}

/* Only what nothing was read for is read on: we may be in the midst of reading. */
void page_shared_resume(struct page *process)
{
    struct page_shared *s = process->shared;
    if (!s->busy || page_topics_busy(s->busy->page))
        return;
    s->busy = NULL;
    page_events_resume(process);
}

bool page_shared_add(struct page *process, struct page_member *m)
{
    struct page_shared *s = process->shared;
    if (s->count >= s->bucket_count)
        grow(s);
    link_member(s, m);
    list_append(&s->members, &m->node);
    s->count++;
    process->host->counts.shared_pages_now++;
    timer_stop(&s->idle_timer);
    return true;
}

void page_shared_idle(struct page_shared *s)
{
    struct page *p = s->page;
    if (s->count > 0 || p->let_go)
        return;
    if (s->retiring)
        page_let_go(p);
    else
        timer_start(p->host->loop, &s->idle_timer, p->host->config->shared_idle_ms);
}

void page_shared_remove(struct page *process, struct page_member *m)
{
    struct page_shared *s = process->shared;
    struct page_member **at = &s->buckets[bucket_of(s, id_of(m))];
    while (*at && *at != m)
        at = &(*at)->next;
    if (!*at)
        return; /* it has not come so far */
    *at = m->next;
    list_remove(&m->node);
    list_remove(&m->waiting);
    s->count--;
    if (s->busy == m) {
        s->busy = NULL;
        page_events_resume(process);
    }
    process->host->counts.shared_pages_now--;
    page_shared_idle(s);
}

void page_shared_await(struct page *process, struct page_member *m)
{
    if (list_empty(&m->waiting))
        list_append(&process->shared->waiting, &m->waiting);
}

void page_shared_each(struct page *p, void (*each)(struct page *member, void *arg), void *arg)
{
    struct list *next;
    for (struct list *node = p->shared->members.next; node != &p->shared->members; node = next) {
        next = node->next;
        each(container_of(node, struct page_member, node)->page, arg);
    }
}

struct end {
    unsigned code;
    struct slice reason;
};

static void end_member(struct page *member, void *arg)
{
    const struct end *end = arg;
    page_end_session(member, end->code, end->reason);
    page_member_orphan(member->member);
}

void page_shared_end(struct page *p, unsigned code, struct slice reason)
{
    page_shared_each(p, end_member, &(struct end){code, reason});
}

/* What waited for the process goes on; those that wait again, at the next time. */
void page_shared_drained(struct page *p)
{
    struct list todo;
    list_init(&todo);
    list_splice(&todo, &p->shared->waiting);
    for (struct list *node; (node = list_pop(&todo));) {
        struct page *member = container_of(node, struct page_member, waiting)->page;
        page_events_taken(member);
        page_streams_taken(member);
        page_topics_drained(member);
        if (member->plain)
            ws_peer_resume(member->plain);
        if (member->x)
            exchange_resume(member->x);
        page_settle(member);
    }
}

/* ---- what they have not taken ---- */

static struct page_member *count_backlog(struct page_shared *s)
{
    struct page_member *most = NULL;
    size_t most_bytes = 0;
    s->backlog = s->since = 0;
    for (struct list *node = s->members.next; node != &s->members; node = node->next) {
        struct page_member *m = container_of(node, struct page_member, node);
        size_t bytes = page_member_backlog(m);
        s->backlog += bytes;
        if (bytes <= most_bytes)
            continue;
        most = m;
        most_bytes = bytes;
    }
    return most;
}

/* Those with most of it make room, until a quarter is free: so the count is worth its while. */
static void bound_backlog(struct page_shared *s)
{
    size_t max = s->page->host->config->shared_max;
    if (s->backlog + s->since <= max)
        return;
    struct page_member *most = count_backlog(s);
    if (s->backlog <= max)
        return;
    while (most && s->backlog > max / 4 * 3) {
        page_member_overflow(most);
        most = count_backlog(s);
    }
}

/* ---- lines ---- */

/* Without the session's id, which is in no log. */
static struct slice without_session(struct slice line)
{
    size_t len = 0;
    if (!slice_starts_with(line, SLICE_LITERAL("@")))
        return line;
    while (len < line.len && line.ptr[len] != ' ')
        len++;
    return slice_skip(line, len);
}

static void deliver(struct page *p, const struct shared_line *line, size_t len)
{
    struct page_shared *s = p->shared;
    struct page_member *m = find(s, line->session);
    if (!m) { /* its end and this line have crossed */
        p->host->counts.shared_late_lines++;
        return;
    }
    s->busy = NULL;
    s->since += len;
    page_member_deliver(m, &line->m);
    bound_backlog(s);
    if (page_topics_busy(m->page))
        s->busy = m;
}

bool page_shared_busy(const struct page *p)
{
    const struct page_member *m = p->shared->busy;
    return m && page_topics_busy(m->page);
}

/* The wrong line of one page: the others go on. */
static void blame(struct page *p, const struct shared_line *line, struct slice text)
{
    struct page_member *m = find(p->shared, line->session);
    if (!m) {
        p->host->counts.shared_late_lines++;
        return;
    }
    page_events_fail(m->page, line->m.why, without_session(text));
    page_settle(m->page);
}

enum parse_status page_shared_take(struct page *p, struct slice in, size_t *used)
{
    struct shared_line line;
    size_t want;
    enum parse_status status =
        shared_line_parse(in, p->line_seen, p->host->config->line_max, used, &want, &line);
    struct slice text = slice_first(in, slice_find(in, '\n'));
    if (status == PARSE_MORE)
        return PARSE_MORE;
    if (status == PARSE_BAD && (*used == 0 || line.session.len == 0)) {
        page_events_fail(p, line.m.why, without_session(text));
        return PARSE_BAD;
    }
    if (status == PARSE_BAD)
        blame(p, &line, text);
    else if (line.session.len > 0)
        deliver(p, &line, *used);
    else
        page_events_deliver(p, &line.m);
    return PARSE_OK;
}
