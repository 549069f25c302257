/* SPDX-License-Identifier: MIT */
#include "page/restart.h"

#include "base/log.h"
#include "page/host.h"

/* ---- which ---- */

/* `*` at its end stands for anything. */
static bool matches(struct slice path, struct slice wanted)
{
    if (slice_ends_with(wanted, SLICE_LITERAL("*")))
        return slice_starts_with(path, slice_first(wanted, wanted.len - 1));
    return slice_equal(path, wanted);
}

/* The name by which a program is found, too: `/chat` of `/chat.py`. */
static struct slice without_suffix(struct slice file)
{
    for (size_t at = file.len; at > 0 && file.ptr[at - 1] != '/'; at--)
        if (file.ptr[at - 1] == '.')
            return slice_first(file, at - 1);
    return file;
}

struct wish {
    struct slice path; /* ptr NULL: those whose file has changed */
};

static bool is_wanted(const struct page *p, const struct wish *wish)
{
    const struct page_host *host = p->host;
    if (!wish->path.ptr)
        return p->seat->ops->file_changed && p->seat->ops->file_changed(p->seat);
    struct slice file = slice_of(program_host_below_root(host->spec.programs, page_file(p).ptr));
    return matches(page_script(p), wish->path) || matches(file, wish->path) ||
           matches(without_suffix(file), wish->path);
}

static bool may_restart(const struct page *p)
{
    return p->state < PAGE_LEAVING && p->kind != PAGE_HEAD && list_empty(&p->restarting);
}

/* ---- one after the other ---- */

/* Who waits to be let in is looked at again later, and so is a page that is being loaded: its
 * client would find its session gone, which for a page that was never connected means that it has
 * none. */
static bool is_too_early(const struct page *p)
{
    if (p->state >= PAGE_LEAVING)
        return false;
    return page_waits(p) || p->state == PAGE_SPOOLING || (p->session && !session_met(p->session));
}

static struct page *first_due(struct page_host *host)
{
    struct list *node = host->restarting.next;
    for (; node != &host->restarting; node = node->next) {
        struct page *p = container_of(node, struct page, restarting);
        if (!is_too_early(p))
            return p;
    }
    return NULL;
}

static void restart(struct page *p)
{
    if (p->state >= PAGE_LEAVING)
        return;
    log_info("program.restarts", log_slice("program", page_file(p)), log_int("pid", page_pid(p)),
             log_text("session", p->mark));
    p->restarts = true;
    if (p->seat->ops->retire) {
        p->seat->ops->retire(p->seat);
        page_end_restarted(p);
    }
    page_let_go(p);
    page_settle(p);
}

static void start_timer(struct page_host *host)
{
    if (!list_empty(&host->restarting) && !timer_active(&host->restart_timer))
        timer_start(host->spec.loop, &host->restart_timer, host->spec.config->restart_every_ms);
}

static void on_turn(struct timer *timer)
{
    struct page_host *host = container_of(timer, struct page_host, restart_timer);
    struct page *p = first_due(host);
    if (p) {
        list_remove(&p->restarting);
        restart(p);
    }
    start_timer(host);
}

static size_t begin(struct page_host *host, const struct wish *wish)
{
    size_t count = 0;
    for (struct list *node = host->pages.next; node != &host->pages; node = node->next) {
        struct page *p = container_of(node, struct page, node);
        if (!may_restart(p) || !is_wanted(p, wish))
            continue;
        list_append(&host->restarting, &p->restarting);
        count++;
    }
    if (count > 0 && !timer_active(&host->restart_timer))
        timer_start(host->spec.loop, &host->restart_timer, 0);
    return count;
}

size_t page_host_restart(struct page_host *host, struct slice path)
{
    return host->draining ? 0 : begin(host, &(struct wish){path});
}

size_t page_host_restart_changed(struct page_host *host)
{
    return host->draining ? 0 : begin(host, &(struct wish){SLICE_NONE});
}

void page_restarts_go_on(struct page_host *host)
{
    start_timer(host);
}

void page_restarts_init(struct page_host *host)
{
    list_init(&host->restarting);
    timer_init(&host->restart_timer, on_turn);
}

void page_restarts_stop(struct page_host *host)
{
    timer_stop(&host->restart_timer);
    while (list_pop(&host->restarting))
        ;
}
