/* SPDX-License-Identifier: MIT */
/* progress.h - how far the other side has got with what was written to it.
 *
 * A large message on a slow line keeps everything behind it waiting: a ping, and so its answer.
 * That the other side's kernel goes on taking bytes is the only sign of life meanwhile.
 *
 * Pure but for stream_progress(), which costs two system calls.
 */
#ifndef NET_PROGRESS_H
#define NET_PROGRESS_H

#include "net/stream.h"

struct net_progress {
    uint32_t acked;   /* bytes that the other side has acknowledged, modulo 2^32; 0 where nobody
                         tells */
    uint32_t waiting; /* bytes that were written and not acknowledged, here and in the kernel */
};

struct net_progress stream_progress(const struct stream *s);

/* Has the other side taken bytes between the two looks that waited at the first one? Bytes that
 * were written later, such as a ping, prove nothing: a kernel takes them for a process that hangs.
 */
bool net_progress_moved(const struct net_progress *then, const struct net_progress *now);

#endif
