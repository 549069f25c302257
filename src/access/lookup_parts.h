/* SPDX-License-Identifier: MIT */
/* lookup_parts.h - what the files of a look-up share: lookup.c (record and addresses),
 * lookup_consent.c, and lookup_answer.c (judging answers, the end).
 */
#ifndef ACCESS_LOOKUP_PARTS_H
#define ACCESS_LOOKUP_PARTS_H

#include "access/lookup.h"

void lookup_set_state(struct lookup *l, enum lookup_state state);
void lookup_cancel_questions(struct lookup *l);

/* The last thing that a caller does, since `decided` runs inside. */
void lookup_decide(struct lookup *l, enum access_reason reason, const struct ip *ips, size_t count);
void lookup_refuse(struct lookup *l, enum access_reason reason);

/* A question that can't even be asked leaves *open false. */
void lookup_ask(struct lookup *l, struct dns_question *q, bool *open);

/* OK_RECORD if the answer can be used, whether it holds data or not; otherwise why it can't. */
enum access_reason lookup_judge(struct lookup *l, const struct dns_question *q,
                                const struct dns_answer *a, bool must_be_secure);
struct access_answer lookup_match(struct lookup *l, const struct dns_answer *a,
                                  enum access_zone zone);

/* If no address can be used for several reasons, the reason of the highest rank is told. */
int lookup_rank(enum access_reason reason);

void lookup_start_consent(struct lookup *l, const struct ip *ips, size_t count);
/* Ends the look-up with the addresses that consent, or if there are none with the reason that
 * weighs most. */
void lookup_finish_consent(struct lookup *l);

#endif
