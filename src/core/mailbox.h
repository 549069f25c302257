/* SPDX-License-Identifier: MIT */
/* mailbox.h - letters from any thread to one loop: a lock-free stack that the reader takes whole
 * and turns round.
 *
 * Only a letter that arrives in an empty box rings the bell (an eventfd), so a busy loop costs its
 * senders no system call.
 *
 * Threads  mailbox_post: any. The rest: the owner's.
 */
#ifndef CORE_MAILBOX_H
#define CORE_MAILBOX_H

#include "core/loop.h"

#include <stdatomic.h>

struct mailbox {
    _Atomic(struct mail *) newest;
    int bell; /* eventfd, owned; readable: there may be mail */
};

/* Negative errno on failure. */
int mailbox_init(struct mailbox *box);
void mailbox_done(struct mailbox *box);

void mailbox_post(struct mailbox *box, struct mail *mail);

/* To be called after the bell has rung and before mailbox_take(), so that a later letter rings
 * again. */
void mailbox_silence(struct mailbox *box);

/* Everything posted so far, the oldest first, linked by `next`; NULL if there is nothing. */
struct mail *mailbox_take(struct mailbox *box);

static inline bool mailbox_empty(const struct mailbox *box)
{
    return !atomic_load_explicit(&box->newest, memory_order_relaxed);
}

#endif
