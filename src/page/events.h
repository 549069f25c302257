/* SPDX-License-Identifier: MIT */
/* events.h - descriptor 3 and what it carries, either way; of a stdio program its stdin and stdout.
 * Private to this room.
 */
#ifndef PAGE_EVENTS_H
#define PAGE_EVENTS_H

#include "page/parts.h"

/* ---- events.c: descriptor 3 ---- */

extern const struct io_ops page_events_io_ops;
/* A line of the program broke a rule. */
void page_events_fail(struct page *p, const char *why, struct slice line);
/* A message of the program, for the page. */
void page_events_deliver(struct page *p, const struct message *m);
/* The client waits to be let in. */
bool page_events_wait(const struct page *p);
/* Writes one message to the program. */
void page_events_write(struct page *p, const struct message *m);
/* False: the program takes no more, ever. */
bool page_events_open(const struct page *p);
/* Bytes that the program has not taken. */
size_t page_events_queued(const struct page *p);
/* Sends what the program would take at once. */
void page_events_flush(struct page *p);
/* The session, or what is in its place, is over: lines of the program for it mean nothing. */
bool page_events_over(const struct page *p);
/* Who writes more to it should wait until it has taken all. */
bool page_events_crowded(const struct page *p);
void page_events_attach(struct page *p, bool resumed);
void page_events_detach(struct page *p, struct slice reason);
/* What the program has taken is acknowledged. */
void page_events_taken(struct page *p);
/* A line for the program: `begin`, then `rest`; or `whole` (may be NULL), which is both. */
void page_events_line(struct page *p, struct slice begin, struct slice rest,
                      struct shared_bytes *whole);
/* A message for the page, from the program or in its place. */
void page_send(struct page *p, const struct message *m);
/* The other side takes more again. */
void page_events_resume(struct page *p);
/* End of file for the program, after what is queued. */
void page_events_shut(struct page *p);
/* The descriptor is at its end. */
void page_events_end(struct page *p);
/* Takes what the program wrote. */
void page_events_take(struct page *p, struct slice data);
/* A `.NAME` line of the program: command.c. */
void page_command(struct page *p, const struct message *m);
/* It can't be obeyed: the program has broken a rule. `why` is a static text. */
void page_command_refuse(struct page *p, const struct message *m, const char *why);

/* ---- stdio.c: programs that read lines and write lines ---- */

extern const struct io_ops page_stdin_io_ops;
/* Its stdout: *child is the program's, *ours is read. */
int page_stdio_open_out(struct page *p, int *child, int *ours);
bool page_is_stdio(const struct page_host *host, const struct site_found *found);
/* A line of the program goes out as a message; false if that would be too long. */
bool page_stdio_deliver(struct page *p, struct slice line);
/* An event of the session; only `message` means something. */
void page_stdio_write(struct page *p, const struct message *m);
/* A message of a client of the plain form. */
void page_stdio_write_line(struct page *p, struct slice line);
/* The process is gone: takes what is left of its output. */
void page_stdio_last(struct page *p);
/* An ordinary request for a stdio program. Takes the exchange. */
void page_stdio_answer(struct exchange *x);

/* ---- stderr.c ---- */

extern const struct io_ops page_stderr_io_ops;
void page_stderr_init(struct page *p);
/* Stderr is at its end. */
void page_stderr_end(struct page *p);

#endif
