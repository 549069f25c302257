/* SPDX-License-Identifier: MIT */
/* response.c - the head of an answer as bytes. */
#include "http/connection.h"

#include "base/digits.h"
#include "base/log.h"
#include "http/date.h"
#include "proto/http_chars.h"

#include <stdlib.h>
#include <time.h>

#define OWN_HEADERS_MAX 256 /* status line without reason, Date, Server, framing, Connection */

struct reason {
    int status;
    const char *text;
};

static const struct reason reasons[] = {
    {100, "Continue"},
    {101, "Switching Protocols"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {203, "Non-Authoritative Information"},
    {204, "No Content"},
    {205, "Reset Content"},
    {206, "Partial Content"},
    {300, "Multiple Choices"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {407, "Proxy Authentication Required"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {425, "Too Early"},
    {426, "Upgrade Required"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {451, "Unavailable For Legal Reasons"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {511, "Network Authentication Required"},
};

struct writer {
    char *at;
};

static void put(struct writer *w, struct slice s)
{
    if (s.len > 0)
        memcpy(w->at, s.ptr, s.len);
    w->at += s.len;
}

#define PUT_LITERAL(w, text) put((w), SLICE_LITERAL(text))

struct slice response_reason(int status)
{
    for (size_t i = 0; i < sizeof(reasons) / sizeof(*reasons); i++) {
        if (reasons[i].status == status)
            return slice_of(reasons[i].text);
    }
    return SLICE_LITERAL("");
}

/* Headers that the connection itself writes; a handler's are left out. */
static bool is_own(struct slice name)
{
    return slice_equal_nocase(name, SLICE_LITERAL("date")) ||
           slice_equal_nocase(name, SLICE_LITERAL("server")) ||
           slice_equal_nocase(name, SLICE_LITERAL("connection")) ||
           slice_equal_nocase(name, SLICE_LITERAL("keep-alive")) ||
           slice_equal_nocase(name, SLICE_LITERAL("content-length")) ||
           slice_equal_nocase(name, SLICE_LITERAL("transfer-encoding"));
}

/* A value without control characters, as nearly all are, is looked at once. */
static bool breaks_lines(struct slice s)
{
    const char *end = s.ptr + s.len, *control = http_skip_field(s.ptr, end);
    size_t left = (size_t)(end - control);
    return left > 0 && (memchr(control, '\r', left) || memchr(control, '\n', left) ||
                        memchr(control, '\0', left));
}

/* A header with a line break would let its source write our answers, so it is not sent. */
static bool is_sendable(const struct http_header *h)
{
    if (is_own(h->name))
        return false;
    if (http_is_token(h->name) && !breaks_lines(h->value))
        return true;
    log_error("http.bad_header", log_slice("name", h->name), log_slice("value", h->value));
    return false;
}

static size_t upper_bound(const struct response *r, struct slice reason)
{
    size_t n = OWN_HEADERS_MAX + reason.len;
    for (size_t i = 0; i < r->header_count; i++)
        n += r->headers[i].name.len + r->headers[i].value.len + sizeof(": \r\n");
    for (size_t i = 0; i < r->added_count; i++)
        n += r->added[i].name.len + r->added[i].value.len + sizeof(": \r\n");
    return n;
}

static struct slice date_now(struct http_server *server)
{
    int64_t now = (int64_t)time(NULL);
    if (now != server->date_seconds) {
        http_date_write(now, server->date);
        server->date_seconds = now;
    }
    return slice_make(server->date, HTTP_DATE_LEN);
}

static void put_number(struct writer *w, uint64_t n)
{
    char room[DIGITS_MAX];
    put(w, digits_of(n, room));
}

static void put_framing(struct writer *w, const struct response *r)
{
    bool told = r->framing == FRAMING_LENGTH || r->framing == FRAMING_NONE;
    if (r->framing == FRAMING_CHUNKED || r->chunked)
        PUT_LITERAL(w, "Transfer-Encoding: chunked\r\n");
    if (told && r->length != EXCHANGE_LENGTH_UNKNOWN) {
        PUT_LITERAL(w, "Content-Length: ");
        put_number(w, r->length);
        PUT_LITERAL(w, "\r\n");
    }
}

/* Upgrade is a header of the connection (RFC 9110, 7.8): it names itself there. */
static void put_connection(struct writer *w, const struct response *r, bool upgrade)
{
    if (upgrade && r->close)
        PUT_LITERAL(w, "Connection: Upgrade, close\r\n");
    else if (upgrade)
        PUT_LITERAL(w, "Connection: Upgrade\r\n");
    else if (r->close)
        PUT_LITERAL(w, "Connection: close\r\n");
    else if (r->keep_alive)
        PUT_LITERAL(w, "Connection: keep-alive\r\n");
}

static void put_status_line(struct writer *w, int status, struct slice reason)
{
    char line[] = "HTTP/1.1 000 ";
    line[9] = (char)('0' + status / 100 % 10);
    line[10] = (char)('0' + status / 10 % 10);
    line[11] = (char)('0' + status % 10);
    put(w, slice_make(line, sizeof(line) - 1));
    put(w, reason);
    PUT_LITERAL(w, "\r\n");
}

static bool has_header(const struct response *r, struct slice name)
{
    for (size_t i = 0; i < r->header_count; i++)
        if (slice_equal_nocase(r->headers[i].name, name))
            return true;
    return false;
}

/* Vary is a list: an added one takes nothing from the handler's. */
static bool is_vary(const struct http_header *h)
{
    return slice_equal_nocase(h->name, SLICE_LITERAL("vary"));
}

static void put_header(struct writer *w, const struct http_header *h)
{
    put(w, h->name);
    PUT_LITERAL(w, ": ");
    put(w, h->value);
    PUT_LITERAL(w, "\r\n");
}

static bool put_headers(struct writer *w, const struct response *r)
{
    bool upgrade = false;
    for (size_t i = 0; i < r->header_count; i++) {
        const struct http_header *h = &r->headers[i];
        if (!is_sendable(h))
            continue;
        upgrade |= slice_equal_nocase(h->name, SLICE_LITERAL("upgrade"));
        put_header(w, h);
    }
    for (size_t i = 0; i < r->added_count; i++)
        if (is_sendable(&r->added[i]) &&
            (is_vary(&r->added[i]) || !has_header(r, r->added[i].name)))
            put_header(w, &r->added[i]);
    return upgrade;
}

struct slice response_head(struct http_server *server, const struct response *r,
                           struct response_room *room)
{
    bool usual = r->reason.len == 0 || breaks_lines(r->reason);
    struct slice reason = usual ? response_reason(r->status) : r->reason;
    size_t bound = upper_bound(r, reason);
    room->heap = bound > sizeof(room->bytes) ? log_needed(malloc(bound)) : NULL;
    if (bound > sizeof(room->bytes) && room->heap == NULL)
        return SLICE_NONE;
    char *begin = room->heap ? room->heap : room->bytes;
    struct writer w = {begin};
    put_status_line(&w, r->status, reason);
    PUT_LITERAL(&w, "Date: ");
    put(&w, date_now(server));
    PUT_LITERAL(&w, "\r\nServer: httpsocket\r\n");
    bool upgrade = put_headers(&w, r);
    put_framing(&w, r);
    put_connection(&w, r, upgrade);
    PUT_LITERAL(&w, "\r\n");
    return slice_make(begin, (size_t)(w.at - begin));
}
