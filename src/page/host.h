/* SPDX-License-Identifier: MIT */
/* host.h - struct page_host, as the files of this room see it. */
#ifndef PAGE_HOST_H
#define PAGE_HOST_H

#include "page/handler_desk.h"
#include "page/page.h"

struct page_host {
    struct page_host_spec spec;
    struct page_counts counts;
    struct list pages;
    struct list counts_due;   /* pages of page_count(), in order */
    struct loop_after count;  /* of these */
    struct list waiting;      /* pages whose direct client waits for the header block */
    struct list wires;        /* WebSockets of sessions, and refused ones that still close */
    struct list tcp_sessions; /* sessions without a program */
    bool draining;
    uint32_t retry_s;          /* while draining; 0: as at other times */
    uint32_t back_a_second;    /* 0: as at other times */
    uint64_t sent_away_second; /* in which clients were told to come back */
    uint32_t sent_away;        /* how many in that second */
    struct list restarting;    /* pages whose programs are let go, the next one first */
    struct timer restart_timer;
    struct handler_desk handlers; /* pages whose program is a handler in this process */
    struct timer goodbye_timer;   /* of the drain: who is there then is not waited for */
    /* A program has said `.shared`: the request that it was started for is answered as if it came
     * only now. Takes the exchange and the grant. A pointer, since seats are below requests. */
    void (*request_again)(struct page_host *host, struct exchange *x,
                          const struct site_found *found, const struct page_visitor *visitor,
                          bool is_handshake);
};

#endif
