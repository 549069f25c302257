/* SPDX-License-Identifier: MIT */
/* driver.c - the command: one row.
 *
 *     counts ROW        prints how many messages were counted, and the allocations that they took
 *     counts --list     the names of the rows
 *     counts --machine  what the counts depend on beside the sources
 */
#include "driver.h"

#include <errno.h>
#include <gnu/libc-version.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

static unsigned long allocations; /* that were counted */

static const struct counts_row *const files[] = {ws_rows, handshake_rows, session_rows, topic_rows,
                                                 NULL};

void counts_fail(const char *what)
{
    fprintf(stderr, "counts: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t still(void *arg)
{
    (void)arg;
    return 1000000;
}

struct loop *counts_loop(void)
{
    struct loop *loop = loop_new_with(&epoll_backend);
    if (!loop)
        counts_fail("no loop");
    loop_set_clock(loop, still, NULL);
    return loop;
}

void counts_pair(int *ret_server, int *ret_client)
{
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds))
        counts_fail("socketpair");
    *ret_server = fds[0];
    *ret_client = fds[1];
}

/* callgrind knows it by its name (--toggle-collect), so no copy of it may have another one. */
__attribute__((noipa)) void counts_counted(void (*work)(void *arg), void *arg);
void counts_counted(void (*work)(void *arg), void *arg)
{
    work(arg);
}

void counted(bool counts, void (*work)(void *arg), void *arg)
{
    if (!counts) {
        work(arg);
        return;
    }
    unsigned long before = counts_allocations();
    counts_counted(work, arg);
    allocations += counts_allocations() - before;
}

static const struct counts_row *row_named(const char *name)
{
    for (const struct counts_row *const *file = files; *file; file++) {
        for (const struct counts_row *row = *file; row->name; row++) {
            if (strcmp(row->name, name) == 0)
                return row;
        }
    }
    return NULL;
}

static int list_rows(void)
{
    for (const struct counts_row *const *file = files; *file; file++) {
        for (const struct counts_row *row = *file; row->name; row++)
            puts(row->name);
    }
    return 0;
}

/* Debian's corrections of one version of a library change no more than the counts may grow. */
static int print_machine(void)
{
    const char *compiler = "gcc", *cpu = "another CPU";
#ifdef __clang__
    compiler = "";
#endif
#ifdef __x86_64__
    cpu = __builtin_cpu_supports("avx2") ? "x86-64, AVX2" : "x86-64";
#endif
    printf("%s %s, glibc %s, OpenSSL %u.%u, %s\n", compiler, __VERSION__, gnu_get_libc_version(),
           OPENSSL_version_major(), OPENSSL_version_minor(), cpu);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--list") == 0)
        return list_rows();
    if (argc == 2 && strcmp(argv[1], "--machine") == 0)
        return print_machine();
    const struct counts_row *row = argc == 2 ? row_named(argv[1]) : NULL;
    if (!row) {
        fputs("usage: counts ROW | --list | --machine\n", stderr);
        return 2;
    }
    unsigned messages = row->run();
    printf("%u %lu\n", messages, allocations);
    return 0;
}
