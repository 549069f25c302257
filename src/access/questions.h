/* SPDX-License-Identifier: MIT */
/* questions.h - a resolver that joins equal questions: it asks another resolver once for all that
 * wait.
 *
 * An answer goes to every question of that name and type that is open when it comes. The question
 * below is given up when the last one above has been cancelled.
 *
 * Memory  One heap block for each different open question; the callers bound how many there are.
 */
#ifndef ACCESS_QUESTIONS_H
#define ACCESS_QUESTIONS_H

#include "access/resolver.h"

struct questions {
    struct resolver resolver; /* to ask */
    struct resolver *below; /* borrowed: outlives us because the caller of questions_init says so */
    struct list open;
    uint64_t asked, shared; /* questions passed on; questions that joined another one */
};

void questions_init(struct questions *q, struct resolver *below);
/* Every question must have been answered or cancelled. */
void questions_done(struct questions *q);

#endif
