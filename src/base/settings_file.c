/* SPDX-License-Identifier: MIT */
#include "base/settings_file.h"

#include "base/input_file.h"

#include <confuse.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* libconfuse hands its callbacks no pointer of ours. A file is read by one thread. */
static const char *reading_path;
static struct text *reading_why;
static const struct settings_reader *reading;
static unsigned told; /* values of the list that is being read */

static void on_error(cfg_t *cfg, const char *format, va_list args)
{
    char message[512];
    if (reading_why->len)
        return; /* only the first error is reported */
    vsnprintf(message, sizeof(message), format, args);
    if (cfg && cfg->line)
        text_printf(reading_why, "%s:%d: ", reading_path, cfg->line);
    text_printf(reading_why, "%s", message);
}

/* libconfuse calls this for each value of a list, and once more at its end. */
static bool is_end_of_list(const cfg_opt_t *opt, unsigned size)
{
    if (!(opt->flags & CFGF_LIST))
        return false;
    bool ends = size == told;
    told = ends ? 0 : size;
    return ends;
}

static int on_value(cfg_t *cfg, cfg_opt_t *opt)
{
    struct text why = {0};
    unsigned size = cfg_opt_size(opt), last = size - 1;
    if (is_end_of_list(opt, size))
        return 0;
    bool ok = reading->set(reading->arg, opt->name, cfg_opt_getnstr(opt, last), last == 0, &why);
    if (!ok)
        cfg_error(cfg, "%.*s", SLICE_ARG(text_slice(&why)));
    text_done(&why);
    return ok ? 0 : -1;
}

/* ---- comments ---- */

/* libconfuse counts a line of a comment as several, so comments are blanked before it sees them. */

static size_t string_end(struct slice text, size_t at)
{
    char quote = text.ptr[at++];
    while (at < text.len && text.ptr[at] != quote)
        at += text.ptr[at] == '\\' ? 2 : 1;
    return at + 1;
}

/* The end of the comment that begins at `at`; `at` itself if no comment begins there, SIZE_MAX if
 * the comment has no end. */
static size_t comment_end(struct slice text, size_t at)
{
    struct slice rest = slice_skip(text, at);
    bool begins = at == 0 || strchr(" \t\r\n{},=", text.ptr[at - 1]);
    if (!begins)
        return at;
    if (slice_starts_with(rest, SLICE_LITERAL("#")) || slice_starts_with(rest, SLICE_LITERAL("//")))
        return at + slice_find(rest, '\n');
    if (!slice_starts_with(rest, SLICE_LITERAL("/*")))
        return at;
    const char *end = memmem(rest.ptr + 2, rest.len - 2, "*/", 2);
    return end ? at + (size_t)(end - rest.ptr) + 2 : SIZE_MAX;
}

/* NULL, or the comment that has no end. */
static const char *blank_comments(char *data, size_t len)
{
    struct slice text = slice_make(data, len);
    for (size_t at = 0; at < len; at++) {
        if (data[at] == '"' || data[at] == '\'') {
            at = string_end(text, at) - 1;
            continue;
        }
        size_t end = comment_end(text, at);
        if (end == SIZE_MAX)
            return data + at;
        for (size_t i = at; i < end; i++)
            if (data[i] != '\n')
                data[i] = ' ';
        if (end > at)
            at = end - 1;
    }
    return NULL;
}

static int line_of(const char *data, const char *at)
{
    int line = 1;
    for (; data < at; data++)
        line += *data == '\n';
    return line;
}

/* The file up to its end, or its first NUL, which *ret_len counts too; the caller frees it. NULL:
 * errno says why. */
static char *read_whole(const char *path, size_t *ret_len)
{
    char *data = NULL;
    size_t size = 0;
    FILE *file = input_file_open(path);
    if (!file)
        return NULL;
    errno = 0;
    ssize_t len = getdelim(&data, &size, '\0', file);
    int error = ferror(file) ? errno : 0;
    fclose(file);
    if (error) {
        free(data);
        errno = error;
        return NULL;
    }
    *ret_len = len > 0 ? (size_t)len : 0;
    return len > 0 ? data : (free(data), strdup(""));
}

static bool parse(cfg_t *cfg, const char *path)
{
    size_t len;
    char *data = read_whole(path, &len);
    if (!data) {
        text_printf(reading_why, "%s: %s", path, strerror(errno));
        return false;
    }
    if (strlen(data) < len) { /* a crash of the machine leaves such files */
        text_printf(reading_why, "%s:%d: a NUL byte, which no text has", path,
                    line_of(data, data + len));
        free(data);
        return false;
    }
    const char *open_comment = blank_comments(data, strlen(data));
    if (open_comment)
        text_printf(reading_why, "%s:%d: expected */ somewhere after this /*", path,
                    line_of(data, open_comment));
    int result = open_comment ? CFG_PARSE_ERROR : cfg_parse_buf(cfg, data);
    free(data);
    if (result != CFG_SUCCESS && !reading_why->len)
        text_printf(reading_why, "%s: can't be read as a config file", path);
    return result == CFG_SUCCESS;
}

/* The options of libconfuse; the caller frees them. NULL without memory. */
static cfg_opt_t *make_options(const struct settings_reader *reader)
{
    cfg_opt_t unknown[] = {CFG_STR("__unknown", NULL, CFGF_NONE)};
    cfg_opt_t end[] = {CFG_END()};
    cfg_opt_t *options = calloc(reader->count + 2, sizeof(*options));
    if (!options)
        return NULL;
    for (size_t i = 0; i < reader->count; i++) {
        const struct settings_name *n = &reader->names[i];
        cfg_opt_t text[] = {CFG_STR(n->name, NULL, CFGF_NODEFAULT)};
        cfg_opt_t several[] = {CFG_STR_LIST(n->name, NULL, CFGF_NODEFAULT)};
        options[i] = n->list ? several[0] : text[0];
    }
    options[reader->count] = reader->skip_others ? unknown[0] : end[0];
    options[reader->count + 1] = end[0];
    return options;
}

static cfg_t *make_parser(const struct settings_reader *reader)
{
    cfg_opt_t *options = make_options(reader);
    cfg_t *cfg =
        options ? cfg_init(options, reader->skip_others ? CFGF_IGNORE_UNKNOWN : CFGF_NONE) : NULL;
    free(options); /* cfg_init has copied them */
    if (!cfg)
        return NULL;
    cfg_set_error_function(cfg, on_error);
    for (size_t i = 0; i < reader->count; i++)
        cfg_set_validate_func(cfg, reader->names[i].name, on_value);
    return cfg;
}

bool settings_file_read(const char *path, const struct settings_reader *reader, struct text *why)
{
    reading_path = path;
    reading_why = why;
    reading = reader;
    told = 0;
    cfg_t *cfg = make_parser(reader);
    if (!cfg) {
        text_printf(why, "%s: out of memory", path);
        return false;
    }
    bool ok = parse(cfg, path);
    cfg_free(cfg);
    return ok;
}
