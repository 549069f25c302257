/* SPDX-License-Identifier: MIT */
/* encodings.h - in which content coding an answer is sent: of those that there are, the one that
 * the client likes best (Accept-Encoding: RFC 9110, 12.5.3).
 *
 * The highest weight wins; of equal ones brotli, then gzip, then none. A coding counts if the
 * header names it: `*` alone, and an absent header, leave the answer as it is. Only if the client
 * refuses that (`identity;q=0` or `*;q=0`), `*` stands for codings that it does not name. If it
 * refuses all that there are, the answer is sent as it is, as if the header were not there.
 *
 * Pure. An answer that could have been sent in another coding says `Vary: Accept-Encoding`, and
 * has a tag of its own in each.
 */
#ifndef HTTP_ENCODINGS_H
#define HTTP_ENCODINGS_H

#include "proto/http_head.h"

enum encoding {
    ENCODING_IDENTITY, /* as it is */
    ENCODING_GZIP,
    ENCODING_BROTLI,
};
#define ENCODING_COUNT 3

/* Of the codings in the set `offered` (a bit `1u << coding` for each), or ENCODING_IDENTITY. */
enum encoding encoding_choose(const struct http_head *request, unsigned offered);
/* As Content-Encoding has it: `gzip`, `br`; empty for ENCODING_IDENTITY. */
struct slice encoding_name(enum encoding encoding);
/* What the names of such files end in: `.gz`, `.br`; empty for ENCODING_IDENTITY. */
struct slice encoding_ending(enum encoding encoding);

#endif
