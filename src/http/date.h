/* SPDX-License-Identifier: MIT */
/* date.h - HTTP dates (RFC 9110, 5.6.7): written in the one preferred form, read in all three.
 *
 * Pure. Seconds since 1970, UTC. A year of two digits is the one that lies at most 50 years ahead
 * of `now`.
 */
#ifndef HTTP_DATE_H
#define HTTP_DATE_H

#include "base/slice.h"

#define HTTP_DATE_LEN 29 /* `Sun, 06 Nov 1994 08:49:37 GMT` */

/* Writes HTTP_DATE_LEN bytes without NUL. Years 0 to 9999; a time outside is clamped. */
struct slice http_date_write(int64_t seconds, char out[HTTP_DATE_LEN]);

/* False and *ret untouched for anything that is no date; the day's name is not compared with the
 * date. */
bool http_date_parse(struct slice text, int64_t now, int64_t *ret);

#endif
