/* SPDX-License-Identifier: MIT */
#include "supervisor/handover.h"

#include "base/pack_kinds.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    KINDS = 1,
    VERSION,
    DESCRIPTORS, /* 32 bits each */
    BODY,
    INPUTS, /* a descriptor */
};

/* ---- which file ---- */

static char file_path[PATH_MAX];

static void take_link(void)
{
    static const char deleted[] = " (deleted)";
    char link[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", link, sizeof(link) - 1);
    if (len <= 0)
        return;
    struct slice path = slice_make(link, (size_t)len);
    if (slice_ends_with(path, slice_of(deleted)))
        path.len -= sizeof(deleted) - 1;
    snprintf(file_path, sizeof(file_path), "%.*s", SLICE_ARG(path));
}

/* As it was called: a link to the newest version stays one. */
static void take_name(const char *name)
{
    char folder[PATH_MAX];
    struct text path = TEXT_IN(file_path);
    if (name[0] != '/' && getcwd(folder, sizeof(folder)))
        text_printf(&path, "%s/", folder);
    text_printf(&path, "%s", name);
    if (path.failed || file_path[0] != '/')
        file_path[0] = '\0';
}

void handover_file_init(void)
{
    const char *told = getenv(HANDOVER_FILE);
    const char *name = told ? told : (const char *)getauxval(AT_EXECFN);
    if (name && strncmp(name, "/proc/", 6) != 0)
        take_name(name);
    if (!*file_path)
        take_link();
    unsetenv(HANDOVER_FILE);
}

const char *handover_file(void)
{
    if (access(file_path, X_OK) < 0)
        take_link();
    return file_path;
}

/* ---- the one that goes ---- */

static int write_all(int fd, struct slice s)
{
    while (s.len > 0) {
        ssize_t n = write(fd, s.ptr, s.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        s = slice_skip(s, (size_t)n);
    }
    return 0;
}

static bool make_head(int inputs, const struct pack *p, struct pack *head)
{
    struct text kinds = {0}, fds = {0};
    pack_kinds_written(&kinds);
    for (size_t i = 0; i < p->fd_count; i++)
        text_put(&fds, slice_make((const char *)&p->fds[i], sizeof(int)));
    pack_slice(head, KINDS, text_slice(&kinds));
    pack_slice(head, VERSION, slice_of(pack_version()));
    pack_slice(head, DESCRIPTORS, text_slice(&fds));
    if (inputs >= 0)
        pack_number(head, INPUTS, (uint64_t)inputs);
    head->failed |= kinds.failed || fds.failed;
    text_done(&kinds);
    text_done(&fds);
    return !head->failed;
}

/* The body is written from where it is: it may be as large as all that the server holds. */
static int write_file(int fd, int inputs, const struct pack *p)
{
    struct pack head = {0};
    int error = make_head(inputs, p, &head) ? write_all(fd, text_slice(&head.out)) : -ENOMEM;
    pack_done(&head);
    char body[PACK_HEAD_LEN];
    pack_head(BODY, p->out.len, body);
    if (!error)
        error = write_all(fd, slice_make(body, sizeof(body)));
    return error ? error : write_all(fd, text_slice(&p->out));
}

static void set_close_on_exec(const struct pack *p, int inputs, int fd, int flag)
{
    for (size_t i = 0; i < p->fd_count; i++)
        fcntl(p->fds[i], F_SETFD, flag);
    if (inputs >= 0)
        fcntl(inputs, F_SETFD, flag);
    fcntl(fd, F_SETFD, flag);
}

static int name_file(const char *variable, int fd)
{
    char value[64];
    snprintf(value, sizeof(value), "%d:%d", (int)getpid(), fd);
    return setenv(variable, value, 1) || setenv(HANDOVER_FILE, file_path, 1) ? -ENOMEM : 0;
}

int handover_execute(const char *file, char *const *argv, const char *variable, int inputs,
                     const struct pack *p)
{
    if (p->failed)
        return -ENOMEM;
    int fd = memfd_create("httpsocketd-takeover", MFD_CLOEXEC);
    if (fd < 0)
        return -errno;
    int error = write_file(fd, inputs, p);
    if (!error)
        error = name_file(variable, fd);
    if (!error) {
        close_range(STDERR_FILENO + 1, UINT_MAX, CLOSE_RANGE_CLOEXEC); /* of libraries, too */
        set_close_on_exec(p, inputs, fd, 0);
        execv(file, argv);
        error = -errno;
        set_close_on_exec(p, inputs, fd, FD_CLOEXEC);
    }
    unsetenv(variable);
    unsetenv(HANDOVER_FILE);
    close(fd);
    return error;
}

/* ---- the one that comes ---- */

static int find_file(const char *variable)
{
    int pid, fd;
    const char *value = getenv(variable);
    bool ours = value && sscanf(value, "%d:%d", &pid, &fd) == 2 && pid == getpid();
    return ours ? fd : -ENOENT;
}

bool handover_is(const char *variable)
{
    return find_file(variable) >= 0;
}

static int map_file(int fd, struct slice *ret)
{
    struct stat info;
    if (fstat(fd, &info) < 0)
        return -errno;
    if (info.st_size <= 0)
        return -EINVAL;
    void *map = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED)
        return -errno;
    *ret = slice_make(map, (size_t)info.st_size);
    return 0;
}

static int inputs_of(struct slice whole)
{
    int inputs = (int)packed_number(whole, INPUTS); /* 0 is none of ours */
    return inputs > STDERR_FILENO ? inputs : -1;
}

int handover_inputs(void)
{
    struct slice whole;
    int fd = find_file(HANDOVER_SERVES);
    if (fd < 0)
        fd = find_file(HANDOVER_SUPERVISES);
    if (fd < 0 || map_file(fd, &whole) < 0)
        return -1;
    int inputs = inputs_of(whole);
    munmap((void *)whole.ptr, whole.len);
    return inputs;
}

static void keep_descriptors(struct slice fds)
{
    for (; fds.len >= sizeof(int); fds = slice_skip(fds, sizeof(int))) {
        int fd;
        memcpy(&fd, fds.ptr, sizeof(fd));
        fcntl(fd, F_SETFD, FD_CLOEXEC);
    }
}

int handover_take(const char *variable, struct handover *ret, struct text *ret_why)
{
    int fd = find_file(variable);
    unsetenv(variable);
    if (fd < 0)
        return fd;
    struct slice whole;
    int error = map_file(fd, &whole);
    close(fd);
    if (error) {
        text_printf(ret_why, "the state can't be read: %s", strerror(-error));
        return error;
    }
    keep_descriptors(packed_slice(whole, DESCRIPTORS));
    int inputs = inputs_of(whole);
    if (inputs >= 0)
        close(inputs);
    *ret = (struct handover){whole, packed_slice(whole, BODY), packed_slice(whole, VERSION)};
    if (pack_kinds_read(packed_slice(whole, KINDS), ret_why))
        return 0;
    handover_done(ret);
    return -EPROTO;
}

void handover_done(struct handover *h)
{
    if (h->whole.len)
        munmap((void *)h->whole.ptr, h->whole.len);
    *h = (struct handover){0};
}
