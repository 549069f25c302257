/* SPDX-License-Identifier: MIT */
/* refusal.h - how a refused handshake is told. */
#ifndef PAGE_REFUSAL_H
#define PAGE_REFUSAL_H

#include "page/host.h"

struct cgi_head;

struct page_refusal {
    unsigned code;
    struct slice token;
    uint32_t retry_s;            /* 0: not said */
    const struct cgi_head *head; /* of the program; may be NULL */
};
/* The refusal that a header block with another status than 2xx means. */
struct page_refusal page_refusal_of(const struct cgi_head *head);
struct slice page_refusal_policy_path(const struct page_refusal *refusal);
/* To a client that has been let in: its 401 is told by code to its own origin only. */
void page_refuse_program(struct page_host *host, struct exchange *x, bool same_origin,
                         const struct page_refusal *refusal);

#endif
