/* SPDX-License-Identifier: MIT */
/* Two servers in one loop: `here` has a client's connection, `there` has its session. */
#include "net_peer.h"

#include "cluster/ways.h"
#include "net/listener.h"
#include "net/seal.h"
#include "net/tls.h"

#include <errno.h>

enum {
    HERE = 1,
    THERE = 2,
    BIG = 3 << 20
};

struct side {
    struct ways ways;
    struct listener listener;
    struct net_address address;
    struct servers_view *view;
};

static struct tls_context *keys, *other_keys;
static struct side here, there;
static struct peer client, owner; /* the ends beyond the pumps */
static struct http_passed passed;
static uint16_t passed_worker;
static int adopted;

static void adopt(void *arg, int fd, uint16_t worker, const struct http_passed *what)
{
    (void)arg;
    peer_own(&owner, stream_new_known(loop, fd, NULL));
    passed = *what;
    passed_worker = worker;
    adopted++;
}

static int checks;

static void check(void *arg, uint32_t tag)
{
    (void)arg, (void)tag;
    checks++;
}

static struct tls_context *keys_of(int letter)
{
    unsigned char key[SEAL_KEY_SIZE];
    char why[100];
    struct seal_keys *list = seal_keys_new();
    memset(key, letter, sizeof(key));
    assert_true(seal_keys_add(list, key));
    struct tls_context *context = tls_context_new_keyed(list, why, sizeof(why));
    seal_keys_unref(list);
    assert_non_null(context);
    return context;
}

static struct servers_view *view_of(bool fresh, uint32_t tag, const struct net_address *address,
                                    bool late)
{
    struct servers_view *view = calloc(1, sizeof(*view) + sizeof(*view->servers));
    atomic_init(&view->refs, 1);
    view->fresh = fresh;
    view->count = tag != 0;
    view->servers[0] = (struct server_info){.tag = tag, .late = late};
    if (address)
        view->servers[0].address = *address;
    return view;
}

static void use(struct side *side, struct servers_view *view)
{
    ways_use_view(&side->ways, view);
    servers_view_unref(view);
}

static void on_stream(struct listener *l, struct stream *stream)
{
    ways_take(l->owner, stream);
}

static void open_side(struct side *side, uint32_t tag, struct tls_context *tls)
{
    int fd;
    side->address = net_address_loopback(AF_INET, 0);
    assert_int_equal(listener_open(&side->address, &fd), 0);
    ways_init(
        &side->ways,
        &(struct ways_spec){.loop = loop, .tls = tls, .tag = tag, .adopt = adopt, .check = check});
    assert_int_equal(listener_start(loop, &side->listener, fd, tls, on_stream, &side->ways), 0);
}

static int begin(void **state)
{
    if (net_begin(state) < 0)
        return -1;
    keys = keys_of('a');
    other_keys = keys_of('b');
    adopted = checks = 0;
    open_side(&here, HERE, keys);
    open_side(&there, THERE, keys);
    use(&here, view_of(true, THERE, &there.address, false));
    return 0;
}

static int finish(void **state)
{
    peer_done(&client);
    peer_done(&owner);
    listener_stop(&here.listener);
    listener_stop(&there.listener);
    ways_done(&here.ways);
    ways_done(&there.ways);
    tls_context_unref(keys);
    tls_context_unref(other_keys);
    return net_finish(state);
}

/* ---- asking ---- */

struct question {
    struct ways_wish wish;
    int answers;
    enum ways_answer answer;
    struct way *way;
};

static void on_answer(struct ways_wish *wish, enum ways_answer answer, struct way *way)
{
    struct question *q = container_of(wish, struct question, wish);
    q->answers++;
    q->answer = answer;
    q->way = way;
}

static void ask(struct question *q, uint32_t tag)
{
    *q = (struct question){.wish.on_answer = on_answer};
    q->answer = ways_ask(&here.ways, tag, &q->wish, &q->way);
    q->answers += q->answer != WAYS_WAIT;
}

static struct way *way_there(void)
{
    struct question q;
    ask(&q, THERE);
    wait_for(q.answers);
    assert_int_equal(q.answer, WAYS_READY);
    return q.way;
}

static struct way_open open_of_client(void)
{
    struct way_open open = {.secure = true, .age_ms = 5, .worker = 3};
    const char *why;
    net_address_parse(SLICE_LITERAL("[2001:db8::7]:1234"), &open.peer, &why);
    net_address_parse(SLICE_LITERAL("192.0.2.1:443"), &open.local, &why);
    return open;
}

/* Gives the client's connection to a pump here, and waits until the owner has it there. */
static void pass(const char *first)
{
    int fds[2];
    struct way *way = way_there();
    struct way_open open = open_of_client();
    int before = adopted;
    make_pair(fds);
    peer_own(&client, stream_new_known(loop, fds[0], NULL));
    assert_true(pump_forward(&here.ways.forwarded, stream_new_known(loop, fds[1], NULL),
                             slice_of(first), way, &open, NULL));
    wait_for(adopted > before);
}

static void a_connection_is_passed_on_with_what_is_known_of_it(void **state)
{
    (void)state;
    struct way_open open = open_of_client();
    uint64_t now = stream_clock_ms();
    pass("GET ");
    assert_int_equal(passed.peer.any.sa_family, AF_INET6);
    assert_memory_equal(&passed.peer.v6.sin6_addr, &open.peer.v6.sin6_addr, 16);
    assert_int_equal(net_address_port(&passed.local), 443);
    assert_true(passed.secure);
    assert_int_equal(passed_worker, 3);
    assert_in_range(passed.arrived_ms, now - 5, stream_clock_ms() - 5);
    peer_say(&client, "/ HTTP");
    wait_for(peer_got(&owner, "GET / HTTP"));
    peer_say(&owner, "101");
    wait_for(peer_got(&client, "101"));
}

static void a_way_is_made_once(void **state)
{
    (void)state;
    struct question first, second;
    ask(&first, THERE);
    ask(&second, THERE);
    wait_for(first.answers && second.answers);
    assert_ptr_equal(first.way, second.way);
    assert_ptr_equal(way_there(), first.way);
    assert_int_equal(there.ways.counts.accepted, 1);
}

static void bytes_come_whole_in_both_directions(void **state)
{
    (void)state;
    char *noise = make_noise(BIG, 7);
    pass("");
    stream_write_slice(client.stream, slice_make(noise, BIG));
    stream_write_slice(owner.stream, slice_make(noise, BIG));
    wait_for(client.len == BIG && owner.len == BIG);
    assert_memory_equal(client.data, noise, BIG);
    assert_memory_equal(owner.data, noise, BIG);
    free(noise);
}

static void who_does_not_read_makes_the_other_side_wait(void **state)
{
    (void)state;
    char *noise = make_noise(BIG, 8);
    pass("");
    stream_pause(client.stream);
    stream_write_slice(owner.stream, slice_make(noise, BIG));
    struct peer other_client = client, other_owner = owner;
    client = owner = (struct peer){0};
    stream_own(other_client.stream, other_client.stream->ops, &other_client);
    stream_own(other_owner.stream, other_owner.stream->ops, &other_owner);
    pass("beside"); /* is not held up */
    wait_for(peer_got(&owner, "beside"));
    assert_true(there.ways.passed.bytes_out <= 2 * WAY_WINDOW_BYTES);
    stream_resume(other_client.stream);
    wait_for(other_client.len == BIG);
    assert_memory_equal(other_client.data, noise, BIG);
    free(noise);
    peer_done(&other_client);
    peer_done(&other_owner);
}

static void the_end_of_each_side_is_passed_on(void **state)
{
    (void)state;
    pass("last words");
    stream_shutdown(client.stream);
    wait_for(owner.ends);
    assert_int_equal(owner.end, 0);
    assert_true(peer_got(&owner, "last words"));
    peer_say(&owner, "an answer");
    stream_shutdown(owner.stream);
    wait_for(client.ends);
    assert_int_equal(client.end, 0);
    assert_true(peer_got(&client, "an answer"));
    wait_for(here.ways.forwarded.count == 0 && there.ways.passed.count == 0);
    peer_done(&client);
    peer_done(&owner);
    pass("the place is used again");
    wait_for(peer_got(&owner, "the place is used again"));
}

static void a_client_that_goes_is_gone_there(void **state)
{
    (void)state;
    pass("x");
    stream_close(client.stream);
    client.stream = NULL;
    wait_for(owner.ends);
    stream_close(owner.stream);
    owner.stream = NULL;
    wait_for(here.ways.forwarded.count == 0 && there.ways.passed.count == 0);
}

static void when_the_way_is_lost_the_client_loses_its_connection(void **state)
{
    (void)state;
    pass("x");
    way_close(container_of(there.ways.accepted.next, struct way, node), WAY_LOST);
    wait_for(client.ends && owner.ends);
    assert_int_equal(here.ways.forwarded.count, 0);
    assert_non_null(way_there()); /* and there is a new one */
}

static void who_is_sent_away_loses_the_connection(void **state)
{
    (void)state;
    pass("x");
    ways_drain(&here.ways);
    wait_for(client.ends && owner.ends);
    assert_true(ways_empty(&here.ways));
}

/* ---- who is not there ---- */

static void who_is_not_in_the_registry_is_gone(void **state)
{
    (void)state;
    struct question q, other;
    ask(&q, 77);
    ask(&other, 77);
    assert_int_equal(q.answers, 0);
    assert_int_equal(checks, 1);
    ways_checked(&here.ways, 77);
    assert_int_equal(q.answer, WAYS_GONE);
    assert_int_equal(other.answer, WAYS_GONE);
    use(&here, view_of(false, THERE, &there.address, false)); /* which knows too little */
    ask(&q, 77);
    assert_int_equal(q.answers, 0);
    use(&here, view_of(true, THERE, &there.address, false));
    assert_int_equal(q.answer, WAYS_GONE);
}

static void who_has_only_just_come_is_found(void **state)
{
    (void)state;
    struct question q;
    use(&here, view_of(true, 0, NULL, false));
    ask(&q, THERE);
    assert_int_equal(q.answers, 0);
    use(&here, view_of(true, THERE, &there.address, false));
    ways_checked(&here.ways, THERE);
    wait_for(q.answers);
    assert_int_equal(q.answer, WAYS_READY);
}

static void who_asks_before_anything_is_known_waits_for_it(void **state)
{
    (void)state;
    struct question q;
    ways_use_view(&here.ways, NULL);
    ask(&q, THERE);
    assert_int_equal(q.answers, 0);
    use(&here, view_of(false, THERE, &there.address, false));
    wait_for(q.answers);
    assert_int_equal(q.answer, WAYS_READY);
}

static void invented_servers_are_asked_for_up_to_a_number(void **state)
{
    (void)state;
    struct question *q = calloc(400, sizeof(*q));
    int waiting = 0;
    for (uint32_t i = 0; i < 400; i++) {
        ask(&q[i], 1000 + i);
        waiting += q[i].answer == WAYS_WAIT;
    }
    assert_in_range(waiting, 256, 257);
    assert_non_null(way_there()); /* who is known is reached all the same */
    for (uint32_t i = 0; i < 400; i++)
        ways_checked(&here.ways, 1000 + i);
    for (int i = 0; i < 400; i++)
        assert_int_equal(q[i].answers, 1);
    assert_int_equal(here.ways.target_count, 1);
    free(q);
}

static void another_server_at_the_address_means_that_the_one_before_is_gone(void **state)
{
    (void)state;
    struct question q;
    use(&here, view_of(true, 77, &there.address, false));
    ask(&q, 77);
    wait_for(q.answers);
    assert_int_equal(q.answer, WAYS_GONE);
    ask(&q, 77); /* it is remembered */
    assert_int_equal(q.answer, WAYS_GONE);
}

static struct net_address closed_address(void)
{
    struct net_address address = net_address_loopback(AF_INET, 0);
    int fd;
    assert_int_equal(listener_open(&address, &fd), 0);
    close(fd);
    return address;
}

static void who_is_late_and_does_not_listen_is_gone(void **state)
{
    (void)state;
    struct question q;
    struct net_address address = closed_address();
    use(&here, view_of(true, 77, &address, false));
    ask(&q, 77);
    wait_for(here.ways.counts.failed > 1);
    assert_int_equal(q.answers, 0); /* it may only have begun anew */
    use(&here, view_of(true, 77, &address, true));
    wait_for(q.answers);
    assert_int_equal(q.answer, WAYS_GONE);
}

static void who_waits_hears_when_the_registry_gives_up(void **state)
{
    (void)state;
    struct question q, cancelled;
    struct net_address address = closed_address();
    use(&here, view_of(true, 77, &address, false));
    ask(&q, 77);
    ask(&cancelled, 77);
    ways_cancel(&cancelled.wish);
    use(&here, view_of(true, THERE, &there.address, false));
    assert_int_equal(q.answers, 1);
    assert_int_equal(q.answer, WAYS_GONE);
    assert_int_equal(cancelled.answers, 0);
}

/* ---- strangers ---- */

static struct stream *connect_there(struct tls_context *tls)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, &there.address.any, there.address.len), 0);
    return tls ? stream_new_client(loop, fd, tls, "") : stream_new(loop, fd, NULL);
}

static void who_has_another_key_is_refused(void **state)
{
    (void)state;
    struct peer stranger = {0};
    peer_own(&stranger, connect_there(other_keys));
    wait_for(stranger.ends);
    wait_for(there.ways.counts.refused == 1);
    assert_int_equal(there.ways.counts.accepted, 0);
    peer_done(&stranger);
}

static void strangers_do_not_keep_servers_out(void **state)
{
    (void)state;
    struct peer crowd[200] = {0};
    for (size_t i = 0; i < 200; i++)
        peer_own(&crowd[i], connect_there(NULL));
    wait_for(there.ways.counts.refused >= 200 - 64);
    pass("x");
    assert_true(there.ways.shaking_count <= 64);
    for (size_t i = 0; i < 200; i++)
        peer_done(&crowd[i]);
}

/* A server that has the key, and says what it should not. */
static void check_cut(const void *bytes, size_t len)
{
    struct peer peer = {0};
    unsigned char hello[WAY_HEAD_SIZE + WAY_HELLO_SIZE];
    way_head_write(&(struct way_head){WAY_HELLO, 0, WAY_HELLO_SIZE}, hello);
    way_hello_write(&(struct way_hello){1, 9, THERE}, hello + WAY_HEAD_SIZE);
    peer_own(&peer, connect_there(keys));
    stream_write_slice(peer.stream, slice_make((const char *)hello, sizeof(hello)));
    wait_for(peer.len == sizeof(hello));
    stream_write_slice(peer.stream, slice_make(bytes, len));
    wait_for(peer.ends);
    assert_true(list_empty(&there.ways.accepted));
    peer_done(&peer);
}

static void a_peer_that_breaks_the_rules_is_cut(void **state)
{
    (void)state;
    check_cut("\0\0\0\0\0\0\0\0", 8);                        /* no type */
    check_cut("\x08\0\0\0\0\0\0\0", 8);                      /* nor that */
    check_cut("\x07\0\0\0\1\0\0\0", 8);                      /* PING of a stream */
    check_cut("\x03\0\0\0\0\xff\xff\xff", 8);                /* DATA too long */
    check_cut("\x04\0\0\0\0\0\0\3\0\0\0", 11);               /* WINDOW too short */
    check_cut("\x01\0\0\0\0\0\0\x09\1\0\0\0\1\0\0\0\2", 17); /* HELLO again */
    unsigned char twice[2 * (WAY_HEAD_SIZE + WAY_OPEN_SIZE)] = {0};
    struct way_open open = open_of_client();
    for (int i = 0; i < 2; i++) {
        unsigned char *at = twice + i * (WAY_HEAD_SIZE + WAY_OPEN_SIZE);
        way_head_write(&(struct way_head){WAY_OPEN, 5, WAY_OPEN_SIZE}, at);
        way_open_write(&open, at + WAY_HEAD_SIZE);
    }
    check_cut(twice, sizeof(twice));
}

static void more_than_the_window_is_cut(void **state)
{
    (void)state;
    size_t frame = WAY_HEAD_SIZE + 16000, count = WAY_WINDOW_BYTES / 16000 + 1;
    size_t begin_len = WAY_HEAD_SIZE + WAY_OPEN_SIZE;
    unsigned char *bytes = calloc(1, begin_len + count * frame);
    struct way_open open = open_of_client();
    way_head_write(&(struct way_head){WAY_OPEN, 5, WAY_OPEN_SIZE}, bytes);
    way_open_write(&open, bytes + WAY_HEAD_SIZE);
    for (size_t i = 0; i < count; i++)
        way_head_write(&(struct way_head){WAY_DATA, 5, 16000}, bytes + begin_len + i * frame);
    check_cut(bytes, begin_len + count * frame);
    free(bytes);
}

static void frames_of_streams_that_are_over_are_passed_over(void **state)
{
    (void)state;
    struct peer peer = {0};
    unsigned char hello[WAY_HEAD_SIZE + WAY_HELLO_SIZE];
    way_head_write(&(struct way_head){WAY_HELLO, 0, WAY_HELLO_SIZE}, hello);
    way_hello_write(&(struct way_hello){1, 9, 0}, hello + WAY_HEAD_SIZE);
    peer_own(&peer, connect_there(keys));
    stream_write_slice(peer.stream, slice_make((const char *)hello, sizeof(hello)));
    stream_write_slice(peer.stream, SLICE_LITERAL("\x06\0\0\0\5\0\0\0\x05\0\0\0\5\0\0\0"
                                                  "\x04\0\0\0\5\0\0\4\0\0\0\1"
                                                  "\x03\0\0\0\5\0\0\3abc"));
    wait_for(there.ways.counts.accepted == 1);
    struct way *way = container_of(there.ways.accepted.next, struct way, node);
    wait_for(way->buffered == 0 && way->data_left == 0 && peer.len == sizeof(hello));
    assert_true(way_is_open(way));
    peer_done(&peer);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, finish)
    const struct CMUnitTest tests[] = {
        TEST(a_connection_is_passed_on_with_what_is_known_of_it),
        TEST(a_way_is_made_once),
        TEST(bytes_come_whole_in_both_directions),
        TEST(who_does_not_read_makes_the_other_side_wait),
        TEST(the_end_of_each_side_is_passed_on),
        TEST(a_client_that_goes_is_gone_there),
        TEST(when_the_way_is_lost_the_client_loses_its_connection),
        TEST(who_is_sent_away_loses_the_connection),
        TEST(who_is_not_in_the_registry_is_gone),
        TEST(who_has_only_just_come_is_found),
        TEST(who_asks_before_anything_is_known_waits_for_it),
        TEST(invented_servers_are_asked_for_up_to_a_number),
        TEST(another_server_at_the_address_means_that_the_one_before_is_gone),
        TEST(who_is_late_and_does_not_listen_is_gone),
        TEST(who_waits_hears_when_the_registry_gives_up),
        TEST(who_has_another_key_is_refused),
        TEST(strangers_do_not_keep_servers_out),
        TEST(a_peer_that_breaks_the_rules_is_cut),
        TEST(more_than_the_window_is_cut),
        TEST(frames_of_streams_that_are_over_are_passed_over),
    };
    return run_on_every_backend("ways", tests);
}
