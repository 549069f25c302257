/* SPDX-License-Identifier: MIT */
#include "core/mailbox.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define RINGS 3 /* of a bell that fails, which no kernel is known to let it */

int mailbox_init(struct mailbox *box)
{
    atomic_init(&box->newest, NULL);
    box->bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return box->bell < 0 ? -errno : 0;
}

void mailbox_done(struct mailbox *box)
{
    if (box->bell >= 0)
        close(box->bell);
    box->bell = -1;
}

void mailbox_post(struct mailbox *box, struct mail *mail)
{
    struct mail *newest = atomic_load_explicit(&box->newest, memory_order_relaxed);
    do {
        mail->next = newest;
    } while (!atomic_compare_exchange_weak_explicit(&box->newest, &newest, mail,
                                                    memory_order_release, memory_order_relaxed));
    if (newest)
        return; /* the sender of that letter rings */
    uint64_t one = 1;
    for (int i = 0; i < RINGS && write(box->bell, &one, sizeof(one)) < 0; i++)
        ;
}

void mailbox_silence(struct mailbox *box)
{
    uint64_t count;
    while (read(box->bell, &count, sizeof(count)) < 0 && errno == EINTR)
        ;
}

struct mail *mailbox_take(struct mailbox *box)
{
    struct mail *newest = atomic_exchange_explicit(&box->newest, NULL, memory_order_acquire);
    struct mail *oldest = NULL;
    while (newest) {
        struct mail *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    return oldest;
}
