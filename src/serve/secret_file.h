/* SPDX-License-Identifier: MIT */
/* secret_file.h - files of keys and passwords: they must not be readable or writable by others, nor
 * writable by their group. */
#ifndef SERVE_SECRET_FILE_H
#define SERVE_SECRET_FILE_H

#include "base/text.h"

#include <stdio.h>

/* As input_file_open(). NULL with `why`: the file, what is wrong with it, and of one that is not
 * private what could come of it (`danger`). The caller sets a buffer of its own before it reads, so
 * that no secret stays on the heap. */
FILE *secret_file_open(const char *file, const char *danger, struct text *why);

#endif
