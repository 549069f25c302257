/* SPDX-License-Identifier: MIT */
/* faults.c - lets an allocation or a system call of the server fail: the one that is asked for.
 *
 * The linker puts these functions between our objects and the C library (--wrap, see meson.build):
 * calls of other libraries are not counted, and the sanitizers see everything as it is.
 *
 * Orders come by a file that both sides map, TORTURE_FILE: `armed` is set last, and the count of
 * calls begins anew then. Calls are counted over all threads. Without the file nothing fails.
 */
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

void __sanitizer_print_stack_trace(void);

enum kind {
    NOTHING,
    ALLOCATION,
    SYSTEM_CALL
};

/* As tests/lib/torture.mjs writes and reads it. */
struct orders {
    _Atomic uint32_t armed; /* enum kind */
    uint32_t trace;         /* print where it failed */
    uint64_t fail_at;       /* counted from 1; 0: count only */
    _Atomic uint64_t count;
    _Atomic uint32_t failed; /* how often */
    char name[60];           /* of the function that failed */
};

static struct orders *orders;

__attribute__((constructor)) static void take_orders(void)
{
    const char *path = getenv("TORTURE_FILE");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *map = MAP_FAILED;
    if (fd >= 0)
        map = mmap(NULL, sizeof(struct orders), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map != MAP_FAILED)
        orders = map;
    if (fd >= 0)
        close(fd);
}

static bool fails(enum kind kind, const char *name)
{
    struct orders *o = orders;
    if (!o || atomic_load_explicit(&o->armed, memory_order_acquire) != kind)
        return false;
    if (atomic_fetch_add(&o->count, 1) + 1 != o->fail_at)
        return false;
    snprintf(o->name, sizeof(o->name), "%s", name);
    atomic_fetch_add(&o->failed, 1);
    if (o->trace)
        __sanitizer_print_stack_trace();
    return true;
}

static bool fails_with(const char *name, int error)
{
    if (!fails(SYSTEM_CALL, name))
        return false;
    errno = error;
    return true;
}

/* ---- memory ---- */

#define ALLOCATES(name, parameters, arguments)                                                     \
    void *__real_##name parameters;                                                                \
    void *__wrap_##name parameters;                                                                \
    void *__wrap_##name parameters                                                                 \
    {                                                                                              \
        if (!fails(ALLOCATION, #name))                                                             \
            return __real_##name arguments;                                                        \
        errno = ENOMEM;                                                                            \
        return NULL;                                                                               \
    }

ALLOCATES(malloc, (size_t size), (size))
ALLOCATES(calloc, (size_t count, size_t size), (count, size))
ALLOCATES(realloc, (void *old, size_t size), (old, size))
ALLOCATES(strdup, (const char *s), (s))
ALLOCATES(strndup, (const char *s, size_t n), (s, n))
ALLOCATES(aligned_alloc, (size_t alignment, size_t size), (alignment, size))

/* ---- system calls, each with an error that it has in real life ---- */

#define CALLS(type, name, error, parameters, arguments)                                            \
    type __real_##name parameters;                                                                 \
    type __wrap_##name parameters;                                                                 \
    type __wrap_##name parameters                                                                  \
    {                                                                                              \
        return fails_with(#name, error) ? (type)-1 : __real_##name arguments;                      \
    }

CALLS(ssize_t, recv, ENOMEM, (int fd, void *to, size_t n, int flags), (fd, to, n, flags))
CALLS(ssize_t, send, ENOBUFS, (int fd, const void *from, size_t n, int flags), (fd, from, n, flags))
CALLS(ssize_t, sendmsg, ENOBUFS, (int fd, const struct msghdr *m, int flags), (fd, m, flags))
CALLS(ssize_t, writev, ENOMEM, (int fd, const struct iovec *v, int n), (fd, v, n))
CALLS(ssize_t, sendfile64, EIO, (int to, int from, off64_t *at, size_t n), (to, from, at, n))
CALLS(int, accept4, EMFILE, (int fd, struct sockaddr *a, socklen_t *n, int f), (fd, a, n, f))
CALLS(int, connect, EADDRNOTAVAIL, (int fd, const struct sockaddr *a, socklen_t n), (fd, a, n))
CALLS(int, bind, EADDRINUSE, (int fd, const struct sockaddr *a, socklen_t n), (fd, a, n))
CALLS(int, listen, EADDRINUSE, (int fd, int n), (fd, n))
CALLS(int, shutdown, ENOTCONN, (int fd, int how), (fd, how))
CALLS(int, socket, EMFILE, (int family, int type, int protocol), (family, type, protocol))
CALLS(int, socketpair, EMFILE, (int family, int type, int protocol, int fds[2]),
      (family, type, protocol, fds))
CALLS(int, pipe2, EMFILE, (int fds[2], int flags), (fds, flags))
CALLS(int, dup2, EMFILE, (int from, int to), (from, to))
CALLS(int, getpeername, ENOBUFS, (int fd, struct sockaddr *a, socklen_t *n), (fd, a, n))
CALLS(int, getsockname, ENOBUFS, (int fd, struct sockaddr *a, socklen_t *n), (fd, a, n))
CALLS(int, setsockopt, ENOMEM, (int fd, int level, int name, const void *v, socklen_t n),
      (fd, level, name, v, n))
CALLS(int, epoll_ctl, ENOMEM, (int fd, int op, int other, struct epoll_event *e),
      (fd, op, other, e))
CALLS(int, epoll_wait, EINTR, (int fd, struct epoll_event *e, int n, int ms), (fd, e, n, ms))
CALLS(int, fstat64, ENOMEM, (int fd, struct stat64 *s), (fd, s))
CALLS(int, stat64, EACCES, (const char *path, struct stat64 *s), (path, s))
CALLS(int, pidfd_open, EMFILE, (int pid, unsigned flags), (pid, flags))
CALLS(int, memfd_create, EMFILE, (const char *name, unsigned flags), (name, flags))
CALLS(int, posix_openpt, EMFILE, (int flags), (flags))
CALLS(int, execve, ENOMEM, (const char *path, char *const argv[], char *const envp[]),
      (path, argv, envp))
CALLS(ssize_t, getrandom, EAGAIN, (void *to, size_t n, unsigned flags), (to, n, flags))

/* ---- io_uring: liburing answers with a negative errno, and has several for one call ---- */

#define RINGS(name, parameters, arguments)                                                         \
    int __real_##name parameters;                                                                  \
    int __wrap_##name parameters;                                                                  \
    int __wrap_##name parameters                                                                   \
    {                                                                                              \
        static const int errors[] = {EAGAIN, EINTR, ENOMEM, EBUSY};                                \
        return fails(SYSTEM_CALL, #name) ? -errors[orders->fail_at % 4] : __real_##name arguments; \
    }

RINGS(io_uring_submit, (struct io_uring * ring), (ring))
RINGS(io_uring_submit_and_wait, (struct io_uring * ring, unsigned n), (ring, n))
RINGS(io_uring_submit_and_get_events, (struct io_uring * ring), (ring))
RINGS(io_uring_get_events, (struct io_uring * ring), (ring))
RINGS(io_uring_submit_and_wait_timeout,
      (struct io_uring * ring, struct io_uring_cqe **cqe, unsigned n, struct __kernel_timespec *ts,
       sigset_t *set),
      (ring, cqe, n, ts, set))
/* -EINTR alone: it needs no memory. */
int __real_io_uring_register_sync_cancel(struct io_uring *, struct io_uring_sync_cancel_reg *);
int __wrap_io_uring_register_sync_cancel(struct io_uring *, struct io_uring_sync_cancel_reg *);
int __wrap_io_uring_register_sync_cancel(struct io_uring *ring,
                                         struct io_uring_sync_cancel_reg *which)
{
    return fails(SYSTEM_CALL, "io_uring_register_sync_cancel")
               ? -EINTR
               : __real_io_uring_register_sync_cancel(ring, which);
}

RINGS(io_uring_queue_init_params,
      (unsigned entries, struct io_uring *ring, struct io_uring_params *p), (entries, ring, p))
RINGS(io_uring_register_buf_ring,
      (struct io_uring * ring, struct io_uring_buf_reg *place, unsigned flags),
      (ring, place, flags))

/* The log may be lost as well, but then nobody would read why. */
ssize_t __real_write(int fd, const void *from, size_t n);
ssize_t __wrap_write(int fd, const void *from, size_t n);
ssize_t __wrap_write(int fd, const void *from, size_t n)
{
    return fd != STDERR_FILENO && fails_with("write", ENOSPC) ? -1 : __real_write(fd, from, n);
}

ssize_t __real_read(int fd, void *to, size_t n);
ssize_t __wrap_read(int fd, void *to, size_t n);
ssize_t __wrap_read(int fd, void *to, size_t n)
{
    return fails_with("read", EIO) ? -1 : __real_read(fd, to, n);
}

int __real_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;
    va_end(more);
    return fails_with("open", EMFILE) ? -1 : __real_open64(path, flags, mode);
}

int __real_fcntl64(int fd, int command, ...);
int __wrap_fcntl64(int fd, int command, ...);
int __wrap_fcntl64(int fd, int command, ...)
{
    va_list more;
    va_start(more, command);
    long argument = va_arg(more, long); /* of whatever type: it is in a register */
    va_end(more);
    return fails_with("fcntl", EMFILE) ? -1 : __real_fcntl64(fd, command, argument);
}
