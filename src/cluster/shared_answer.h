/* SPDX-License-Identifier: MIT */
/* shared_answer.h - an answer of the DNS as servers hand it to each other.
 *
 *   1 octet   the version, SHARED_ANSWER_VERSION
 *   1         1: it was validated
 *   1         CNAMEs on the way
 *   2         how many records there were
 *   1         how many are here; each 2 octets of length and its data
 *
 * Only DNS_OK has this form. How long it holds is said beside it.
 *
 * Pure.
 */
#ifndef CLUSTER_SHARED_ANSWER_H
#define CLUSTER_SHARED_ANSWER_H

#include "access/resolver.h"
#include "base/text.h"

enum {
    SHARED_ANSWER_VERSION = 1,
    SHARED_ANSWER_MAX = 4096
};

/* False: it can't be handed on. */
bool shared_answer_write(const struct dns_answer *a, struct text *out);

/* The answer's slices lie in `in`, and its list in `data`. False: it is none. */
bool shared_answer_read(struct slice in, uint32_t ttl_s, struct slice data[DNS_DATA_MAX],
                        struct dns_answer *ret);

#endif
