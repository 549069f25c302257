/* SPDX-License-Identifier: MIT */
/* json_text.h - bytes of strangers as a JSON string: what is no UTF-8 becomes U+FFFD. */
#ifndef PROGRAM_JSON_TEXT_H
#define PROGRAM_JSON_TEXT_H

#include "base/text.h"

/* With its quotes. */
void json_text_put(struct text *out, struct slice bytes);

#endif
