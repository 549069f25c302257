/* SPDX-License-Identifier: MIT */
#include "cli/admin_door.h"

#include "base/settings_file.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum {
    PATIENCE_S = 30
};

static bool take(void *arg, const char *name, const char *value, bool first, struct text *why)
{
    struct text *admin = arg;
    (void)name, (void)first, (void)why;
    admin->len = 0;
    text_printf(admin, "%s", value);
    return true;
}

static bool read_config(const char *file, struct text *ret, struct text *why)
{
    static const struct settings_name names[] = {{"admin", false}};
    struct settings_reader reader = {
        .names = names, .count = 1, .skip_others = true, .set = take, .arg = ret};
    if (!settings_file_read(file, &reader, why))
        return false;
    if (ret->len == 0)
        text_printf(why, "%s: it has no `admin`", file);
    return ret->len > 0;
}

bool admin_door_find(const char *admin, const char *config, struct net_address *ret,
                     struct text *why)
{
    struct text found = {0};
    const char *reason = "";
    bool good = true;
    if (admin)
        text_printf(&found, "%s", admin);
    else
        good = read_config(config ? config : ADMIN_CONFIG, &found, why);
    if (good && net_address_parse(text_slice(&found), ret, &reason) < 0) {
        text_printf(why, "admin: `%.*s`: %s", SLICE_ARG(text_slice(&found)), reason);
        good = false;
    }
    text_done(&found);
    return good;
}

/* ---- one request ---- */

static socklen_t length_of(const struct net_address *a)
{
    switch (a->any.sa_family) {
    case AF_UNIX:
        return sizeof(a->un);
    case AF_INET6:
        return sizeof(a->v6);
    default:
        return sizeof(a->v4);
    }
}

/* Negative errno. */
static int connect_to(const struct net_address *door)
{
    struct timeval patience = {.tv_sec = PATIENCE_S};
    int fd = socket(door->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == 0 &&
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) == 0 &&
        connect(fd, &door->any, length_of(door)) == 0)
        return fd;
    int error = -errno;
    close(fd);
    return error;
}

static bool send_all(int fd, struct slice s)
{
    while (s.len > 0) {
        ssize_t n = send(fd, s.ptr, s.len, MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR)
            return false;
        s = slice_skip(s, n > 0 ? (size_t)n : 0);
    }
    return true;
}

static bool receive_all(int fd, struct text *ret)
{
    char buffer[4096];
    for (;;) {
        ssize_t n = recv(fd, buffer, sizeof(buffer), 0);
        if (n == 0)
            return true;
        if (n > 0)
            text_put(ret, slice_make(buffer, (size_t)n));
        else if (errno != EINTR)
            return false;
    }
}

static bool ask(int fd, const char *method, const char *target, struct text *ret)
{
    struct text request = {0};
    text_printf(&request, "%s %s HTTP/1.1\r\nHost: localhost\r\n%sConnection: close\r\n\r\n",
                method, target, *method == 'P' ? "Content-Length: 0\r\n" : "");
    bool good = !request.failed && send_all(fd, text_slice(&request)) && receive_all(fd, ret);
    text_done(&request);
    return good;
}

/* `HTTP/1.1 200 …`; its body has a length, and the connection is closed behind it. */
static int split(struct text *answer)
{
    struct slice all = text_slice(answer);
    const char *end = all.len ? memmem(all.ptr, all.len, "\r\n\r\n", 4) : NULL;
    uint64_t status;
    if (!end || all.len < 12 || !slice_to_uint(slice_make(all.ptr + 9, 3), 999, &status))
        return 0;
    size_t head = (size_t)(end - all.ptr) + 4;
    answer->len -= head;
    memmove(answer->ptr, answer->ptr + head, answer->len);
    return (int)status;
}

static int request(const struct net_address *door, const char *method, const char *target,
                   struct text *ret_body)
{
    int fd = connect_to(door);
    bool asked = fd >= 0 && ask(fd, method, target, ret_body);
    int error = fd < 0 ? -fd : errno;
    if (fd >= 0)
        close(fd);
    int status = asked ? split(ret_body) : 0;
    if (status)
        return status;
    ret_body->len = 0;
    text_printf(ret_body, "%s", asked ? "no answer of HTTP" : strerror(error));
    return 0;
}

int admin_door_post(const struct net_address *door, const char *target, struct text *ret_body)
{
    return request(door, "POST", target, ret_body);
}

int admin_door_get(const struct net_address *door, const char *target, struct text *ret_body)
{
    return request(door, "GET", target, ret_body);
}
