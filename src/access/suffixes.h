/* SPDX-License-Identifier: MIT */
/* suffixes.h - the public suffix list (publicsuffix.org), both sections, by libpsl.
 *
 * Threads  Any, after the first call.
 */
#ifndef ACCESS_SUFFIXES_H
#define ACCESS_SUFFIXES_H

#include "proto/access_pattern.h"

/* The newest list on this machine; lives as long as the program. NULL without any: then no wildcard
 * allows anything (proto/access_pattern.h). */
const struct public_suffixes *public_suffixes(void);

#endif
