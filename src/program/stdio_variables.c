/* SPDX-License-Identifier: MIT */
#include "program/stdio_variables.h"

#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <unistd.h>

static size_t put(struct text *ret, const char *const *variables, size_t count)
{
    for (size_t i = 0; i < count; i++)
        text_put(ret, slice_make(variables[i], strlen(variables[i]) + 1));
    return count;
}

size_t stdio_variables_for_terminal(struct text *ret)
{
    static const char *const variables[] = {
        "TERM=dumb",     "NO_COLOR=1",   "PAGER=cat",
        "GIT_PAGER=cat", "MANPAGER=cat", "SYSTEMD_PAGER=cat",
    };
    return put(ret, variables, sizeof(variables) / sizeof(*variables));
}

extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden"))); /* by the linker */

static bool read_head(const char *file, ElfW(Ehdr) * ret)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd >= 0 ? pread(fd, ret, sizeof(*ret), 0) : -1;
    if (fd >= 0)
        close(fd);
    return len == sizeof(*ret) && !memcmp(ret->e_ident, ELFMAG, SELFMAG);
}

/* Up to e_machine all heads are alike. A script is whatever its interpreter is: of ours, most
 * likely. */
static bool is_of_another_machine(const char *file)
{
    ElfW(Ehdr) head;
    return read_head(file, &head) && (memcmp(head.e_ident, __ehdr_start.e_ident, EI_VERSION) != 0 ||
                                      head.e_machine != __ehdr_start.e_machine);
}

/* The loader puts lines.so before a program's ASan, which would end the program for that. */
static size_t put_preload(struct text *ret, struct slice lines)
{
    static const char *const asan = "ASAN_OPTIONS=verify_asan_link_order=0";
    text_printf(ret, "LD_PRELOAD=%.*s/lines.so", SLICE_ARG(lines));
    text_put(ret, SLICE_LITERAL("\0"));
    return 1 + put(ret, &asan, 1);
}

static size_t put_ruby(struct text *ret, struct slice lines)
{
    text_printf(ret, "RUBYOPT=-r%.*s/lines.rb", SLICE_ARG(lines));
    text_put(ret, SLICE_LITERAL("\0"));
    return 1;
}

size_t stdio_variables_for_pipe(struct text *ret, struct slice lines, const char *file)
{
    /* Python and Perl have buffers of their own. `-M5;x` is `use 5;x` before a program's first
     * line. */
    static const char *const variables[] = {
        "PYTHONUNBUFFERED=1",
        "PERL5OPT=-M5;$|=-p(STDOUT)",
    };
    size_t count = stdio_variables_for_terminal(ret);
    count += put(ret, variables, sizeof(variables) / sizeof(*variables));
    if (lines.len == 0)
        return count;
    if (!is_of_another_machine(file))
        count += put_preload(ret, lines);
    return count + put_ruby(ret, lines);
}
