/* member.h - one page of a shared program, as member.c and shared.c see it. */
#ifndef PAGE_MEMBER_H
#define PAGE_MEMBER_H

#include "access/quota.h"
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

/* The process's list of them: shared.c. */
bool page_shared_add(struct page *process, struct page_member *m);
void page_shared_remove(struct page *process, struct page_member *m);
/* It wants to hear when what was written has been taken. */
void page_shared_await(struct page *process, struct page_member *m);

/* A line of the process for this page. */
void page_member_deliver(struct page_member *m, const struct message *message);
/* Bytes that its client has not taken or acknowledged. */
size_t page_member_backlog(const struct page_member *m);
/* It has more of them than it may: its session ends. */
void page_member_overflow(struct page_member *m);
/* The process is gone. */
void page_member_orphan(struct page_member *m);

#endif
