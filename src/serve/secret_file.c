/* SPDX-License-Identifier: MIT */
#include "serve/secret_file.h"

#include "base/input_file.h"

#include <errno.h>
#include <sys/stat.h>

static bool is_private(FILE *in, const char *file, const char *danger, struct text *why)
{
    struct stat st;
    if (fstat(fileno(in), &st) < 0) {
        text_printf(why, "%s: %s", file, strerror(errno));
        return false;
    }
    if (!S_ISREG(st.st_mode) || (st.st_mode & 0027) == 0)
        return true;
    text_printf(why, "%s: others can %s it: %s (chmod 600 %s)", file,
                st.st_mode & 0007 ? "read or write" : "write", danger, file);
    return false;
}

FILE *secret_file_open(const char *file, const char *danger, struct text *why)
{
    FILE *in = input_file_open(file);
    if (!in) {
        text_printf(why, "%s: %s", file, input_file_fault(errno));
        return NULL;
    }
    if (is_private(in, file, danger, why))
        return in;
    fclose(in);
    return NULL;
}
