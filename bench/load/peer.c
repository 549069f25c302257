/* SPDX-License-Identifier: MIT */
#include "peer.h"

#include "common.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
    INBOX_BYTES = 256 * 1024,
    ACK_EVERY = 64,
    OP_TEXT = 1,
    OP_CLOSE = 8,
    OP_PING = 9,
    OP_PONG = 10
};

static const unsigned char no_mask[4];
static char inbox[INBOX_BYTES];

/* ---- connecting ---- */

static void send_all(int fd, const char *bytes, size_t len)
{
    if (send(fd, bytes, len, MSG_NOSIGNAL) != (ssize_t)len)
        die("handshake");
}

static void read_exactly(int fd, char *bytes, size_t len)
{
    if (len && recv(fd, bytes, len, MSG_WAITALL) != (ssize_t)len)
        die("handshake");
}

static void note_session(struct peer *p, const char *welcome)
{
    static const char field[] = "\"session\":\"";
    const char *id = strstr(welcome, field);
    size_t len = id ? strcspn(id += sizeof(field) - 1, "\"") : 0;
    if (!len || len >= sizeof(p->session))
        fail("no session in %s", welcome);
    memcpy(p->session, id, len);
    p->session[len] = '\0';
}

static void read_welcome(struct peer *p)
{
    int fd = p->fd;
    unsigned char head[4];
    char text[ANSWER_MAX];
    read_exactly(fd, (char *)head, 2);
    size_t len = head[1];
    if (len == 126) {
        read_exactly(fd, (char *)head + 2, 2);
        len = (size_t)head[2] << 8 | head[3];
    }
    if (head[0] != (0x80 | OP_TEXT) || len >= sizeof(text))
        fail("no .welcome came but op %d, %zu bytes", head[0], len);
    read_exactly(fd, text, len);
    if (strncmp(text, ".welcome ", 9) != 0)
        fail("no .welcome came but %.*s", (int)len, text);
    text[len] = '\0';
    note_session(p, text);
}

static void send_handshake(const struct wire *w, const struct peer *p)
{
    char head[ANSWER_MAX], protocol[256] = "", session[64] = "";
    unsigned site = w->home ? w->home : p->port;
    if (*p->session)
        snprintf(session, sizeof(session), ", session.%s, received.0", p->session);
    if (w->kind == KIND_SESSION)
        snprintf(protocol, sizeof(protocol),
                 "Origin: http://127.0.0.1:%u\r\n"
                 "Sec-WebSocket-Protocol: httpsocket.v1, key.%011d%011llu%s\r\n",
                 site, (int)getpid(), (unsigned long long)p->number, session);
    int len = snprintf(head, sizeof(head),
                       "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nUpgrade: websocket\r\n"
                       "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                       "Sec-WebSocket-Key: " WEBSOCKET_KEY "\r\n%s\r\n",
                       w->path, site, protocol);
    send_all(p->fd, head, (size_t)len);
}

static void read_handshake(const struct wire *w, struct peer *p)
{
    char head[ANSWER_MAX];
    read_answer_head(p->fd, head);
    if (!is_websocket_answer(head))
        fail("refused: %s", head);
    if (w->kind == KIND_SESSION)
        read_welcome(p);
}

/* The session is at home; its connection is to come by another server from now on. */
static void leave_home(const struct wire *w, struct peer *p)
{
    close(p->fd);
    p->fd = connect_to(p->port, w->source, false);
    send_handshake(w, p);
    read_handshake(w, p);
}

static void read_subscribed(struct peer *p)
{
    static const char answer[] = "*3\r\n$9\r\nsubscribe\r\n$1\r\nt\r\n:1\r\n";
    char came[sizeof(answer)] = "";
    read_exactly(p->fd, came, sizeof(answer) - 1);
    if (strcmp(came, answer) != 0)
        fail("not subscribed: %s", came);
}

static bool is_websocket(const struct wire *w)
{
    return w->kind == KIND_WS || w->kind == KIND_SESSION;
}

void peer_connect(struct wire *w, struct peer *p, uint64_t number)
{
    p->number = number;
    p->fd = connect_to(w->home ? w->home : p->port, w->source, false);
    if (w->kind == KIND_REDIS && !p->publisher)
        send_all(p->fd, "SUBSCRIBE t\r\n", 13);
    if (is_websocket(w))
        send_handshake(w, p);
}

void peer_welcome(struct wire *w, struct peer *p, uint64_t place)
{
    if (w->kind == KIND_REDIS && !p->publisher)
        read_subscribed(p);
    if (is_websocket(w))
        read_handshake(w, p);
    if (w->home)
        leave_home(w, p);
    p->send_at = place * 37 * w->out.one % w->out.all;
    p->receive_at = place * 37 * w->back.one % w->back.all;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = p};
    p->events = EPOLLIN;
    if (epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, p->fd, &event) < 0)
        die("epoll");
}

/* ---- sending ---- */

static void want(const struct wire *w, struct peer *p, uint32_t events)
{
    if (p->events == events)
        return;
    struct epoll_event event = {.events = events, .data.ptr = p};
    p->events = events;
    if (epoll_ctl(w->epoll_fd, EPOLL_CTL_MOD, p->fd, &event) < 0)
        die("epoll");
}

static void put_control(struct peer *p, int op, const char *text)
{
    size_t len = strlen(text);
    if (p->control_len + len + 14 > sizeof(p->control))
        return; /* an acknowledgement comes again with the next */
    p->control_len += pattern_put_head(p->control + p->control_len, op, len, no_mask);
    memcpy(p->control + p->control_len, text, len);
    p->control_len += len;
}

static void acknowledge(struct peer *p)
{
    char text[32];
    if (p->control_len)
        return;
    snprintf(text, sizeof(text), ".ack %llu", (unsigned long long)p->received);
    put_control(p, OP_TEXT, text);
    p->acknowledged = p->received;
}

static void note_sent(const struct wire *w, struct peer *p, size_t n)
{
    p->to_send -= n;
    p->send_at = (p->send_at + n) % w->out.all;
    p->send_frame = (p->send_frame + n) % w->out.one;
}

void peer_send(struct wire *w, struct peer *p)
{
    while (p->to_send || p->control_len) {
        size_t control = p->send_frame == 0 ? p->control_len : 0;
        size_t chunk = w->out.all - p->send_at;
        if (p->control_len && !control) /* first the rest of a message */
            chunk = w->out.one - p->send_frame;
        if (chunk > p->to_send)
            chunk = p->to_send;
        struct iovec parts[2] = {{p->control, control}, {w->out.bytes + p->send_at, chunk}};
        struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
        ssize_t n = sendmsg(p->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN)
            break;
        if (n < 0)
            die("send");
        size_t of_control = (size_t)n < control ? (size_t)n : control;
        p->control_len -= of_control;
        memmove(p->control, p->control + of_control, p->control_len);
        note_sent(w, p, (size_t)n - of_control);
    }
    want(w, p, p->to_send || p->control_len ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

void peer_start(struct wire *w, struct peer *p, uint64_t count)
{
    p->to_send += count * w->out.one;
}

/* ---- receiving ---- */

/* True: the frame that begins so is none of ours. */
static bool is_foreign(const struct wire *w, const struct peer *p)
{
    return (p->head[0] & 15) >= OP_CLOSE ||
           (w->kind == KIND_SESSION && p->head[1] < 126 && p->head_len == 3 && p->head[2] == '.');
}

static void hear_foreign(struct peer *p)
{
    int op = p->head[0] & 15;
    if (op == OP_CLOSE)
        fail("the server closed the connection");
    if (op == OP_PING)
        put_control(p, OP_PONG, "");
    else if (op == OP_TEXT && p->head[1] == 5) /* .ping: only we would be told .pong */
        put_control(p, OP_TEXT, ".pong");
    p->skip = p->head[1] - (p->head_len > 2 ? 1u : 0u);
    p->head_len = 0;
}

static void check(const struct wire *w, struct peer *p, const char *bytes, size_t len)
{
    if (memcmp(bytes, w->back.bytes + p->receive_at, len) != 0)
        fail("a wrong byte came back, in message %llu of a connection",
             (unsigned long long)p->received);
    p->receive_at = (p->receive_at + len) % w->back.all;
    p->receive_frame += len;
    if (p->receive_frame < w->back.one)
        return;
    p->receive_frame = 0;
    p->received++;
}

/* Looks at a frame's first bytes; returns how many it took. */
static size_t take_head(const struct wire *w, struct peer *p, const char *bytes, size_t len)
{
    size_t at = 0;
    while (at < len && (p->head_len < 2 || (p->head_len == 2 && p->head[1] != 0)))
        if (p->head_len == 3)
            break;
        else
            p->head[p->head_len++] = (unsigned char)bytes[at++];
    if (p->head_len < 3 && !(p->head_len == 2 && p->head[1] == 0))
        return at;
    if (is_foreign(w, p)) {
        hear_foreign(p);
        return at;
    }
    unsigned len_of_head = p->head_len;
    p->head_len = 0;
    check(w, p, (const char *)p->head, len_of_head);
    return at;
}

static void check_frames(const struct wire *w, struct peer *p, const char *bytes, size_t len)
{
    for (size_t at = 0; at < len;) {
        size_t rest = len - at;
        if (p->skip) {
            size_t n = p->skip < rest ? p->skip : rest;
            p->skip -= n;
            at += n;
        } else if (p->receive_frame == 0) {
            at += take_head(w, p, bytes + at, rest);
        } else {
            size_t n = w->back.one - p->receive_frame;
            n = n < rest ? n : rest;
            check(w, p, bytes + at, n);
            at += n;
        }
    }
}

static void check_stream(const struct wire *w, struct peer *p, const char *bytes, size_t len)
{
    for (size_t at = 0; at < len;) {
        size_t n = w->back.one - p->receive_frame;
        n = n < len - at ? n : len - at;
        check(w, p, bytes + at, n);
        at += n;
    }
}

uint64_t peer_receive(struct wire *w, struct peer *p)
{
    ssize_t n = recv(p->fd, inbox, sizeof(inbox), MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN)
        return 0;
    if (n == 0)
        fail("the server ended the connection");
    if (n < 0)
        die("receive");
    uint64_t before = p->received;
    if (is_websocket(w))
        check_frames(w, p, inbox, (size_t)n);
    else if (!p->publisher)
        check_stream(w, p, inbox, (size_t)n);
    uint64_t came = p->received - before;
    if (came > p->to_finish)
        fail("more came back than was sent");
    p->to_finish -= came;
    if (w->kind == KIND_SESSION && p->received - p->acknowledged >= ACK_EVERY)
        acknowledge(p);
    return came;
}

void peer_close(struct wire *w, struct peer *p)
{
    if (w->kind == KIND_SESSION) {
        put_control(p, OP_TEXT, ".close {\"reason\":\"bench\"}");
        send(p->fd, p->control, p->control_len, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    close(p->fd);
}
