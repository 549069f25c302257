/* SPDX-License-Identifier: MIT */
/* wait.c - a page whose program has failed asks for its file's next change, in dev mode.
 *
 *     GET /page, Accept: application/httpsocket-change, If-None-Match: VERSION
 *
 * is answered 204 when the file is not VERSION any more, at once or later; 503 if too many ask. It
 * starts no program.
 */
#include "dev/parts.h"

#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define WAITS_MAX 64 /* a worker */

struct waiting_page {
    struct list node; /* dev.waits */
    struct dev *dev;
    struct exchange *x;
    struct dev_file file;
    struct reap reap;
};

struct slice dev_version(const char *file, char out[DEV_VERSION_MAX])
{
    struct stat st = {0};
    if (stat(file, &st) < 0)
        return slice_make(out, (size_t)snprintf(out, DEV_VERSION_MAX, "none"));
    uint64_t ns = (uint64_t)st.st_mtim.tv_sec * 1000000000u + (uint64_t)st.st_mtim.tv_nsec;
    int len = snprintf(out, DEV_VERSION_MAX, "%016llx", (unsigned long long)ns);
    return slice_make(out, (size_t)len);
}

static void free_memory(struct reap *reap)
{
    free(container_of(reap, struct waiting_page, reap));
}

static void release(struct waiting_page *wait)
{
    dev_file_unwatch(&wait->file);
    list_remove(&wait->node);
    wait->dev->wait_count--;
    loop_reap(wait->dev->loop, &wait->reap, free_memory);
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
    struct waiting_page *wait = container_of(file, struct waiting_page, file);
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

static void begin(struct dev *dev, struct exchange *x, const char *file)
{
    struct waiting_page *wait = calloc(1, sizeof(*wait));
    if (!wait) {
        answer_later(x, SLICE_LITERAL("out of memory"));
        return;
    }
    wait->dev = dev;
    wait->x = x;
    x->owner = wait;
    x->ops = &wait_ops;
    dev->wait_count++;
    list_append(&dev->waits, &wait->node);
    dev_file_watch(dev->files, &wait->file, file, on_change);
    log_debug("dev.waiting", log_slice("program", slice_of(file)));
}

bool dev_wait(struct dev *dev, struct exchange *x, const struct site_found *found)
{
    char text[DEV_VERSION_MAX];
    struct slice known = http_head_find(x->request, SLICE_LITERAL("if-none-match"));
    if (!slice_equal(http_head_find(x->request, SLICE_LITERAL("accept")),
                     SLICE_LITERAL("application/httpsocket-change")))
        return false;
    if (!slice_equal(dev_version(found->file, text), known))
        answer_changed(x);
    else if (dev->draining || dev->wait_count == WAITS_MAX)
        answer_later(x, SLICE_LITERAL("nobody can wait here now"));
    else
        begin(dev, x, found->file);
    return true;
}

void dev_waits_drop(struct dev *dev)
{
    while (!list_empty(&dev->waits)) {
        struct waiting_page *wait = container_of(dev->waits.next, struct waiting_page, node);
        struct exchange *x = wait->x;
        release(wait);
        answer_later(x, SLICE_LITERAL("the server is stopping"));
    }
}
