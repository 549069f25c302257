/* SPDX-License-Identifier: MIT */
/* raw_uring_echo.c - raw_echo.c by io_uring: the limit for a server on that.
 *
 *     raw_uring_echo [PORT]     (port 0 picks one; prints `listening on tcp://127.0.0.1:PORT`)
 *
 * One thread. Multishot accept and receive; what has come is sent back from the buffer that it came
 * into, with the next call. A client that does not read is let go: this measures echoes.
 */
#include <errno.h>
#include <liburing.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    BUFFERS = 1024,
    BUFFER_BYTES = 16384,
    ENTRIES = 4096
};

/* The high half of user_data; the low one is the descriptor, or the buffer's number. */
enum operation {
    ACCEPT,
    RECEIVE,
    SEND
};

static struct io_uring ring;
static struct io_uring_buf_ring *buffers;
static char memory[BUFFERS][BUFFER_BYTES];

static void die(const char *what, int error)
{
    fprintf(stderr, "raw_uring_echo: %s: %s\n", what, strerror(error));
    exit(1);
}

static struct io_uring_sqe *next_entry(void)
{
    struct io_uring_sqe *sqe;
    while (!(sqe = io_uring_get_sqe(&ring)))
        io_uring_submit(&ring);
    return sqe;
}

static void name_entry(struct io_uring_sqe *sqe, enum operation op, unsigned number)
{
    sqe->user_data = (uint64_t)op << 32 | number;
}

static void accept_on(int listener)
{
    struct io_uring_sqe *sqe = next_entry();
    io_uring_prep_multishot_accept(sqe, listener, NULL, NULL, SOCK_CLOEXEC);
    name_entry(sqe, ACCEPT, (unsigned)listener);
}

static void receive_from(int fd)
{
    struct io_uring_sqe *sqe = next_entry();
    io_uring_prep_recv_multishot(sqe, fd, NULL, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    name_entry(sqe, RECEIVE, (unsigned)fd);
}

static void send_back(int fd, unsigned buffer, size_t len)
{
    struct io_uring_sqe *sqe = next_entry();
    io_uring_prep_send(sqe, fd, memory[buffer], len, MSG_NOSIGNAL | MSG_WAITALL);
    name_entry(sqe, SEND, buffer);
}

static void give(unsigned buffer)
{
    io_uring_buf_ring_add(buffers, memory[buffer], BUFFER_BYTES, (unsigned short)buffer,
                          io_uring_buf_ring_mask(BUFFERS), 0);
    io_uring_buf_ring_advance(buffers, 1);
}

static void received(int fd, const struct io_uring_cqe *cqe)
{
    if (cqe->res > 0)
        send_back(fd, cqe->flags >> IORING_CQE_BUFFER_SHIFT, (size_t)cqe->res);
    else if (cqe->res != -ENOBUFS)
        close(fd);
    if (!(cqe->flags & IORING_CQE_F_MORE) && (cqe->res > 0 || cqe->res == -ENOBUFS))
        receive_from(fd);
}

static void completed(const struct io_uring_cqe *cqe)
{
    unsigned number = (unsigned)cqe->user_data;
    switch ((enum operation)(cqe->user_data >> 32)) {
    case ACCEPT:
        if (cqe->res >= 0) {
            setsockopt(cqe->res, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
            receive_from(cqe->res);
        }
        if (!(cqe->flags & IORING_CQE_F_MORE))
            accept_on((int)number);
        break;
    case RECEIVE:
        received((int)number, cqe);
        break;
    case SEND:
        give(number);
        break;
    }
}

static void set_up(void)
{
    struct io_uring_params params = {.flags = IORING_SETUP_SINGLE_ISSUER |
                                              IORING_SETUP_DEFER_TASKRUN |
                                              IORING_SETUP_SUBMIT_ALL};
    int error = io_uring_queue_init_params(ENTRIES, &ring, &params);
    if (error)
        die("io_uring", -error);
    if (posix_memalign((void **)&buffers, 4096, BUFFERS * sizeof(struct io_uring_buf)))
        die("memory", ENOMEM);
    struct io_uring_buf_reg place = {.ring_addr = (uintptr_t)buffers, .ring_entries = BUFFERS};
    error = io_uring_register_buf_ring(&ring, &place, 0);
    if (error)
        die("buffers", -error);
    io_uring_buf_ring_init(buffers);
    for (unsigned i = 0; i < BUFFERS; i++)
        give(i);
}

static int open_listener(unsigned long port, struct sockaddr_in *address)
{
    socklen_t len = sizeof(*address);
    *address = (struct sockaddr_in){.sin_family = AF_INET,
                                    .sin_port = htons((uint16_t)port),
                                    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (bind(fd, (struct sockaddr *)address, sizeof(*address)) < 0 || listen(fd, 4096) < 0 ||
        getsockname(fd, (struct sockaddr *)address, &len) < 0)
        die("listen", errno);
    return fd;
}

int main(int argc, char **argv)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    struct sockaddr_in address;
    int listener = open_listener(argc > 1 ? strtoul(argv[1], NULL, 10) : 0, &address);
    set_up();
    accept_on(listener);
    printf("listening on tcp://127.0.0.1:%u\n", ntohs(address.sin_port));
    fflush(stdout);
    for (;;) {
        struct io_uring_cqe *cqe;
        io_uring_submit_and_wait(&ring, 1);
        while (!io_uring_peek_cqe(&ring, &cqe)) {
            struct io_uring_cqe done = *cqe;
            io_uring_cqe_seen(&ring, cqe);
            completed(&done);
        }
    }
}
