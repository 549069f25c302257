/* SPDX-License-Identifier: MIT */
/* hear.h - what passes between a page's program and its client: the doors by
 * which seats and clients reach the page.
 */
#ifndef PAGE_HEAR_H
#define PAGE_HEAR_H

#include "page/lifecycle.h"
#include "program/program.h"

/* ---- for seats ---- */

/* Is the next message of the program wanted? */
enum program_reading page_reading(const struct page *p);
/* A message of the program. */
void page_hear(struct page *p, const struct message *m);
/* The program has taken what was sent. */
void page_seat_drained(struct page *p);
void page_body_drained(struct page *p);
/* A line of its stderr, which is in the log already. */
void page_seat_stderr(struct page *p, struct slice line);

/* ---- for clients ---- */

/* A message of the client. False: the program takes no more, and hears nothing of it. */
bool page_hear_client(struct page *p, const struct message *m);
void page_client_attached(struct page *p, bool resumed);
void page_client_detached(struct page *p, struct slice reason);
/* The client takes more again. */
void page_client_writable(struct page *p);
/* Messages of the session that the program has taken are acknowledged. */
void page_acknowledge(struct page *p);

/* ---- command.c ---- */

/* A `.NAME` line of the program. */
void page_command(struct page *p, const struct message *m);

#endif
