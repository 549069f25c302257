/* SPDX-License-Identifier: MIT */
#include "net/tls_queue.h"

#include "base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

struct item {
    struct list node;
    int file;                    /* owned; -1: `shared`, or `bytes` */
    struct shared_bytes *shared; /* one reference; NULL: `bytes` */
    off_t offset;
    size_t len; /* what is left from `offset` on */
    char bytes[];
};

static bool is_elsewhere(const struct item *item)
{
    return item->file >= 0 || item->shared;
}

/* A copy of `what`, with room for its bytes. */
static int add_item(struct tls_queue *q, const struct item *what, struct item **ret)
{
    size_t room = is_elsewhere(what) ? 0 : what->len;
    struct item *item = log_needed(malloc(sizeof(*item) + room));
    if (!item)
        return -ENOMEM;
    *item = *what;
    list_append(&q->items, &item->node);
    q->bytes += what->len;
    q->elsewhere += what->len - room;
    *ret = item;
    return 0;
}

static void remove_item(struct tls_queue *q, struct item *item)
{
    list_remove(&item->node);
    if (item->file >= 0)
        close(item->file);
    if (item->shared) {
        q->referred -= item->shared->room;
        shared_unref(item->shared);
    }
    free(item);
}

void tls_queue_init(struct tls_queue *q)
{
    list_init(&q->items);
    q->bytes = q->elsewhere = q->referred = 0;
}

void tls_queue_done(struct tls_queue *q)
{
    while (!list_empty(&q->items))
        remove_item(q, container_of(q->items.next, struct item, node));
    q->bytes = q->elsewhere = q->referred = 0;
}

int tls_queue_add(struct tls_queue *q, const struct iovec *pieces, int count)
{
    size_t len = 0;
    for (int i = 0; i < count; i++)
        len += pieces[i].iov_len;
    if (len == 0)
        return 0;
    struct item *item;
    int error = add_item(q, &(struct item){.file = -1, .len = len}, &item);
    if (error)
        return error;
    char *to = item->bytes;
    for (int i = 0; i < count; i++) {
        if (pieces[i].iov_len > 0)
            memcpy(to, pieces[i].iov_base, pieces[i].iov_len);
        to += pieces[i].iov_len;
    }
    return 0;
}

int tls_queue_add_shared(struct tls_queue *q, struct shared_bytes *shared, size_t at, size_t len)
{
    struct item *item, what = {.file = -1, .shared = shared, .offset = (off_t)at, .len = len};
    int error = add_item(q, &what, &item);
    if (error)
        return error;
    shared->refs++;
    q->referred += shared->room;
    return 0;
}

int tls_queue_add_file(struct tls_queue *q, int file, off_t offset, size_t len)
{
    struct item *item, what = {.file = file, .offset = offset, .len = len};
    int error = len > 0 ? add_item(q, &what, &item) : 0;
    if (error || len == 0)
        close(file);
    return error;
}

static ssize_t read_item(const struct item *item, char *out, size_t size)
{
    if (item->file < 0) {
        memcpy(out, (item->shared ? item->shared->bytes : item->bytes) + item->offset, size);
        return (ssize_t)size;
    }
    ssize_t n;
    do
        n = pread(item->file, out, size, item->offset);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n == 0 ? -EIO : n;
}

ssize_t tls_queue_take(struct tls_queue *q, char *out, size_t size)
{
    size_t taken = 0;
    while (taken < size && !list_empty(&q->items)) {
        struct item *item = container_of(q->items.next, struct item, node);
        size_t want = item->len < size - taken ? item->len : size - taken;
        ssize_t n = read_item(item, out + taken, want);
        if (n < 0)
            return n;
        taken += (size_t)n;
        q->bytes -= (size_t)n;
        q->elsewhere -= is_elsewhere(item) ? (size_t)n : 0;
        item->offset += n;
        item->len -= (size_t)n;
        if (item->len == 0)
            remove_item(q, item);
    }
    return (ssize_t)taken;
}
