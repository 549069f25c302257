/* SPDX-License-Identifier: MIT */
/* test_io_chaos.c - many io on one loop whose callbacks do anything to any of them.
 *
 * What must hold however it goes: each side receives a beginning of what the other one wrote, in
 * order; nothing is called after it was closed or has failed; each io that was closed goes, once;
 * no descriptor stays. The sanitizers see to the memory. HTTPSOCKET_SEED repeats a run.
 */
#include "loop_fixture.h"

#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    NODES = 24,
    TURNS = 6000
};

struct node {
    struct io io;
    int slot;
    bool closed, failed;
    size_t wrote, read;
};

static struct node *nodes[NODES];
static int alive;
static size_t bytes_seen, opened;

static char byte_at(size_t position)
{
    return (char)(position * 7 + position / 253);
}

static unsigned chance(unsigned n)
{
    return (unsigned)random() % n;
}

static void act(void);
static void fill(struct node *n, char *to, size_t len);

static void write_some_back(struct node *n, struct bytes data)
{
    size_t from = chance((unsigned)data.len), len = data.len - from;
    fill(n, data.ptr + from, len);
    io_write_back(&n->io, slice_make(data.ptr + from, len));
}

static void on_recv(struct io *io, struct bytes data)
{
    struct node *n = container_of(io, struct node, io);
    assert_false(n->closed || n->failed);
    for (size_t i = 0; i < data.len; i++) {
        if (data.ptr[i] != byte_at(n->read++))
            fail_msg("a wrong byte");
    }
    bytes_seen += data.len;
    if (chance(3) == 0)
        write_some_back(n, data);
    for (unsigned count = chance(3); count > 0; count--)
        act();
}

static void on_end(struct io *io, int error)
{
    struct node *n = container_of(io, struct node, io);
    assert_false(n->closed || n->failed);
    n->failed = error != 0;
    for (unsigned count = chance(3); count > 0; count--)
        act();
}

static void on_drain(struct io *io)
{
    struct node *n = container_of(io, struct node, io);
    assert_false(n->closed || n->failed);
    for (unsigned count = chance(3); count > 0; count--)
        act();
}

static void on_gone(struct io *io)
{
    struct node *n = container_of(io, struct node, io);
    assert_true(n->closed);
    nodes[n->slot] = NULL;
    free(n);
    alive--;
    if (chance(2))
        act();
}

static const struct io_ops chaos_ops = {on_recv, on_end, on_drain, on_gone};

static void fill(struct node *n, char *to, size_t len)
{
    for (size_t i = 0; i < len; i++)
        to[i] = byte_at(n->wrote + i);
    if (!(n->io.flags & (IO_SHUTDOWN | IO_FAILED)))
        n->wrote += len;
}

static void write_some(struct node *n)
{
    static char block[1 << 16];
    size_t len = (size_t)random() >> (15 + chance(14));
    fill(n, block, len);
    io_write(&n->io, (struct iovec[]){{block, len / 2}, {block + len / 2, len - len / 2}}, 2);
}

static void claim_some(struct node *n)
{
    size_t len = (size_t)random() >> (17 + chance(12));
    char *room = io_claim(&n->io, len);
    if (room)
        fill(n, room, len);
}

static void share_some(struct node *n)
{
    struct shared_bytes *shared = shared_new(chance(20000));
    fill(n, shared->bytes, shared->len);
    io_write_shared(&n->io, shared);
    shared_unref(shared);
}

static struct node *open_node(int slot, int fd, size_t wrote, size_t read_so_far)
{
    struct node *n = calloc(1, sizeof(*n));
    n->slot = slot;
    n->wrote = wrote;
    n->read = read_so_far;
    nodes[slot] = n;
    alive++;
    opened++;
    assert_int_equal(io_open(loop, &n->io, fd, &chaos_ops, chance(2)), 0);
    return n;
}

/* The old object's memory is gone at once, whatever runs or waits. */
static void reopen(struct node *n)
{
    struct io_kept *rest;
    int fd = io_release(&n->io, &rest);
    if (fd < 0)
        return;
    int slot = n->slot;
    size_t wrote = n->wrote, read_so_far = n->read;
    free(n);
    alive--;
    io_go_on(&open_node(slot, fd, wrote, read_so_far)->io, rest);
}

static void act(void)
{
    struct node *n = nodes[chance(NODES)];
    if (!n)
        return;
    unsigned what = chance(40);
    if (what < 8 && !n->closed)
        write_some(n);
    else if (what < 12 && !n->closed)
        claim_some(n);
    else if (what < 18 && !n->closed)
        share_some(n);
    else if (what < 24)
        io_pause(&n->io);
    else if (what < 32)
        io_resume(&n->io);
    else if (what < 34 && !n->closed && !n->failed)
        reopen(n);
    else if (what == 34 && !n->failed)
        io_shutdown(&n->io);
    else if (what == 35 || (n->failed && chance(2))) {
        n->closed = true;
        io_close(&n->io);
    } else if (what == 36) {
        n->closed = true;
        io_finish(&n->io, chance(50));
    }
}

static void ring(struct timer *timer)
{
    act();
    timer_start(loop, timer, chance(5));
}

static void make_pair(int fds[2])
{
    if (chance(2)) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        return;
    }
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof(address);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(listener, 1), 0);
    getsockname(listener, (struct sockaddr *)&address, &len);
    fds[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fds[1], (struct sockaddr *)&address, len), 0);
    fds[0] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    close(listener);
}

static int free_slot(void)
{
    for (int i = 0; i < NODES; i++) {
        if (!nodes[i])
            return i;
    }
    return -1;
}

static void open_pair_if_there_is_room(void)
{
    if (alive > NODES - 2)
        return;
    int fds[2];
    make_pair(fds);
    open_node(free_slot(), fds[0], 0, 0);
    open_node(free_slot(), fds[1], 0, 0);
}

static unsigned seed(void)
{
    const char *given = getenv("HTTPSOCKET_SEED");
    unsigned s = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL);
    print_message("HTTPSOCKET_SEED=%u\n", s);
    return s;
}

static void anything_may_be_done_to_any_io_anywhere(void **state)
{
    (void)state;
    srandom(seed());
    static struct timer timer; /* the loop may outlive a test that fails */
    timer_init(&timer, ring);
    timer_start(loop, &timer, 0);
    bytes_seen = opened = 0;
    for (int turn = 0; turn < TURNS; turn++) {
        if (chance(4) == 0)
            open_pair_if_there_is_room();
        fake_ms += chance(3);
        act();
        assert_int_equal(loop_turn(loop, 0), 0);
    }
    timer_stop(&timer);
    for (int i = 0; i < NODES; i++) {
        if (nodes[i]) {
            nodes[i]->closed = true;
            io_close(&nodes[i]->io);
        }
    }
    TURN_UNTIL(alive == 0);
    assert_true(opened > 100 && bytes_seen > 1000000);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {loop_test(anything_may_be_done_to_any_io_anywhere)};
    return run_on_every_backend("io_chaos", tests);
}
