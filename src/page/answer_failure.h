/* SPDX-License-Identifier: MIT */
/* answer_failure.h - a program gave no answer, or a wrong one: the answer in its place, and what is
 * said to who wrote the program. page_answer_fail() of answer.h is the short form. */
#ifndef PAGE_ANSWER_FAILURE_H
#define PAGE_ANSWER_FAILURE_H

#include "page/lifecycle.h"

struct answer_failure {
    int status;
    const char *why;
    struct slice line; /* that was wrong; ptr NULL: none. May lie in the answer's head */
    const char *hint;  /* what to do about it; NULL: nothing is known */
};

/* Logs it, shows it to the watcher, answers or breaks off, and lets the program go. */
void page_answer_fail_as(struct page *p, const struct answer_failure *f);

#endif
