/* SPDX-License-Identifier: MIT */
/* lines.c - has a program that uses stdio of the C library write each line at once, though its
 * stdout is a pipe. httpsocketd names it in LD_PRELOAD for stdio programs
 * (docs/decisions/stdio-pipe.md).
 *
 * It needs no library, exports no name, and all that it calls is weak: a program with another C
 * library, or with none, runs as if this were not there. The buffer is its own, since malloc may
 * not be ready yet. What can seek, a file, is left alone, and so is what a program says itself by
 * setvbuf later.
 */
#include <stdio.h>
#include <unistd.h>

#pragma weak lseek
#pragma weak setvbuf
#pragma weak stdout

__attribute__((constructor)) static void write_lines(void)
{
    static char buffer[BUFSIZ];
    if (!&stdout || !&lseek || !&setvbuf)
        return;
    if (lseek(STDOUT_FILENO, 0, SEEK_CUR) < 0)
        setvbuf(stdout, buffer, _IOLBF, sizeof(buffer));
}
