/* SPDX-License-Identifier: MIT */
/* answer.h - what the client of a request is answered: by its program, or in the program's place.
 */
#ifndef PAGE_ANSWER_H
#define PAGE_ANSWER_H

#include "page/lifecycle.h"
#include "proto/cgi_head.h"

/* An answer is waited for, so long and no longer. False without memory. */
bool page_answer_begin(struct page *p);
/* The request's body still comes: the program is not late. */
void page_answer_prolong(struct page *p);
/* The next of it, wherever it comes from. */
void page_answer_take(struct page *p, struct slice data);
/* The header block of a program that does not print it; its status is 200 at least. No effect when
 * some of it has come. */
void page_answer_take_head(struct page *p, const struct cgi_head *head);
/* That was all of it. */
void page_answer_end(struct page *p);
/* The program's own answer won't come, or not whole: the server's in its place (502, 503, 504) if
 * nothing has gone out yet, else the answer breaks off. The program is let go. */
void page_answer_fail(struct page *p, int status, const char *why);
/* page_fault(), and the program's answer won't come whole. */
void page_answer_fault(struct page *p);
/* The program lets its waiting client in, with the headers of `head` (NULL: none). If the session
 * has ended before, as by attach-timeout, there is nobody to let in: the client is refused. */
void page_answer_accept(struct page *p, const struct cgi_head *head);
/* The server stops: an answer that has begun goes on, but may not stand still for long. */
void page_answer_hurry(struct page *p);
/* To be called when something of the program has ended: tells what was held back until then. */
void page_answer_settle(struct page *p);

#endif
