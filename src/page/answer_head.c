/* SPDX-License-Identifier: MIT */
#include "page/answer_head.h"

#include "base/log.h"

#include <stdlib.h>

bool page_answer_make(struct page *p)
{
    struct page_answer *answer = log_needed(calloc(1, sizeof(*answer)));
    p->answer = answer;
    if (!answer)
        return false;
    answer->page = p;
    timer_init(&answer->timer, NULL); /* answer.c */
    return true;
}

void page_answer_done(struct page_answer *answer)
{
    if (!answer)
        return;
    timer_stop(&answer->timer);
    page_splice_done(&answer->splice);
    free(answer->head);
    free(answer);
}

void page_answer_free(struct page *p)
{
    page_answer_done(p->answer);
    p->answer = NULL;
}

bool page_answer_gather(struct page_answer *answer, struct slice data)
{
    if (data.len == 0)
        return true; /* there may be no head yet, nor anything to copy from */
    if (answer->size - answer->len < data.len) {
        size_t size = answer->len + data.len;
        char *head = log_needed(realloc(answer->head, size));
        if (!head)
            return false;
        answer->head = head;
        answer->size = size;
    }
    memcpy(answer->head + answer->len, data.ptr, data.len);
    answer->len += data.len;
    return true;
}

bool page_answer_unbegun(const struct page *p)
{
    return p->answer && p->answer->len == 0 && p->answer->part == ANSWER_HEAD;
}

void page_answer_drop(struct page *p)
{
    page_answer_free(p);
    p->seat->ops->pause_answer(p->seat, false);
    p->seat->ops->body_stop(p->seat);
}
