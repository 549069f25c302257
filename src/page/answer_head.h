/* SPDX-License-Identifier: MIT */
/* answer_head.h - the answer of a program while it comes: what is kept of it. The way that it takes
 * is answer.h's.
 */
#ifndef PAGE_ANSWER_HEAD_H
#define PAGE_ANSWER_HEAD_H

#include "page/lifecycle.h"
#include "page/splice.h"

#define ANSWER_HEAD_MAX 65536

struct page_answer {
    struct page *page;
    struct timer timer; /* for the header block */
    enum {
        ANSWER_HEAD, /* the header block has not come whole */
        ANSWER_BODY
    } part;
    bool ended; /* stdout is at its end, in the midst of the head: told later (answer.c) */
    char *head; /* owned; what has come of the header block */
    size_t len, size, seen;
    struct page_splice splice;
    char element[96 + SESSION_ID_LEN];
    bool has_length;
    uint64_t left; /* of the program's Content-Length */
    bool any_end;  /* it is whole wherever it ends */
};

/* False without memory. */
bool page_answer_make(struct page *p);
void page_answer_free(struct page *p);
/* Of a page that has it no more. Accepts NULL. */
void page_answer_done(struct page_answer *answer);
/* Nothing more goes to the client: what still comes of it is dropped. */
void page_answer_drop(struct page *p);
/* Appends to the head. False without memory. */
bool page_answer_gather(struct page_answer *answer, struct slice data);
/* The header block has come: some of it may have gone out. */
static inline bool page_answer_begun(const struct page *p)
{
    return p->answer && p->answer->part == ANSWER_BODY;
}
/* Nothing of it has come. */
bool page_answer_unbegun(const struct page *p);

#endif
