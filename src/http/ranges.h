/* SPDX-License-Identifier: MIT */
/* ranges.h - the Range header in bytes (RFC 9110, 14).
 *
 * Pure. A list that is malformed, in another unit, longer than RANGES_MAX, or asks for more bytes
 * than there are (overlaps: a way to make a server send a lot for a little) is ignored, as the RFC
 * allows: the whole file is sent.
 */
#ifndef HTTP_RANGES_H
#define HTTP_RANGES_H

#include "base/slice.h"

#define RANGES_MAX 16

struct byte_range {
    uint64_t first, last; /* both inclusive, within the size */
};

enum ranges_status {
    RANGES_IGNORED,       /* 200 with everything */
    RANGES_OK,            /* 206 */
    RANGES_UNSATISFIABLE, /* 416 */
};

/* With RANGES_OK *count is 1 to RANGES_MAX; members beyond the end are left out. */
enum ranges_status ranges_parse(struct slice value, uint64_t size,
                                struct byte_range ret[RANGES_MAX], size_t *count);

#endif
