/* SPDX-License-Identifier: MIT */
/* answer.h - what a client is answered: a page, a handshake accepted or refused. Private to this room.
 */
#ifndef PAGE_ANSWER_H
#define PAGE_ANSWER_H

#include "page/parts.h"

/* ---- open.c ---- */

/* Starts the program, or answers that it can't be. */
void page_begin(struct page *p);

/* ---- body.c: the request's body to stdin ---- */

extern const struct io_ops page_body_io_ops;
void page_body_data(struct page *p, struct slice data);
void page_body_end(struct page *p);
/* No more of the body will come. */
void page_body_stop(struct page *p);
/* A chunked body: 0, or a negative errno if there is no place to spool it. */
int page_spool_open(struct page *p);

/* ---- answer.c: stdout to the exchange ---- */

extern const struct io_ops page_answer_io_ops;
extern const struct exchange_ops page_exchange_ops;
/* False without memory. */
bool page_answer_begin(struct page *p);
void page_answer_free(struct page *p);
/* Nothing more goes to the client. */
void page_answer_drop(struct page *p);
/* The program's own answer won't come, or not to its end: the server's in its place (502, 503,
 * 504), or one that has begun breaks off; and the program is let go. */
void page_answer_fail(struct page *p, int status, const char *why);
/* Stdout is at its end. */
void page_answer_end(struct page *p);
/* The next of it, wherever it comes from. */
void page_answer_take(struct page *p, struct slice data);
/* That was all of it. */
void page_answer_close(struct page *p);
/* Nothing of it has gone out. */
bool page_answer_unbegun(const struct page *p);

/* ---- direct.c: the answer to a handshake ---- */

struct cgi_head;
void page_direct_answer(struct page *p, const struct cgi_head *head);
/* The client is let in. */
void page_direct_accept(struct page *p);
/* Refuses the waiting client with this close code, or the status that goes with it. */
void page_direct_refuse(struct page *p, unsigned code, struct slice reason, uint32_t retry_s);

/* ---- refuse.c: how a refused handshake is told ---- */

struct page_refusal {
    unsigned code;
    struct slice token;
    uint32_t retry_s;            /* 0: not said */
    const struct cgi_head *head; /* of the program; may be NULL */
};
/* What a header block that is not 2xx says. */
struct page_refusal page_refusal_of(const struct cgi_head *head);
struct slice page_refusal_policy_path(const struct page_refusal *refusal);
/* To a client that has been let in: its 401 is told by code to its own origin only. */
void page_refuse_program(struct page_host *host, struct exchange *x, bool same_origin,
                         const struct page_refusal *refusal);

/* ---- grant.c ---- */

void page_hold_grant(struct page *p, struct page_grant *grant);
/* *grant (may be NULL) is over. */
void page_grant_end(struct page_grant **grant);

#endif
