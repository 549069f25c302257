/* SPDX-License-Identifier: MIT */
/* host.c - all pages of one worker: from the first to the drain. */
#include "page/parts.h"

#include "page/answer.h"
#include "page/dev.h"
#include "page/dev_files.h"
#include "page/member.h"
#include "page/streams.h"
#include "page/topics.h"
#include "page/wire.h"
#include "proto/close_code.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

int page_host_init(struct page_host *host)
{
    list_init(&host->pages);
    list_init(&host->lobbies);
    list_init(&host->connecting);
    list_init(&host->wires);
    list_init(&host->dev_waits);
    host->console = host->config->dev ? page_console_new(host) : NULL;
    list_init(&host->pools);
    host->dev_files = host->config->dev ? dev_files_new(host->loop) : NULL;
    host->null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return host->null_fd < 0 ? -errno : 0;
}

void page_host_done(struct page_host *host)
{
    page_console_free(host->console);
    dev_files_free(host->dev_files);
    page_pools_free(host);
    close(host->null_fd);
}

const char *page_below_root(const struct page_host *host, const char *file)
{
    return host->root.len > 1 ? file + host->root.len : file;
}

/* Each page but `each` may take no other off the list. */
static void each_page(struct page_host *host, void (*each)(struct page *p))
{
    struct list *next;
    for (struct list *node = host->pages.next; node != &host->pages; node = next) {
        next = node->next;
        each(container_of(node, struct page, node));
    }
}

static void drain_spooling(struct page *p)
{
    struct exchange *x = p->x;
    p->x = NULL;
    page_set_state(p, PAGE_GONE);
    exchange_answer(x, 503, SLICE_LITERAL("the server is stopping"), NULL, 0);
}

static void drain(struct page *p)
{
    char reason[32];
    if (p->shared) { /* after its pages */
        page_shared_retire(p);
        page_settle(p);
        return;
    }
    uint32_t retry_s = p->host->retry_s;
    int len = snprintf(reason, sizeof reason, "draining retry=%u", retry_s);
    bool waits = p->x && (p->kind == PAGE_DIRECT || p->kind == PAGE_PLAIN);
    if (p->state == PAGE_SPOOLING && p->x)
        drain_spooling(p);
    else if (waits)
        page_direct_refuse(p, CLOSE_SERVICE_RESTART, SLICE_LITERAL("draining"), retry_s);
    page_end_session(p, CLOSE_SERVICE_RESTART, slice_make(reason, (size_t)len));
    if (p->session && !session_attached(p->session)) /* nobody can come back to us */
        session_abort(p->session, CLOSE_SERVICE_RESTART, slice_make(reason, (size_t)len));
    page_let_go(p);
    page_settle(p);
}

void page_host_drain(struct page_host *host, uint32_t retry_s, void (*on_empty)(struct page_host *))
{
    host->draining = true;
    host->retry_s = retry_s;
    page_dev_waits_drop(host);
    page_console_drop(host);
    lobbies_drain(host);
    if (list_empty(&host->pages)) {
        on_empty(host);
        return;
    }
    host->on_empty = on_empty;
    each_page(host, drain);
}

static void stop(struct page *p)
{
    struct exchange *x = p->x;
    p->x = NULL;
    if (x)
        exchange_fail(x);
    list_remove(&p->connecting);
    page_answer_free(p);
    timer_stop(&p->answer_timer);
    page_topics_leave(p);
    if (p->plain)
        ws_peer_drop(p->plain);
    p->plain = NULL;
    page_grant_end(&p->grant);
    if (p->session)
        session_abort(p->session, CLOSE_SERVICE_RESTART, SLICE_LITERAL("draining"));
    p->session_done = true;
    page_let_go(p);
    if (p->state == PAGE_SPOOLING)
        page_set_state(p, PAGE_GONE);
    else if (p->member)
        page_settle(p);
    else if (p->state < PAGE_KILL_SENT)
        page_kill(p);
    page_settle(p);
}

void page_host_stop(struct page_host *host)
{
    page_wires_drop(host);
    lobbies_stop(host);
    each_page(host, stop);
}
