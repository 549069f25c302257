/* SPDX-License-Identifier: MIT */
/* json_text.h - writes JSON at the end of a text.
 *
 *     json_text_begin(&t);                          {
 *     json_text_string(&t, "reason", reason);       "reason":"overload"
 *     json_text_number(&t, "retryAfter", 5);        ,"retryAfter":5
 *     json_text_end(&t);                            }
 *
 * Names are written as they are. A member writes the comma that separates it from the member before
 * it.
 */
#ifndef PROTO_JSON_TEXT_H
#define PROTO_JSON_TEXT_H

#include "base/text.h"

/* Writes any bytes as a string with its quotes; invalid UTF-8 becomes U+FFFD. */
void json_text_put(struct text *out, struct slice bytes);

void json_text_begin(struct text *out);
void json_text_end(struct text *out);

/* Members go to the object that was begun last. */
void json_text_string(struct text *out, const char *name, struct slice bytes);
void json_text_number(struct text *out, const char *name, int64_t number);
void json_text_flag(struct text *out, const char *name, bool flag);
/* `json` is a value already. */
void json_text_value(struct text *out, const char *name, struct slice json);

#endif
