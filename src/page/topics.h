/* SPDX-License-Identifier: MIT */
/* topics.h - topics: a program's commands to the hub, and its words to it.
 */
#ifndef PAGE_TOPICS_H
#define PAGE_TOPICS_H

#include "page/lifecycle.h"

/* The program's commands. NULL, or what was expected. */
const char *page_topic_subscribe(struct page *p, struct slice json);
const char *page_topic_unsubscribe(struct page *p, struct slice json);
const char *page_topic_publish(struct page *p, struct slice json);
/* The program is ahead of the hub: nothing more is read from the program. */
bool page_topics_busy(const struct page *p);
void page_topics_connected(struct page *p, bool connected);
/* The program, or the page, may take more again. */
void page_topics_drained(struct page *p);
/* For the process that takes over; `in` may be empty. */
void page_topics_pack(const struct page *page, struct pack *p);
void page_topics_unpack(struct page *page, struct slice in);

#endif
