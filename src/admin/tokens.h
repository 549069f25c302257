/* SPDX-License-Identifier: MIT */
/* tokens.h - the secrets that allow publishing: a file with one token a line.
 *
 * Empty lines and lines that begin with `#` are passed over. A token is 16 to 256 bytes of what
 * RFC 6750 allows after `Bearer `. Several at a time, so that one can be replaced by another.
 *
 * Threads  Never changes.
 */
#ifndef ADMIN_TOKENS_H
#define ADMIN_TOKENS_H

#include "base/text.h"

struct tokens;

/* NULL with `why`: the file can't be read, holds no token, or something that is none. */
struct tokens *tokens_read(const char *file, struct text *why);
/* Accepts NULL. */
void tokens_free(struct tokens *tokens);

/* Whether `text` is one of the tokens. Takes the same time for every text of one length. */
bool tokens_have(const struct tokens *tokens, struct slice text);

#endif
