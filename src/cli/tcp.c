/* SPDX-License-Identifier: MIT */
/* tcp.c - `httpsocket tcp`: a TCP connection that a server makes for us, on stdin and stdout, like
 * nc(1).
 *
 * The end of stdin ends our side, the target's end closes stdout. A slow side makes the other side
 * wait: stdout by not granting, the target by stdin not being read.
 */
#include "cli/client_notices.h"
#include "cli/client_options.h"
#include "cli/output.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    READ_SIZE = 65536,
    CLOSE_MS = 2000
};

struct pipe {
    struct httpsocket *c;
    struct httpsocket_tcp *t; /* NULL: over */
    struct output out;
    size_t unconsumed; /* of what came: waits in `out` */
    int in;            /* -1: ended */
    int signals;
    struct client_notices notices;
    const char *host, *port;
    bool terminal, their_end, failed;
};

static void fail(struct pipe *p, const char *what, const char *why)
{
    fprintf(stderr, "httpsocket: %s: %s\n", what, why);
    p->failed = true;
}

/* ---- the session ---- */

static void on_lost(struct httpsocket *c, const struct httpsocket_end *why)
{
    struct pipe *p = httpsocket_user(c);
    client_notices_lost(&p->notices, why);
}

static void on_open(struct httpsocket *c, bool resumed)
{
    struct pipe *p = httpsocket_user(c);
    (void)resumed;
    client_notices_open(&p->notices);
}

/* ---- the connection ---- */

static void on_data(struct httpsocket_tcp *t, const void *data, size_t size)
{
    struct pipe *p = httpsocket_tcp_user(t);
    output_put(&p->out, data, size);
    p->unconsumed += size;
}

/* A user at a terminal may never end our side, so the target's end ends both. */
static void on_end(struct httpsocket_tcp *t)
{
    struct pipe *p = httpsocket_tcp_user(t);
    p->their_end = true;
    if (p->terminal)
        httpsocket_tcp_finish(t);
}

static void say_end(const struct pipe *p, const struct httpsocket_tcp_end *end)
{
    const struct httpsocket_end *session = httpsocket_ended(p->c);
    if (session) {
        client_say_end(session);
        return;
    }
    fprintf(stderr, "httpsocket: %s:%s: %s%s%s", p->host, p->port, end->reason,
            *end->message ? ": " : "", end->message);
    if (end->retry_s >= 0)
        fprintf(stderr, " (again in %lld s)", (long long)end->retry_s);
    fputc('\n', stderr);
}

static void on_close(struct httpsocket_tcp *t, const struct httpsocket_tcp_end *end)
{
    struct pipe *p = httpsocket_tcp_user(t);
    p->t = NULL;
    if (*end->reason) {
        say_end(p, end);
        p->failed = true;
    }
    httpsocket_close(p->c, NULL, CLOSE_MS);
}

static void abandon(struct pipe *p)
{
    p->failed = true;
    if (p->t)
        httpsocket_tcp_reset(p->t, NULL);
    p->t = NULL;
    httpsocket_close(p->c, "interrupted", CLOSE_MS);
}

/* ---- stdin and stdout ---- */

static void end_input(struct pipe *p)
{
    if (p->in >= 0)
        close(p->in);
    p->in = -1;
    if (p->t)
        httpsocket_tcp_finish(p->t);
}

static void read_input(struct pipe *p)
{
    char buffer[READ_SIZE];
    size_t room = httpsocket_tcp_room(p->t);
    ssize_t n = read(p->in, buffer, room < sizeof(buffer) ? room : sizeof(buffer));
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n < 0)
        fail(p, "stdin", strerror(errno));
    if (n <= 0)
        end_input(p);
    else if (httpsocket_tcp_write(p->t, buffer, (size_t)n) < 0) {
        p->t = NULL;
        fail(p, p->host, "no memory");
        httpsocket_close(p->c, NULL, CLOSE_MS);
    }
}

static void write_output(struct pipe *p)
{
    output_flush(&p->out, false);
    size_t waits = output_waits(&p->out);
    if (p->out.error && !p->failed) {
        fail(p, "stdout", strerror(p->out.error));
        abandon(p);
    }
    if (p->t && waits < p->unconsumed)
        httpsocket_tcp_consumed(p->t, p->unconsumed - waits);
    p->unconsumed = waits;
    if (p->their_end && waits == 0 && p->out.fd >= 0)
        output_close(&p->out);
}

static void take_signal(struct pipe *p)
{
    int number = client_signals_take(p->signals);
    if (number && p->failed)
        _exit(128 + number); /* asked twice */
    if (number)
        abandon(p);
}

static int wait_for_any(struct pipe *p)
{
    bool reads = p->in >= 0 && p->t && httpsocket_tcp_room(p->t);
    struct pollfd fds[] = {
        {.fd = httpsocket_fd(p->c), .events = POLLIN},
        {.fd = p->signals, .events = POLLIN},
        {.fd = reads ? p->in : -1, .events = POLLIN},
        {.fd = output_waits(&p->out) ? p->out.fd : -1, .events = POLLOUT},
    };
    if (poll(fds, sizeof(fds) / sizeof(*fds), -1) < 0)
        return errno == EINTR ? 0 : -errno;
    if (fds[1].revents)
        take_signal(p);
    else if (fds[2].revents)
        read_input(p);
    return 0;
}

static int run(struct pipe *p)
{
    int result = 0;
    while (result == 0) {
        result = wait_for_any(p);
        if (result == 0)
            result = httpsocket_process(p->c, 0);
        write_output(p);
    }
    output_flush(&p->out, true);
    if (result < 0)
        fail(p, "poll", strerror(-result));
    return p->failed || p->out.error ? CLI_FAILURE : CLI_OK;
}

/* ---- the command line ---- */

/* The server's own place for connections without a program, if no other
 * path is said. On the heap. */
static char *url_of(const char *via)
{
    static const char place[] = "/.httpsocket/connect";
    const char *authority = strstr(via, "://");
    const char *path = authority ? strchr(authority + 3, '/') : NULL;
    bool bare = authority && (!path || !path[1]);
    size_t len = path && bare ? (size_t)(path - via) : strlen(via), room = len + sizeof(place);
    char *url = malloc(room);
    if (url)
        snprintf(url, room, "%.*s%s", (int)len, via, bare ? place : "");
    return url;
}

static bool read_port(const char *text, uint16_t *ret)
{
    char *end;
    unsigned long port = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || port == 0 || port > UINT16_MAX)
        return false;
    *ret = (uint16_t)port;
    return true;
}

static int refuse_words(const struct client_options *o)
{
    if (!o->via)
        fprintf(stderr, "httpsocket: tcp needs --via URL, the server that makes the connection\n");
    else
        fprintf(stderr, "httpsocket: %s is no port: 1 to 65535\n", o->words[1]);
    return CLI_USAGE;
}

static int open_tcp(struct pipe *p, const struct client_options *o, uint16_t port)
{
    struct httpsocket_tcp_options tcp = {
        .size = sizeof(tcp),
        .host = p->host,
        .port = port,
        .secure = o->secure,
        .no_delay = true,
        .own_pace = true,
        .user = p,
        .on_data = on_data,
        .on_end = on_end,
        .on_close = on_close,
    };
    int error = httpsocket_tcp_open(p->c, &tcp, &p->t);
    if (error)
        fail(p, p->host, error == -EINVAL ? "no host" : strerror(-error));
    return error;
}

static int tcp(struct client_options *o, uint16_t port)
{
    struct pipe p = {.in = STDIN_FILENO,
                     .out = {.fd = STDOUT_FILENO},
                     .notices = {.quiet = o->quiet},
                     .host = o->words[0],
                     .port = o->words[1],
                     .terminal = isatty(STDIN_FILENO)};
    o->client.user = &p;
    p.c = client_options_open(o);
    if (!p.c)
        return CLI_USAGE;
    int status = CLI_USAGE;
    if (open_tcp(&p, o, port) == 0) {
        p.signals = client_signals_watch();
        status = run(&p);
        close(p.signals);
    }
    httpsocket_free(p.c);
    output_close(&p.out);
    return status;
}

int tcp_command(int argc, char **argv)
{
    static const struct client_usage usage = {"tcp [OPTIONS] HOST PORT --via URL", 2, 2,
                                              .lasting = true, .tcp = true};
    struct client_options o;
    uint16_t port = 0;
    int status = client_options_read(argc, argv, &usage, &o);
    if (status >= 0)
        return status;
    if (!o.via || !read_port(o.words[1], &port))
        return refuse_words(&o);
    char *url = url_of(o.via);
    if (!url)
        return CLI_FAILURE;
    o.client.url = url;
    if (o.client.retry == HTTPSOCKET_RETRY_ALWAYS)
        o.client.retry = HTTPSOCKET_RETRY_AFTER_OPEN;
    o.client.give_up_ms = o.timeout_ms;
    o.client.on_open = on_open;
    o.client.on_lost = on_lost;
    status = tcp(&o, port);
    free(url);
    return status;
}
