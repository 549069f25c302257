/* SPDX-License-Identifier: MIT */
/* reply_reader.h - replies of Redis out of a stream of bytes: hiredis's reader, with bounds.
 *
 * hiredis by itself would allocate as many elements as an array announces, collect a text of any
 * length, and look for the end of an endless line from its start each time.
 *
 * Memory  At most twice `max`: the bytes of a reply that is not whole, and the reply.
 */
#ifndef CLUSTER_REPLY_READER_H
#define CLUSTER_REPLY_READER_H

#include "base/slice.h"

#include <hiredis/hiredis.h>

enum {
    REPLY_LINE_MAX = 65536 /* a status, an error, a number */
};

struct reply_reader {
    redisReader *hiredis; /* owned; NULL: done */
    redisReplyObjectFunctions functions;
    const redisReplyObjectFunctions *inner;
    size_t max;
    size_t spent;    /* by the objects of the reply that is not whole */
    const char *why; /* what is wrong; static, or hiredis's */
};

/* Not to be moved. False without memory. */
bool reply_reader_init(struct reply_reader *r, size_t max);
/* Accepts one that is zeroed or done. */
void reply_reader_done(struct reply_reader *r);

/* False: no more of it can be read; `why` says why, until reply_reader_done(). */
bool reply_reader_feed(struct reply_reader *r, struct slice bytes);
/* The next whole reply, for freeReplyObject(). NULL: none; broken if `why` is set. */
redisReply *reply_reader_next(struct reply_reader *r);

#endif
