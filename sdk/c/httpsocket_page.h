/* SPDX-License-Identifier: MIT */
/* httpsocket_page.h - page programs of httpsocketd in C: a program prints a page, stays, and goes
 * on talking with it. (A client of such programs is libhttpsocket, <httpsocket.h>.)
 *
 *     #include <httpsocket_page.h>
 *
 *     static int total;
 *
 *     static void add(struct hs_page *page, const struct hs_message *m, void *arg)
 *     {
 *         (void)arg;
 *         hs_sendf(page, "total", "%d", total += atoi(m->data));
 *     }
 *
 *     int main(void)
 *     {
 *         struct hs_page page;
 *         hs_init(&page);
 *         hs_on(&page, "add", add, NULL);
 *         hs_show(&page, "<!doctype html>...");
 *         return hs_run(&page);
 *     }
 *
 * Nothing is to be linked: all of it is in here. JSON is given and got as text; to read it, take a
 * library of your choice.
 *
 * Blocking    hs_next(), hs_call(), hs_more() and hs_run() wait for the page. What sends waits
 *             while the page is slow, and goes on reading meanwhile, up to HS_AHEAD_MAX: each side
 *             may wait for the other. In a loop of yours: when hs_fd() is readable, call hs_next()
 *             with 0 until it gives -ETIMEDOUT.
 * Errors      A negative errno: -EPIPE, the session is over; -EINVAL, no such name, or JSON that is
 *             not on one line; -ETIMEDOUT; -EPROTO, what came is no line of the server's; -ENOMEM.
 * Ownership   What is given is copied. A message is valid until the next one is asked for, an
 *             answer until the next call or hs_more().
 * Threads     One.
 * Signals     None is touched; SIGPIPE is never raised. SIGTERM follows the end of a session.
 */
#ifndef HTTPSOCKET_PAGE_H
#define HTTPSOCKET_PAGE_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifdef __cplusplus
#error "httpsocket_page.h is C"
#endif

#define HS_NAME_MAX    128
#define HS_SESSION_MAX 64
#define HS_NUMBER_MAX  9007199254740991u  /* of a call: above it JSON rounds */
#define HS_CALL_MS     30000              /* a good patience for a call */
#define HS_AHEAD_MAX   (16 * 1024 * 1024) /* bytes read while something else is waited for */
#define HS_SAVINGS     256                /* buckets of the pages of a shared program */
#define HS_HTML        "text/html; charset=utf-8"
#define HS_STATIC      __attribute__((unused)) static

enum hs_kind {
    HS_EVENT,
    HS_CALL,   /* wants hs_answer() or hs_fail() */
    HS_SERVER, /* the server's own: .attach, .detach, ... */
    HS_ANSWER,
    HS_PART,    /* one of several answers: more follow */
    HS_FAILURE, /* of a call: JSON {"message": ...} */
};

struct hs_message {
    enum hs_kind kind;
    bool bytes;          /* data is bytes; otherwise JSON */
    bool bare;           /* there was no data; it counts as null */
    bool resent;         /* a process before this one may have seen it */
    const char *name;    /* NUL-terminated; of HS_SERVER with its dot */
    const char *session; /* of a shared program: which page it is of; otherwise "" */
    uint64_t call;       /* of HS_CALL and of answers */
    const char *data;    /* NUL-terminated, which counts for JSON */
    size_t size;
};

struct hs_page;
typedef void hs_function(struct hs_page *page, const struct hs_message *m, void *arg);

/* The rest is the header's own. */
struct hs_item {
    struct hs_item *next;
    struct hs_message message;
    uint64_t number; /* among the events, calls and answers of its page; 0: it is the server's */
    size_t size;
    char text[];
};

struct hs_listener {
    struct hs_listener *next;
    hs_function *function;
    void *arg;
    bool takes_calls;
    char name[HS_NAME_MAX + 2];
};

/* The state of one page, and which messages it covers. */
struct hs_saving {
    struct hs_saving *next;
    bool used, begun, restoring;
    uint64_t told, done, confirmed, resent;
    size_t queued; /* events and calls that wait */
    char *save;    /* the whole line `.save ...`, until it is written; NULL: nothing has changed */
    size_t save_len;
    char *saved; /* the one that was written last */
    size_t saved_len;
    char session[HS_SESSION_MAX + 1];
};

struct hs_page {
    const char *session; /* its id; "" where there is none */
    bool direct;      /* a script or a device connects straight to the program: no page is wanted */
    bool is_restored; /* it goes on for a process that is gone, and its page is there already */
    int fd;
    char lead[HS_SESSION_MAX + 3]; /* of what is written: `@SESSION ` */
    bool begun, complete, at_end;
    char *in; /* what is not whole yet */
    size_t in_len, in_size, in_searched;
    struct hs_item *first, **last; /* messages that wait */
    struct hs_item *taken;         /* the one that hs_next() gave last */
    struct hs_item *answers, **answers_last, *answer;
    size_t ahead;
    uint64_t calls;
    bool asking;
    char *form;
    struct hs_listener *listeners;
    struct hs_saving saving;               /* of a program of its own */
    struct hs_saving *savings[HS_SAVINGS]; /* of a shared one, by session */
    unsigned refused;
};

/* ---- the page's making ---- */

HS_STATIC void hs_init(struct hs_page *page)
{
    const char *fd = getenv("HTTPSOCKET_FD"), *session = getenv("HTTPSOCKET_SESSION");
    const char *direct = getenv("HTTPSOCKET_CONNECT");
    memset(page, 0, sizeof(*page));
    page->fd = fd ? atoi(fd) : -1;
    page->session = session ? session : "";
    page->direct = direct && !strcmp(direct, "1");
    const char *restored = getenv("HTTPSOCKET_RESTORE");
    page->is_restored = page->saving.restoring = restored && !strcmp(restored, "1");
    page->last = &page->first;
    page->answers_last = &page->answers;
    if (page->fd < 0)
        fputs("httpsocket: there is no page to talk with: this program is to be started by "
              "httpsocketd\n",
              stderr);
}

/* The header block; `headers` are whole lines with their LF, or NULL. The page follows by printf(),
 * and hs_end() completes it. */
HS_STATIC void hs_begin(struct hs_page *page, const char *type, int status, const char *headers)
{
    page->begun = true;
    if (!page->direct || status != 200 || headers) {
        if (status != 200)
            printf("Status: %d\n", status);
        if (type)
            printf("Content-Type: %s\n", type);
        fputs(headers ? headers : "", stdout);
    }
    putchar('\n');
}

/* What is printed from now on goes to the server's log. */
HS_STATIC void hs_end(struct hs_page *page)
{
    if (!page->begun)
        hs_begin(page, HS_HTML, 200, NULL);
    page->complete = true;
    fflush(stdout);
    dup2(2, 1);
}

/* Answers the request with this page, whole. A direct connection is accepted. */
HS_STATIC void hs_show(struct hs_page *page, const char *html)
{
    hs_begin(page, HS_HTML, 200, NULL);
    fputs(page->direct ? "" : html, stdout);
    hs_end(page);
}

/* Answers with this status instead of a page, and ends the program. 401 keeps the client's scripts
 * away from here for a minute, or `retry_s` seconds (negative: it is not said); `path` says from
 * where down. With `realm` a browser asks its user for a name and a password. Both may be NULL. */
HS_STATIC _Noreturn void hs_refuse(struct hs_page *page, int status, const char *message,
                                   const char *realm, int retry_s, const char *path)
{
    page->begun = true;
    printf("Status: %d\nContent-Type: text/plain; charset=utf-8\n", status);
    if (realm)
        printf("WWW-Authenticate: Basic realm=\"%s\", charset=\"UTF-8\"\n", realm);
    if (retry_s >= 0)
        printf("%s: %d\n", status == 401 ? "Access-Control-Max-Age" : "Retry-After", retry_s);
    if (path)
        printf("Access-Control-Policy-Path: %s\n", path);
    printf("\n%s\n", message);
    exit(0);
}

/* ---- text ---- */

HS_STATIC void hs_append(char **text, size_t *len, const char *more, size_t more_len)
{
    *text = realloc(*text, *len + more_len + 1);
    if (!*text)
        abort(); /* of a few bytes of text: there is no going on */
    memcpy(*text + *len, more, more_len);
    *len += more_len;
    (*text)[*len] = '\0';
}

/* Text that stands for itself in HTML; to be freed. */
HS_STATIC char *hs_escape(const char *text)
{
    char *out = NULL;
    size_t len = 0;
    hs_append(&out, &len, "", 0);
    for (; *text; text++) {
        const char *as = *text == '&'    ? "&amp;"
                         : *text == '<'  ? "&lt;"
                         : *text == '>'  ? "&gt;"
                         : *text == '"'  ? "&quot;"
                         : *text == '\'' ? "&#39;"
                                         : NULL;
        hs_append(&out, &len, as ? as : text, as ? strlen(as) : 1);
    }
    return out;
}

/* A JSON string of it, which may stand inside of a <script> element too; to be freed. */
HS_STATIC char *hs_string(const char *text)
{
    char *out = NULL, code[8];
    size_t len = 0;
    hs_append(&out, &len, "\"", 1);
    for (; *text; text++) {
        bool plain = (unsigned char)*text >= 0x20 && !strchr("\"\\<", *text);
        int n = snprintf(code, sizeof(code), plain ? "%c" : "\\u%04x",
                         plain ? *text : (unsigned char)*text);
        hs_append(&out, &len, code, (size_t)n);
    }
    hs_append(&out, &len, "\"", 1);
    return out;
}

/* The same of a text by printf. */
__attribute__((format(printf, 1, 2))) HS_STATIC char *hs_stringf(const char *format, ...)
{
    char *text = NULL;
    va_list list;
    va_start(list, format);
    int n = vasprintf(&text, format, list);
    va_end(list);
    char *string = hs_string(n < 0 ? "" : text);
    if (n >= 0)
        free(text);
    return string;
}

/* ---- the request; the rest of it is in the environment of CGI/1.1 ---- */

HS_STATIC char *hs_decoded(const char *text, size_t len)
{
    char *out = malloc(len + 1), *to = out;
    if (!out)
        return NULL;
    for (size_t i = 0; i < len; i++) {
        unsigned code;
        if (text[i] == '%' && i + 2 < len && sscanf(text + i + 1, "%2x", &code) == 1) {
            *to++ = (char)code;
            i += 2;
        } else {
            *to++ = text[i] == '+' ? ' ' : text[i];
        }
    }
    *to = '\0';
    return out;
}

HS_STATIC char *hs_field(const char *fields, const char *name)
{
    char *found = NULL;
    while (fields && *fields) {
        size_t len = strcspn(fields, "&"), name_len = strcspn(fields, "=&");
        char *this_name = hs_decoded(fields, name_len);
        if (this_name && !strcmp(this_name, name)) {
            bool empty = name_len == len;
            free(found);
            found = hs_decoded(fields + name_len + !empty, empty ? 0 : len - name_len - 1);
        }
        free(this_name);
        fields += len + (fields[len] == '&');
    }
    return found;
}

/* A field of the query, decoded; the last, if there are several. To be
 * freed; NULL: there is none. */
HS_STATIC char *hs_query(const char *name)
{
    return hs_field(getenv("QUERY_STRING"), name);
}

/* The same of a form that was posted as application/x-www-form-urlencoded. */
HS_STATIC char *hs_form(struct hs_page *page, const char *name)
{
    const char *type = getenv("CONTENT_TYPE");
    char piece[4096];
    size_t len = 0, n;
    if (!type || strncasecmp(type, "application/x-www-form-urlencoded", 33) != 0)
        return NULL;
    if (!page->form) {
        page->form = calloc(1, 1);
        while ((n = fread(piece, 1, sizeof(piece), stdin)) > 0)
            hs_append(&page->form, &len, piece, n);
    }
    return hs_field(page->form, name);
}

/* ---- lines ---- */

HS_STATIC bool hs_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("_-:/.", c));
}

HS_STATIC bool hs_name_ok(const char *name)
{
    size_t len = strlen(name);
    if (len < 1 || len > HS_NAME_MAX || name[0] == '.')
        return false;
    while (hs_name_char(*name))
        name++;
    return !*name;
}

/* Decimal, whole, without zeros in front. */
HS_STATIC bool hs_number(const char *text, size_t len, uint64_t *ret)
{
    uint64_t number = 0;
    if (len < 1 || len > 16 || (*text == '0' && len > 1))
        return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        number = number * 10 + (uint64_t)(text[i] - '0');
    }
    *ret = number;
    return number <= HS_NUMBER_MAX;
}

/* What a line's head says; `head` is cut in place. False: it is none. */
HS_STATIC bool hs_head_parse(char *head, struct hs_message *ret)
{
    char *number = head + 1, *mark = strchr(head, '?');
    ret->name = "";
    ret->kind = *head == '=' ? HS_ANSWER : *head == '+' ? HS_PART : HS_FAILURE;
    if (!*head || !strchr("=+!", *head)) {
        ret->name = head;
        ret->kind = *head == '.' ? HS_SERVER : mark ? HS_CALL : HS_EVENT;
        if (mark && ret->kind == HS_CALL)
            *mark = '\0';
        if (!hs_name_ok(*head == '.' ? head + 1 : head))
            return false;
        if (ret->kind != HS_CALL)
            return true;
        number = mark + 1;
    }
    return hs_number(number, strlen(number), &ret->call);
}

/* How long a line's `@SESSION ` is; 0 without one. */
HS_STATIC size_t hs_lead(const char *line, size_t len)
{
    size_t at = 1;
    if (len == 0 || *line != '@')
        return 0;
    while (at < len && hs_name_char(line[at]) && !strchr(":/.", line[at]))
        at++;
    bool ok = at > 1 && at <= HS_SESSION_MAX + 1 && at < len && line[at] == ' ';
    return ok ? at + 1 : 0;
}

/* A message of this line (without LF), and of the bytes behind it. */
HS_STATIC int hs_parse(const char *line, size_t len, const char *bytes, size_t size,
                       struct hs_item **ret)
{
    const char *session = line + 1;
    size_t lead = hs_lead(line, len), session_len = lead ? lead - 2 : 0;
    line += lead;
    len -= lead;
    const char *space = memchr(line, ' ', len);
    size_t head_len = space ? (size_t)(space - line) : len;
    const char *data = bytes ? bytes : space ? space + 1 : "null";
    if (!bytes)
        size = space ? len - head_len - 1 : 4;
    struct hs_item *item = malloc(sizeof(*item) + head_len + 1 + size + 1 + session_len + 1);
    if (!item)
        return -ENOMEM;
    memcpy(item->text, line, head_len);
    item->text[head_len] = '\0';
    memcpy(item->text + head_len + 1, data, size);
    item->text[head_len + 1 + size] = '\0';
    char *name = item->text + head_len + 1 + size + 1;
    memcpy(name, session, session_len);
    name[session_len] = '\0';
    item->next = NULL;
    item->number = 0;
    item->size = head_len + size;
    item->message = (struct hs_message){.session = name,
                                        .bytes = bytes,
                                        .bare = !bytes && !space,
                                        .data = item->text + head_len + 1,
                                        .size = size};
    if (!memchr(line, '\0', head_len) && hs_head_parse(item->text, &item->message)) {
        *ret = item;
        return 0;
    }
    free(item);
    return -EPROTO;
}

/* ---- the state: whose it is ---- */

HS_STATIC struct hs_saving **hs_saving_at(struct hs_page *page, const char *session)
{
    uint32_t hash = 2166136261u;
    for (const char *c = session; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 16777619u;
    struct hs_saving **at = &page->savings[hash % HS_SAVINGS];
    while (*at && strcmp((*at)->session, session) != 0)
        at = &(*at)->next;
    return at;
}

/* NULL: there is no such page. */
HS_STATIC struct hs_saving *hs_saving_of(struct hs_page *page, const char *session)
{
    return *session ? *hs_saving_at(page, session) : &page->saving;
}

HS_STATIC void hs_saving_forget(struct hs_page *page, const char *session)
{
    struct hs_saving **at = hs_saving_at(page, session), *s = *at;
    if (!s)
        return;
    *at = s->next;
    free(s->save);
    free(s->saved);
    free(s);
}

/* Without memory the page has no state. */
HS_STATIC void hs_saving_join(struct hs_page *page, const struct hs_message *m)
{
    hs_saving_forget(page, m->session);
    struct hs_saving *s = *hs_saving_at(page, m->session) = calloc(1, sizeof(*s));
    if (!s)
        return;
    snprintf(s->session, sizeof(s->session), "%s", m->session);
    s->restoring = strstr(m->data, "\"restore\":true") != NULL;
}

/* A message has come. An answer is done at once: whoever asked is in the midst of another one. */
HS_STATIC void hs_note_told(struct hs_page *page, struct hs_item *item)
{
    const struct hs_message *m = &item->message;
    if (*m->session && !strcmp(m->name, ".join"))
        hs_saving_join(page, m);
    struct hs_saving *s = m->kind == HS_SERVER ? NULL : hs_saving_of(page, m->session);
    if (!s)
        return;
    item->number = ++s->told;
    s->queued += m->kind < HS_ANSWER;
}

/* ---- descriptor 3 ---- */

HS_STATIC void hs_sort(struct hs_page *page, struct hs_item *item)
{
    hs_note_told(page, item);
    if (item->message.kind < HS_ANSWER) {
        *page->last = item;
        page->last = &item->next;
        page->ahead += item->size;
    } else if (page->asking && item->message.call == page->calls) {
        *page->answers_last = item;
        page->answers_last = &item->next;
    } else {
        free(item); /* of a call that was given up */
    }
}

/* One message off the buffer. 1, 0: it is not whole yet, or a negative errno. */
HS_STATIC int hs_take(struct hs_page *page, size_t *at)
{
    char *line = page->in + *at;
    size_t left = page->in_len - *at, size = 0;
    char *lf = left > page->in_searched
                   ? memchr(line + page->in_searched, '\n', left - page->in_searched)
                   : NULL;
    if (!lf) {
        page->in_searched = left;
        return 0;
    }
    size_t len = (size_t)(lf - line), used = len + 1;
    size_t lead = hs_lead(line, len);
    char *space = memchr(line + lead, ' ', len - lead);
    bool bytes = space && space + 1 < lf && space[1] == '@';
    if (bytes) {
        uint64_t number;
        if (!hs_number(space + 2, (size_t)(lf - space) - 2, &number))
            return -EPROTO;
        size = number;
        used += size + 1;
        page->in_searched = 0;
        if (left < used)
            return 0;
        if (line[used - 1] != '\n')
            return -EPROTO;
    }
    struct hs_item *item;
    int error = hs_parse(line, len, bytes ? lf + 1 : NULL, size, &item);
    if (error)
        return error;
    hs_sort(page, item);
    *at += used;
    page->in_searched = 0;
    return 1;
}

HS_STATIC int hs_take_all(struct hs_page *page)
{
    size_t at = 0;
    int status;
    while ((status = hs_take(page, &at)) > 0)
        ;
    page->in_len -= at;
    memmove(page->in, page->in + at, page->in_len);
    return status;
}

/* What is there, without waiting. */
HS_STATIC int hs_read(struct hs_page *page)
{
    if (page->in_size - page->in_len < 65536) {
        size_t size = page->in_len + page->in_len / 2 + 65536;
        char *in = realloc(page->in, size);
        if (!in)
            return -ENOMEM;
        page->in = in;
        page->in_size = size;
    }
    ssize_t n = recv(page->fd, page->in + page->in_len, page->in_size - page->in_len, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n <= 0) {
        page->at_end = true;
        return 0;
    }
    page->in_len += (size_t)n;
    return hs_take_all(page);
}

HS_STATIC int64_t hs_now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Until it can be read, or until `deadline` (negative: none). 0 or -ETIMEDOUT. */
HS_STATIC int hs_wait(struct hs_page *page, int64_t deadline)
{
    for (;;) {
        struct pollfd p = {.fd = page->fd, .events = POLLIN};
        int64_t left = deadline < 0 ? -1 : deadline - hs_now_ms();
        int n = poll(&p, 1,
                     deadline < 0       ? -1
                     : left < 0         ? 0
                     : left > INT32_MAX ? INT32_MAX
                                        : (int)left);
        if (n > 0)
            return 0;
        if (n == 0 && deadline >= 0 && hs_now_ms() >= deadline)
            return -ETIMEDOUT;
        if (n < 0 && errno != EINTR)
            return -errno;
    }
}

HS_STATIC int64_t hs_deadline(int timeout_ms)
{
    return timeout_ms < 0 ? -1 : hs_now_ms() + timeout_ms;
}

HS_STATIC int hs_wait_writable(struct hs_page *page)
{
    bool reads = page->ahead <= HS_AHEAD_MAX;
    struct pollfd p = {.fd = page->fd, .events = (short)(POLLOUT | (reads ? POLLIN : 0))};
    poll(&p, 1, -1);
    return p.revents & POLLIN ? hs_read(page) : 0;
}

HS_STATIC int hs_write(struct hs_page *page, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = send(page->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return -EPIPE;
        if (n < 0) {
            int error = hs_wait_writable(page);
            if (error || page->at_end)
                return error ? error : -EPIPE;
            continue;
        }
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

/* A whole message; `json` NULL: without data. */
HS_STATIC int hs_post(struct hs_page *page, const char *head, const char *json)
{
    if (json && strchr(json, '\n'))
        return -EINVAL;
    int error = hs_write(page, page->lead, strlen(page->lead));
    if (!error)
        error = hs_write(page, head, strlen(head));
    if (!error && json)
        error = hs_write(page, " ", 1);
    if (!error && json)
        error = hs_write(page, json, strlen(json));
    return error ? error : hs_write(page, "\n", 1);
}

HS_STATIC int hs_post_bytes(struct hs_page *page, const char *head, const void *data, size_t size)
{
    char line[HS_SESSION_MAX + HS_NAME_MAX + 48];
    snprintf(line, sizeof(line), "%s%s @%zu\n", page->lead, head, size);
    int error = hs_write(page, line, strlen(line));
    if (!error)
        error = hs_write(page, data, size);
    return error ? error : hs_write(page, "\n", 1);
}

/* ---- what the program says ---- */

/* An event for the page; `json` NULL: without data. */
HS_STATIC int hs_send(struct hs_page *page, const char *name, const char *json)
{
    return hs_name_ok(name) ? hs_post(page, name, json) : -EINVAL;
}

/* Posts JSON that is made by printf. */
HS_STATIC int hs_vpostf(struct hs_page *page, const char *head, const char *format, va_list list)
{
    char *json = NULL;
    if (vasprintf(&json, format, list) < 0)
        return -ENOMEM;
    int error = hs_post(page, head, json);
    free(json);
    return error;
}

/* The same with JSON by printf; texts in it are for hs_string(). */
__attribute__((format(printf, 3, 4))) HS_STATIC int hs_sendf(struct hs_page *page, const char *name,
                                                             const char *format, ...)
{
    va_list list;
    va_start(list, format);
    int error = hs_name_ok(name) ? hs_vpostf(page, name, format, list) : -EINVAL;
    va_end(list);
    return error;
}

HS_STATIC int hs_send_bytes(struct hs_page *page, const char *name, const void *data, size_t size)
{
    return hs_name_ok(name) ? hs_post_bytes(page, name, data, size) : -EINVAL;
}

struct hs_head {
    char text[24];
};

HS_STATIC struct hs_head hs_numbered(char sign, uint64_t call)
{
    struct hs_head head;
    snprintf(head.text, sizeof(head.text), "%c%llu", sign, (unsigned long long)call);
    return head;
}

/* Posts {"KEY":TEXT}. */
HS_STATIC int hs_post_text(struct hs_page *page, const char *head, const char *key,
                           const char *text)
{
    char *string = hs_string(text), *json = NULL;
    int n = asprintf(&json, "{\"%s\":%s}", key, string);
    free(string);
    if (n < 0)
        return -ENOMEM;
    int error = hs_post(page, head, json);
    free(json);
    return error;
}

/* The answer to a call, its last; `json` NULL: without data. */
HS_STATIC int hs_answer(struct hs_page *page, uint64_t call, const char *json)
{
    return hs_post(page, hs_numbered('=', call).text, json);
}

__attribute__((format(printf, 3, 4))) HS_STATIC int hs_answerf(struct hs_page *page, uint64_t call,
                                                               const char *format, ...)
{
    va_list list;
    va_start(list, format);
    int error = hs_vpostf(page, hs_numbered('=', call).text, format, list);
    va_end(list);
    return error;
}

HS_STATIC int hs_answer_bytes(struct hs_page *page, uint64_t call, const void *data, size_t size)
{
    return hs_post_bytes(page, hs_numbered('=', call).text, data, size);
}

/* One of several answers; hs_answer() ends them. */
HS_STATIC int hs_part(struct hs_page *page, uint64_t call, const char *json)
{
    return hs_post(page, hs_numbered('+', call).text, json);
}

HS_STATIC int hs_fail(struct hs_page *page, uint64_t call, const char *message)
{
    return hs_post_text(page, hs_numbered('!', call).text, "message", message);
}

/* The session is over; the page is told why. `reason` may be NULL. */
HS_STATIC int hs_close(struct hs_page *page, const char *reason)
{
    return reason ? hs_post_text(page, ".close", "reason", reason) : hs_post(page, ".close", NULL);
}

/* Writes a command to the server, such as `.listen` or `.dom` (docs/page-programs/descriptor-3.md).
 * `command` has its dot: hs_command(page, ".dom", "{\"select\":\"#total\",\"text\":\"17\"}"). What
 * the server answers comes to the functions of hs_on(page, ".problem", ...), ".topic" and so on. */
HS_STATIC int hs_command(struct hs_page *page, const char *command, const char *json)
{
    return *command == '.' && hs_name_ok(command + 1) ? hs_post(page, command, json) : -EINVAL;
}

__attribute__((format(printf, 3, 4))) HS_STATIC int
hs_commandf(struct hs_page *page, const char *command, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    bool ok = *command == '.' && hs_name_ok(command + 1);
    int error = ok ? hs_vpostf(page, command, format, list) : -EINVAL;
    va_end(list);
    return error;
}

/* The next bytes of a byte stream, whose lines come to the functions of ".stream", ".stream/",
 * ".end" (it is whole) and ".reset" (it has broken off). It begins by
 * hs_commandf(page, ".accept", "{\"id\":%d}", id). */
HS_STATIC int hs_stream_write(struct hs_page *page, uint64_t id, const void *data, size_t size)
{
    char head[32];
    snprintf(head, sizeof(head), ".stream/%llu", (unsigned long long)id);
    return hs_post_bytes(page, head, data, size);
}

/* ---- the state that outlives the program (docs/page-programs/state.md) ---- */

/* Writes what is to be saved, and what is done, at one go. */
HS_STATIC int hs_save_write(struct hs_page *page, struct hs_saving *s)
{
    char *out = NULL, lead[HS_SESSION_MAX + 3], line[HS_SESSION_MAX + 40];
    size_t len = 0;
    if (!s || !s->used || s->restoring || page->at_end)
        return 0;
    snprintf(lead, sizeof(lead), *s->session ? "@%s " : "%s", s->session);
    if (!s->begun) {
        snprintf(line, sizeof(line), "%s.confirm 0\n", lead);
        hs_append(&out, &len, line, strlen(line));
    }
    if (s->save) {
        hs_append(&out, &len, lead, strlen(lead));
        hs_append(&out, &len, s->save, s->save_len);
        free(s->saved);
        s->saved = s->save;
        s->saved_len = s->save_len;
        s->save = NULL;
    }
    if (s->done != s->confirmed) {
        snprintf(line, sizeof(line), "%s.confirm %llu\n", lead, (unsigned long long)s->done);
        hs_append(&out, &len, line, strlen(line));
    }
    s->begun = true;
    s->confirmed = s->done;
    int error = out ? hs_write(page, out, len) : 0;
    free(out);
    return error;
}

/* What hs_next() gave is done, and the state is as it leaves it. */
HS_STATIC void hs_end_turn(struct hs_page *page)
{
    struct hs_item *item = page->taken;
    const char *session = item ? item->message.session : "";
    struct hs_saving *s = hs_saving_of(page, session);
    if (s && item && item->number)
        s->done = s->queued ? item->number : s->told;
    hs_save_write(page, s); /* an error comes again when something is read */
    if (item && *session && !strcmp(item->message.name, ".leave"))
        hs_saving_forget(page, session);
    free(page->taken);
    page->taken = NULL;
}

HS_STATIC int hs_save_line(struct hs_page *page, char *line, size_t len)
{
    char session[HS_SESSION_MAX + 1] = "";
    if (*page->lead)
        snprintf(session, sizeof(session), "%.*s", (int)strlen(page->lead) - 2, page->lead + 1);
    struct hs_saving *s = hs_saving_of(page, session);
    if (!s) {
        free(line);
        return -EPIPE;
    }
    free(s->save);
    s->save = line;
    s->save_len = len;
    s->used = true;
    if (s->saved && s->saved_len == len && !memcmp(s->saved, line, len)) {
        free(s->save);
        s->save = NULL;
    }
    bool at_hand = page->taken && !strcmp(page->taken->message.session, session);
    return at_hand || !*session ? 0 : hs_save_write(page, s);
}

/* The state that outlives the program, whole: JSON on one line. It is saved, if it has changed,
 * when the message at hand is done, which is when hs_next() is called again, and by hs_done(): so
 * call that before exit(). Of a program that fails before, the message comes again. Say it whenever
 * the state may have changed, at first before hs_run(); of a shared program for the page of
 * hs_to().
 * A state that is too large is told by ".problem", and in the log.
 *
 * The process that goes on for this one reads ".restore" before all else: hs_restored_state(). */
HS_STATIC int hs_save(struct hs_page *page, const char *json)
{
    char *line = NULL;
    if (!*json || *json == '@' || strchr(json, '\n'))
        return -EINVAL;
    int len = asprintf(&line, ".save %s\n", json);
    return len < 0 ? -ENOMEM : hs_save_line(page, line, (size_t)len);
}

/* The same with JSON by printf; texts in it are for hs_string(). */
__attribute__((format(printf, 2, 3))) HS_STATIC int hs_savef(struct hs_page *page,
                                                             const char *format, ...)
{
    char *json = NULL;
    va_list list;
    va_start(list, format);
    int len = vasprintf(&json, format, list);
    va_end(list);
    if (len < 0)
        return -ENOMEM;
    int error = hs_save(page, json);
    free(json);
    return error;
}

/* The same of bytes, which come back in the line `.state` behind `.restore`. */
HS_STATIC int hs_save_bytes(struct hs_page *page, const void *data, size_t size)
{
    char head[40], *line = NULL;
    size_t len = 0;
    snprintf(head, sizeof(head), ".save @%zu\n", size);
    hs_append(&line, &len, head, strlen(head));
    hs_append(&line, &len, data, size);
    hs_append(&line, &len, "\n", 1);
    return hs_save_line(page, line, len);
}

/* Behind the state, whose texts may say anything. */
HS_STATIC const char *hs_restore_tail(const struct hs_message *m)
{
    const char *found = NULL, *at = m->data;
    while ((at = strstr(at, "\"why\":")) != NULL)
        found = at++;
    return found;
}

/* The state in a line `.restore`, as JSON; to be freed. NULL: it is of bytes. */
HS_STATIC char *hs_restored_state(const struct hs_message *m)
{
    const char *tail = hs_restore_tail(m), head[] = "{\"state\":";
    size_t len = sizeof(head) - 1;
    bool has = tail && !strncmp(m->data, head, len) && tail > m->data + len;
    return has ? strndup(m->data + len, (size_t)(tail - m->data) - len - 1) : NULL;
}

/* A line of the server's about the state. */
HS_STATIC void hs_note_system(struct hs_page *page, const struct hs_message *m)
{
    struct hs_saving *s = hs_saving_of(page, m->session);
    if (s && !strcmp(m->name, ".restore")) {
        const char *tail = hs_restore_tail(m);
        const char *resent = tail ? strstr(tail, "\"resent\":") : NULL;
        s->resent = resent ? strtoull(resent + 9, NULL, 10) : 0;
        s->restoring = false;
        s->used = true;
        free(s->save); /* of the process before it knew */
        s->save = NULL;
    } else if (!strcmp(m->name, ".problem") && strstr(m->data, "\"command\":\"save\"") &&
               page->refused++ < 16) {
        const char *why = strstr(m->data, "\"message\":\"");
        fprintf(stderr, "httpsocket: hs_save: %s\n", why ? why + 11 : m->data);
    }
}

/* ---- one process for many pages ---- */

/* Declares the program a shared one (docs/page-programs/shared.md). Call it before anything else,
 * unless the server's settings declare it. Pages come by ".join" and go by ".leave"; every message
 * has its session. */
HS_STATIC int hs_shared(struct hs_page *page)
{
    return getenv("HTTPSOCKET_SHARED") ? 0 : hs_post(page, ".shared", NULL);
}

/* Whom all that is sent from now on is for. hs_run() sets it for each function. */
HS_STATIC int hs_to(struct hs_page *page, const char *session)
{
    if (strlen(session) > HS_SESSION_MAX)
        return -EINVAL;
    snprintf(page->lead, sizeof(page->lead), *session ? "@%s " : "%s", session);
    return 0;
}

/* The answer to `.join`, whole: a page, or, with html NULL, that a direct
 * connection is accepted. */
HS_STATIC int hs_show_to(struct hs_page *page, const char *html)
{
    static const char head[] = "Content-Type: " HS_HTML "\n\n";
    int error = html ? hs_post_bytes(page, ".answer", head, sizeof(head) - 1) : 0;
    if (html && !error)
        error = hs_post_bytes(page, ".answer", html, strlen(html));
    return error ? error : hs_post(page, ".answer", NULL);
}

/* ---- what comes ---- */

/* Readable when something has come. */
HS_STATIC int hs_fd(const struct hs_page *page)
{
    return page->fd;
}

/* The next event, call or line of the server, after at most `timeout_ms` (-1: without limit).
 * 1; 0: the session is over; or a negative errno, such as -ETIMEDOUT. */
HS_STATIC int hs_next(struct hs_page *page, int timeout_ms, struct hs_message *ret)
{
    int64_t deadline = hs_deadline(timeout_ms);
    hs_end_turn(page);
    while (!page->first) {
        if (page->at_end)
            return 0;
        int error = hs_wait(page, deadline);
        if (!error)
            error = hs_read(page);
        if (error)
            return error;
    }
    struct hs_item *item = page->taken = page->first;
    page->first = item->next;
    if (!page->first)
        page->last = &page->first;
    page->ahead -= item->size;
    struct hs_saving *s = hs_saving_of(page, item->message.session);
    if (s && item->number) {
        s->queued--;
        s->done = item->number - 1;
        item->message.resent = item->number <= s->resent;
    } else if (!item->number) {
        hs_note_system(page, &item->message);
    }
    *ret = item->message;
    return 1;
}

HS_STATIC void hs_forget_answers(struct hs_page *page)
{
    while (page->answers) {
        struct hs_item *item = page->answers;
        page->answers = item->next;
        free(item);
    }
    page->answers_last = &page->answers;
    free(page->answer);
    page->answer = NULL;
}

/* Calls the page, whose answers come by hs_more(), until another call is made. */
HS_STATIC int hs_ask(struct hs_page *page, const char *name, const char *json)
{
    char head[HS_NAME_MAX + 24];
    if (!hs_name_ok(name))
        return -EINVAL;
    hs_forget_answers(page);
    page->asking = true;
    snprintf(head, sizeof(head), "%s?%llu", name, (unsigned long long)++page->calls);
    return hs_post(page, head, json);
}

/* The next answer. 1: there is one, of kind HS_ANSWER, HS_PART or HS_FAILURE; 0: that was all; or a
 * negative errno: -ETIMEDOUT, -EPIPE, -ENOBUFS (HS_AHEAD_MAX bytes came before it). What else comes
 * meanwhile is for hs_next(). */
HS_STATIC int hs_more(struct hs_page *page, int timeout_ms, struct hs_message *ret)
{
    int64_t deadline = hs_deadline(timeout_ms);
    while (!page->answers) {
        if (!page->asking)
            return 0;
        if (page->at_end || page->ahead > HS_AHEAD_MAX)
            return page->at_end ? -EPIPE : -ENOBUFS;
        int error = hs_wait(page, deadline);
        if (!error)
            error = hs_read(page);
        if (error)
            return error;
    }
    free(page->answer);
    page->answer = page->answers;
    page->answers = page->answer->next;
    if (!page->answers)
        page->answers_last = &page->answers;
    page->asking = page->answer->message.kind == HS_PART;
    *ret = page->answer->message;
    return 1;
}

/* Calls the page and waits for its answer, of kind HS_ANSWER or HS_FAILURE (HS_PART: it gives
 * several). 0 or a negative errno, as hs_more(). */
HS_STATIC int hs_call(struct hs_page *page, const char *name, const char *json, int timeout_ms,
                      struct hs_message *answer)
{
    int error = hs_ask(page, name, json);
    if (!error)
        error = hs_more(page, timeout_ms, answer);
    page->asking = false;
    return error < 0 ? error : 0;
}

/* ---- by functions ---- */

HS_STATIC int hs_listen_for(struct hs_page *page, const char *name, bool calls,
                            hs_function *function, void *arg)
{
    if (!hs_name_ok(*name == '.' ? name + 1 : name))
        return -EINVAL;
    struct hs_listener *l = calloc(1, sizeof(*l));
    if (!l)
        return -ENOMEM;
    l->next = page->listeners;
    l->function = function;
    l->arg = arg;
    l->takes_calls = calls;
    strcpy(l->name, name);
    page->listeners = l;
    return 0;
}

/* hs_run() calls it for this event, or for this line of the server (`.attach`, `.detach`, ...). */
HS_STATIC int hs_on(struct hs_page *page, const char *name, hs_function *function, void *arg)
{
    return hs_listen_for(page, name, false, function, arg);
}

/* hs_run() calls it for this call; it answers by hs_answer() or hs_fail(), then or later. */
HS_STATIC int hs_handle(struct hs_page *page, const char *name, hs_function *function, void *arg)
{
    return hs_listen_for(page, name, true, function, arg);
}

/* A function of ".stream/" is for the bytes of all streams. */
HS_STATIC bool hs_is_for(const struct hs_listener *l, const struct hs_message *m)
{
    bool bytes = m->kind == HS_SERVER && !strncmp(m->name, ".stream/", 8);
    if (l->takes_calls != (m->kind == HS_CALL))
        return false;
    return bytes ? !strcmp(l->name, ".stream/") : !strcmp(l->name, m->name);
}

/* Calls the function that there is for it; without one a call is refused, anything else is passed
 * over. */
HS_STATIC void hs_dispatch(struct hs_page *page, const struct hs_message *m)
{
    bool call = m->kind == HS_CALL;
    for (struct hs_listener *l = page->listeners; l; l = l->next) {
        if (hs_is_for(l, m)) {
            hs_to(page, m->session);
            l->function(page, m, l->arg);
            return;
        }
    }
    char why[HS_NAME_MAX + 32];
    hs_to(page, m->session);
    snprintf(why, sizeof(why), "no function for %s", m->name);
    if (call)
        hs_fail(page, m->call, why);
    else if (m->kind == HS_EVENT)
        fprintf(stderr, "httpsocket: nothing hears the event %s\n", m->name);
}

/* Saves the state, frees what the page holds, and closes its descriptor. */
HS_STATIC void hs_done(struct hs_page *page)
{
    hs_end_turn(page);
    hs_forget_answers(page);
    free(page->saving.save);
    free(page->saving.saved);
    page->saving.save = page->saving.saved = NULL;
    for (size_t i = 0; i < HS_SAVINGS; i++)
        while (page->savings[i])
            hs_saving_forget(page, page->savings[i]->session);
    while (page->first) {
        struct hs_item *item = page->first;
        page->first = item->next;
        free(item);
    }
    while (page->listeners) {
        struct hs_listener *l = page->listeners;
        page->listeners = l->next;
        free(l);
    }
    free(page->in);
    free(page->form);
    if (page->fd >= 0)
        close(page->fd);
    page->fd = -1;
}

/* Until the session is over; then hs_done(). 0, or 1 if something failed: for main(). */
HS_STATIC int hs_run(struct hs_page *page)
{
    struct hs_message m;
    int status;
    if (page->fd < 0)
        return 1;
    while ((status = hs_next(page, -1, &m)) > 0)
        hs_dispatch(page, &m);
    hs_done(page);
    return status < 0;
}

#endif
