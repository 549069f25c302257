/* SPDX-License-Identifier: MIT */
/* dev.h - what a developer is shown; without effect when not in dev mode. Private to this room.
 */
#ifndef PAGE_DEV_H
#define PAGE_DEV_H

#include "page/parts.h"

/* ---- dev.c: what a developer is shown; without effect when not in dev mode ---- */

void page_dev_begin(struct page *p);
void page_dev_end(struct page *p);
/* A line of stderr: kept, and told to the page once it is there. */
void page_dev_line(struct page *p, struct slice line);
/* A line on descriptor 3 broke a rule. */
void page_dev_protocol_error(struct page *p, const char *why, struct slice line);
/* Tells the page what it has not been told yet. */
void page_dev_tell(struct page *p);
/* The session ends so. To be called before it does. */
void page_dev_ended(struct page *p, unsigned code, struct slice reason);
/* The page is there: if its program has changed in the meantime, its session is over. */
void page_dev_attached(struct page *p);
/* A failure is not told before the last word of the program is known. */
bool page_dev_holds(const struct page *p);
bool page_dev_holds_answer(const struct page *p);
/* The server's answer in the place of the program's, which shows the stderr. Takes the exchange. */
void page_dev_answer(struct page *p, struct exchange *x, int status, const char *why);

/* ---- console.c: all of them on one page; without effect when not in dev mode ---- */

struct page_console *page_console_new(struct page_host *host);
/* Turns away who looks. */
void page_console_drop(struct page_host *host);
/* Accepts NULL. */
void page_console_free(struct page_console *console);
/* A program is started. */
void page_console_begin(struct page_host *host);
void page_console_from_page(struct page *p, const struct message *m);
void page_console_from_program(struct page *p, const struct message *m);
/* Something that happened, such as `attach`. */
void page_console_note(struct page *p, const char *what, struct slice text);
void page_console_stderr(struct page *p, struct slice line);

/* ---- dev_wait.c: a failed page waits for a change ---- */

#define PAGE_DEV_VERSION_MAX 24
/* Of the program's file. */
struct slice page_dev_version(const char *file, char out[PAGE_DEV_VERSION_MAX]);
/* Is this the question of such a page? Then takes the exchange. */
bool page_dev_wait(struct page_host *host, struct exchange *x, const struct site_found *found);
/* Turns all of them away. */
void page_dev_waits_drop(struct page_host *host);

#endif
