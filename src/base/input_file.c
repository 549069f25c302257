/* SPDX-License-Identifier: MIT */
#include "base/input_file.h"

#include "base/pack.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

bool input_file_waits(const char *path)
{
    struct stat status;
    struct statfs system;
    return stat(path, &status) == 0 && S_ISFIFO(status.st_mode) && statfs(path, &system) == 0 &&
           system.f_type != PIPEFS_MAGIC;
}

/* ---- copies ---- */

enum {
    COPY = 1,
    /* of one of them */
    PATH = 1,
    MODE,
    BYTES,
};

static struct {
    int written_to; /* -1: none */
    bool failed;
    struct slice used; /* mapped */
} copies = {.written_to = -1};

static bool write_all(int fd, struct slice s)
{
    while (s.len > 0) {
        ssize_t n = write(fd, s.ptr, s.len);
        if (n < 0 && errno != EINTR)
            return false;
        s = slice_skip(s, n < 0 ? 0 : (size_t)n);
    }
    return true;
}

/* With the rights of the file, which whoever reads a secret looks at. */
static int open_copy(struct slice bytes, mode_t mode)
{
    int fd = memfd_create("httpsocketd-input", MFD_CLOEXEC);
    if (fd >= 0 && (!write_all(fd, bytes) || fchmod(fd, (mode & 0777) | 0600) < 0)) {
        close(fd);
        return -1;
    }
    return fd;
}

/* What is no ordinary file stays where it is. */
static bool read_file(const char *path, struct stat *info, struct text *ret)
{
    char part[8192];
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    bool good = fd >= 0 && fstat(fd, info) == 0 && S_ISREG(info->st_mode);
    ssize_t n = 0;
    while (good && (n = read(fd, part, sizeof(part))) > 0)
        text_put(ret, slice_make(part, (size_t)n));
    explicit_bzero(part, sizeof(part));
    if (fd >= 0)
        close(fd);
    return good && n == 0;
}

static bool keep_copy(const char *path, const struct stat *info, struct slice bytes)
{
    struct pack p = {0};
    size_t copy = pack_begin(&p, COPY);
    pack_slice(&p, PATH, slice_of(path));
    pack_number(&p, MODE, info->st_mode);
    pack_slice(&p, BYTES, bytes);
    pack_end(&p, copy);
    bool kept = !p.failed && write_all(copies.written_to, text_slice(&p.out));
    pack_done(&p);
    return kept;
}

static int write_copy(const char *path)
{
    struct text bytes = {0};
    struct stat info;
    int fd = -1;
    if (read_file(path, &info, &bytes)) {
        if (!bytes.failed && keep_copy(path, &info, text_slice(&bytes)))
            fd = open_copy(text_slice(&bytes), info.st_mode);
        copies.failed |= fd < 0;
    }
    text_done(&bytes);
    return fd;
}

static int find_copy(const char *path)
{
    struct slice rest = copies.used;
    for (struct packed field; packed_next(&rest, &field);)
        if (field.tag == COPY && slice_equal(packed_slice(field.value, PATH), slice_of(path)))
            return open_copy(packed_slice(field.value, BYTES),
                             (mode_t)packed_number(field.value, MODE));
    return -1;
}

void input_file_find(struct input_file *f, const char *path)
{
    *f = (struct input_file){.fd = -1, .path = path};
    if (copies.written_to >= 0)
        f->fd = write_copy(path);
    else if (copies.used.len)
        f->fd = find_copy(path);
    if (f->fd < 0)
        return;
    snprintf(f->copy, sizeof(f->copy), "/proc/self/fd/%d", f->fd);
    f->path = f->copy;
}

void input_file_done(struct input_file *f)
{
    if (f->fd >= 0)
        close(f->fd);
    f->fd = -1;
}

FILE *input_file_open(const char *path)
{
    struct input_file f;
    bool waits = input_file_waits(path);
    input_file_find(&f, path);
    FILE *in = waits ? NULL : fopen(f.path, "re");
    int error = waits ? ENXIO : errno;
    input_file_done(&f);
    errno = error;
    return in;
}

const char *input_file_fault(int error)
{
    return error == ENXIO ? INPUT_FILE_WAITS : strerror(error);
}

void input_copies_write(int fd)
{
    copies.written_to = fd;
}

bool input_copies_whole(void)
{
    return !copies.failed;
}

void input_copies_use(int fd)
{
    struct stat info;
    if (fd < 0)
        return;
    if (fstat(fd, &info) == 0 && info.st_size > 0) {
        void *map = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (map != MAP_FAILED)
            copies.used = slice_make(map, (size_t)info.st_size);
    }
}

void input_copies_done(void)
{
    if (copies.used.len)
        munmap((void *)copies.used.ptr, copies.used.len);
    copies.used = SLICE_NONE;
}
