/* SPDX-License-Identifier: MIT */
/* settings_file.h - settings from a file: `name = value`, lists as {"a", "b"}, comments by #, //
 * and between slash-stars. No other file uses libconfuse, which does the parsing.
 *
 * Threads  One thread at a time.
 */
#ifndef BASE_SETTINGS_FILE_H
#define BASE_SETTINGS_FILE_H

#include "base/text.h"

struct settings_name {
    const char *name;
    bool list; /* may have several values */
};

struct settings_reader {
    const struct settings_name *names;
    size_t count;
    bool skip_others; /* names that are not in `names`; otherwise they are errors */
    /* Called for each value, in the order of the file. `first`: the value is the first one of its
     * name. A refusal returns false and puts what was expected in `why`. */
    bool (*set)(void *arg, const char *name, const char *value, bool first, struct text *why);
    void *arg;
};

/* On failure returns false, with `why` as FILE:LINE: what was expected. */
bool settings_file_read(const char *path, const struct settings_reader *reader, struct text *why);

#endif
