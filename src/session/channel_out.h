/* SPDX-License-Identifier: MIT */
/* channel_out.h - the sender's side of one direction of a byte stream. It keeps the bytes that were
 * written and are not yet received, to send them again (docs/protocol.md, section 10).
 *
 * Positions count from the stream's start; the END stands behind the last byte and counts as one.
 *
 *     0 ........ acked ........ next ........ sent ........ written (+ 1 with the END)
 *     forgotten  │  sent on this wire │ to be sent again │ never sent
 *
 * Memory   References of shared bytes, and copies in pieces of a page or so; nothing while
 *          everything is received.
 * Threads  One.
 */
#ifndef SESSION_CHANNEL_OUT_H
#define SESSION_CHANNEL_OUT_H

#include "core/chunk.h"

struct pack;

struct piece;

struct channel_out {
    struct piece *first, *last;
    struct piece *at; /* holds `next`; NULL: all has been sent */
    uint64_t acked;   /* the other side has received so much */
    uint64_t next;    /* what is sent next on this wire */
    uint64_t sent;    /* the highest that `next` ever was */
    uint64_t written; /* bytes */
    uint64_t limit;   /* bytes beyond it may not be sent */
    bool ended;       /* the END stands behind `written` */
};

/* A part of the bytes to be sent, in one block of memory. */
struct channel_part {
    struct shared_bytes *shared; /* borrowed */
    size_t at, len;
};

/* channel_out_copy() and channel_out_share() return false without memory; a part of the bytes may
 * have been kept. */
bool channel_out_copy(struct channel_out *out, struct slice data);
/* Takes a reference of its own. */
bool channel_out_share(struct channel_out *out, struct shared_bytes *shared, size_t at, size_t len);
void channel_out_clear(struct channel_out *out);

/* How many bytes are kept. */
size_t channel_out_kept(const struct channel_out *out);
/* Everything has been sent and received, the END too. */
bool channel_out_complete(const struct channel_out *out);

/* The other side has received up to `received` and allows up to `limit`. Returns false and changes
 * nothing if one of them falls, or if `received` was not sent. */
bool channel_out_heard(struct channel_out *out, uint64_t received, uint64_t limit);
/* On a new wire the other side has received up to `received`: sending goes on from there. False as
 * in channel_out_heard(). */
bool channel_out_resume(struct channel_out *out, uint64_t received, uint64_t limit);

/* The next bytes to be sent, at most `max`; len 0: none are there, or none are allowed. */
struct channel_part channel_out_part(const struct channel_out *out, size_t max);
/* All bytes have been sent, the END is next. */
bool channel_out_end_due(const struct channel_out *out);
/* `n` more have been sent: bytes, or the END. */
void channel_out_advance(struct channel_out *out, size_t n);

/* For the process that takes over. False without memory. */
void channel_out_pack(const struct channel_out *out, struct pack *p);
bool channel_out_unpack(struct channel_out *out, struct slice in);

#endif
