/* SPDX-License-Identifier: MIT */
/* state.h - the state that a program saves in its page, and how many messages of the page it is done
 * with (docs/page-programs/state.md).
 *
 *   `.save`      the state is this now. It covers what is confirmed
 *   `.confirm N` the program is done with the first N events, calls and answers
 *
 * A program that never confirms is taken to save once after each message: so each `.save` confirms
 * one message more. When it has read all, and nothing was said or told for QUIET_MS, its last
 * `.save` covers all. The page counts what the program heard; the session counts what its client
 * sent, with each `.problem` beside.
 *
 * Memory   None before the first command or `.problem`; then some 350 B. What is saved is the
 *          session's.
 */
#ifndef PAGE_STATE_H
#define PAGE_STATE_H

#include "page/lifecycle.h"

/* Commands of the program. */
void page_state_save(struct page *p, const struct message *m);
void page_state_confirm(struct page *p, const struct message *m);

/* The client's state has come: the program is told. */
void page_state_restored(struct page *p, const struct session_restored *restored);
static inline bool page_restoring(const struct page *p)
{
    return p->session && session_restoring(p->session);
}

/* Something passes between program and client. */
void page_state_note_activity(struct page *p);
void page_state_note_problem(struct page *p);
static inline void page_state_busy(struct page *p)
{
    if (p->saving)
        page_state_note_activity(p);
}

/* The program was told a message of the client. */
static inline void page_state_heard(struct page *p, const struct message *m)
{
    if (message_is_problem(m)) {
        page_state_note_problem(p);
        return;
    }
    p->heard_by_program++;
    page_state_busy(p);
}

#endif
