/* SPDX-License-Identifier: MIT */
/* streams.h - what a page opens beside its messages: TCPConnections, and
 * byte streams of its program.
 */
#ifndef PAGE_STREAMS_H
#define PAGE_STREAMS_H

#include "page/lifecycle.h"

#include <sys/types.h>

/* ---- channel.c ---- */

/* A session's on_open. `p`: the program's; NULL: there is none. */
void page_channel_open(struct page_host *host, struct channel *c, struct slice json,
                       const struct page_opener *opener, struct page *p);

/* ---- streams.c: byte streams of the program ---- */

struct json_t;
/* The page wants one: what it said. */
void page_stream_open(struct page *p, struct channel *c, const struct json_t *wish);
/* The program has taken what was written: the page may send on. */
void page_streams_taken(struct page *p);
/* Lines of the program. */
void page_stream_accept(struct page *p, const struct message *m);
void page_stream_bytes(struct page *p, const struct message *m);
void page_stream_end(struct page *p, const struct message *m);
void page_stream_reset(struct page *p, const struct message *m);

/* Of a handler, which has the seat's stream_room(): as many bytes as the window has room for, 0 or
 * more. -ENOENT: the stream is over, or has never been. -EPIPE: it is not accepted, or this side
 * has ended. -ENOMEM: it has been reset. */
ssize_t page_stream_write(struct page *p, uint32_t number, struct slice data);
/* Is there such a stream? */
bool page_has_stream(const struct page *p, uint32_t number);

/* For the process that takes over; the page's session has come before. */
void page_streams_pack(const struct page *page, struct pack *p);
void page_streams_unpack(struct page *page, struct slice in);

/* ---- tcp.c: TCPConnections ---- */

/* A `.tcp` line of the program. */
void page_tcp_command(struct page *p, const struct message *m);
/* Valid as long as the page. */
struct page_opener page_opener_of(struct page *p);

#endif
