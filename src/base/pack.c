/* SPDX-License-Identifier: MIT */
#include "base/pack.h"

#include "base/log.h"

#include <stdlib.h>
#include <string.h>

void pack_head(uint32_t tag, uint64_t len, char ret[PACK_HEAD_LEN])
{
    memcpy(ret, &tag, sizeof(tag));
    memcpy(ret + sizeof(tag), &len, sizeof(len));
}

static void put_head(struct pack *p, uint32_t tag, uint64_t len)
{
    char bytes[PACK_HEAD_LEN];
    pack_head(tag, len, bytes);
    text_put(&p->out, slice_make(bytes, sizeof(bytes)));
}

static void note_failure(struct pack *p)
{
    p->failed |= p->out.failed;
}

size_t pack_begin(struct pack *p, uint32_t tag)
{
    size_t begun = p->out.len;
    put_head(p, tag, 0);
    note_failure(p);
    return begun;
}

void pack_end(struct pack *p, size_t begun)
{
    if (p->failed)
        return;
    uint64_t len = p->out.len - begun - PACK_HEAD_LEN;
    memcpy(p->out.ptr + begun + sizeof(uint32_t), &len, sizeof(len));
}

static void put(struct pack *p, uint32_t tag, struct slice value)
{
    put_head(p, tag, value.len);
    text_put(&p->out, value);
    note_failure(p);
}

void pack_number(struct pack *p, uint32_t tag, uint64_t number)
{
    if (number)
        put(p, tag, slice_make((const char *)&number, sizeof(number)));
}

void pack_slice(struct pack *p, uint32_t tag, struct slice s)
{
    if (s.len)
        put(p, tag, s);
}

static bool note_fd(struct pack *p, int fd)
{
    if (p->fd_count == p->fd_room) {
        size_t room = p->fd_room ? p->fd_room * 2 : 64;
        int *fds = log_needed(realloc(p->fds, room * sizeof(*fds)));
        if (!fds)
            return false;
        p->fds = fds;
        p->fd_room = room;
    }
    p->fds[p->fd_count++] = fd;
    return true;
}

void pack_fd(struct pack *p, uint32_t tag, int fd)
{
    uint64_t number = (uint64_t)fd;
    if (fd < 0)
        return;
    p->failed |= !note_fd(p, fd);
    put(p, tag, slice_make((const char *)&number, sizeof(number)));
}

void pack_done(struct pack *p)
{
    text_done(&p->out);
    free(p->fds);
    *p = (struct pack){0};
}

/* ---- read ---- */

bool packed_next(struct slice *in, struct packed *ret)
{
    uint32_t tag;
    uint64_t len;
    if (in->len < PACK_HEAD_LEN)
        return false;
    memcpy(&tag, in->ptr, sizeof(tag));
    memcpy(&len, in->ptr + sizeof(tag), sizeof(len));
    struct slice rest = slice_skip(*in, PACK_HEAD_LEN);
    if (len > rest.len)
        return false;
    *ret = (struct packed){tag, slice_first(rest, (size_t)len)};
    *in = slice_skip(rest, (size_t)len);
    return true;
}

static bool find(struct slice in, uint32_t tag, struct slice *ret)
{
    for (struct packed field; packed_next(&in, &field);) {
        if (field.tag != tag)
            continue;
        *ret = field.value;
        return true;
    }
    return false;
}

uint64_t packed_value(struct slice value)
{
    uint64_t number = 0;
    if (value.len == sizeof(number))
        memcpy(&number, value.ptr, sizeof(number));
    return number;
}

uint64_t packed_number(struct slice in, uint32_t tag)
{
    struct slice value;
    return find(in, tag, &value) ? packed_value(value) : 0;
}

struct slice packed_slice(struct slice in, uint32_t tag)
{
    struct slice value;
    return find(in, tag, &value) ? value : SLICE_NONE;
}

int packed_fd(struct slice in, uint32_t tag)
{
    struct slice value;
    if (!find(in, tag, &value) || value.len != sizeof(uint64_t))
        return -1;
    uint64_t number = packed_value(value);
    return number <= INT32_MAX ? (int)number : -1;
}
