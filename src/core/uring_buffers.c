/* SPDX-License-Identifier: MIT */
#include "core/uring.h"

#include "base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    COUNT = 256,                /* more than one wait brings, but in a crowd: then -ENOBUFS */
    STRIDE = BUFFER_BYTES + 64, /* one behind the other in the cache, not one above the other */
};

static size_t ring_bytes(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return (COUNT * sizeof(struct io_uring_buf) + page - 1) / page * page;
}

static void add(struct buffers *b, uint16_t number)
{
    io_uring_buf_ring_add(b->ring, b->memory + (size_t)number * STRIDE, BUFFER_BYTES, number,
                          io_uring_buf_ring_mask(COUNT), 0);
    io_uring_buf_ring_advance(b->ring, 1);
}

int buffers_init(struct buffers *b, struct io_uring *ring)
{
    b->memory = log_needed(malloc((size_t)COUNT * STRIDE));
    if (!b->memory)
        return -ENOMEM;
    void *at = mmap(NULL, ring_bytes(), PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
    if (at == MAP_FAILED)
        return -errno;
    b->ring = at;
    struct io_uring_buf_reg place = {
        .ring_addr = (uintptr_t)at, .ring_entries = COUNT, .bgid = BUFFER_GROUP};
    int error = io_uring_register_buf_ring(ring, &place, 0);
    if (error)
        return error;
    io_uring_buf_ring_init(b->ring);
    for (uint16_t i = 0; i < COUNT; i++)
        add(b, i);
    return 0;
}

void buffers_done(struct buffers *b)
{
    if (b->ring)
        munmap(b->ring, ring_bytes());
    free(b->memory);
}

static uint16_t number_of(uint32_t flags)
{
    return (uint16_t)(flags >> IORING_CQE_BUFFER_SHIFT);
}

struct bytes buffers_data(const struct buffers *b, int res, uint32_t flags)
{
    return (struct bytes){b->memory + (size_t)number_of(flags) * STRIDE, (size_t)res};
}

void buffers_give(struct buffers *b, uint32_t flags)
{
    add(b, number_of(flags));
}
