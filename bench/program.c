/* SPDX-License-Identifier: MIT */
/* program.c - the page programs of benchmarks. What it does is its own name:
 *
 *   echo      sends back every line of descriptor 3 that is an event; without HTTPSOCKET_FD, as a
 *             program of raw_echo, every byte
 *   lines     sends back stdin: a stdio program
 *   hub       shared: all pages hear the topic `t`. What a page whose query is `publish` says is
 *             published there
 *   shared    shared: sends back every event
 *   idle      says `message "ready"` and waits; `idle-shared`, shared: the same for each page
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    BUFFER_SIZE = 1 << 18
};

static char in[BUFFER_SIZE], out[2 * BUFFER_SIZE];
static size_t in_len, out_len;
static const char *name;
static int fd = 3, fd_out = 3;

static void flush(void)
{
    for (size_t at = 0; at < out_len;) {
        ssize_t n = write(fd_out, out + at, out_len - at);
        if (n <= 0)
            _exit(1);
        at += (size_t)n;
    }
    out_len = 0;
}

static void put(const char *bytes, size_t len)
{
    if (out_len + len > sizeof(out))
        flush();
    memcpy(out + out_len, bytes, len);
    out_len += len;
}

static void say(const char *text)
{
    put(text, strlen(text));
}

/* ---- a program of its own ---- */

static void echo_line(const char *line, size_t len)
{
    if (*line != '.')
        put(line, len);
}

/* ---- a shared one: `@SESSION WHAT` ---- */

static bool has(const char *text, size_t len, const char *what)
{
    return memmem(text, len, what, strlen(what)) != NULL;
}

static void accept_page(const char *session, size_t session_len, const char *rest, size_t len)
{
    bool publishes = has(rest, len, "\"query\":\"publish\"");
    put(session, session_len);
    say(" .answer\n");
    if (strcmp(name, "idle-shared") == 0) {
        put(session, session_len);
        say(" message \"ready\"\n");
    }
    if (strcmp(name, "hub") != 0 || publishes)
        return;
    put(session, session_len);
    say(" .subscribe {\"topic\":\"t\",\"to\":\"page\"}\n");
}

/* `m DATA` of a session, `message DATA` of a plain client. */
static void publish(const char *session, size_t session_len, const char *what, size_t len)
{
    const char *data = memchr(what, ' ', len);
    if (!data)
        return;
    put(session, session_len);
    say(" .publish {\"topic\":\"t\",\"event\":\"");
    put(what, (size_t)(data - what));
    say("\",\"data\":");
    put(data + 1, len - (size_t)(data + 1 - what) - 1);
    say("}\n");
}

static void shared_line(const char *line, size_t len)
{
    const char *space = memchr(line, ' ', len);
    if (*line != '@' || !space)
        return;
    const char *what = space + 1;
    size_t session_len = (size_t)(space - line), what_len = len - session_len - 1;
    if (strncmp(what, ".join ", 6) == 0)
        accept_page(line, session_len, what, what_len);
    else if (*what == '.')
        return;
    else if (strcmp(name, "hub") == 0)
        publish(line, session_len, what, what_len);
    else if (strcmp(name, "shared") == 0)
        put(line, len);
}

/* ---- the loop ---- */

static void take_lines(void (*each)(const char *line, size_t len))
{
    char *at = in, *end = in + in_len;
    for (char *lf; (lf = memchr(at, '\n', (size_t)(end - at))); at = lf + 1)
        each(at, (size_t)(lf + 1 - at));
    in_len = (size_t)(end - at);
    if (in_len == sizeof(in))
        _exit(1);
    memmove(in, at, in_len);
}

static void run(void (*each)(const char *line, size_t len))
{
    flush();
    for (ssize_t n; (n = read(fd, in + in_len, sizeof(in) - in_len)) > 0;) {
        in_len += (size_t)n;
        take_lines(each);
        flush();
    }
}

static void echo_bytes(void)
{
    for (ssize_t n; (n = read(fd, in, sizeof(in))) > 0;) {
        put(in, (size_t)n);
        flush();
    }
}

int main(int argc, char **argv)
{
    (void)argc;
    const char *slash = strrchr(argv[0], '/');
    name = slash ? slash + 1 : argv[0];
    if (strcmp(name, "lines") == 0) { /* a stdio program */
        fd = STDIN_FILENO;
        fd_out = STDOUT_FILENO;
        echo_bytes();
        return 0;
    }
    if (!getenv("HTTPSOCKET_FD")) {
        echo_bytes();
        return 0;
    }
    if (strcmp(name, "hub") == 0 || strcmp(name, "shared") == 0 ||
        strcmp(name, "idle-shared") == 0) {
        say(".shared\n");
        run(shared_line);
        return 0;
    }
    if (write(STDOUT_FILENO, "\n", 1) != 1)
        return 1;
    close(STDOUT_FILENO);
    if (strcmp(name, "idle") == 0)
        say("message \"ready\"\n");
    run(echo_line);
    return 0;
}
