/* SPDX-License-Identifier: MIT */
/* connect.c - `httpsocket connect`: the messages of a program as lines on stdout, lines of stdin to
 * the program, in the form of a page program's descriptor 3; or with --exec to and from a command.
 *
 * At the end of stdin the session is closed, when the program has taken all and answered the calls.
 * A slow side makes the other side wait: stdout by a pause, the program by not reading stdin.
 */
#include "cli/child.h"
#include "cli/client_notices.h"
#include "cli/client_options.h"
#include "cli/output.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    READ_SIZE = 65536,
    LINE_MAX_BYTES = 16 << 20,
    OUTPUT_MAX = 1 << 20, /* more waits for stdout: the program waits */
    INTERRUPT_MS = 2000
};

struct bridge {
    struct httpsocket *c;
    struct output out;
    int in; /* -1: ended */
    int signals;
    char *line; /* what was read and not sent */
    size_t at, len, room, seen;
    uint64_t lines;
    uint64_t calls_open; /* of ours, not answered */
    bool full;           /* until on_room */
    bool terminal, failed;
    struct client_notices notices;
    const char *in_name, *out_name;
};

/* ---- the program's messages ---- */

static void on_message(struct httpsocket *c, const struct httpsocket_message *m)
{
    struct bridge *b = httpsocket_user(c);
    char head[HTTPSOCKET_LINE_MAX];
    if ((m->kind == HTTPSOCKET_ANSWER || m->kind == HTTPSOCKET_FAILURE) && b->calls_open)
        b->calls_open--;
    output_put(&b->out, head, httpsocket_line_head(m, head));
    output_put(&b->out, m->data, m->size);
    output_put(&b->out, "\n", 1);
    if (output_waits(&b->out) > OUTPUT_MAX)
        httpsocket_pause(c);
}

static void on_room(struct httpsocket *c)
{
    struct bridge *b = httpsocket_user(c);
    b->full = false;
}

static void on_lost(struct httpsocket *c, const struct httpsocket_end *why)
{
    struct bridge *b = httpsocket_user(c);
    client_notices_lost(&b->notices, why);
}

static void on_open(struct httpsocket *c, bool resumed)
{
    struct bridge *b = httpsocket_user(c);
    (void)resumed;
    client_notices_open(&b->notices);
}

/* ---- our lines ---- */

static void end_input(struct bridge *b)
{
    if (b->in >= 0)
        close(b->in);
    b->in = -1;
}

/* Drops the input that was read and not sent. */
static void abandon_input(struct bridge *b)
{
    b->failed = true;
    b->at = b->len;
    end_input(b);
}

static void fail_input(struct bridge *b, const char *why)
{
    fprintf(stderr, "httpsocket: %s, line %llu: %s\n", b->in_name, (unsigned long long)b->lines + 1,
            why);
    abandon_input(b);
}

/* A user at a terminal may try again. */
static void refuse_line(struct bridge *b, const char *why)
{
    char *lf = memchr(b->line + b->at, '\n', b->len - b->at);
    if (!b->terminal || !lf) {
        fail_input(b, why);
        return;
    }
    fprintf(stderr, "httpsocket: %s\n", why);
    b->at = (size_t)(lf - b->line) + 1;
    b->seen = 0;
}

/* False: nothing more can be sent now. */
static bool send_line(struct bridge *b)
{
    struct httpsocket_message m;
    char name[HTTPSOCKET_LINE_MAX];
    const char *why = "";
    size_t used, len = b->len - b->at;
    if (len == 0)
        return false;
    int found =
        httpsocket_line_read(b->line + b->at, len, b->seen, LINE_MAX_BYTES, name, &used, &m, &why);
    if (found == 0) {
        b->seen = len;
        return false;
    }
    if (found < 0) {
        refuse_line(b, why);
        return true;
    }
    int error = httpsocket_send(b->c, &m);
    if (error == -EAGAIN) {
        b->full = true;
        return false;
    }
    if (error) {
        refuse_line(b, error == -EMSGSIZE ? "larger than the server takes" : strerror(-error));
        return true;
    }
    b->calls_open += m.kind == HTTPSOCKET_CALL;
    b->at += used;
    b->seen = 0;
    b->lines++;
    return true;
}

/* Room for `more` bytes behind what was read and not sent. */
static bool make_room(struct bridge *b, size_t more)
{
    if (b->at) {
        memmove(b->line, b->line + b->at, b->len - b->at);
        b->len -= b->at;
        b->at = 0;
    }
    if (b->room - b->len >= more)
        return true;
    size_t room = b->len + more > 2 * b->room ? b->len + more : 2 * b->room;
    char *line = realloc(b->line, room);
    if (!line) {
        fail_input(b, "no memory");
        return false;
    }
    b->line = line;
    b->room = room;
    return true;
}

static void read_input(struct bridge *b)
{
    if (!make_room(b, READ_SIZE))
        return;
    ssize_t n = read(b->in, b->line + b->len, READ_SIZE);
    if (n > 0) {
        b->len += (size_t)n;
        return;
    }
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n < 0)
        fail_input(b, strerror(errno));
    else if (b->len > b->at)
        b->line[b->len++] = '\n'; /* the last line may lack its end */
    end_input(b);
}

static void send_lines(struct bridge *b)
{
    while (!b->full && send_line(b))
        continue;
    if (b->in >= 0 || b->full)
        return;
    if (b->at < b->len)
        fail_input(b, "the input ends inside a message");
    if (b->failed || b->calls_open == 0)
        httpsocket_close(b->c, b->failed ? "bad-input" : "end-of-input", 0);
}

/* ---- both ---- */

static void take_signal(struct bridge *b)
{
    int number = client_signals_take(b->signals);
    if (number == 0)
        return;
    if (b->failed)
        _exit(128 + number); /* asked twice */
    abandon_input(b);
    httpsocket_close(b->c, "interrupted", INTERRUPT_MS);
}

static void write_output(struct bridge *b)
{
    bool was_whole = !b->out.error;
    output_flush(&b->out, false);
    if (output_waits(&b->out) <= OUTPUT_MAX / 2)
        httpsocket_resume(b->c);
    if (!b->out.error || !was_whole || b->out_name == NULL)
        return;
    fprintf(stderr, "httpsocket: %s: %s\n", b->out_name, strerror(b->out.error));
    abandon_input(b);
    httpsocket_close(b->c, "output-closed", INTERRUPT_MS);
}

static int wait_for_any(struct bridge *b)
{
    bool reads = b->in >= 0 && !b->full;
    struct pollfd p[] = {
        {.fd = httpsocket_fd(b->c), .events = POLLIN},
        {.fd = b->signals, .events = POLLIN},
        {.fd = reads ? b->in : -1, .events = POLLIN},
        {.fd = output_waits(&b->out) ? b->out.fd : -1, .events = POLLOUT},
    };
    if (poll(p, sizeof(p) / sizeof(*p), -1) < 0)
        return errno == EINTR ? 0 : -errno;
    if (p[1].revents)
        take_signal(b);
    else if (p[2].revents)
        read_input(b);
    return 0;
}

static int run(struct bridge *b)
{
    int result = 0;
    while (result == 0) {
        result = wait_for_any(b);
        if (result == 0)
            result = httpsocket_process(b->c, 0);
        if (result == 0)
            send_lines(b);
        write_output(b);
    }
    output_flush(&b->out, true);
    if (result < 0)
        fprintf(stderr, "httpsocket: %s\n", strerror(-result));
    int status = client_status(b->c);
    return result < 0 || b->failed || (b->out.error && b->out_name) ? CLI_FAILURE : status;
}

static int end_child(const struct child *child, int status)
{
    int how = child_wait(child);
    if (WIFEXITED(how) && WEXITSTATUS(how) == 0)
        return status;
    if (WIFEXITED(how))
        fprintf(stderr, "httpsocket: the command exited with %d\n", WEXITSTATUS(how));
    else
        fprintf(stderr, "httpsocket: the command ended by signal %d\n", WTERMSIG(how));
    return CLI_FAILURE;
}

static int connect_lines(struct client_options *o)
{
    struct bridge b = {.in = STDIN_FILENO,
                       .out = {.fd = STDOUT_FILENO},
                       .in_name = "stdin",
                       .out_name = "stdout",
                       .notices = {.quiet = o->quiet}};
    struct child child = {0};
    o->client.user = &b;
    b.c = client_options_open(o);
    if (!b.c)
        return CLI_USAGE;
    b.signals = client_signals_watch();
    int error = o->exec ? child_start(o->exec, &child) : 0;
    if (error) {
        fprintf(stderr, "httpsocket: %s: %s\n", o->exec, strerror(error));
        httpsocket_free(b.c);
        return CLI_FAILURE;
    }
    if (o->exec) {
        b.in = child.out;
        b.out.fd = child.in;
        b.in_name = "the command's output";
        b.out_name = NULL; /* it need not read to its end */
    }
    b.terminal = isatty(b.in);
    int status = run(&b);
    httpsocket_free(b.c);
    end_input(&b);
    output_close(&b.out);
    free(b.line);
    close(b.signals);
    return o->exec ? end_child(&child, status) : status;
}

int connect_command(int argc, char **argv)
{
    static const struct client_usage usage = {"connect [OPTIONS] URL", 1, 1, .lasting = true,
                                              .exec = true};
    struct client_options o;
    int status = client_options_read(argc, argv, &usage, &o);
    if (status >= 0)
        return status;
    o.client.give_up_ms = o.timeout_ms;
    o.client.on_open = on_open;
    o.client.on_lost = on_lost;
    o.client.on_message = on_message;
    o.client.on_room = on_room;
    return connect_lines(&o);
}
