/* SPDX-License-Identifier: MIT */
/* encodings.h - does the client take this content coding (Accept-Encoding: RFC 9110, 12.5.3)?
 *
 * Only a coding that the header names counts: `*` and an absent header leave the answer as it is.
 */
#ifndef HTTP_ENCODINGS_H
#define HTTP_ENCODINGS_H

#include "proto/http_head.h"

/* Whether the header names `coding` (in lower case) with a weight above 0. */
bool accepts_encoding(const struct http_head *request, struct slice coding);

#endif
