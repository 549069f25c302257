/* SPDX-License-Identifier: MIT */
/* shared.h - a process that has many pages, each of these, and the pools of such processes, as the
 * files about them see them: shared.c, member.c, pool.c, shared_command.c.
 */
#ifndef PAGE_SHARED_H
#define PAGE_SHARED_H

#include "limits/quota.h"
#include "page/parts.h"

#define MEMBER_REASON_MAX 48

struct page_member {
    struct list node;         /* page_shared.members */
    struct page_member *next; /* in its bucket */
    struct list waiting;      /* page_shared.waiting: to be told when the process has taken all */
    struct page *page;
    struct page *process; /* NULL: it has left */
    struct quota_hold hold;
    char id[SESSION_ID_LEN]; /* what leads its lines */
    bool full;               /* the program was told so */
    bool answer_behind;
    size_t answer_bytes; /* since then */
    char reason[MEMBER_REASON_MAX + 1];
};

/* The processes of one file in one worker. */
struct page_pool {
    struct list node; /* page_host.pools */
    struct list processes;
    uint32_t count;
    uint32_t failures; /* one after the other */
    uint64_t not_before_ms;
    char file[];
};

struct page_shared {
    struct list node; /* page_pool.processes */
    struct page_pool *pool;
    struct page *page;
    struct list members, waiting;
    struct page_member **buckets; /* by id */
    uint32_t bucket_count, count;
    uint64_t started_ms;
    struct timer idle_timer;
    size_t backlog;                 /* of all members when that was last counted */
    size_t since;                   /* written since then */
    const struct page_member *busy; /* whose topics are, perhaps; NULL: nobody's */
    bool placed;                    /* in page_places */
    bool retiring;
};

/* ---- shared.c ---- */

/* It has no pages: it is let go, now or after a while. */
void page_shared_idle(struct page_shared *s);
bool page_shared_add(struct page *process, struct page_member *m);
void page_shared_remove(struct page *process, struct page_member *m);
/* It wants to hear when what was written has been taken. */
void page_shared_await(struct page *process, struct page_member *m);

/* ---- pool.c ---- */

/* NULL without memory. */
struct page_pool *page_pool_make(struct page_host *host, const char *file);
/* `p` has many pages from now on. False without memory. */
bool page_pool_add(struct page_pool *pool, struct page *p);
/* The process with the fewest pages, of those that take more; NULL: there is none. */
struct page *page_pool_pick(const struct page_pool *pool, uint32_t *ret_running);

/* ---- member.c ---- */

/* A line of the process for this page. */
void page_member_deliver(struct page_member *m, const struct message *message);
/* Bytes that its client has not taken or acknowledged. */
size_t page_member_backlog(const struct page_member *m);
/* It has more of them than it may: its session ends. */
void page_member_overflow(struct page_member *m);
/* The process is gone. */
void page_member_orphan(struct page_member *m);

#endif
