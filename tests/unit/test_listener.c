/* SPDX-License-Identifier: MIT */
/* Listening sockets and what they accept. */
#include "net_certificate.h"
#include "net_peer.h"

#include "net/listener.h"
#include "net/tls.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <sys/stat.h>

static char dir[32];

struct host {
    struct listener listener;
    int accepted;
    struct peer peers[64];
};

static int begin(void **state)
{
    strcpy(dir, "/tmp/listener-XXXXXX");
    return net_begin(state) == 0 && mkdtemp(dir) ? 0 : -1;
}

static int finish(void **state)
{
    int left = net_finish(state);
    return rmdir(dir) != 0 ? -1 : left;
}

static struct net_address unix_address(const char *name)
{
    char text[64];
    snprintf(text, sizeof(text), "unix:%s/%s", dir, name);
    return address_of(text);
}

static void keep(struct listener *l, struct stream *s)
{
    struct host *h = l->owner;
    h->peers[h->accepted].echo = true;
    peer_own(&h->peers[h->accepted++], s);
}

static void host_start(struct host *h, int fd, struct tls_context *tls)
{
    *h = (struct host){.accepted = 0};
    assert_int_equal(listener_start(loop, &h->listener, fd, tls, keep, h), 0);
}

static void host_stop(struct host *h)
{
    listener_stop(&h->listener);
    while (h->accepted > 0)
        peer_done(&h->peers[--h->accepted]);
}

static int dial(const struct net_address *a)
{
    int fd = socket(a->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, &a->any, a->len) == 0)
        return fd;
    int error = -errno;
    close(fd);
    return error;
}

static struct net_address with_port(const char *host, uint16_t port)
{
    char text[64];
    snprintf(text, sizeof(text), "%s:%u", host, port);
    return address_of(text);
}

static void check_dials(struct host *h, const struct net_address *a, const char *peer_text)
{
    int before = h->accepted, fd = dial(a);
    assert_true(fd >= 0);
    wait_for(h->accepted == before + 1);
    struct net_address peer;
    char text[NET_ADDRESS_TEXT_MAX];
    assert_int_equal(stream_peer(h->peers[before].stream, &peer), 0);
    net_address_print_host(&peer, text);
    assert_string_equal(text, peer_text);
    close(fd);
}

/* ---- tests ---- */

static void port_zero_picks_a_port_and_tells_it(void **state)
{
    (void)state;
    struct net_address a = address_of("127.0.0.1:0");
    int fd;
    assert_int_equal(listener_open(&a, &fd), 0);
    assert_true(net_address_port(&a) > 0);
    struct host h;
    host_start(&h, fd, NULL);
    check_dials(&h, &a, "127.0.0.1");

    struct net_address local;
    assert_int_equal(stream_local(h.peers[0].stream, &local), 0);
    assert_int_equal(net_address_port(&local), net_address_port(&a));
    int nodelay = 0;
    getsockopt(h.peers[0].stream->io.fd, IPPROTO_TCP, TCP_NODELAY, &nodelay,
               &(socklen_t){sizeof(nodelay)});
    assert_true(nodelay);
    host_stop(&h);
    assert_int_equal(dial(&a), -ECONNREFUSED);
}

static void several_listeners_share_a_port(void **state)
{
    (void)state;
    struct net_address a = address_of("127.0.0.1:0");
    int first, second, fds[50];
    assert_int_equal(listener_open(&a, &first), 0);
    assert_int_equal(listener_open_more(first, &second), 0);
    struct host one, two;
    host_start(&one, first, NULL);
    host_start(&two, second, NULL);
    for (int i = 0; i < 50; i++)
        assert_true((fds[i] = dial(&a)) >= 0);
    wait_for(one.accepted + two.accepted == 50);
    assert_true(one.accepted > 0 && two.accepted > 0);
    for (int i = 0; i < 50; i++)
        close(fds[i]);
    host_stop(&one);
    host_stop(&two);
}

static void a_port_in_use_is_refused_although_ports_are_shared(void **state)
{
    (void)state;
    struct net_address a = address_of("127.0.0.1:0");
    int first, second, third = -1;
    assert_int_equal(listener_open(&a, &first), 0);
    struct net_address b = a;
    assert_int_equal(listener_open(&b, &third), -EADDRINUSE);
    assert_int_equal(listener_open_more(first, &second), 0);
    assert_int_equal(listener_open(&b, &third), -EADDRINUSE);
    assert_int_equal(third, -1);
    close(first);
    close(second);
}

static void a_port_can_be_taken_again_at_once(void **state)
{
    (void)state;
    struct net_address a = address_of("127.0.0.1:0");
    for (int i = 0; i < 3; i++) {
        int fd;
        assert_int_equal(listener_open(&a, &fd), 0);
        struct host h;
        host_start(&h, fd, NULL);
        int client = dial(&a);
        wait_for(h.accepted == 1);
        host_stop(&h); /* we close first: TIME_WAIT is ours */
        loop_turn(loop, 0);
        close(client);
    }
}

static void an_address_that_is_not_ours_is_refused(void **state)
{
    (void)state;
    struct net_address a = address_of("192.0.2.1:0"), before = a;
    int fd = -1;
    assert_int_equal(listener_open(&a, &fd), -EADDRNOTAVAIL);
    assert_memory_equal(&a, &before, sizeof(a));
    assert_int_equal(fd, -1);
}

static void skip_without_ipv6(void)
{
    struct sockaddr_in6 loopback = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool usable = fd >= 0 && bind(fd, (struct sockaddr *)&loopback, sizeof(loopback)) == 0;
    if (fd >= 0)
        close(fd);
    if (!usable)
        skip();
}

static void v6_alone_leaves_v4_to_others(void **state)
{
    (void)state;
    skip_without_ipv6();
    struct net_address a = address_of("[::]:0");
    int v6, v4;
    assert_int_equal(listener_open(&a, &v6), 0);
    struct net_address b = with_port("0.0.0.0", net_address_port(&a));
    assert_int_equal(listener_open(&b, &v4), 0);
    struct host six, four;
    host_start(&six, v6, NULL);
    host_start(&four, v4, NULL);
    struct net_address to6 = with_port("[::1]", net_address_port(&a));
    struct net_address to4 = with_port("127.0.0.1", net_address_port(&a));
    check_dials(&six, &to6, "::1");
    check_dials(&four, &to4, "127.0.0.1");
    host_stop(&six);
    host_stop(&four);
}

static void a_star_listens_to_both_families(void **state)
{
    (void)state;
    skip_without_ipv6();
    struct net_address a = address_of("*:0");
    int fd, more;
    assert_int_equal(listener_open(&a, &fd), 0);
    assert_true(a.dual_stack);
    struct net_address to6 = with_port("[::1]", net_address_port(&a));
    struct net_address to4 = with_port("127.0.0.1", net_address_port(&a));
    struct host h;
    host_start(&h, fd, NULL);
    check_dials(&h, &to6, "::1");
    check_dials(&h, &to4, "127.0.0.1");
    assert_int_equal(listener_open_more(fd, &more), 0);
    host_stop(&h);
    host_start(&h, more, NULL); /* it is like the first */
    check_dials(&h, &to6, "::1");
    check_dials(&h, &to4, "127.0.0.1");
    host_stop(&h);
}

static void a_unix_socket_serves_its_group(void **state)
{
    (void)state;
    mode_t before = umask(077);
    struct net_address a = unix_address("s");
    int fd, more;
    assert_int_equal(listener_open(&a, &fd), 0);
    umask(before);
    struct stat st;
    assert_int_equal(stat(a.un.sun_path, &st), 0);
    assert_int_equal(st.st_mode, S_IFSOCK | 0660);

    struct host one, two;
    assert_int_equal(listener_open_more(fd, &more), 0);
    host_start(&one, fd, NULL);
    check_dials(&one, &a, "unix");
    host_stop(&one);
    host_start(&two, more, NULL);
    check_dials(&two, &a, "unix");
    host_stop(&two);
    listener_unlink(&a);
    assert_int_equal(dial(&a), -ENOENT);
}

static void a_live_unix_socket_is_left_alone(void **state)
{
    (void)state;
    struct net_address a = unix_address("s");
    int fd, second = -1;
    assert_int_equal(listener_open(&a, &fd), 0);
    assert_int_equal(listener_open(&a, &second), -EADDRINUSE);
    assert_int_equal(second, -1);
    int client = dial(&a);
    assert_true(client >= 0);

    assert_int_equal(listen(fd, 0), 0); /* its queue is full: nobody can tell whether it answers */
    assert_int_equal(listener_open(&a, &second), -EADDRINUSE);
    close(client);
    close(fd);
    listener_unlink(&a);
}

static void a_stale_unix_socket_is_replaced(void **state)
{
    (void)state;
    struct net_address a = unix_address("s");
    int fd;
    assert_int_equal(listener_open(&a, &fd), 0);
    close(fd); /* as if killed: the file stays */
    assert_int_equal(dial(&a), -ECONNREFUSED);
    assert_int_equal(listener_open(&a, &fd), 0);
    int client = dial(&a);
    assert_true(client >= 0);
    close(client);
    close(fd);
    listener_unlink(&a);
}

static void a_file_that_is_no_socket_is_left_alone(void **state)
{
    (void)state;
    struct net_address a = unix_address("precious");
    int file = open(a.un.sun_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600), fd;
    assert_true(file >= 0);
    close(file);
    assert_int_equal(listener_open(&a, &fd), -EADDRINUSE);
    assert_int_equal(unlink(a.un.sun_path), 0);
    a = unix_address("no/such/folder");
    assert_int_equal(listener_open(&a, &fd), -ENOENT);
}

static void many_may_wait_to_be_accepted(void **state)
{
    (void)state;
    struct net_address a = address_of("127.0.0.1:0");
    int fd;
    assert_int_equal(listener_open(&a, &fd), 0);
    FILE *limit = fopen("/proc/sys/net/core/somaxconn", "re");
    unsigned max = 0;
    assert_int_equal(fscanf(limit, "%u", &max), 1);
    fclose(limit);
    struct tcp_info info; /* of a listening socket: sacked is its backlog */
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &(socklen_t){sizeof(info)}), 0);
    assert_int_equal(info.tcpi_sacked, max < 4096 ? max : 4096);
    close(fd);
}

static void with_a_context_its_streams_speak_tls(void **state)
{
    (void)state;
    char cert[64], key[64], why[200];
    snprintf(cert, sizeof(cert), "%s/cert", dir);
    snprintf(key, sizeof(key), "%s/key", dir);
    assert_true(make_certificate(cert, key, "IP:127.0.0.1", 1));
    struct tls_context *server = tls_context_new(cert, key, why, sizeof(why));
    struct tls_context *client = tls_context_new_client(cert, true, why, sizeof(why));
    unlink(cert);
    unlink(key);

    struct net_address a = address_of("127.0.0.1:0");
    int fd;
    assert_int_equal(listener_open(&a, &fd), 0);
    struct host h;
    host_start(&h, fd, server);
    struct peer p = {0};
    peer_own(&p, stream_new_client(loop, dial(&a), client, "127.0.0.1"));
    peer_say(&p, "echo");
    wait_for(peer_got(&p, "echo"));
    assert_true(stream_secure(h.peers[0].stream));
    peer_done(&p);
    host_stop(&h);
    tls_context_unref(server);
    tls_context_unref(client);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, finish)
    const struct CMUnitTest tests[] = {
        TEST(port_zero_picks_a_port_and_tells_it),
        TEST(several_listeners_share_a_port),
        TEST(a_port_in_use_is_refused_although_ports_are_shared),
        TEST(a_port_can_be_taken_again_at_once),
        TEST(an_address_that_is_not_ours_is_refused),
        TEST(v6_alone_leaves_v4_to_others),
        TEST(a_star_listens_to_both_families),
        TEST(a_unix_socket_serves_its_group),
        TEST(a_live_unix_socket_is_left_alone),
        TEST(a_stale_unix_socket_is_replaced),
        TEST(a_file_that_is_no_socket_is_left_alone),
        TEST(many_may_wait_to_be_accepted),
        TEST(with_a_context_its_streams_speak_tls),
    };
    return run_on_every_backend("listener", tests);
}
