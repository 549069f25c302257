/* SPDX-License-Identifier: MIT */
#include "page/spool.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

struct page_spool {
    struct spool *spool; /* borrowed; NULL: nothing is counted */
    struct spool_account account;
    uint64_t bytes;
    int fd; /* owned; -1: the program has it */
    bool in_memory;
};

static int open_file(void)
{
    int fd = open(spool_folder(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    return fd >= 0 ? fd : memfd_create("body", MFD_CLOEXEC);
}

struct page_spool *page_spool_new(struct spool *spool)
{
    struct statfs fs;
    struct page_spool *s = log_needed(calloc(1, sizeof(*s)));
    if (!s)
        return NULL;
    s->spool = spool;
    s->fd = open_file();
    if (s->fd < 0) {
        free(s);
        return NULL;
    }
    s->in_memory = fstatfs(s->fd, &fs) == 0 && fs.f_type == TMPFS_MAGIC;
    return s;
}

enum spool_bound page_spool_write(struct page_spool *s, const struct net_client_key *client,
                                  struct slice data, int *ret_error)
{
    enum spool_bound bound =
        s->spool ? spool_grow(s->spool, &s->account, client, s->bytes + data.len) : SPOOL_FITS;
    *ret_error = 0;
    while (bound == SPOOL_FITS && data.len > 0) {
        ssize_t n = write(s->fd, data.ptr, data.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            *ret_error = -errno;
            break;
        }
        s->bytes += (uint64_t)n;
        data = slice_skip(data, (size_t)n);
    }
    return bound;
}

uint64_t page_spool_bytes(const struct page_spool *s)
{
    return s->bytes;
}

size_t page_spool_held(const struct page_spool *s)
{
    return s->in_memory ? (size_t)s->bytes : 0;
}

int page_spool_take(struct page_spool *s)
{
    int fd = s->fd;
    lseek(fd, 0, SEEK_SET);
    s->fd = -1;
    return fd;
}

void page_spool_free(struct page_spool *s)
{
    if (!s)
        return;
    if (s->fd >= 0)
        close(s->fd);
    if (s->spool)
        spool_close(s->spool, &s->account);
    free(s);
}
