/* SPDX-License-Identifier: MIT */
#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/log_share.h"
#include "base/log_sink.h"
#include "base/utf8.h"

#define LINE_MAX_BYTES  LOG_SINK_LINE_MAX
#define VALUE_MAX_BYTES 256
#define SINK_ROOM       (256u << 10)
#define STOP_MS         1000

enum log_level log_threshold = LOG_INFO;
static enum log_format log_format = LOG_FORMAT_TEXT;
static struct log_sink *log_sink; /* NULL: lines are written where they are made */
static bool never_waits;
static uint64_t lost_here; /* without a sink */
static const char *const level_names[] = {"debug", "info", "warn", "error", "nothing"};

static const char cut_mark_text[] = " cut=true";
static const char cut_mark_json[] = ",\"cut\":true";

struct line {
    size_t len;
    bool full; /* something did not fit, so its whole field is taken back */
    char text[LINE_MAX_BYTES];
};

static void put(struct line *line, struct slice s)
{
    /* Behind the fields there is room for the mark of a cut, a brace and LF. */
    size_t room = sizeof(line->text) - sizeof(cut_mark_json) - 2 - line->len;
    if (s.len > room || line->full) {
        line->full = true;
        return;
    }
    memcpy(line->text + line->len, s.ptr, s.len);
    line->len += s.len;
}

static void put_text(struct line *line, const char *text)
{
    put(line, slice_of(text));
}

static bool is_bare(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c <= ' ' || c == '"' || c == '\\' || c == '=' || c >= 0x7f)
            return false;
    }
    return s.len > 0;
}

/* Controls of ASCII and of Latin-1 (C1), which terminals obey. */
static bool is_control(uint32_t code)
{
    return code < ' ' || (code >= 0x7f && code < 0xa0);
}

static void put_invalid(struct line *line, char byte)
{
    char escape[8];
    if (log_format == LOG_FORMAT_JSON) {
        put_text(line, "\xef\xbf\xbd"); /* U+FFFD */
        return;
    }
    snprintf(escape, sizeof(escape), "\\x%02x", (unsigned char)byte);
    put_text(line, escape);
}

/* UTF-8 stays as it is. Bytes that could end the value or the line, or control a terminal, are
 * escaped. */
static void put_escaped(struct line *line, struct slice s)
{
    char escape[16];
    for (size_t n; s.len; s = slice_skip(s, n)) {
        uint32_t code;
        n = utf8_next(s, &code);
        if (n == 0) {
            put_invalid(line, s.ptr[0]);
            n = 1;
        } else if (code == '"' || code == '\\') {
            snprintf(escape, sizeof(escape), "\\%c", (int)code);
            put_text(line, escape);
        } else if (is_control(code)) {
            snprintf(escape, sizeof(escape), "\\u%04x", (unsigned)code);
            put_text(line, escape);
        } else {
            put(line, slice_first(s, n));
        }
    }
}

static void put_value(struct line *line, struct slice s)
{
    bool cut = s.len > VALUE_MAX_BYTES;
    s = utf8_first(s, VALUE_MAX_BYTES);
    if (log_format == LOG_FORMAT_TEXT && !cut && is_bare(s)) {
        put(line, s);
        return;
    }
    put_text(line, "\"");
    put_escaped(line, s);
    put_text(line, cut ? "...\"" : "\"");
}

static void put_number(struct line *line, int64_t number)
{
    char text[24], *at = text + sizeof(text);
    uint64_t left = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    do
        *--at = (char)('0' + left % 10);
    while (left /= 10);
    if (number < 0)
        *--at = '-';
    put(line, slice_make(at, (size_t)(text + sizeof(text) - at)));
}

static void put_field(struct line *line, const struct log_field *f)
{
    if (log_format == LOG_FORMAT_JSON) {
        put_text(line, ",\"");
        put_text(line, f->key);
        put_text(line, "\":");
    } else {
        put_text(line, " ");
        put_text(line, f->key);
        put_text(line, "=");
    }
    if (f->kind == LOG_KIND_INT) {
        put_number(line, f->number);
    } else if (f->kind == LOG_KIND_ERRNO) {
        char text[96];
        int error = (int)(f->number < 0 ? -f->number : f->number);
        put_value(line, slice_of(strerror_r(error, text, sizeof(text))));
    } else {
        put_value(line, f->slice);
    }
}

/* `2026-11-23T15:00:00.123Z`; up to the seconds a thread keeps it for its next line. */
static void write_stamp(char ret[64])
{
    static _Thread_local struct {
        time_t second;
        size_t len; /* 0: none */
        char text[32];
    } last;
    struct timespec now;
    struct tm utc;
    clock_gettime(CLOCK_REALTIME, &now);
    if (last.len == 0 || last.second != now.tv_sec) {
        gmtime_r(&now.tv_sec, &utc);
        last.len = strftime(last.text, sizeof(last.text), "%Y-%m-%dT%H:%M:%S", &utc);
        last.second = now.tv_sec;
    }
    unsigned ms = (unsigned)(now.tv_nsec / 1000000);
    const char rest[] = {
        '.', (char)('0' + ms / 100), (char)('0' + ms / 10 % 10), (char)('0' + ms % 10), 'Z', '\0'};
    memcpy(ret, last.text, last.len);
    memcpy(ret + last.len, rest, sizeof(rest));
}

static void put_head(struct line *line, enum log_level level, const char *event)
{
    char stamp[64];
    write_stamp(stamp);
    if (log_format == LOG_FORMAT_JSON) {
        put_text(line, "{\"time\":\"");
        put_text(line, stamp);
        put_text(line, "\",\"level\":\"");
        put_text(line, level_names[level]);
        put_text(line, "\",\"event\":\"");
        put_text(line, event);
        put_text(line, "\"");
    } else {
        put_text(line, stamp);
        put_text(line, " ");
        put_text(line, level_names[level]);
        put_text(line, " ");
        put_text(line, event);
    }
}

static bool was_set_up;

void log_silence(void)
{
    if (!was_set_up)
        log_threshold = LOG_NOTHING;
}

void log_setup(enum log_level threshold, enum log_format format)
{
    was_set_up = true;
    log_threshold = threshold;
    log_format = format;
    log_share_start();
}

/* The first field that does not fit is left out with all that follow, and the line says so. */
static void put_fields(struct line *line, const struct log_field *fields)
{
    for (; fields->kind != LOG_KIND_END; fields++) {
        size_t before = line->len;
        if (fields->kind == LOG_KIND_CAUSE)
            continue;
        put_field(line, fields);
        if (!line->full)
            continue;
        const char *mark = log_format == LOG_FORMAT_JSON ? cut_mark_json : cut_mark_text;
        line->len = before + strlen(mark);
        memcpy(line->text + before, mark, strlen(mark));
        return;
    }
}

static void write_line(struct line *line, enum log_level level, const char *event,
                       const struct log_field *fields)
{
    line->len = 0;
    line->full = false;
    put_head(line, level, event);
    put_fields(line, fields);
    if (log_format == LOG_FORMAT_JSON)
        line->text[line->len++] = '}';
    line->text[line->len++] = '\n';
}

static bool has_share(const char *event, const struct log_field *fields)
{
    for (; fields->kind != LOG_KIND_END; fields++)
        if (fields->kind == LOG_KIND_CAUSE)
            return log_share_take(event, fields->slice);
    return true;
}

/* A pipe that can be written to has room for a line. */
static bool has_room(void)
{
    struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};
    return poll(&out, 1, 0) != 0;
}

static size_t say_lost(char text[LOG_SINK_LINE_MAX], uint64_t lines);

/* False: the line is lost. */
static bool can_write(void)
{
    char text[LOG_SINK_LINE_MAX];
    if (!never_waits)
        return true;
    if (!has_room()) {
        lost_here++;
        return false;
    }
    if (lost_here > 0) {
        size_t len = say_lost(text, lost_here);
        lost_here = write(STDERR_FILENO, text, len) < 0 ? lost_here : 0;
    }
    return has_room();
}

void log_never_wait(void)
{
    never_waits = true;
}

void log_write(enum log_level level, const char *event, const struct log_field *fields)
{
    struct line line;
    if (!has_share(event, fields))
        return;
    write_line(&line, level, event, fields);
    if (log_sink) {
        log_sink_put(log_sink, slice_make(line.text, line.len), level >= LOG_WARN);
        return;
    }
    if (!can_write())
        return;
    ssize_t written = write(STDERR_FILENO, line.text, line.len);
    (void)written; /* a log that can't be written has nowhere to complain */
}

static size_t say_lost(char text[LOG_SINK_LINE_MAX], uint64_t lines)
{
    struct line line;
    write_line(&line, LOG_WARN, "log.lost",
               (struct log_field[]){log_int("lines", lines),
                                    log_text("why", "stderr takes no more, or too slowly"),
                                    {0}});
    memcpy(text, line.text, line.len);
    return line.len;
}

void log_start(void)
{
    log_sink = log_sink_new(&(struct log_sink_spec){
        .fd = STDERR_FILENO, .gathers = true, .room = SINK_ROOM, .say_lost = say_lost});
}

void log_stop(void)
{
    struct log_sink *sink = log_sink;
    log_sink = NULL;
    log_sink_close(sink, STOP_MS);
}

bool log_is_crowded(void)
{
    return log_sink && log_sink_is_crowded(log_sink);
}

uint64_t log_lost(void)
{
    return log_sink ? log_sink_lost(log_sink) : 0;
}

bool log_level_parse(struct slice name, enum log_level *ret)
{
    for (size_t i = 0; i < sizeof(level_names) / sizeof(*level_names); i++) {
        if (slice_equal(name, slice_of(level_names[i]))) {
            *ret = (enum log_level)i;
            return true;
        }
    }
    return false;
}

/* ---- what there was not enough of ---- */

void *log_needed_by(void *memory, const char *function)
{
    if (memory)
        return memory;
    log_error("memory.failed", log_text("by", function));
    errno = ENOMEM;
    return NULL;
}

static bool is_lack(int error)
{
    switch (error < 0 ? -error : error) {
    case ENOMEM:
    case ENOBUFS:
    case EMFILE:
    case ENFILE:
    case ENOSPC:
    case EIO:
    case EAGAIN:
        return true;
    }
    return false;
}

void log_lack(const char *what, int error)
{
    if (is_lack(error))
        log_error("resource.failed", log_text("what", what), log_errno("error", error));
}
