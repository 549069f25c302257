/* SPDX-License-Identifier: MIT */
/* pack.h - objects as bytes, for the process that takes over from this one
 * (docs/decisions/takeover.md): written by the room that owns an object, and read by the same room
 * of the next version.
 *
 *   field := tag (4 bytes), length (8 bytes), value; numbers as this machine has them
 *
 * A value is a number, bytes, a descriptor's number, or fields again. Each object has tags of its
 * own, which are never used again for something else. A reader passes over tags that it does not
 * know, and takes what is missing for 0 or empty: so a field may be added at any time. A change
 * that a reader has to know raises the version of the kind (pack_kinds.def).
 *
 * Errors   Without memory the writer becomes `failed`, and what it has is of no use. A reader is
 *          given whole fields only: a length that does not fit ends the list.
 * Threads  One.
 */
#ifndef BASE_PACK_H
#define BASE_PACK_H

#include "base/text.h"

#include <stdint.h>

struct pack {
    struct text out;
    int *fds; /* owned: what the next process is to have; borrowed descriptors */
    size_t fd_count, fd_room;
    bool failed;
};

/* A field that has fields: what is written up to pack_end() belongs to it. */
size_t pack_begin(struct pack *p, uint32_t tag);
void pack_end(struct pack *p, size_t begun);
/* 0 is not written. */
void pack_number(struct pack *p, uint32_t tag, uint64_t number);
/* An empty slice is not written. */
void pack_slice(struct pack *p, uint32_t tag, struct slice s);
/* A descriptor, which is to stay open under its number; -1 is not written. */
void pack_fd(struct pack *p, uint32_t tag, int fd);
void pack_done(struct pack *p);
/* What stands before a value of this length, for one that is written elsewhere. */
#define PACK_HEAD_LEN (sizeof(uint32_t) + sizeof(uint64_t))
void pack_head(uint32_t tag, uint64_t len, char ret[PACK_HEAD_LEN]);

/* ---- read ---- */

struct packed {
    uint32_t tag;
    struct slice value;
};

/* The next field of `*in`, which moves on. False: there is none, or it is not whole. */
bool packed_next(struct slice *in, struct packed *ret);
/* The first field of this tag in `in`: 0, empty or -1 if there is none. */
uint64_t packed_number(struct slice in, uint32_t tag);
struct slice packed_slice(struct slice in, uint32_t tag);
int packed_fd(struct slice in, uint32_t tag);
/* The value of a field, as a number. */
uint64_t packed_value(struct slice value);

#endif
