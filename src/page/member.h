/* SPDX-License-Identifier: MIT */
/* member.h - a process that has many pages, and one page of it. Private to this room.
 */
#ifndef PAGE_MEMBER_H
#define PAGE_MEMBER_H

#include "page/parts.h"

/* ---- shared.c: processes that have many pages ---- */

/* How many processes of this program are in this worker; 0: it is not shared. */
uint32_t page_shared_share(struct page_host *host, const char *file);
/* A process for one more page, running, or started now. NULL: *ret_wait_s > 0: not before so many
 * seconds; 0: it can't be started (*ret_error). */
struct page *page_shared_pick(struct page_host *host, const struct site_found *found,
                              uint32_t share, uint32_t *ret_wait_s, int *ret_error);
/* The next line of such a process. */
enum parse_status page_shared_take(struct page *p, struct slice in, size_t *used);
/* `.shared`: the program that was started for one page says that it takes many. */
void page_shared_command(struct page *p, const struct message *m);
bool page_shared_is_command(const struct message *m);
/* It takes no more pages, and is let go when it has none. */
void page_shared_retire(struct page *p);
/* All its pages end. */
void page_shared_end(struct page *p, unsigned code, struct slice reason);
/* Its queue is empty. */
void page_shared_drained(struct page *p);
/* The process is gone. */
void page_shared_gone(struct page *p);
/* Nothing is read from it until a page's topics have gone on. */
bool page_shared_busy(const struct page *p);
void page_shared_resume(struct page *process);
void page_shared_each(struct page *p, void (*each)(struct page *member, void *arg), void *arg);
void page_pools_free(struct page_host *host);

/* ---- member.c: one page of such a process ---- */

/* Tells the process of the request. 0 or a negative errno. */
int page_member_join(struct page *p);
bool page_member_open(const struct page *p);
void page_member_write(struct page *p, const struct slice *pieces, int count);
struct page *page_member_process(const struct page *p); /* NULL: it is gone */
/* Draws the conclusions, as page_ending_advance. */
void page_member_advance(struct page *p);
/* What `.leave` says; the first one counts. */
void page_member_note_reason(struct page *p, struct slice reason);
/* The client, or the topics, take more again. */
void page_member_resume(struct page *p);
/* exchange_write() said that it is enough. */
void page_member_answer_behind(struct page *p, bool behind);
/* `.answer` */
void page_member_answer(struct page *p, const struct message *m);
void page_member_body(struct page *p, struct slice data);
void page_member_body_end(struct page *p);
/* The request as one JSON object, for `.join`. */
void page_member_describe(const struct page *p, struct text *out);

#endif
