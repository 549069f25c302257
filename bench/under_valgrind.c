/* SPDX-License-Identifier: MIT */
/* under_valgrind.c - preloaded into a server under valgrind 3.19, which knows neither pidfd_open(2)
 * nor openat2(2). The first becomes a descriptor at which nothing ever happens, so that the server
 * does not notice when a program ends; the second openat(2), so that links may lead out of a root.
 * For benchmarks alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/eventfd.h>
#include <sys/pidfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SEEN __attribute__((visibility("default")))

SEEN int pidfd_open(pid_t pid, unsigned flags)
{
    (void)pid;
    (void)flags;
    return eventfd(0, EFD_CLOEXEC);
}

static long call_kernel(long number, const long a[6])
{
    long result;
    register long r10 __asm__("r10") = a[3];
    register long r8 __asm__("r8") = a[4];
    register long r9 __asm__("r9") = a[5];
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    if (result >= 0)
        return result;
    errno = (int)-result;
    return -1;
}

SEEN long syscall(long number, ...)
{
    long a[6];
    __builtin_va_list args;
    __builtin_va_start(args, number);
    for (int i = 0; i < 6; i++)
        a[i] = __builtin_va_arg(args, long);
    __builtin_va_end(args);
    if (number != SYS_openat2)
        return call_kernel(number, a);
    const struct open_how *how = (const struct open_how *)a[2];
    return openat((int)a[0], (const char *)a[1], (int)how->flags, (mode_t)how->mode);
}
