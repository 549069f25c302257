/* SPDX-License-Identifier: MIT */
/* raw_uring_echo.c - the same as raw_echo.c by io_uring: what a server of messages can reach with
 * it.
 *
 *     raw_uring_echo [--topic] [--buffer BYTES] [PORT]
 *
 * BYTES are of one buffer, as is best for the load (default: 2048). Buffers lie an odd number of
 * cache lines apart, so that small messages do not all meet in the same few lines of the cache.
 *
 * One thread and one ring: multishot accept and receive, a ring of provided buffers, direct
 * descriptors, one submission a turn. A buffer is given back when all that is sent of it is sent;
 * one connection's sends go one after the other. A client that does not read until QUEUE_MAX pieces
 * wait for it ends this server.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <liburing.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

enum {
    ENTRIES = 4096,
    BUFFERS_MAX = 1024,
    MEMORY_MAX = 32 << 20,
    CACHE_LINE = 64,
    GROUP = 1,
    QUEUE_MAX = 256
};

enum op {
    OP_ACCEPT,
    OP_RECEIVE,
    OP_SEND,
    OP_CLOSE
};

/* One piece that is to be sent. */
struct piece {
    unsigned short buffer;
    unsigned len;
};

struct connection {
    bool open, sending;
    unsigned first, count; /* of the queue; the first is on its way if `sending` */
    struct piece *queue;
};

static struct io_uring ring;
static struct io_uring_buf_ring *provided;
static char *memory;
static unsigned short users[BUFFERS_MAX];
static size_t buffer_bytes = 2048, stride;
static unsigned buffers = BUFFERS_MAX; /* a power of two */
static struct connection *connections;
static unsigned slots, top; /* slots below `top` were in use */
static int listener;
static bool is_topic;

static void die(const char *what, int error)
{
    fprintf(stderr, "raw_uring_echo: %s: %s\n", what, strerror(error));
    exit(1);
}

static struct io_uring_sqe *get_sqe(void)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
    if (!sqe) {
        io_uring_submit(&ring);
        sqe = io_uring_get_sqe(&ring);
    }
    if (!sqe)
        die("no entry", EBUSY);
    return sqe;
}

/* After io_uring_prep_...(), which clears it. */
static void tag(struct io_uring_sqe *sqe, enum op op, unsigned slot)
{
    io_uring_sqe_set_data64(sqe, (unsigned long long)op << 32 | slot);
}

static void give_back(unsigned buffer)
{
    io_uring_buf_ring_add(provided, memory + buffer * stride, (unsigned)buffer_bytes,
                          (unsigned short)buffer, io_uring_buf_ring_mask(buffers), 0);
    io_uring_buf_ring_advance(provided, 1);
}

static void release(unsigned buffer)
{
    if (--users[buffer] == 0)
        give_back(buffer);
}

static void start_accept(void)
{
    struct io_uring_sqe *sqe = get_sqe();
    io_uring_prep_multishot_accept_direct(sqe, listener, NULL, NULL, 0);
    tag(sqe, OP_ACCEPT, 0);
}

static void start_receive(unsigned slot)
{
    struct io_uring_sqe *sqe = get_sqe();
    io_uring_prep_recv_multishot(sqe, (int)slot, NULL, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT | IOSQE_FIXED_FILE;
    sqe->buf_group = GROUP;
    tag(sqe, OP_RECEIVE, slot);
}

static void start_send(unsigned slot)
{
    struct connection *c = &connections[slot];
    struct piece *p = &c->queue[c->first % QUEUE_MAX];
    struct io_uring_sqe *sqe = get_sqe();
    io_uring_prep_send(sqe, (int)slot, memory + p->buffer * stride, p->len,
                       MSG_NOSIGNAL | MSG_WAITALL);
    sqe->flags |= IOSQE_FIXED_FILE;
    tag(sqe, OP_SEND, slot);
    c->sending = true;
}

static void queue(unsigned slot, unsigned buffer, unsigned len)
{
    struct connection *c = &connections[slot];
    if (c->count == QUEUE_MAX)
        die("a client does not read", ENOBUFS);
    c->queue[(c->first + c->count++) % QUEUE_MAX] = (struct piece){(unsigned short)buffer, len};
    users[buffer]++;
    if (!c->sending)
        start_send(slot);
}

static void close_slot(unsigned slot)
{
    struct connection *c = &connections[slot];
    if (!c->open || c->sending)
        return;
    for (; c->count; c->count--)
        release(c->queue[c->first++ % QUEUE_MAX].buffer);
    c->open = false;
    struct io_uring_sqe *sqe = get_sqe();
    io_uring_prep_close_direct(sqe, slot);
    tag(sqe, OP_CLOSE, slot);
}

static void on_accept(const struct io_uring_cqe *cqe)
{
    if (cqe->res >= 0) {
        unsigned slot = (unsigned)cqe->res;
        struct connection *c = &connections[slot];
        if (!c->queue)
            c->queue = malloc(QUEUE_MAX * sizeof(*c->queue));
        if (!c->queue)
            die("memory", ENOMEM);
        c->open = true;
        c->sending = false;
        c->first = c->count = 0;
        if (slot >= top)
            top = slot + 1;
        start_receive(slot);
    }
    if (!(cqe->flags & IORING_CQE_F_MORE) && cqe->res != -ENFILE)
        start_accept();
}

static void on_receive(const struct io_uring_cqe *cqe, unsigned slot)
{
    struct connection *c = &connections[slot];
    if (cqe->res > 0) {
        unsigned buffer = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
        users[buffer]++;
        for (unsigned i = is_topic ? 0 : slot; i < (is_topic ? top : slot + 1); i++)
            if (connections[i].open && (!is_topic || i != slot))
                queue(i, buffer, (unsigned)cqe->res);
        release(buffer);
    } else if (cqe->res != -ENOBUFS) {
        close_slot(slot);
        return;
    }
    if (!(cqe->flags & IORING_CQE_F_MORE) && c->open)
        start_receive(slot);
}

static void on_send(const struct io_uring_cqe *cqe, unsigned slot)
{
    struct connection *c = &connections[slot];
    c->sending = false;
    release(c->queue[c->first++ % QUEUE_MAX].buffer);
    c->count--;
    if (cqe->res < 0)
        close_slot(slot);
    else if (c->count)
        start_send(slot);
}

static void on_completion(const struct io_uring_cqe *cqe)
{
    unsigned slot = (unsigned)cqe->user_data;
    switch ((enum op)(cqe->user_data >> 32)) {
    case OP_ACCEPT:
        on_accept(cqe);
        break;
    case OP_RECEIVE:
        on_receive(cqe, slot);
        break;
    case OP_SEND:
        on_send(cqe, slot);
        break;
    case OP_CLOSE:
        break;
    }
}

static void open_ring(void)
{
    struct io_uring_params params = {.flags = IORING_SETUP_SINGLE_ISSUER |
                                              IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE,
                                     .cq_entries = 16 * ENTRIES};
    struct io_uring_buf_reg group = {.ring_entries = buffers, .bgid = GROUP};
    struct rlimit limit;
    int error = io_uring_queue_init_params(ENTRIES, &ring, &params);
    if (error)
        die("io_uring", -error);
    getrlimit(RLIMIT_NOFILE, &limit);
    slots = (unsigned)limit.rlim_max;
    connections = calloc(slots, sizeof(*connections));
    memory = aligned_alloc(4096, buffers * stride);
    provided = aligned_alloc(4096, BUFFERS_MAX * sizeof(struct io_uring_buf));
    if (!connections || !memory || !provided)
        die("memory", ENOMEM);
    memset(memory, 0, buffers * stride);
    group.ring_addr = (unsigned long long)(uintptr_t)provided;
    error = io_uring_register_files_sparse(&ring, slots);
    if (!error)
        error = io_uring_register_buf_ring(&ring, &group, 0);
    if (error)
        die("register", -error);
    io_uring_buf_ring_init(provided);
    for (unsigned i = 0; i < buffers; i++)
        give_back(i);
}

/* Accepted connections inherit TCP_NODELAY. */
static void open_listener(unsigned long port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    if (bind(listener, (struct sockaddr *)&address, len) < 0 || listen(listener, 4096) < 0 ||
        getsockname(listener, (struct sockaddr *)&address, &len) < 0)
        die("listen", errno);
    printf("listening on tcp://127.0.0.1:%u\n", ntohs(address.sin_port));
    fflush(stdout);
}

/* Returns where the port is. */
static int parse(int argc, char **argv)
{
    int at = 1;
    if (at < argc && strcmp(argv[at], "--topic") == 0) {
        is_topic = true;
        at++;
    }
    if (at + 1 < argc && strcmp(argv[at], "--buffer") == 0) {
        buffer_bytes = strtoul(argv[at + 1], NULL, 10);
        at += 2;
    }
    stride = buffer_bytes + CACHE_LINE;
    while (buffers * stride > MEMORY_MAX && buffers > 16)
        buffers /= 2;
    return at;
}

int main(int argc, char **argv)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    int at = parse(argc, argv);
    open_ring();
    open_listener(at < argc ? strtoul(argv[at], NULL, 10) : 0);
    start_accept();
    for (;;) {
        struct io_uring_cqe *cqe;
        unsigned head, count = 0;
        int error = io_uring_submit_and_wait(&ring, 1);
        if (error < 0 && error != -EINTR)
            die("wait", -error);
        io_uring_for_each_cqe(&ring, head, cqe)
        {
            on_completion(cqe);
            count++;
        }
        io_uring_cq_advance(&ring, count);
    }
}
