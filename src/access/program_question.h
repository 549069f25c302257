/* SPDX-License-Identifier: MIT */
/* program_question.h - the question to the page's program about a TCPConnection: step 5 of script
 * access.
 *
 * Lifetime  Embedded by the asker; it is the answerer's until `answered` has run or
 *           program_question_cancel() returns.
 */
#ifndef ACCESS_PROGRAM_QUESTION_H
#define ACCESS_PROGRAM_QUESTION_H

#include "base/list.h"
#include "base/slice.h"

struct program_question {
    struct slice host; /* as the page wrote it; any UTF-8 */
    uint16_t port;
    bool secure;
    /* `retry_s`: of a refusal, for how long. Once; may come from inside the call that asks. */
    void (*answered)(struct program_question *question, bool allowed, uint32_t retry_s);
    /* The answerer's. */
    struct list node;
    uint64_t id;
};

/* To be called before the question is handed to an answerer. */
static inline void program_question_init(struct program_question *question)
{
    list_init(&question->node);
}

/* No answer after this. Allowed for a question that has been answered. */
static inline void program_question_cancel(struct program_question *question)
{
    list_remove(&question->node);
}

#endif
