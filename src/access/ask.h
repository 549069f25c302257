/* SPDX-License-Identifier: MIT */
/* ask.h - what the page's program is asked about a TCPConnection: step 5 of script access.
 *
 * Lifetime  Embedded by who asks; it is the answerer's until `answered` has run or ask_cancel()
 *           returns.
 */
#ifndef ACCESS_ASK_H
#define ACCESS_ASK_H

#include "base/list.h"
#include "base/slice.h"

struct ask {
    struct slice host; /* as the page wrote it; any UTF-8 */
    uint16_t port;
    bool secure;
    /* `retry_s`: of a refusal, for how long. Once; may come from inside the call that asks. */
    void (*answered)(struct ask *ask, bool allowed, uint32_t retry_s);
    /* The answerer's. */
    struct list node;
    uint64_t id;
};

/* Before it is handed to an answerer. */
static inline void ask_init(struct ask *ask)
{
    list_init(&ask->node);
}

/* No answer after this. Also of one that has been answered. */
static inline void ask_cancel(struct ask *ask)
{
    list_remove(&ask->node);
}

#endif
