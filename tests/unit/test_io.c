#include "core/backend.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void on_recv(struct io *io, struct bytes data)
{
    io_write(io, &(struct iovec){data.ptr, data.len}, 1);
}
static int gone;
static void on_end(struct io *io, int error)
{
    assert_int_equal(error, 0);
    io_finish(io, 1000);
}
static void on_gone(struct io *io_)
{
    (void)io_;
    gone++;
}

static void echo(void **state)
{
    (void)state;
    const struct io_ops ops = {on_recv, on_end, NULL, on_gone};
    struct loop *loop = loop_new();
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    struct io io;
    assert_int_equal(io_open(loop, &io, fds[0], &ops, false), 0);
    assert_int_equal(write(fds[1], "hello", 5), 5);
    loop_turn(loop, -1);
    char b[10];
    assert_int_equal(read(fds[1], b, 10), 5);
    close(fds[1]);
    while (!gone)
        loop_turn(loop, -1);
    loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(echo)};
    return cmocka_run_group_tests_name("io", tests, NULL, NULL);
}
