/* SPDX-License-Identifier: MIT */
/* key_file.h - files of keys: `state-key` and `cluster-key`.
 *
 * A key a line, 32 bytes in base64; what begins with # is a comment.
 */
#ifndef SERVE_KEY_FILE_H
#define SERVE_KEY_FILE_H

#include "base/text.h"
#include "net/seal.h"

enum {
    KEY_FILE_BASE64_LEN = 44 /* of a key, with its padding */
};

/* The keys of one file, at least one. NULL with `why`: the file, the line; `danger` as in
 * secret_file.h. */
struct seal_keys *key_file_read(const char *file, const char *danger, struct text *why);

#endif
