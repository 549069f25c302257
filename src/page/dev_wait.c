/* SPDX-License-Identifier: MIT */
/* dev_wait.c - a page whose program has failed asks for its file's next change, in dev mode.
 *
 *     GET /page, Accept: application/httpsocket-change, If-None-Match: VERSION
 *
 * is answered 204 when the file is not VERSION any more, at once or later; 503 if too many ask. It
 * starts no program.
 */
#include "page/parts.h"

#include "base/log.h"
#include "page/dev.h"
#include "page/dev_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define WAITS_MAX 64 /* a worker */

struct dev_wait {
    struct list node; /* page_host.dev_waits */
    struct page_host *host;
    struct exchange *x;
    struct dev_file file;
    struct reap reap;
};

struct slice page_dev_version(const char *file, char out[PAGE_DEV_VERSION_MAX])
{
    struct stat st = {0};
    if (stat(file, &st) < 0)
        return slice_make(out, (size_t)snprintf(out, PAGE_DEV_VERSION_MAX, "none"));
    uint64_t ns = (uint64_t)st.st_mtim.tv_sec * 1000000000u + (uint64_t)st.st_mtim.tv_nsec;
    int len = snprintf(out, PAGE_DEV_VERSION_MAX, "%016llx", (unsigned long long)ns);
    return slice_make(out, (size_t)len);
}

static void free_memory(struct reap *reap)
{
    free(container_of(reap, struct dev_wait, reap));
}

static void release(struct dev_wait *wait)
{
    dev_file_unwatch(&wait->file);
    list_remove(&wait->node);
    wait->host->dev_wait_count--;
    loop_reap(wait->host->loop, &wait->reap, free_memory);
}

static void answer_changed(struct exchange *x)
{
    exchange_respond(x, 204, SLICE_NONE, NULL, 0, 0);
    exchange_end(x);
}

static void answer_later(struct exchange *x, struct slice why)
{
    exchange_answer(x, 503, why, NULL, 0);
}

static void on_change(struct dev_file *file, enum dev_change change)
{
    (void)change;
    struct dev_wait *wait = container_of(file, struct dev_wait, file);
    struct exchange *x = wait->x;
    release(wait);
    answer_changed(x);
}

static void on_abort(struct exchange *x)
{
    release(x->owner);
}

static void on_body(struct exchange *x, struct slice data)
{
    (void)x, (void)data; /* it is of no use */
}

static void ignore(struct exchange *x)
{
    (void)x;
}

static const struct exchange_ops wait_ops = {on_body, ignore, ignore, on_abort};

static void begin(struct page_host *host, struct exchange *x, const char *file)
{
    struct dev_wait *wait = calloc(1, sizeof *wait);
    if (!wait) {
        answer_later(x, SLICE_LITERAL("out of memory"));
        return;
    }
    wait->host = host;
    wait->x = x;
    x->owner = wait;
    x->ops = &wait_ops;
    host->dev_wait_count++;
    list_append(&host->dev_waits, &wait->node);
    dev_file_watch(host->dev_files, &wait->file, file, on_change);
    log_debug("dev.waiting", log_quoted("program", slice_of(file)));
}

bool page_dev_wait(struct page_host *host, struct exchange *x, const struct site_found *found)
{
    char text[PAGE_DEV_VERSION_MAX];
    struct slice known = http_head_find(x->request, SLICE_LITERAL("if-none-match"));
    if (!slice_equal(http_head_find(x->request, SLICE_LITERAL("accept")),
                     SLICE_LITERAL("application/httpsocket-change")))
        return false;
    if (!slice_equal(page_dev_version(found->file, text), known))
        answer_changed(x);
    else if (host->draining || host->dev_wait_count == WAITS_MAX)
        answer_later(x, SLICE_LITERAL("nobody can wait here now"));
    else
        begin(host, x, found->file);
    return true;
}

void page_dev_waits_drop(struct page_host *host)
{
    while (!list_empty(&host->dev_waits)) {
        struct dev_wait *wait = container_of(host->dev_waits.next, struct dev_wait, node);
        struct exchange *x = wait->x;
        release(wait);
        answer_later(x, SLICE_LITERAL("the server is stopping"));
    }
}
