/* SPDX-License-Identifier: MIT */
/* io_echo.c - the same echo as raw_echo.c on the project's loop: what loop and io cost by
 * themselves.
 *
 *     io_echo [PORT]        (port 0 picks one; prints `listening on tcp://127.0.0.1:PORT`)
 */
#include "core/io.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

static void on_recv(struct io *io, struct bytes data)
{
    io_write_slice(io, slice_from_bytes(data));
}

static void on_end(struct io *io, int error)
{
    (void)error;
    io_close(io);
}

static void on_gone(struct io *io)
{
    free(io);
}

static const struct io_ops echo_ops = {.on_recv = on_recv, .on_end = on_end, .on_gone = on_gone};

static void accepted(struct acceptor *acceptor, int fd)
{
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    struct io *io = malloc(sizeof(*io));
    if (!io || io_open(acceptor->loop, io, fd, &echo_ops, false))
        exit(1);
}

static int listen_on(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) || listen(fd, SOMAXCONN)) {
        perror("listen");
        exit(1);
    }
    getsockname(fd, (struct sockaddr *)&address, &len);
    printf("listening on tcp://127.0.0.1:%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

int main(int argc, char **argv)
{
    struct acceptor acceptor;
    struct loop *loop = loop_new();
    int fd = listen_on(argc > 1 ? (uint16_t)atoi(argv[1]) : 0);
    if (!loop || acceptor_start(loop, &acceptor, fd, accepted))
        return 1;
    return loop_run(loop) ? 1 : 0;
}
