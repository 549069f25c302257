/* SPDX-License-Identifier: MIT */
/* hostile.c - a program that does what no program should, in the order of a seed.
 *
 * The seed is the number in its query (`/hostile?123`), its first argument, or its pid. As a page
 * program it breaks off its head, closes its descriptors in an odd order, writes lines by halves,
 * with wrong lengths and with commands whose JSON is random; it does not read, writes for ever,
 * forks, ignores SIGTERM, stops or kills itself. As a shared one it says all that for its pages,
 * and for those that are gone. As a stdio program it does the same to stdin and stdout.
 *
 * It would end by itself after LIFE_SECONDS; the server has to end it long before.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define LIFE_SECONDS 120
#define NAMES        64
#define COUNT(a)     (sizeof(a) / sizeof(*(a)))

static uint64_t state;
static int line_fd = 3; /* where lines are said */
static int hear_fd = 3;
static bool shared, stdio;
static char names[NAMES][40]; /* sessions that were named to us, the dead ones as well */
static size_t names_seen;
static char said[1 << 17];
static size_t said_len;

static uint32_t below(uint32_t n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return n ? (uint32_t)((state >> 11) % n) : 0;
}

static bool chance(uint32_t percent)
{
    return below(100) < percent;
}

static void rest(uint32_t ms)
{
    usleep(below(ms * 1000) + 1);
}

#define PICK(...)                                                                                  \
    ((const char *[]){__VA_ARGS__}[below((uint32_t)COUNT(((const char *[]){__VA_ARGS__})))])

/* ---- what is said is gathered, and then written whole, by halves or not at all ---- */

static void put(const void *bytes, size_t len)
{
    if (len > sizeof(said) - said_len)
        len = sizeof(said) - said_len;
    memcpy(said + said_len, bytes, len);
    said_len += len;
}

__attribute__((format(printf, 1, 2))) static void say(const char *form, ...)
{
    char text[1024];
    va_list args;
    va_start(args, form);
    int n = vsnprintf(text, sizeof(text), form, args);
    va_end(args);
    put(text, n < (int)sizeof(text) ? (size_t)n : sizeof(text) - 1);
}

static void write_all(int fd, const char *bytes, size_t len)
{
    for (size_t at = 0; at < len;) {
        ssize_t n = write(fd, bytes + at, len - at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return;
        at += (size_t)n;
    }
}

static void flush_said(void)
{
    size_t half = chance(15) ? below((uint32_t)said_len + 1) : said_len;
    write_all(line_fd, said, half);
    if (half < said_len) {
        rest(60);
        if (chance(15))
            _exit((int)below(3));
        if (chance(15))
            raise(SIGKILL);
        if (chance(70))
            write_all(line_fd, said + half, said_len - half);
    }
    said_len = 0;
}

/* ---- random words ---- */

static void json(int depth)
{
    switch (below(depth > 4 ? 9 : 12)) {
    case 0:
        say("null");
        break;
    case 1:
        say("%s", PICK("true", "false", "tru", "-", "1e999", "-0", "01", ".5", "\"", "{", "[,]"));
        break;
    case 2:
        say("%d", (int)below(5));
        break;
    case 3:
        say("%s", PICK("9007199254740993", "18446744073709551616", "-1", "1.5", "4294967296"));
        break;
    case 4:
        say("\"%s\"",
            PICK("", "a", "board", "x\\u0000y", "\\ud800", "a/b", "#p", "click", "script"));
        break;
    case 5: {
        say("\"");
        uint32_t n = below(chance(3) ? 100000 : 300);
        char c = *PICK("x", "\x01", "\xc3", "'", " ");
        for (uint32_t i = 0; i < n; i++)
            put(&c, 1);
        say("\"");
        break;
    }
    case 6:
        for (uint32_t n = chance(10) ? 600 : 3, i = 0; i < n; i++)
            say("[");
        break;
    case 7:
    case 8:
        say("\"%u\"", below(10));
        break;
    case 9:
        say("[");
        for (uint32_t n = below(4), i = 0; i < n; i++) {
            if (i)
                say(",");
            json(depth + 1);
        }
        say("]");
        break;
    default:
        say("{");
        for (uint32_t n = below(5), i = 0; i < n; i++) {
            say("%s\"%s\":", i ? "," : "",
                PICK("id", "topic", "event", "data", "reason", "name", "history", "last", "keep",
                     "presence", "watch", "self", "to", "allow", "ask", "retryAfter", "selector",
                     "html", "text", "set", "processes", "code", "message", "type", "fields"));
            json(depth + 1);
        }
        say("}");
    }
}

static void command(void)
{
    static const char *const good[] = {
        ".listen {\"type\":\"click\"}",
        ".unlisten {\"type\":\"click\"}",
        ".dom {\"set\":\"#p\",\"text\":\"x\"}",
        ".subscribe {\"topic\":\"t1\",\"history\":10,\"last\":true}",
        ".subscribe {\"topic\":\"t2\",\"presence\":{\"name\":\"x\"}}",
        ".subscribe {\"topic\":\"t1\",\"to\":\"page\"}",
        ".subscribe {\"topic\":\"t3\",\"watch\":true}",
        ".unsubscribe {\"topic\":\"t1\"}",
        ".unsubscribe {\"topic\":\"t2\"}",
        ".publish {\"topic\":\"t1\",\"event\":\"e\",\"data\":[1,2],\"keep\":true}",
        ".publish {\"topic\":\"t1\",\"event\":\"e\",\"keep\":false}",
        ".publish {\"topic\":\"t2\",\"event\":\"e\",\"data\":\"0123456789\"}",
        ".accept {\"id\":1}",
        ".accept {\"id\":2,\"data\":{\"a\":1}}",
        ".end {\"id\":1}",
        ".end {\"id\":2}",
        ".reset {\"id\":1,\"reason\":\"no-room\"}",
        ".reset {\"id\":2,\"reason\":\"x\",\"message\":\"y\"}",
        ".stream/1 @5\nhello",
        ".stream/2 @5\nhello",
        ".save [1]",
        ".save {\"a\":\"0123456789\"}",
        ".save @5\nhello",
        ".confirm 0",
        ".confirm 1",
        ".save 1\n.confirm 2",
        ".tcp {\"ask\":true}",
        ".tcp {\"allow\":false}",
        ".tcp {\"allow\":true}",
        ".tcp {\"id\":1,\"allow\":true}",
        ".tcp {\"id\":2,\"allow\":false,\"retryAfter\":0}",
    };
    if (chance(70)) {
        say("%s\n", good[below((uint32_t)COUNT(good))]);
    } else if (chance(10)) {
        say(".close {\"reason\":\"enough\"}\n");
    } else {
        say("%s ", PICK(".listen", ".unlisten", ".dom", ".subscribe", ".unsubscribe", ".publish",
                        ".accept", ".end", ".reset", ".tcp", ".stream/1", ".stream/99", ".close",
                        ".shared", ".answer", ".join", ".leave", ".attach", ".body", ".save",
                        ".confirm", ".confirm 99", ".confirm -1", ".restore", ".state", "."));
        json(0);
        say("\n");
    }
}

static void bytes_event(void)
{
    static const char zeros[9000];
    uint32_t len = below(chance(80) ? 200 : (uint32_t)sizeof(zeros));
    uint32_t told = chance(90) ? len : below(20000);
    say("%s @%u\n",
        PICK("photo", "message", ".save", ".stream/1", ".answer", "photo?3", "=1", "!1"), told);
    put(zeros, len);
    say("\n");
}

static void line(void)
{
    switch (below(10)) {
    case 0:
    case 1:
    case 2:
        command();
        break;
    case 3:
        bytes_event();
        break;
    case 4:
        say("%s%u %s\n", PICK("=", "+", "!", "x?", "=", "="), below(4),
            PICK("1", "null", "{\"message\":\"x\"}", "[", ""));
        break;
    case 5:
        if (chance(10)) {
            say("%s\n", PICK("", " ", "..", "\xff\xfe", "x y z", "@", "@x", "=x", "a\tb", "x@ 1"));
            break;
        }
        /* fall through */
    default:
        say("%s %u\n", PICK("hello", "message", "n", "a/b:c", "x-y"), below(100));
    }
}

static void led_line(void)
{
    static const char letters[] = "ABCabc019-_";
    if (!shared) {
        line();
        return;
    }
    if (names_seen && !chance(3)) {
        size_t known = names_seen < NAMES ? names_seen : NAMES;
        /* Mostly the newest; the old ones may be gone. */
        size_t at = chance(60) ? names_seen - 1 : below((uint32_t)known);
        say("@%s ", names[at % NAMES]);
    } else {
        char name[25] = "";
        for (int i = 0; i < 24; i++)
            name[i] = letters[below(sizeof(letters) - 1)];
        say("@%s ", name);
    }
    switch (below(8)) {
    case 0:
        say(".answer \"Content-Type: text/html\\n\\n<title>x\"\n");
        break;
    case 1:
    case 2:
        say(".answer\n");
        break;
    case 3:
        say(".answer %s\n", PICK("\"Status: 401\\n\\n\"", "\"Status: 303\\nLocation: /x\\n\\n\"",
                                 "\"X: y\\n\"", "\"\\n\"", "\"Content-Length: 3\\n\\nabcdef\"", "1",
                                 "\"Content-Length: 9\\n\\nabc\"", "\"garbage\\n\\n\""));
        break;
    case 4:
        say("%s\n",
            PICK(".close", ".close {\"reason\":\"x\"}", ".leave", "hello 1", ".answer @3\nabc"));
        break;
    default:
        line();
    }
}

/* ---- what is heard ---- */

static void remember(const char *at, const char *end)
{
    const char *space = memchr(at, ' ', (size_t)(end - at));
    if (*at != '@' || !space || space - at > 39)
        return;
    size_t len = (size_t)(space - at - 1);
    char *name = names[names_seen++ % NAMES];
    memcpy(name, at + 1, len);
    name[len] = 0;
}

static bool hear(int ms)
{
    static char heard[65536];
    struct pollfd p = {.fd = hear_fd, .events = POLLIN};
    if (poll(&p, 1, ms) <= 0)
        return true;
    ssize_t n = read(hear_fd, heard, 1 + below(sizeof(heard) - 1));
    if (n <= 0)
        return false;
    for (char *at = heard, *end = heard + n, *lf; at < end; at = lf + 1) {
        lf = memchr(at, '\n', (size_t)(end - at));
        if (!lf)
            break;
        remember(at, lf);
    }
    return true;
}

/* ---- the head of a page ---- */

static void stdout_says(const char *text)
{
    size_t len = strlen(text), cut = chance(20) ? below((uint32_t)len) : len;
    write_all(1, text, cut);
    if (cut < len) {
        rest(50);
        if (chance(20))
            _exit((int)below(2));
        if (chance(20))
            raise(SIGKILL);
        write_all(1, text + cut, len - cut);
    }
}

static void head(void)
{
    static const char filler[4096];
    if (chance(10))
        return; /* none */
    if (chance(10))
        rest(400);
    stdout_says(
        chance(60)
            ? "Content-Type: text/html\n\n<!doctype html><title>x</title>"
            : PICK("\n", "Status: 401\n\nno", "Status: 403\n\n", "Status: 500 x\n\n",
                   "Content-Length: 5\n\nabc", "Content-Length: 2\n\nabcdef", "garbage\n\n",
                   "Location: /\n\n", "Content-Type: text/html\nX: \r\r\n\n", "Status: 99\n\n",
                   "Status: 101\n\n", "Status: 204\n\nbody", "Status: 304\n\nbody",
                   "Transfer-Encoding: chunked\n\n0\n\n", "Connection: close\n\nx",
                   "Sec-WebSocket-Protocol: mqtt\nSet-Cookie: a=1\n\n", "HTTP/1.1 200 OK\n\n",
                   "Content-Type: text/html\nSession-ID: x\nServer-Timing: y\n\n<p>"));
    if (chance(15))
        for (uint32_t n = below(chance(20) ? 600 : 20), i = 0; i < n; i++)
            write_all(1, filler, sizeof(filler));
    if (chance(70))
        close(1);
}

/* ---- odd acts ---- */

static void child(void)
{
    pid_t pid = fork();
    if (pid)
        return;
    if (chance(30))
        setpgid(0, 0);
    if (chance(30))
        signal(SIGTERM, SIG_IGN);
    if (chance(30)) {
        close(3);
        close(1);
    }
    if (chance(30))
        execlp("sleep", "sleep", "100", (char *)NULL);
    if (chance(50))
        _exit(0);
    for (;;)
        pause();
}

static void pass_descriptor(void)
{
    char byte = 'x', room[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec iov = {.iov_base = &byte, .iov_len = 1};
    struct msghdr m = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &(int){2}, sizeof(int));
    sendmsg(3, &m, MSG_NOSIGNAL);
}

static void flood(void)
{
    static char text[40000];
    memset(text, *PICK("x", "\n", " ", "\x01", "\xc3"), sizeof(text));
    int fd = chance(70) ? line_fd : 2;
    for (uint32_t n = below(60), i = 0; i < n; i++) {
        if (shared && names_seen && fd == line_fd) {
            say("@%s hello @%zu\n", names[(names_seen - 1) % NAMES], sizeof(text));
            put(text, sizeof(text));
            say("\n");
            write_all(fd, said, said_len);
            said_len = 0;
        } else {
            write_all(fd, text, sizeof(text));
        }
    }
}

/* Larger than what is one piece, or than what may be. */
static void save_large(void)
{
    static const char zeros[300000];
    uint32_t len = below((uint32_t)sizeof(zeros));
    if (shared && names_seen)
        say("@%s ", names[(names_seen - 1) % NAMES]);
    else if (shared)
        return;
    say(".save @%u\n", len);
    write_all(line_fd, said, said_len);
    write_all(line_fd, zeros, chance(90) ? len : below(len));
    said_len = 0;
    say("\n");
}

static void act(void)
{
    switch (below(26)) {
    case 24:
    case 25:
        save_large();
        break;
    case 0:
        shutdown(3, (int)below(3));
        break;
    case 1:
        close((int)below(4));
        break;
    case 2:
    case 3:
        child();
        break;
    case 4:
        signal(SIGTERM, SIG_IGN);
        break;
    case 5:
        if (!stdio)
            pass_descriptor();
        break;
    case 6:
        flood();
        break;
    case 7:
        rest(chance(20) ? 3000 : 300);
        break;
    case 8:
        if (chance(20))
            raise(SIGSTOP);
        break;
    case 9:
        if (chance(40))
            _exit((int)below(4));
        break;
    case 10:
        if (chance(40))
            raise(chance(50) ? SIGKILL : SIGSEGV);
        break;
    case 11:
        fcntl(3, F_SETFL, O_NONBLOCK);
        break;
    case 12:
        write_all(2, "half a line", 11);
        break;
    case 13:
        setsockopt(3, SOL_SOCKET, SO_RCVBUF, &(int){1}, sizeof(int));
        break;
    case 14:
        close(dup2((int)below(4), (int)below(4)));
        break;
    default:
        rest(30);
    }
}

static uint64_t seed(int count, char **args)
{
    const char *text = count > 1 ? args[1] : getenv("QUERY_STRING");
    while (text && *text && !isdigit((unsigned char)*text))
        text++;
    uint64_t n = text ? strtoull(text, NULL, 10) : 0;
    return (n ? n : (uint64_t)getpid()) * 0x9e3779b97f4a7c15u | 1;
}

int main(int count, char **args)
{
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    alarm(LIFE_SECONDS);
    state = seed(count, args);
    for (int i = 0; i < 8; i++)
        below(1);
    shared = getenv("HTTPSOCKET_SHARED") && *getenv("HTTPSOCKET_SHARED");
    stdio = !getenv("HTTPSOCKET_FD");
    signal(SIGPIPE, chance(50) ? SIG_IGN : SIG_DFL);
    if (stdio) {
        line_fd = 1;
        hear_fd = 0;
    } else if (strstr(args[0], "declares")) {
        write_all(3, ".shared\n", 8);
        shared = chance(90);
    } else if (!shared) {
        if (chance(10))
            led_line(), flush_said();
        head();
    }
    for (uint32_t turns = chance(20) ? below(400) : below(60), i = 0; i < turns; i++) {
        if (chance(75) && !hear(chance(80) ? 20 : 400) && chance(70))
            return (int)(chance(80) ? 0 : below(3));
        for (uint32_t n = below(4); n; n--)
            led_line();
        flush_said();
        if (chance(shared ? 6 : 25))
            act();
    }
    while (chance(85) ? hear(-1) : pause() != 0)
        ;
    return (int)below(2);
}
