/* SPDX-License-Identifier: MIT */
#include "net/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    BACKLOG = 4096, /* the kernel cuts it to net.core.somaxconn */
    UNIX_MODE = 0660,
    /* What the kernel holds of a connection and has not sent yet: enough to keep a fast line busy
     * for a turn of the loop, and little enough for a client that does not read. */
    KERNEL_UNSENT_MAX = 128 * 1024,
};

static int make_socket(int family)
{
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return fd < 0 ? -errno : fd;
}

static int set_flag(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof(value)) < 0 ? -errno : 0;
}

static int bind_to(int fd, const struct net_address *a)
{
    return bind(fd, &a->any, a->len) < 0 ? -errno : 0;
}

static int read_name(int fd, struct net_address *a)
{
    a->len = sizeof(a->un);
    return getsockname(fd, &a->any, &a->len) < 0 ? -errno : 0;
}

/* What is set here, each accepted connection has from its beginning. */
static int prepare_tcp(int fd, const struct net_address *a)
{
    int error = set_flag(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (!error)
        error = set_flag(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (!error)
        error = set_flag(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, KERNEL_UNSENT_MAX);
    if (!error && a->any.sa_family == AF_INET6)
        error = set_flag(fd, IPPROTO_IPV6, IPV6_V6ONLY, !a->dual_stack);
    return error;
}

/* Listeners that join a port set SO_REUSEPORT before bind(). The first listener sets it after
 * bind(), so that it does not share the port with a foreign process that has set it too. */
static int bind_tcp(int fd, const struct net_address *a, bool joins)
{
    int error = prepare_tcp(fd, a);
    if (!error && joins)
        error = set_flag(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (!error)
        error = bind_to(fd, a);
    if (!error && !joins)
        error = set_flag(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    return error;
}

static bool is_stale(const struct net_address *a)
{
    struct stat st;
    if (lstat(a->un.sun_path, &st) < 0 || !S_ISSOCK(st.st_mode))
        return false;
    int fd = make_socket(AF_UNIX);
    if (fd < 0)
        return false;
    bool refused = connect(fd, &a->any, a->len) < 0 && errno == ECONNREFUSED;
    close(fd);
    return refused;
}

/* The mode of the descriptor is that of the file which bind() makes, less the umask: it is never
 * wider than it should be, not even for a moment. */
static int bind_unix(int fd, const struct net_address *a)
{
    if (fchmod(fd, UNIX_MODE) < 0)
        return -errno;
    int error = bind_to(fd, a);
    if (error == -EADDRINUSE && is_stale(a) && unlink(a->un.sun_path) == 0)
        error = bind_to(fd, a);
    if (!error && chmod(a->un.sun_path, UNIX_MODE) < 0)
        error = -errno;
    return error;
}

static int open_at(const struct net_address *a, bool joins, int *ret_fd)
{
    int fd = make_socket(a->any.sa_family);
    if (fd < 0)
        return fd;
    int error = a->any.sa_family == AF_UNIX ? bind_unix(fd, a) : bind_tcp(fd, a, joins);
    if (!error && listen(fd, BACKLOG) < 0)
        error = -errno;
    if (error) {
        close(fd);
        return error;
    }
    *ret_fd = fd;
    return 0;
}

static struct net_address without_v6(const struct net_address *a)
{
    return (struct net_address){
        .len = sizeof(a->v4),
        .v4 = {.sin_family = AF_INET, .sin_port = a->v6.sin6_port},
    };
}

int listener_open(struct net_address *address, int *ret_fd)
{
    struct net_address a = *address;
    int fd;
    int error = open_at(&a, false, &fd);
    if (a.dual_stack && (error == -EAFNOSUPPORT || error == -EADDRNOTAVAIL)) {
        a = without_v6(&a);
        error = open_at(&a, false, &fd);
    }
    if (!error && a.any.sa_family != AF_UNIX && (error = read_name(fd, &a)) != 0)
        close(fd);
    if (error)
        return error;
    *address = a;
    *ret_fd = fd;
    return 0;
}

static bool listens_to_both(int fd)
{
    int only_v6 = 1;
    getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only_v6, &(socklen_t){sizeof(only_v6)});
    return !only_v6;
}

int listener_name(int fd, struct net_address *ret)
{
    struct net_address a = {0};
    int error = read_name(fd, &a);
    if (error)
        return error;
    int family = a.any.sa_family;
    if (family != AF_INET && family != AF_INET6 && family != AF_UNIX)
        return -EAFNOSUPPORT;
    a.dual_stack = family == AF_INET6 && listens_to_both(fd);
    *ret = a;
    return 0;
}

int listener_open_more(int first_fd, int *ret_fd)
{
    struct net_address a;
    int error = listener_name(first_fd, &a);
    if (error)
        return error;
    if (a.any.sa_family == AF_UNIX) {
        int fd = fcntl(first_fd, F_DUPFD_CLOEXEC, 0);
        if (fd < 0)
            return -errno;
        *ret_fd = fd;
        return 0;
    }
    return open_at(&a, true, ret_fd);
}

static void accepted(struct acceptor *acceptor, int fd)
{
    struct listener *l = container_of(acceptor, struct listener, acceptor);
    struct net_address peer = {0};
    struct stream *s = stream_new_known(acceptor->loop, fd, l->tls);
    if (!s)
        return;
    peer.len = acceptor->peer_len < sizeof(peer.un) ? acceptor->peer_len : sizeof(peer.un);
    memcpy(&peer.any, acceptor->peer, peer.len);
    l->peer = &peer;
    l->on_stream(l, s);
}

int listener_start(struct loop *loop, struct listener *l, int fd, struct tls_context *tls,
                   void (*on_stream)(struct listener *, struct stream *), void *owner)
{
    *l = (struct listener){.tls = tls, .on_stream = on_stream, .owner = owner};
    int error = acceptor_start(loop, &l->acceptor, fd, accepted);
    if (error)
        close(fd);
    return error;
}

void listener_stop(struct listener *l)
{
    acceptor_take_waiting(&l->acceptor);
    acceptor_stop(&l->acceptor);
}

void listener_unlink(const struct net_address *address)
{
    if (address->any.sa_family == AF_UNIX)
        unlink(address->un.sun_path);
}
