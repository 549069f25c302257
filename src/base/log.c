#include "base/log.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES  4096
#define VALUE_MAX_BYTES 256

enum log_level log_threshold = LOG_INFO;
static enum log_format log_format = LOG_FORMAT_TEXT;
static const char *const level_names[] = {"debug", "info", "warn", "error", "nothing"};

struct line {
    size_t len;
    char text[LINE_MAX_BYTES];
};

static void put(struct line *line, struct slice s)
{
    size_t room = sizeof(line->text) - 2 - line->len; /* the closing brace and LF */
    size_t n = s.len < room ? s.len : room;
    memcpy(line->text + line->len, s.ptr, n);
    line->len += n;
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

static void put_escaped(struct line *line, struct slice s)
{
    char escape[8];
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c == '"' || c == '\\')
            snprintf(escape, sizeof(escape), "\\%c", c);
        else if (c < ' ' || c >= 0x7f)
            snprintf(escape, sizeof(escape), "\\u%04x", c);
        else
            snprintf(escape, sizeof(escape), "%c", c);
        put_text(line, escape);
    }
}

static void put_value(struct line *line, struct slice s)
{
    bool cut = s.len > VALUE_MAX_BYTES;
    s = slice_first(s, VALUE_MAX_BYTES);
    if (log_format == LOG_FORMAT_TEXT && !cut && is_bare(s)) {
        put(line, s);
        return;
    }
    put_text(line, "\"");
    put_escaped(line, s);
    put_text(line, cut ? "...\"" : "\"");
}

static void put_field(struct line *line, const struct log_field *f)
{
    char number[24];
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
        snprintf(number, sizeof(number), "%lld", (long long)f->number);
        put_text(line, number);
    } else if (f->kind == LOG_KIND_ERRNO) {
        char text[96];
        int error = (int)(f->number < 0 ? -f->number : f->number);
        put_value(line, slice_of(strerror_r(error, text, sizeof(text))));
    } else {
        put_value(line, f->slice);
    }
}

static void put_head(struct line *line, enum log_level level, const char *event)
{
    struct timespec now;
    struct tm utc;
    char stamp[64];
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    size_t n = strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(stamp + n, sizeof(stamp) - n, ".%03dZ", (int)(now.tv_nsec / 1000000));
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

void log_setup(enum log_level threshold, enum log_format format)
{
    log_threshold = threshold;
    log_format = format;
}

void log_write(enum log_level level, const char *event, const struct log_field *fields)
{
    struct line line = {0};
    put_head(&line, level, event);
    for (; fields->kind != LOG_KIND_END; fields++)
        put_field(&line, fields);
    if (log_format == LOG_FORMAT_JSON)
        line.text[line.len++] = '}';
    line.text[line.len++] = '\n';
    ssize_t written = write(STDERR_FILENO, line.text, line.len);
    (void)written; /* a log that can't be written has nowhere to complain */
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
