/* SPDX-License-Identifier: MIT */
/* pack_kinds.h - which versions of which kinds of objects this program writes and reads
 * (pack_kinds.def). */
#ifndef BASE_PACK_KINDS_H
#define BASE_PACK_KINDS_H

#include "base/text.h"

/* The version of this program, for the log. */
const char *pack_version(void);

/* One line a kind: `NAME OLDEST NEWEST`. */
void pack_kinds_print(struct text *out);
/* Can the program that has printed this read what we write? False: *ret_why names the kind. */
bool pack_kinds_fit(struct slice printed, struct text *ret_why);

/* One line a kind: `NAME VERSION`, as written. */
void pack_kinds_written(struct text *out);
/* Can we read what has been written so? */
bool pack_kinds_read(struct slice written, struct text *ret_why);

#endif
