/* SPDX-License-Identifier: MIT */
#include "page/waiting.h"

#include "page/answer_head.h"
#include "page/grant.h"
#include "page/host.h"
#include "page/wire.h"
#include "proto/close_code.h"

void page_wait(struct page *p)
{
    if (p->kind == PAGE_DIRECT)
        list_append(&p->host->waiting, &p->waiting);
}

struct page *page_find_waiting(struct page_host *host, struct slice key, struct slice origin,
                               struct slice path)
{
    struct list *all = &host->waiting;
    for (struct list *node = all->next; node != all; node = node->next) {
        struct page *p = container_of(node, struct page, waiting);
        if (slice_equal(page_key(p), key) && session_admits(p->session, path, origin, key, 0) == 0)
            return p;
    }
    return NULL;
}

bool page_host_has_key(const struct page_host *host, struct slice key)
{
    const struct list *all = &host->waiting;
    for (const struct list *node = all->next; node != all; node = node->next)
        if (slice_equal(page_key(container_of(node, const struct page, waiting)), key))
            return true;
    return session_table_find_key(host->spec.sessions, key);
}

struct exchange *page_take_exchange(struct page *p)
{
    struct exchange *x = p->x;
    p->x = NULL;
    list_remove(&p->waiting);
    return x;
}

static void admit_session(struct page *p, const struct cgi_head *head)
{
    struct page_subprotocol subprotocol;
    struct page_grant *grant = p->grant;
    struct exchange *x = page_take_exchange(p);
    page_subprotocol_read(x->request, &subprotocol);
    p->grant = NULL;
    page_wire_attach(p->host, x, p->session, p, &p->account, &subprotocol, grant, head);
    /* The upgrade has failed; who comes again asks a new program. */
    if (!p->attached && !session_attached(p->session))
        page_stop(p, CLOSE_NORMAL, SLICE_LITERAL("page-left"));
    page_resume(p);
}

void page_admit(struct page *p, const struct cgi_head *head)
{
    struct page_answer *answer = p->answer; /* `head` may lie in it */
    p->answer = NULL;
    if (!p->x) /* the client has broken off: it is let in when it comes again */
        ;
    else if (p->kind == PAGE_PLAIN)
        page_plain_open(p, head);
    else
        admit_session(p, head);
    page_answer_done(answer);
}

void page_turn_away(struct page *p, const struct page_refusal *refusal)
{
    struct exchange *x = page_take_exchange(p);
    page_grant_end(&p->grant);
    if (x)
        page_refuse_program(p->host, x, p->same_origin, refusal);
    page_end(p, refusal->code, refusal->token);
    page_let_go(p);
    page_answer_free(p); /* last: the refusal may be the program's own */
}
