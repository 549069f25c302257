/* SPDX-License-Identifier: MIT */
/* Script access on a real loop with libunbound, against a name server of a few lines. */
#include "access/access_loop.h"
#include "core/loop.h"

#include "every_backend.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* Answers every question with "no such name", or not at all. */
struct server {
    struct watch watch;
    int fd;
    bool silent;
    int questions;
    char address[32];
};

static void on_question(struct watch *watch, unsigned events)
{
    (void)events;
    struct server *s = container_of(watch, struct server, watch);
    uint8_t packet[512];
    struct sockaddr_in from;
    socklen_t from_len = sizeof(from);
    ssize_t len = recvfrom(s->fd, packet, sizeof(packet), 0, (struct sockaddr *)&from, &from_len);
    if (len < 12)
        return;
    s->questions++;
    size_t at = 12;
    while (at < (size_t)len && packet[at])
        at += packet[at] + 1u;
    packet[2] |= 0x80;        /* a response */
    packet[3] = 0x80 | 3;     /* recursion available, NXDOMAIN */
    memset(packet + 6, 0, 6); /* the question alone, without the EDNS record */
    if (!s->silent)
        sendto(s->fd, packet, at + 5, 0, (struct sockaddr *)&from, from_len);
}

static void server_start(struct server *s, struct loop *loop)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    s->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(s->fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(getsockname(s->fd, (struct sockaddr *)&address, &len), 0);
    snprintf(s->address, sizeof(s->address), "127.0.0.1:%u", ntohs(address.sin_port));
    watch_init(&s->watch, on_question);
    assert_int_equal(watch_start(loop, &s->watch, s->fd, WATCH_READ), 0);
}

static void server_stop(struct server *s)
{
    watch_stop(&s->watch);
    close(s->fd);
}

struct caller {
    struct access_check check;
    struct loop *loop;
    enum access_reason reason;
    int verdicts, wanted;
};

static void on_verdict(struct access_check *check, const struct access_result *result)
{
    struct caller *c = container_of(check, struct caller, check);
    c->reason = result->reason;
    if (++c->verdicts == c->wanted)
        loop_stop(c->loop);
}

struct world {
    struct loop *loop;
    struct server server;
    struct access_config config;
    struct access_loop access_loop;
};

static void open_world(struct world *w, bool silent)
{
    const char *why = "";
    *w = (struct world){.loop = loop_new(), .server.silent = silent};
    assert_non_null(w->loop);
    server_start(&w->server, w->loop);
    access_config_init(&w->config);
    assert_int_equal(
        access_config_set(&w->config, slice_of("origin"), slice_of("https://a.example"), &why), 0);
    struct dns_options dns = {.server = w->server.address, .anchor = "none"};
    assert_int_equal(
        access_loop_start(&w->access_loop, w->loop, &w->config, &dns, NULL, NULL, &why), 0);
}

static void close_world(struct world *w)
{
    access_loop_stop(&w->access_loop);
    server_stop(&w->server);
    access_config_done(&w->config);
    loop_free(w->loop);
}

static void begin(struct world *w, struct caller *c, const char *page)
{
    *c = (struct caller){.loop = w->loop, .wanted = 1, .check.on_verdict = on_verdict};
    c->check.request.origin = slice_of(page);
    c->check.request.target = slice_of("b.example:7000");
    access_check(&w->access_loop.access, &c->check, loop_now_ms(w->loop));
    assert_int_equal(c->verdicts, 0);
}

static void an_answer_of_dns_decides(void **state)
{
    (void)state;
    struct world w;
    struct caller c;
    open_world(&w, false);
    begin(&w, &c, "https://a.example");
    assert_int_equal(loop_run(w.loop), 0);
    assert_int_equal(c.reason, ACCESS_NO_RECORD);
    assert_true(w.server.questions > 0);
    close_world(&w);
}

static void what_is_known_at_once_is_told_by_the_loop(void **state)
{
    (void)state;
    struct world w;
    struct caller c;
    open_world(&w, false);
    begin(&w, &c, "null");
    assert_int_equal(loop_run(w.loop), 0);
    assert_int_equal(c.reason, ACCESS_ORIGIN_OPAQUE);
    assert_int_equal(w.server.questions, 0);
    close_world(&w);
}

static void a_silent_server_is_given_up_by_the_deadline(void **state)
{
    (void)state;
    struct world w;
    struct caller c;
    open_world(&w, true);
    w.config.deadline_ms = 300;
    uint64_t begun = loop_now_ms(w.loop);
    begin(&w, &c, "https://a.example");
    assert_int_equal(loop_run(w.loop), 0);
    assert_int_equal(c.reason, ACCESS_DNS_TIMEOUT);
    assert_true(loop_now_ms(w.loop) - begun >= 300 && loop_now_ms(w.loop) - begun < 2000);
    close_world(&w);
}

static void a_cancelled_check_leaves_nothing_behind(void **state)
{
    (void)state;
    struct world w;
    struct caller c;
    open_world(&w, true);
    begin(&w, &c, "https://a.example");
    access_cancel(&w.access_loop.access, &c.check);
    assert_true(access_due_ms(&w.access_loop.access) == UINT64_MAX);
    close_world(&w);
    assert_int_equal(c.verdicts, 0);
}

static void wrong_settings_are_refused_with_a_reason(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    struct access_config config;
    struct access_loop access_loop;
    access_config_init(&config);
    static const struct dns_options bad[] = {
        {.server = "localhost"},    {.server = "127.0.0.1:x"},  {.server = "::1]:53"},
        {.anchor = "/nonexistent"}, {.config = "/nonexistent"}, {.anchor = "/etc/passwd"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        const char *why = NULL;
        assert_true(access_loop_start(&access_loop, loop, &config, &bad[i], NULL, NULL, &why) < 0);
        assert_non_null(why);
    }
    access_config_done(&config);
    loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_of_dns_decides),
        cmocka_unit_test(what_is_known_at_once_is_told_by_the_loop),
        cmocka_unit_test(a_silent_server_is_given_up_by_the_deadline),
        cmocka_unit_test(a_cancelled_check_leaves_nothing_behind),
        cmocka_unit_test(wrong_settings_are_refused_with_a_reason),
    };
    return run_on_every_backend("access_loop", tests);
}
