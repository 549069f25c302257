/* SPDX-License-Identifier: MIT */
/* page.c - a page program that does next to nothing, for bench/rows/pages.py. With the query
 * `environment` its page is what it was given: NAME=VALUE, each ended by a NUL. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

static void put(const char *text, size_t len)
{
    if (write(STDOUT_FILENO, text, len) != (ssize_t)len)
        _exit(1);
}

int main(void)
{
    static const char plain[] = "Content-Type: application/octet-stream\n\n";
    static const char page[] = "Content-Type: text/html\n\n<!doctype html><title>A page</title>\n";
    const char *query = getenv("QUERY_STRING");
    if (!query || strcmp(query, "environment") != 0) {
        put(page, sizeof(page) - 1);
        return 0;
    }
    put(plain, sizeof(plain) - 1);
    for (char **each = environ; *each; each++)
        put(*each, strlen(*each) + 1);
    return 0;
}
