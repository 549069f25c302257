/* SPDX-License-Identifier: MIT */
/* The gateway between a page (the client's side of real channels, without a wire) and targets on
 * loopback, whose records are known by heart. */
#include "net_certificate.h"
#include "net_peer.h"

#include "access/recorded.h"
#include "gateway/gateway.h"
#include "net/listener.h"

#include <errno.h>

#define RECORD                                                                                     \
    "_script-access.b.test TXT \"v=sa1; allow=a.example; port=*\" | b.test A 127.0.0.1 | "         \
    "1.0.0.127.in-addr.arpa PTR b.test. | c.test A 127.0.0.1"

enum {
    WINDOW = 65536,
    BIG = 4 << 20
};

/* ---- the wire: frames on their way ---- */

struct letter {
    struct list node;
    bool to_page;
    size_t len;
    char bytes[];
};

static struct list letters;

/* What the page has of one stream. */
struct stream_end {
    struct channel *channel;
    char said[1024]; /* opened, end, over */
    char *data;
    size_t len, unread, written;
    bool holds; /* it does not read */
};

static struct {
    struct channels_config channels_config;
    struct channels_counts server_counts, client_counts;
    struct channels *server, *client;
    struct access_config access_config;
    struct recorded recorded;
    struct access access;
    struct access_source source;
    int references;
    struct gateway_config config;
    struct gateway gateway;
    struct gateway_page page;
    struct program_question *asked;
    char asked_text[128];
    int listening;
    uint16_t port;
    struct peer target;
} f;

static void on_send(struct channels *from, struct slice head, struct shared_bytes *body, size_t at,
                    size_t len)
{
    struct letter *l = malloc(sizeof(*l) + head.len + len);
    *l = (struct letter){.to_page = from == f.server, .len = head.len + len};
    memcpy(l->bytes, head.ptr, head.len);
    if (len)
        memcpy(l->bytes + head.len, body->bytes + at, len);
    list_append(&letters, &l->node);
}

static size_t room(struct channels *cs)
{
    (void)cs;
    return WINDOW;
}

static void tell_soon(struct channels *cs)
{
    (void)cs; /* deliver() tells all */
}

static void on_open(struct channels *cs, struct channel *c, struct slice json)
{
    (void)cs;
    gateway_open(&f.gateway, c, json, &f.page);
}

static const struct channels_ops server_ops = {on_send, room, on_open, tell_soon};
static const struct channels_ops client_ops = {on_send, room, NULL, tell_soon};

static bool deliver(void)
{
    struct list *node = list_pop(&letters);
    const char *why = NULL;
    if (!node)
        return false;
    struct letter *l = container_of(node, struct letter, node);
    struct channels *to = l->to_page ? f.client : f.server;
    if (to && !channels_receive(to, (struct bytes){l->bytes, l->len}, &why))
        fail_msg("%s", why);
    free(l);
    return true;
}

/* One turn of everything. */
static void turn(void)
{
    loop_turn(loop, 5);
    access_set_now(&f.access, loop_now_ms(loop));
    while (recorded_run(&f.recorded))
        ;
    access_run(&f.access, loop_now_ms(loop));
    while (deliver())
        ;
    if (f.client)
        channels_tell(f.client);
    if (f.server)
        channels_tell(f.server);
}

#define until(condition)                                                                           \
    do {                                                                                           \
        while (!(condition))                                                                       \
            turn();                                                                                \
    } while (0)

/* ---- the page ---- */

static void say(struct stream_end *e, const char *word, struct slice json)
{
    size_t len = strlen(e->said);
    snprintf(e->said + len, sizeof(e->said) - len, "%s%.*s ", word, SLICE_ARG(json));
}

static void page_opened(struct channel *c, struct slice json)
{
    say(channel_owner(c), "opened", json);
}

static void page_data(struct channel *c, struct bytes data)
{
    struct stream_end *e = channel_owner(c);
    e->data = realloc(e->data, e->len + data.len);
    memcpy(e->data + e->len, data.ptr, data.len);
    e->len += data.len;
    e->unread += data.len;
    if (e->holds)
        return;
    channel_consumed(c, e->unread);
    e->unread = 0;
}

static void page_end(struct channel *c)
{
    say(channel_owner(c), "end", SLICE_LITERAL(""));
}

static void page_over(struct channel *c, struct slice json)
{
    struct stream_end *e = channel_owner(c);
    e->channel = NULL;
    say(e, "over", json.len ? json : SLICE_LITERAL(""));
}

static const struct channel_ops page_ops = {
    .on_opened = page_opened, .on_data = page_data, .on_end = page_end, .on_over = page_over};

static void want_json(struct stream_end *e, const char *json)
{
    *e = (struct stream_end){.holds = false};
    e->channel = channel_open(f.client, slice_of(json), &page_ops, e);
    assert_non_null(e->channel);
}

static void want(struct stream_end *e, const char *host, const char *more)
{
    char json[256];
    snprintf(json, sizeof(json), "{\"kind\":\"tcp\",\"host\":\"%s\",\"port\":%u%s}", host, f.port,
             more);
    want_json(e, json);
}

static bool heard(const struct stream_end *e, const char *text)
{
    return strstr(e->said, text);
}

static void stream_end_done(struct stream_end *e)
{
    free(e->data);
    *e = (struct stream_end){.holds = false};
}

/* Writes as much as there is credit for. */
static void write_on(struct stream_end *e, const char *noise, size_t total)
{
    size_t n = channel_writable(e->channel);
    if (n > total - e->written)
        n = total - e->written;
    if (n)
        assert_true(channel_write(e->channel, slice_make(noise + e->written, n)));
    e->written += n;
}

/* ---- the target ---- */

static void accept_target_as(struct tls_context *tls)
{
    int fd = -1;
    until((fd = accept(f.listening, NULL, NULL)) >= 0);
    f.target = (struct peer){0};
    peer_own(&f.target, stream_new(loop, fd, tls));
}

static void meet(struct stream_end *e)
{
    want(e, "b.test", "");
    accept_target_as(NULL);
    until(heard(e, "opened"));
}

/* ---- script access ---- */

static struct access *get_access(struct access_source *source)
{
    (void)source;
    f.references++;
    return &f.access;
}

static void put_access(struct access_source *source, struct access *access)
{
    (void)source, (void)access;
    f.references--;
}

static void set(const char *name, const char *value)
{
    const char *why = "";
    if (access_config_set(&f.access_config, slice_of(name), slice_of(value), &why) < 0)
        fail_msg("%s: %s", name, why);
}

static void program(void *owner, struct program_question *question)
{
    assert_ptr_equal(owner, &f);
    f.asked = question;
    snprintf(f.asked_text, sizeof(f.asked_text), "%.*s %u %d", SLICE_ARG(question->host),
             question->port, question->secure);
}

/* ---- each test ---- */

static void open_access(void)
{
    const char *why;
    access_config_init(&f.access_config);
    set("origin", "https://a.example");
    set("private", "127.0.0.0/8");
    assert_int_equal(recorded_init(&f.recorded, slice_of(RECORD), &why), 0);
    access_init(&f.access, &f.access_config, &f.recorded.resolver, NULL, NULL, NULL);
    f.source = (struct access_source){loop, get_access, put_access};
}

static void open_gateway(void)
{
    f.config = (struct gateway_config){
        .connect_timeout_ms = 10000,
        .idle_timeout_ms = 60000,
        .answer_timeout_ms = 10000,
        .per_client = 8,
        .per_origin = 8,
        .per_target = 8,
    };
    f.gateway = (struct gateway){
        .loop = loop, .config = &f.config, .access = &f.source, .quota = quota_new()};
    f.page = (struct gateway_page){
        .origin = SLICE_LITERAL("https://a.example"),
        .address = SLICE_LITERAL("192.0.2.7"),
        .owner = &f,
    };
    gateway_init(&f.gateway);
}

static void open_channels(void)
{
    list_init(&letters);
    f.channels_config = (struct channels_config){.window = WINDOW, .channels_max = 16};
    f.server = channels_new(&f.channels_config, &f.server_counts, &server_ops, NULL);
    f.client = channels_new(&f.channels_config, &f.client_counts, &client_ops, NULL);
    channels_attach(f.server);
    channels_attach(f.client);
}

static int begin(void **state)
{
    memset(&f, 0, sizeof(f));
    struct net_address a = net_address_loopback(AF_INET, 0);
    if (net_begin(state) < 0 || listener_open(&a, &f.listening) < 0)
        return -1;
    f.port = net_address_port(&a);
    fcntl(f.listening, F_SETFL, O_NONBLOCK);
    open_access();
    open_gateway();
    open_channels();
    return 0;
}

static void close_server(void)
{
    if (f.server)
        channels_free(f.server, SLICE_LITERAL("{\"reason\":\"session-over\"}"));
    f.server = NULL;
}

static int finish(void **state)
{
    close_server();
    channels_free(f.client, SLICE_LITERAL("{\"reason\":\"session-over\"}"));
    f.client = NULL;
    while (deliver())
        ;
    peer_done(&f.target);
    close(f.listening);
    loop_turn(loop, 0);
    for (int i = 0; i < GATEWAY_STATES; i++)
        assert_int_equal(f.gateway.counts.now[i], 0);
    assert_int_equal(f.references, 0);
    gateway_done(&f.gateway);
    assert_int_equal(quota_keys(f.gateway.quota), 0);
    quota_free(f.gateway.quota);
    access_done(&f.access);
    recorded_done(&f.recorded);
    access_config_done(&f.access_config);
    return net_finish(state);
}

/* ---- bytes ---- */

static void bytes_go_both_ways_and_both_sides_end(void **state)
{
    (void)state;
    struct stream_end e;
    meet(&e);
    assert_true(heard(&e, "\"remoteAddress\":\"127.0.0.1\",\"remotePort\":"));
    assert_true(heard(&e, "\"localAddress\":\"127.0.0.1\",\"localPort\":"));
    channel_write(e.channel, SLICE_LITERAL("LOGIN"));
    until(peer_got(&f.target, "LOGIN"));
    peer_say(&f.target, "OK");
    until(e.len == 2);
    assert_memory_equal(e.data, "OK", 2);

    channel_end(e.channel);
    until(f.target.ends);
    assert_int_equal(f.target.end, 0);
    peer_say(&f.target, " BYE"); /* half-closed: ours goes on */
    until(e.len == 6);
    stream_finish(f.target.stream, 1000);
    f.target.stream = NULL;
    until(heard(&e, "over"));
    assert_true(heard(&e, "end over "));
    assert_int_equal(f.gateway.counts.ends[TCP_END_CLOSED], 1);
    assert_int_equal(f.gateway.counts.opened, 1);
    assert_int_equal(f.gateway.counts.bytes_to_target, 5);
    assert_int_equal(f.gateway.counts.bytes_to_page, 6);
    stream_end_done(&e);
}

static void the_target_may_end_first(void **state)
{
    (void)state;
    struct stream_end e;
    meet(&e);
    peer_say(&f.target, "last words");
    stream_shutdown(f.target.stream);
    until(heard(&e, "end"));
    assert_int_equal(e.len, 10);
    channel_write(e.channel, SLICE_LITERAL("still here"));
    until(peer_got(&f.target, "still here"));
    channel_end(e.channel);
    until(f.target.ends && heard(&e, "over "));
    assert_int_equal(f.gateway.counts.ends[TCP_END_CLOSED], 1);
    stream_end_done(&e);
}

static void a_page_that_does_not_read_makes_the_target_wait(void **state)
{
    (void)state;
    struct stream_end e;
    char *noise = make_noise(BIG, 5);
    meet(&e);
    e.holds = true;
    stream_write_slice(f.target.stream, slice_make(noise, BIG));
    until(f.gateway.counts.bytes_to_page == 2 * WINDOW || e.unread > WINDOW);
    for (int i = 0; i < 20; i++)
        turn();
    assert_int_equal(e.unread, WINDOW); /* its credit */
    assert_int_equal(f.gateway.counts.bytes_to_page, 2 * WINDOW);
    e.holds = false;
    e.unread = 0;
    channel_consumed(e.channel, WINDOW);
    until(e.len == BIG);
    assert_memory_equal(e.data, noise, BIG);
    free(noise);
    stream_end_done(&e);
}

static void a_target_that_does_not_read_makes_the_page_wait(void **state)
{
    (void)state;
    struct stream_end e;
    char *noise = make_noise(2 * BIG, 6);
    meet(&e);
    stream_pause(f.target.stream);
    size_t before;
    int quiet = 0;
    do {
        before = e.written;
        write_on(&e, noise, 2 * BIG);
        turn();
        quiet = e.written == before ? quiet + 1 : 0;
    } while (quiet < 30);
    assert_true(e.written < 2 * BIG); /* what the kernel and two windows hold */
    stream_resume(f.target.stream);
    while (f.target.len < 2 * BIG) {
        write_on(&e, noise, 2 * BIG);
        turn();
    }
    assert_memory_equal(f.target.data, noise, 2 * BIG);
    free(noise);
    stream_end_done(&e);
}

static void random_sizes_both_ways_at_once_arrive_whole(void **state)
{
    (void)state;
    struct stream_end e;
    char *there = make_noise(BIG, 7), *back = make_noise(BIG, 8);
    size_t sent = 0;
    meet(&e);
    srandom(20261123);
    while (e.len < BIG || f.target.len < BIG) {
        size_t n = (size_t)random() % (random() % 3 ? 700 : 200000);
        n = n < BIG - sent ? n : BIG - sent;
        if (stream_queued(f.target.stream) < 1 << 20)
            stream_write_slice(f.target.stream, slice_make(back + sent, n)), sent += n;
        write_on(&e, there, BIG);
        turn();
    }
    assert_memory_equal(e.data, back, BIG);
    assert_memory_equal(f.target.data, there, BIG);
    free(there);
    free(back);
    stream_end_done(&e);
}

/* ---- ends ---- */

static void a_reset_of_the_target_reaches_the_page(void **state)
{
    (void)state;
    struct stream_end e;
    meet(&e);
    stream_reset(f.target.stream);
    f.target.stream = NULL;
    until(heard(&e, "over"));
    assert_true(heard(&e, "over{\"reason\":\"connection-reset\""));
    stream_end_done(&e);
}

static void a_reset_of_the_page_reaches_the_target(void **state)
{
    (void)state;
    struct stream_end e;
    meet(&e);
    channel_reset(e.channel, SLICE_LITERAL("{\"reason\":\"cancelled\"}"));
    until(f.target.ends);
    assert_int_equal(f.target.end, -ECONNRESET);
    assert_int_equal(f.gateway.counts.ends[TCP_END_ABORTED], 1);
    stream_end_done(&e);
}

static void the_end_of_the_session_is_a_reset_for_the_target(void **state)
{
    (void)state;
    struct stream_end e;
    meet(&e);
    close_server();
    until(f.target.ends);
    assert_int_equal(f.target.end, -ECONNRESET);
    stream_end_done(&e);
}

static void what_is_idle_ends(void **state)
{
    (void)state;
    struct stream_end e;
    f.config.idle_timeout_ms = 60;
    uint64_t began = loop_now_ms(loop);
    meet(&e);
    channel_write(e.channel, SLICE_LITERAL("x"));
    until(heard(&e, "over"));
    assert_true(heard(&e, "over{\"reason\":\"idle-timeout\""));
    assert_true(loop_now_ms(loop) - began >= 60);
    stream_end_done(&e);
}

static void draining_resets_all_and_lets_nobody_in(void **state)
{
    (void)state;
    struct stream_end open, checking, late;
    meet(&open);
    want(&checking, "b.test", "");
    while (deliver())
        ;
    gateway_drain(&f.gateway);
    until(heard(&open, "over") && heard(&checking, "over"));
    want(&late, "b.test", "");
    until(heard(&late, "over"));
    const struct stream_end *all[] = {&open, &checking, &late};
    for (int i = 0; i < 3; i++) {
        assert_true(heard(all[i], "over{\"reason\":\"draining\""));
        assert_true(heard(all[i], "\"retryAfter\":5}"));
    }
    stream_end_done(&open);
}

/* ---- script access ---- */

static void check_refused(const char *json, const char *token)
{
    struct stream_end e;
    char expected[64];
    want_json(&e, json);
    until(heard(&e, "over"));
    snprintf(expected, sizeof(expected), "over{\"reason\":\"%s\"", token);
    if (!heard(&e, expected) || heard(&e, "opened{"))
        fail_msg("%s: %s", json, e.said);
}

static void refusals_are_told_by_their_tokens(void **state)
{
    (void)state;
    set("block", "blocked.test");
    check_refused("{\"kind\":\"tcp\",\"host\":\"nobody.test\",\"port\":7}", "no-record");
    check_refused("{\"kind\":\"tcp\",\"host\":\"127.0.0.1\",\"port\":7}", "target-ip-literal");
    check_refused("{\"kind\":\"tcp\",\"host\":\"::1\",\"port\":7}", "target-ip-literal");
    check_refused("{\"kind\":\"tcp\",\"host\":\"localhost\",\"port\":7}", "target-special-name");
    check_refused("{\"kind\":\"tcp\",\"host\":\"blocked.test\",\"port\":7}", "target-blocked");
    check_refused("{\"kind\":\"tcp\",\"host\":\"a b.test\",\"port\":7}", "target-syntax");
    check_refused("{\"kind\":\"tcp\",\"host\":\"b.test\",\"port\":0}", "target-syntax");
    check_refused("{\"kind\":\"tcp\",\"host\":\"a.example\",\"port\":7}", "self-port-closed");
    f.page.origin = SLICE_LITERAL("https://c.example");
    check_refused("{\"kind\":\"tcp\",\"host\":\"b.test\",\"port\":7}", "origin-foreign");
    assert_int_equal(f.gateway.counts.ends[TCP_END_REFUSED], 8);
}

static void a_port_of_this_machine_that_is_opened_is_reached_by_loopback(void **state)
{
    (void)state;
    static struct stream_end e; /* the teardown ends it */
    char port[8];
    snprintf(port, sizeof(port), "%u", f.port);
    set("self-ports", port);
    want(&e, "a.example", "");
    accept_target_as(NULL);
    until(heard(&e, "opened{"));
}

static void the_program_is_asked(void **state)
{
    (void)state;
    struct stream_end e;
    f.page.ask = program;
    want(&e, "b.test", ",\"secure\":false");
    until(f.asked);
    char expected[64];
    snprintf(expected, sizeof(expected), "b.test %u 0", f.port);
    assert_string_equal(f.asked_text, expected);
    assert_int_equal(f.recorded.asked_count, 0); /* before any DNS */
    f.asked->answered(f.asked, true, 0);
    accept_target_as(NULL);
    until(heard(&e, "opened{"));

    f.asked = NULL;
    want(&e, "b.test", "");
    until(f.asked);
    f.asked->answered(f.asked, false, 77);
    until(heard(&e, "over"));
    assert_true(heard(&e, "over{\"reason\":\"script-denied\""));
    assert_true(heard(&e, "\"retryAfter\":77}"));
}

static void a_program_that_does_not_answer_is_waited_for_in_vain(void **state)
{
    (void)state;
    struct stream_end e;
    f.config.answer_timeout_ms = 20;
    f.page.ask = program;
    want(&e, "b.test", "");
    until(heard(&e, "over"));
    assert_true(heard(&e, "over{\"reason\":\"program-timeout\""));
}

static void a_page_that_leaves_while_its_program_thinks_is_forgotten(void **state)
{
    (void)state;
    struct stream_end e;
    f.page.ask = program;
    want(&e, "b.test", "");
    until(f.asked);
    channel_reset(e.channel, SLICE_LITERAL("{\"reason\":\"cancelled\"}"));
    until(f.gateway.counts.ends[TCP_END_ABORTED] == 1);
}

static void what_new_settings_refuse_is_revoked(void **state)
{
    (void)state;
    struct stream_end e;
    meet(&e);
    gateway_review(&f.gateway);
    for (int i = 0; i < 5; i++)
        turn();
    assert_false(heard(&e, "over"));
    set("block", "b.test");
    gateway_review(&f.gateway);
    until(heard(&e, "over"));
    assert_true(heard(&e, "over{\"reason\":\"revoked\""));
    assert_true(heard(&e, "\"retryAfter\":60}"));
}

/* ---- limits ---- */

static void check_limit(uint32_t *limit, enum gateway_limit which)
{
    struct stream_end one, other;
    *limit = 1;
    meet(&one);
    want(&other, "b.test", "");
    until(heard(&other, "over"));
    assert_true(heard(&other, "over{\"reason\":\"overload\""));
    assert_true(heard(&other, "\"retryAfter\":10}"));
    assert_int_equal(f.gateway.counts.limited[which], 1);
    stream_reset(f.target.stream);
    f.target.stream = NULL;
    until(heard(&one, "over"));
    peer_done(&f.target);
    meet(&other);
}

static void one_client_has_a_limit(void **state)
{
    (void)state;
    check_limit(&f.config.per_client, GATEWAY_PER_CLIENT);
}

static void one_origin_has_a_limit(void **state)
{
    (void)state;
    check_limit(&f.config.per_origin, GATEWAY_PER_ORIGIN);
}

static void one_target_has_a_limit(void **state)
{
    (void)state;
    check_limit(&f.config.per_target, GATEWAY_PER_TARGET);
}

/* ---- connecting ---- */

static void a_target_that_refuses_is_told(void **state)
{
    (void)state;
    struct stream_end e;
    close(f.listening);
    f.listening = -1;
    want(&e, "b.test", "");
    until(heard(&e, "over"));
    assert_true(heard(&e, "over{\"reason\":\"target-refused\""));
}

/* Of a listener whose queue is full. */
static void a_target_that_keeps_silent_times_out(void **state)
{
    (void)state;
    struct stream_end e;
    int fds[3];
    struct net_address a = net_address_loopback(AF_INET, f.port);
    f.config.connect_timeout_ms = 50;
    assert_int_equal(listen(f.listening, 0), 0);
    for (int i = 0; i < 3; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        connect(fds[i], &a.any, a.len);
    }
    want(&e, "b.test", "");
    until(heard(&e, "over"));
    assert_true(heard(&e, "over{\"reason\":\"connect-timeout\""));
    for (int i = 0; i < 3; i++)
        close(fds[i]);
}

/* ---- TLS ---- */

static char dir[40], cert[80], key[80];

static struct tls_context *trust(const char *ca)
{
    char why[200];
    struct tls_context *c = tls_context_new_client(ca, false, why, sizeof(why));
    assert_non_null(c);
    gateway_trust(&f.gateway, c);
    tls_context_unref(c);
    return c;
}

static struct tls_context *serve_tls(void)
{
    char why[200];
    struct tls_context *c = tls_context_new(cert, key, why, sizeof(why));
    assert_non_null(c);
    return c;
}

static void a_secure_target_is_verified_and_bytes_flow(void **state)
{
    (void)state;
    struct stream_end e;
    struct tls_context *server = serve_tls();
    char *noise = make_noise(BIG, 9);
    trust(cert);
    want(&e, "B.test.", ",\"secure\":true");
    accept_target_as(server);
    until(heard(&e, "opened{"));
    channel_write(e.channel, SLICE_LITERAL("secret"));
    until(peer_got(&f.target, "secret"));
    f.target.len = 0;
    e.holds = true;
    stream_write_slice(f.target.stream, slice_make(noise, BIG));
    until(f.gateway.counts.bytes_to_page == 2 * WINDOW);
    for (int i = 0; i < 20; i++)
        turn();
    assert_int_equal(f.gateway.counts.bytes_to_page, 2 * WINDOW);
    e.holds = false;
    e.unread = 0;
    channel_consumed(e.channel, WINDOW);
    while (e.len < BIG || f.target.len < BIG) {
        write_on(&e, noise, BIG);
        turn();
    }
    assert_memory_equal(e.data, noise, BIG);
    assert_memory_equal(f.target.data, noise, BIG);
    channel_end(e.channel);
    until(f.target.ends);
    assert_int_equal(f.target.end, 0);
    stream_finish(f.target.stream, 1000);
    f.target.stream = NULL;
    until(heard(&e, "over "));
    free(noise);
    stream_end_done(&e);
    tls_context_unref(server);
}

static void check_tls_failure(const char *host, const char *ca, const char *message)
{
    struct stream_end e;
    struct tls_context *server = serve_tls();
    trust(ca);
    want(&e, host, ",\"secure\":true");
    accept_target_as(server);
    until(heard(&e, "over"));
    assert_true(heard(&e, "over{\"reason\":\"tls-failed\""));
    if (!heard(&e, message))
        fail_msg("%s", e.said);
    assert_false(heard(&e, "opened{"));
    assert_int_equal(f.target.len, 0);
    peer_done(&f.target);
    tls_context_unref(server);
}

static void a_target_that_is_not_whom_it_should_be_gets_nothing(void **state)
{
    (void)state;
    char vouched[32];
    snprintf(vouched, sizeof(vouched), "c.test:%u", f.port);
    set("vouch", vouched);
    check_tls_failure("c.test", cert, "hostname mismatch");
    check_tls_failure("b.test", NULL, "self-signed certificate");
}

static void a_target_that_does_not_shake_hands_times_out(void **state)
{
    (void)state;
    struct stream_end e;
    trust(cert);
    f.config.connect_timeout_ms = 60;
    want(&e, "b.test", ",\"secure\":true");
    accept_target_as(NULL);
    until(heard(&e, "over"));
    assert_true(heard(&e, "over{\"reason\":\"connect-timeout\""));
}

static int make_files(void **state)
{
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/gateway-test-XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    snprintf(cert, sizeof(cert), "%s/cert", dir);
    snprintf(key, sizeof(key), "%s/key", dir);
    return make_certificate(cert, key, "DNS:b.test", 7) ? 0 : -1;
}

static int remove_files(void **state)
{
    (void)state;
    unlink(cert);
    unlink(key);
    return rmdir(dir);
}

int main(void)
{
    log_setup(LOG_NOTHING, LOG_FORMAT_TEXT);
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, finish)
    const struct CMUnitTest tests[] = {
        TEST(bytes_go_both_ways_and_both_sides_end),
        TEST(the_target_may_end_first),
        TEST(a_page_that_does_not_read_makes_the_target_wait),
        TEST(a_target_that_does_not_read_makes_the_page_wait),
        TEST(random_sizes_both_ways_at_once_arrive_whole),
        TEST(a_reset_of_the_target_reaches_the_page),
        TEST(a_reset_of_the_page_reaches_the_target),
        TEST(the_end_of_the_session_is_a_reset_for_the_target),
        TEST(what_is_idle_ends),
        TEST(draining_resets_all_and_lets_nobody_in),
        TEST(refusals_are_told_by_their_tokens),
        TEST(a_port_of_this_machine_that_is_opened_is_reached_by_loopback),
        TEST(the_program_is_asked),
        TEST(a_program_that_does_not_answer_is_waited_for_in_vain),
        TEST(a_page_that_leaves_while_its_program_thinks_is_forgotten),
        TEST(what_new_settings_refuse_is_revoked),
        TEST(one_client_has_a_limit),
        TEST(one_origin_has_a_limit),
        TEST(one_target_has_a_limit),
        TEST(a_target_that_refuses_is_told),
        TEST(a_target_that_keeps_silent_times_out),
        TEST(a_secure_target_is_verified_and_bytes_flow),
        TEST(a_target_that_is_not_whom_it_should_be_gets_nothing),
        TEST(a_target_that_does_not_shake_hands_times_out),
    };
    return run_group_on_every_backend("gateway", tests, make_files, remove_files);
}
