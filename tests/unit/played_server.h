/* SPDX-License-Identifier: MIT */
/* played_server.h - the C client against a server that is played by hand, frame by frame: one
 * client, one connection at a time. What the client tells is written down in `events`.
 */
#ifndef UNIT_PLAYED_SERVER_H
#define UNIT_PLAYED_SERVER_H

#include "httpsocket.h"

#include "proto/http_head.h"
#include "proto/ws_frame.h"
#include "proto/ws_handshake.h"

#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define SESSION "AAAAAAAAAAAAAAAAAAAAAAAA"
#define WELCOME_AND(resumed, received, more)                                                       \
    ".welcome {\"session\":\"" SESSION "\",\"resumed\":" resumed ",\"received\":" received         \
    ",\"window\":20,\"maxMessage\":100,\"ping\":20000,\"grace\":1000" more "}"
#define WELCOME(resumed, received) WELCOME_AND(resumed, received, "")

enum {
    PATIENCE = 400 /* turns of up to 50 ms */
};

static struct httpsocket *client;
static int listener, server; /* the server's end of the connection; -1: none */
static char heard[65536], events[4096];
static size_t heard_len;
static char offer[256];

static void note(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    size_t len = strlen(events);
    vsnprintf(events + len, sizeof(events) - len, format, arguments);
    va_end(arguments);
}

static void on_open(struct httpsocket *c, bool resumed)
{
    (void)c;
    note(resumed ? "resumed|" : "open|");
}

static void on_lost(struct httpsocket *c, const struct httpsocket_end *why)
{
    (void)c;
    note("lost %u|", why->code);
}

static void on_message(struct httpsocket *c, const struct httpsocket_message *m)
{
    (void)c;
    note("%s %.*s|", m->name ? m->name : "answer", (int)m->size, (const char *)m->data);
}

static void on_room(struct httpsocket *c)
{
    (void)c;
    note("room|");
}

static void on_close(struct httpsocket *c, const struct httpsocket_end *end)
{
    (void)c;
    note("close %u %s|", end->code, end->reason);
}

static void turn(void)
{
    struct pollfd p = {.fd = httpsocket_fd(client), .events = POLLIN};
    poll(&p, 1, 50);
    assert_true(httpsocket_process(client, 0) >= 0);
}

#define TURN_UNTIL(condition)                                                                      \
    do {                                                                                           \
        for (int turns = 0; !(condition); turns++) {                                               \
            assert_true(turns < PATIENCE);                                                         \
            turn();                                                                                \
        }                                                                                          \
    } while (0)

static bool hear_more(void)
{
    ssize_t n =
        recv(server, heard + heard_len, sizeof(heard) - heard_len, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n > 0)
        heard_len += (size_t)n;
    return n > 0;
}

static void say_message(enum ws_op op, const void *data, size_t size)
{
    char head[WS_HEAD_MAX];
    size_t len = ws_head_write(head, op, size);
    assert_int_equal(send(server, head, len, MSG_NOSIGNAL), len);
    assert_int_equal(send(server, data, size, MSG_NOSIGNAL), size);
}

static void say(const char *text)
{
    say_message(WS_OP_TEXT, text, strlen(text));
}

static bool frame_is_whole(struct ws_head *head)
{
    return ws_head_parse(slice_make(heard, heard_len), head) == PARSE_OK &&
           heard_len >= head->size + head->length;
}

/* The next message of the client. */
static struct bytes hear_message(void)
{
    static char text[70000];
    struct ws_head head;
    TURN_UNTIL(frame_is_whole(&head) || (hear_more() && frame_is_whole(&head)));
    assert_true(head.masked && head.fin && head.length < sizeof(text));
    ws_mask_plain(heard + head.size, (size_t)head.length, head.mask, 0);
    memcpy(text, heard + head.size, (size_t)head.length);
    text[head.length] = '\0';
    heard_len -= head.size + (size_t)head.length;
    memmove(heard, heard + head.size + head.length, heard_len);
    return (struct bytes){text, (size_t)head.length};
}

static bool hears_nothing(void)
{
    for (int i = 0; i < 3; i++)
        turn();
    return !hear_more() && heard_len == 0;
}

static bool accepted(void)
{
    server = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    return server >= 0;
}

static void take_request(void)
{
    static struct http_head head;
    heard_len = 0;
    TURN_UNTIL(accepted());
    TURN_UNTIL(hear_more() && http_head_parse(slice_make(heard, heard_len), 0, &head) == PARSE_OK);
    struct slice offered = http_head_find(&head, SLICE_LITERAL("sec-websocket-protocol"));
    snprintf(offer, sizeof(offer), "%.*s", (int)offered.len, offered.ptr);
    char accept[WS_ACCEPT_SIZE], answer[512];
    ws_accept_of(http_head_find(&head, SLICE_LITERAL("sec-websocket-key")), accept);
    int len = snprintf(answer, sizeof(answer),
                       "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                       "Sec-WebSocket-Protocol: httpsocket.v1\r\nSec-WebSocket-Accept: %.28s\r\n"
                       "\r\n",
                       accept);
    heard_len = 0;
    assert_int_equal(send(server, answer, (size_t)len, MSG_NOSIGNAL), len);
}

static void cut(void)
{
    close(server);
    server = -1;
}

/* A client of `path`. */
static int set_up_at(const char *path)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    bind(listener, (struct sockaddr *)&a, sizeof(a));
    listen(listener, 8);
    getsockname(listener, (struct sockaddr *)&a, &(socklen_t){sizeof(a)});
    char url[128];
    snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", ntohs(a.sin_port), path);
    server = -1;
    events[0] = '\0';
    struct httpsocket_options options = {.size = sizeof(options),
                                         .url = url,
                                         .buffer_max = 40,
                                         .on_open = on_open,
                                         .on_lost = on_lost,
                                         .on_message = on_message,
                                         .on_room = on_room,
                                         .on_close = on_close};
    client = httpsocket_new(&options, NULL, 0);
    return client ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    httpsocket_free(client);
    if (server >= 0)
        close(server);
    close(listener);
    return 0;
}

#endif
