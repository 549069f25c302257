/* SPDX-License-Identifier: MIT */
/* client.h - whom a page talks with: a session, over any number of connections, or one WebSocket
 * without a session (the plain form). Both are `client` of struct page, and call the page's
 * functions and its seat's.
 */
#ifndef PAGE_CLIENT_H
#define PAGE_CLIENT_H

#include "base/slice.h"
#include "proto/cgi_head.h"

struct hub_batch;
struct message;
struct page;

struct page_client_ops {
    /* A message of the program. Always taken: the program is read only while `writable`. */
    void (*send)(struct page *p, const struct message *m);
    bool (*writable)(const struct page *p);
    /* A command for the page's DOM, in order with the messages. False: the client is no page. */
    bool (*command)(struct page *p, const struct message *m);
    /* Is it connected? */
    bool (*present)(const struct page *p);
    /* Events of a topic. False: none of them was taken, and they are to be sent one by one, as far
     * as `writable` says so. NULL: as false. */
    bool (*send_batch)(struct page *p, struct hub_batch *batch);
    /* Bytes that it has not taken, or not acknowledged. */
    size_t (*backlog)(const struct page *p);
    /* The program has taken what the client sent: it may go on. */
    void (*program_drained)(struct page *p);
    /* How the conversation ends; `matters`: somebody may want to hear of it later. */
    void (*end)(struct page *p, unsigned code, struct slice reason, bool matters);
    /* Ends the conversation now: what the client has not got is given up. Comes after `end`. */
    void (*abort)(struct page *p, unsigned code, struct slice reason);
    /* The server stops: the connection is dropped. */
    void (*drop)(struct page *p);
};

extern const struct page_client_ops page_session_client, page_plain_client;

/* ---- client_session.c ---- */

/* Makes the session of a page of kind ORDINARY or DIRECT; no effect on others. 0 or a negative
 * errno. */
int page_make_session(struct page *p);

/* The session of these fields, in place of page_make_session(). */
bool page_unpack_session(struct page *p, struct slice in);

/* ---- client_plain.c ---- */

/* The waiting client is let in. `head`: what the program has printed for it; NULL: nothing. */
void page_plain_open(struct page *p, const struct cgi_head *head);
/* The WebSocket of these fields, in place of page_plain_open(): its program knows of the client. */
bool page_unpack_plain(struct page *p, struct slice in);

#endif
