/* SPDX-License-Identifier: MIT */
/* state.h - the state that a program saves in its page, and how many messages of the page it is
 * done with (docs/page-programs/state.md).
 *
 *   `.save`      the state is this now. It covers what is confirmed
 *   `.confirm N` the program is done with the first N events, calls and answers
 *
 * For a program that never confirms this is concluded. One that is seen to wait for the next
 * message is done with all before, and its next `.save` covers them. Of messages told one right
 * after the other each `.save` covers one. A program that is never seen to wait (it polls, or has
 * threads) may have saved for any of them: its last `.save` covers all when it has read all, and
 * nothing was said or told for QUIET_MS. The page counts what the program heard; the session counts
 * what its client sent, with each `.problem` beside.
 *
 * Memory   None before the first command or `.problem`; then some 350 B. What is saved is the
 *          session's.
 */
#ifndef PAGE_STATE_H
#define PAGE_STATE_H

#include "page/lifecycle.h"

enum {
    PAGE_EARLY_LOOKS = 16
};

/* Commands of the program. */
void page_state_save(struct page *p, const struct message *m);
void page_state_confirm(struct page *p, const struct message *m);

/* The client's state has come: the program is told. */
void page_state_restored(struct page *p, const struct session_restored *restored);
static inline bool page_restoring(const struct page *p)
{
    return p->session && session_restoring(p->session);
}

/* For the process that takes over; `in` may be empty. False without memory. */
void page_state_pack(const struct page *p, struct pack *out);
bool page_state_unpack(struct page *p, struct slice in);

/* Looks whether the program is done with what it was told. Some system calls. */
void page_state_look(struct page *p);
/* The program is about to be told a message. The first of them are looked at before anybody knows
 * whether the program saves. */
static inline void page_state_telling(struct page *p)
{
    if (p->saving && p->saving->saves ? !p->saving->exact
                                      : p->session && p->heard_by_program < PAGE_EARLY_LOOKS)
        page_state_look(p);
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
