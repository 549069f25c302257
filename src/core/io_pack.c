/* SPDX-License-Identifier: MIT */
/* io_pack.c - an io, with what waits in it for the kernel, for the process that takes over. */
#include "core/backend.h"

#include "base/pack.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

/* Flags are written as in enum io_flag: those below IO_SENDING. */
enum {
    FD = 1,
    FLAGS,
    ERROR,
    BYTES, /* one after the other, with FILE in between */
    FILE_PART,
    LINGER_MS,
    KEPT, /* received, and not told yet */
    KEPT_ERROR,
    FILE_FD = 1,
    FILE_BEGIN,
    FILE_END,
};

enum {
    OURS = IO_SOCKET | IO_PAUSED | IO_ENDED | IO_FAILED | IO_OWES | IO_SHUTDOWN | IO_SHUT |
           IO_FINISHING
};

static void pack_chunk(const struct chunk *c, struct pack *p)
{
    if (c->kind != CHUNK_FILE) {
        struct iovec bytes = chunk_bytes(c);
        pack_slice(p, BYTES, slice_make(bytes.iov_base, bytes.iov_len));
        return;
    }
    size_t part = pack_begin(p, FILE_PART);
    pack_fd(p, FILE_FD, c->file);
    pack_number(p, FILE_BEGIN, (uint64_t)c->begin);
    pack_number(p, FILE_END, (uint64_t)c->end);
    pack_end(p, part);
}

static void pack_kept(const struct io_kept *rest, struct pack *p)
{
    int error;
    struct slice bytes = io_kept_slice(rest, &error);
    pack_slice(p, KEPT, bytes);
    pack_number(p, KEPT_ERROR, (uint64_t)-error);
}

void io_pack(const struct io *io, struct pack *p)
{
    pack_fd(p, FD, io->fd);
    pack_number(p, FLAGS, io->flags & OURS);
    pack_number(p, ERROR, io->error);
    if (io->flags & IO_KEPT)
        pack_kept(io->kept, p);
    else if (io->linger)
        pack_number(p, LINGER_MS, timer_due_ms(&io->linger->timer));
    for (const struct chunk *c = io->out.first; c; c = c->next)
        pack_chunk(c, p);
}

void io_pack_socket(int fd, const struct io_kept *rest, struct pack *p)
{
    pack_fd(p, FD, fd);
    pack_number(p, FLAGS, IO_SOCKET);
    if (rest)
        pack_kept(rest, p);
}

/* ---- read ---- */

static bool queue_file(struct io *io, struct slice in)
{
    int file = packed_fd(in, FILE_FD);
    off_t begin = (off_t)packed_number(in, FILE_BEGIN), end = (off_t)packed_number(in, FILE_END);
    if (file < 0 || end <= begin)
        return false;
    if (chunk_queue_file(&io->out, &io->loop->pool, file, begin, (size_t)(end - begin)))
        return true;
    close(file);
    return false;
}

static bool queue(struct io *io, struct slice in)
{
    bool good = true;
    for (struct packed field; good && packed_next(&in, &field);) {
        struct iovec piece = {(void *)field.value.ptr, field.value.len};
        if (field.tag == BYTES)
            good = chunk_queue_copy(&io->out, &io->loop->pool, &piece, 1, 0);
        else if (field.tag == FILE_PART)
            good = queue_file(io, field.value);
    }
    return good;
}

void loop_each_lingering(const struct loop *loop, void (*each)(void *arg, const struct io *io),
                         void *arg)
{
    const struct list *all = &loop->lingering;
    for (const struct list *node = all->next; node != all; node = node->next)
        each(arg, container_of(node, const struct io_linger, node)->io);
}

static void keep(struct io *io, struct slice data, int error)
{
    if (data.len || error)
        io_keep(io, data, -error);
}

int io_unpack(struct loop *loop, struct io *io, struct slice in, const struct io_ops *ops)
{
    *io = (struct io){.ops = ops, .loop = loop, .fd = packed_fd(in, FD)};
    io->flags = (uint16_t)(packed_number(in, FLAGS) & OURS);
    io->error = (uint16_t)packed_number(in, ERROR);
    list_init(&io->dirty);
    uint64_t linger_ms = packed_number(in, LINGER_MS);
    int error = queue(io, in) && (!linger_ms || io_linger_start(io, linger_ms)) ? 0 : -ENOMEM;
    if (!error && io->fd >= 0)
        error = loop->backend->io_start(io);
    if (error) {
        io_linger_stop(io);
        chunk_queue_clear(&io->out, &loop->pool);
        if (io->fd >= 0)
            close(io->fd);
        io->fd = -1;
        return error;
    }
    keep(io, packed_slice(in, KEPT), (int)packed_number(in, KEPT_ERROR));
    if (list_empty(&io->dirty) && (io->out.first || io->error || io->flags & IO_OWES))
        list_append(&loop->dirty, &io->dirty);
    return 0;
}
