/* SPDX-License-Identifier: MIT */
/* counter.c - the honest program: it counts what its pages send and numbers what it says.
 *
 *     c [N,K,"fill"]   page: number N (from 0, without gaps); wants K numbers
 *     b @LEN           the same with bytes: "N K fill"
 *     n [M,"fill"]     program: number M; after a `b` it is `m @LEN` with "M fill"
 *     report?ID        is answered by {"received":…,"sent":…,"faults":…,"pid":…}
 *
 * A *keeper* (its name begins so) saves after each message what it has counted, and goes on from it
 * as another process; its query, or a shared one's session, says how:
 *
 *     c   it says `.confirm N` behind each save; without it the server infers what is covered
 *     b   the state is bytes          l   it is large now and then
 *     k   it dies now and then, between two messages: before it writes, or after
 *
 * A message that comes again after a restore is a `repeat`, one that is missing is a `fault`.
 *
 * A byte stream of the page is accepted and echoed. It is a program with one page, or a shared
 * one if HTTPSOCKET_SHARED says so. It is small and quick to start: a test runs a thousand.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FILL_MAX  (1 << 17)
#define STATE_MAX (200 << 10)
#define FLUSH_AT  (1 << 18)
#define SEATS     16384 /* a power of two, far above the pages of a test */

struct seat {
    char name[32];
    bool used;
    uint64_t received, sent, faults, repeats;
    uint64_t told; /* messages, to this process */
    bool confirms, as_bytes, is_large;
};

static struct seat *seats;
static bool shared, keeper, mortal;
static char *in; /* what was read, from in_at to in_len */
static size_t in_at, in_len, in_room;
static char out[1 << 20];
static size_t out_len;

static void flush_out(void)
{
    for (size_t at = 0; at < out_len;) {
        ssize_t n = write(3, out + at, out_len - at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            exit(0);
        at += (size_t)n;
    }
    out_len = 0;
}

static void put(const void *bytes, size_t len)
{
    if (len > sizeof(out) - out_len)
        flush_out();
    memcpy(out + out_len, bytes, len);
    out_len += len;
}

__attribute__((format(printf, 2, 3))) static void say(const struct seat *seat, const char *form,
                                                      ...)
{
    static char text[STATE_MAX + 1024];
    va_list args;
    va_start(args, form);
    int n = vsnprintf(text, sizeof(text), form, args);
    va_end(args);
    if (shared) {
        put("@", 1);
        put(seat->name, strlen(seat->name));
        put(" ", 1);
    }
    put(text, (size_t)n);
    put("\n", 1);
}

/* The seat of this name; an emptied place is found again by the next that comes along. */
static struct seat *seat_of(const char *name)
{
    size_t at = 5381;
    for (const char *p = name; *p; p++)
        at = at * 33 + (unsigned char)*p;
    struct seat *free_one = NULL;
    for (size_t i = 0; i < SEATS; i++) {
        struct seat *seat = &seats[(at + i) & (SEATS - 1)];
        if (!strcmp(seat->name, name))
            return seat;
        if (!seat->used && !free_one)
            free_one = seat;
        if (!*seat->name)
            break;
    }
    if (!free_one)
        abort();
    *free_one = (struct seat){.used = true};
    snprintf(free_one->name, sizeof(free_one->name), "%s", name);
    return free_one;
}

static void count(struct seat *seat, uint64_t number, uint64_t wanted, const char *fill, bool bytes)
{
    if (keeper && number < seat->received) {
        seat->repeats++;
        return;
    }
    if (number != seat->received) {
        seat->faults++;
        say(seat, "fault [%" PRIu64 ",%" PRIu64 "]", number, seat->received);
    }
    seat->received = number + 1;
    int len = (int)strcspn(fill, "\"]");
    if (len > FILL_MAX)
        len = FILL_MAX;
    for (uint64_t i = 0; i < wanted; i++, seat->sent++) {
        if (bytes) {
            int head = snprintf(NULL, 0, "%" PRIu64 " ", seat->sent);
            say(seat, "m @%d\n%" PRIu64 " %.*s", head + len, seat->sent, len, fill);
        } else {
            say(seat, "n [%" PRIu64 ",\"%.*s\"]", seat->sent, len, fill);
        }
    }
}

/* ---- the state ---- */

static void choose(struct seat *seat, const char *how)
{
    seat->confirms = strchr(how, 'c');
    seat->as_bytes = strchr(how, 'b');
    seat->is_large = strchr(how, 'l');
    if (seat->confirms)
        say(seat, ".confirm 0");
}

/* All in one write, unless the buffer is full: no process dies between a save and its confirm. */
static void save(struct seat *seat)
{
    static char zeros[STATE_MAX];
    static char text[STATE_MAX + 256];
    int fill = seat->is_large && rand() % 8 == 0 ? rand() % STATE_MAX : rand() % 100;
    memset(zeros, '0', sizeof(zeros));
    int len =
        snprintf(text, sizeof(text), "[%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",\"%.*s\"]",
                 seat->received, seat->sent, seat->faults, seat->repeats, fill, zeros);
    if (seat->as_bytes)
        say(seat, ".save @%d\n%s", len, text);
    else
        say(seat, ".save %s", text);
    if (seat->confirms)
        say(seat, ".confirm %" PRIu64, seat->told);
    if (mortal && rand() % 60 == 0)
        _exit(1);
    if (out_len > FLUSH_AT || rand() % 4 == 0)
        flush_out();
    if (mortal && rand() % 60 == 0)
        kill(getpid(), rand() % 2 ? SIGKILL : SIGSEGV);
}

static void restore(struct seat *seat, const char *state)
{
    if (sscanf(state, "[%" SCNu64 ",%" SCNu64 ",%" SCNu64 ",%" SCNu64, &seat->received, &seat->sent,
               &seat->faults, &seat->repeats) != 4)
        say(seat, "fault \"the state\"");
}

static void hear_number(struct seat *seat, char *text, bool bytes)
{
    char *end;
    uint64_t number = strtoull(text, &end, 10);
    uint64_t wanted = *end ? strtoull(end + 1, &end, 10) : 0;
    count(seat, number, wanted, *end ? end + (bytes ? 1 : 2) : "", bytes);
}

static void echo(const struct seat *seat, const char *word, const char *bytes, size_t len)
{
    if (shared) {
        put("@", 1);
        put(seat->name, strlen(seat->name));
        put(" ", 1);
    }
    char head[128];
    put(head, (size_t)snprintf(head, sizeof(head), "%s @%zu\n", word, len));
    for (size_t at = 0; at < len; at += sizeof(out) / 2)
        put(bytes + at, len - at < sizeof(out) / 2 ? len - at : sizeof(out) / 2);
    put("\n", 1);
}

static void joins(struct seat *seat, const char *rest)
{
    if (keeper)
        choose(seat, seat->name[0] & 1 ? "c" : seat->name[1] & 1 ? "l" : "cbl");
    if (strstr(rest, "\"page\":true"))
        say(seat, ".answer \"Content-Type: text/html\\n\\n<title>counter</title>\"");
    say(seat, ".answer");
}

static void hear(struct seat *seat, char *word, char *rest, char *bytes, size_t len)
{
    if (!strcmp(word, ".join"))
        joins(seat, rest);
    else if (!strcmp(word, ".restore") && strstr(rest, "\"state\":"))
        restore(seat, strstr(rest, "\"state\":") + 8);
    else if (!strcmp(word, ".state") && bytes)
        restore(seat, bytes);
    else if (!strcmp(word, ".leave"))
        *seat = (struct seat){.name = "-"};
    else if (!strcmp(word, "c") && *rest == '[')
        hear_number(seat, rest + 1, false);
    else if (!strcmp(word, "b") && bytes)
        hear_number(seat, bytes, true);
    else if (!strncmp(word, "report?", 7))
        say(seat,
            "=%s {\"received\":%" PRIu64 ",\"sent\":%" PRIu64 ",\"faults\":%" PRIu64
            ",\"repeats\":%" PRIu64 ",\"pid\":%d}",
            word + 7, seat->received, seat->sent, seat->faults, seat->repeats, (int)getpid());
    else if (!strcmp(word, ".stream"))
        say(seat, ".accept {\"id\":%lu}", strtoul(strchr(rest, ':') + 1, NULL, 10));
    else if (!strncmp(word, ".stream/", 8))
        echo(seat, word, bytes, len);
    else if (!strcmp(word, ".end"))
        say(seat, ".end {\"id\":%lu}", strtoul(strchr(rest, ':') + 1, NULL, 10));
}

/* Reads more; what there is to say is said first. What was read moves to the front. */
static void read_more(void)
{
    flush_out();
    memmove(in, in + in_at, in_len - in_at);
    in_len -= in_at;
    in_at = 0;
    if (in_len == in_room)
        in = realloc(in, in_room = in_room ? in_room * 2 : 1 << 14);
    ssize_t n;
    do
        n = read(3, in + in_len, in_room - in_len);
    while (n < 0 && errno == EINTR);
    if (n <= 0)
        exit(0);
    in_len += (size_t)n;
}

/* The length of the next line without its LF, which becomes a 0. */
static size_t next_line(void)
{
    for (size_t seen = 0;;) {
        char *lf = in_len > in_at ? memchr(in + in_at + seen, '\n', in_len - in_at - seen) : NULL;
        if (lf) {
            *lf = 0;
            return (size_t)(lf - in) - in_at;
        }
        seen = in_len - in_at;
        read_more();
    }
}

/* The length of the bytes that a line announces by `NAME @LEN`, or -1. */
static ssize_t announced(const char *line)
{
    const char *at = strstr(line, " @");
    return *line && at && isdigit((unsigned char)at[2]) ? (ssize_t)strtoull(at + 2, NULL, 10) : -1;
}

static void hear_line(void)
{
    size_t line_len = next_line();
    ssize_t len = announced(in + in_at);
    size_t whole = line_len + 1 + (len < 0 ? 0 : (size_t)len + 1);
    while (in_len - in_at < whole)
        read_more();
    char *word = in + in_at, *bytes = len < 0 ? NULL : word + line_len + 1;
    in_at += whole;
    if (bytes)
        bytes[len] = 0;
    struct seat *seat = &seats[0];
    if (shared && *word == '@') {
        char *name = word + 1;
        word = strchr(word, ' ');
        if (!word)
            return;
        *word++ = 0;
        seat = seat_of(name);
    }
    char *rest = strchr(word, ' ');
    if (rest)
        *rest++ = 0;
    hear(seat, word, rest ? rest : "", bytes, bytes ? (size_t)len : 0);
    if (keeper && *word != '.') {
        seat->told++;
        save(seat);
    }
}

static void answer(void)
{
    static const char page[] = "Content-Type: text/html\n\n<title>counter</title>\n";
    if (write(1, page, sizeof(page) - 1) < 0)
        exit(1);
    close(1);
}

int main(int count_of_args, char **args)
{
    (void)count_of_args;
    const char *is_shared = getenv("HTTPSOCKET_SHARED");
    shared = is_shared && *is_shared;
    seats = calloc(shared ? SEATS : 1, sizeof(*seats));
    if (!seats)
        return 1;
    keeper = strstr(args[0], "keeper");
    srand((unsigned)getpid());
    if (!shared)
        answer();
    const char *query = getenv("QUERY_STRING");
    if (keeper && !shared && query) {
        mortal = strchr(query, 'k');
        choose(&seats[0], query);
    }
    for (;;)
        hear_line();
}
