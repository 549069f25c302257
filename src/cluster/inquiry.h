/* SPDX-License-Identifier: MIT */
/* inquiry.h - one question to several servers and what they answer, by way of a broker.
 *
 *   channel NAME:ask   Q ID WHAT TAG[,TAG...]    these servers are asked
 *                      A ID TAG                  one has answered, in the key NAME:answer:ID:TAG:
 *                                                `=` and its text, or `!` and why not; it expires
 *
 * INQUIRY_AT_ONCE servers are asked at a time, each has INQUIRY_PATIENCE_MS, all together have
 * INQUIRY_MOST_MS. Who has not answered then is named, with the reason. So the broker holds
 * INQUIRY_AT_ONCE answers at most, and whoever asks INQUIRY_BYTES_MAX.
 *
 * Lifetime  The inquiries of a server outlive the link that tells them of messages. What was asked
 *           ends when all is answered, the link breaks, or inquiries_free().
 * Threads   The loop's.
 */
#ifndef CLUSTER_INQUIRY_H
#define CLUSTER_INQUIRY_H

#include "base/text.h"
#include "cluster/broker.h"

enum {
    INQUIRY_AT_ONCE = 8,
    INQUIRY_PATIENCE_MS = 3000,
    INQUIRY_MOST_MS = 15000,
    INQUIRY_ANSWER_MAX = 4 << 20, /* of one server */
    INQUIRY_BYTES_MAX = 64 << 20, /* of all */
    INQUIRIES_MAX = 4             /* each way, at a time */
};

enum inquiry_what {
    INQUIRY_SESSIONS = 's',
    INQUIRY_METRICS = 'm'
};

struct inquiries;
/* A question of another server, to be answered once by inquiries_answer(). */
struct inquiry_asked;

struct inquiry_target {
    uint32_t tag;
    const char *why;    /* NULL: it has answered */
    struct text answer; /* its text, or its own reason if `why` is "refused" */
};

struct inquiries_spec {
    struct loop *loop;   /* borrowed */
    const char *cluster; /* borrowed */
    const uint32_t *tag; /* borrowed; of this server, read when it matters */
    void *owner;
    /* Never from inside inquiries_ask(). */
    void (*asked)(void *owner, enum inquiry_what what, struct inquiry_asked *asked);
};

/* NULL without memory. */
struct inquiries *inquiries_new(const struct inquiries_spec *spec);
/* What waits for an answer is told "the server ends". Accepts NULL. No inquiry_asked may be left
 * unanswered, but for those that inquiries_drop() has taken. */
void inquiries_free(struct inquiries *q);

/* From the owner of the link. */
void inquiries_up(struct inquiries *q, struct broker *b);
void inquiries_down(struct inquiries *q);
/* False: the channel is not theirs. */
bool inquiries_message(struct inquiries *q, struct slice channel, struct slice payload);

/* `done` is called once, later, with the targets as they were given here. False: the broker is
 * away, too much is asked already, or there is no memory. */
bool inquiries_ask(struct inquiries *q, enum inquiry_what what, const uint32_t *tags, size_t count,
                   void (*done)(void *arg, const struct inquiry_target *targets, size_t count),
                   void *arg);

/* Also after the link has broken. With `why` (a word) instead of a text: it can't be answered.
 * Allowed as long as the inquiries live. */
void inquiries_answer(struct inquiry_asked *asked, struct slice text, const char *why);

#endif
