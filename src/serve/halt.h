/* SPDX-License-Identifier: MIT */
/* halt.h - threads stand still, so that one of them sees all that they have, and nothing moves.
 *
 * Threads  halt_stand() is the others', halt_wait() and halt_release() are the one's.
 */
#ifndef SERVE_HALT_H
#define SERVE_HALT_H

#include <pthread.h>
#include <stdbool.h>

struct halt {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned standing;
    unsigned round; /* of releases: whoever stands belongs to one */
};

void halt_init(struct halt *h);
/* Returns when it is released. */
void halt_stand(struct halt *h);
/* Until so many stand. */
void halt_wait(struct halt *h, unsigned count);
void halt_release(struct halt *h);

#endif
