/* SPDX-License-Identifier: MIT */
#include "daemon/config_file.h"

#include <confuse.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* libconfuse hands its callbacks no pointer of ours. A file is read by one thread. */
static const char *reading_path;
static struct text *reading_why;
static struct config *reading_config;

static void on_error(cfg_t *cfg, const char *format, va_list args)
{
    char message[512];
    if (reading_why->len)
        return; /* the first error is the one to mend */
    vsnprintf(message, sizeof(message), format, args);
    if (cfg && cfg->line)
        text_printf(reading_why, "%s:%d: ", reading_path, cfg->line);
    text_printf(reading_why, "%s", message);
}

static int on_value(cfg_t *cfg, cfg_opt_t *opt)
{
    struct text why = {0};
    unsigned last = cfg_opt_size(opt) - 1;
    bool ok = config_set(reading_config, opt->name, cfg_opt_getnstr(opt, last), last == 0, &why);
    if (!ok)
        cfg_error(cfg, "%.*s", SLICE_ARG(text_slice(&why)));
    text_done(&why);
    return ok ? 0 : -1;
}

struct option_list {
    cfg_opt_t items[CONFIG_SETTINGS + 1];
    size_t count;
};

static void add_option(void *arg, const char *name, char letter)
{
    (void)letter;
    struct option_list *list = arg;
    cfg_opt_t text[] = {CFG_STR(name, NULL, CFGF_NODEFAULT)};
    cfg_opt_t several[] = {CFG_STR_LIST(name, NULL, CFGF_NODEFAULT)};
    list->items[list->count++] = config_is_list(name) ? several[0] : text[0];
}

static void watch_option(void *arg, const char *name, char letter)
{
    (void)letter;
    cfg_set_validate_func(arg, name, on_value);
}

/* ---- comments: libconfuse counts a line of them as several, so they are
 * blanked before it sees them ---- */

static size_t string_end(struct slice text, size_t at)
{
    char quote = text.ptr[at++];
    while (at < text.len && text.ptr[at] != quote)
        at += text.ptr[at] == '\\' ? 2 : 1;
    return at + 1;
}

/* Where the comment that begins at `at` ends; `at` itself if none begins,
 * SIZE_MAX if it has no end. */
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

/* The file, ended by NUL; the caller frees it. NULL: errno says why. */
static char *read_whole(const char *path)
{
    char *data = NULL;
    size_t size = 0;
    FILE *file = fopen(path, "re");
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
    return len > 0 ? data : (free(data), strdup(""));
}

static bool parse(cfg_t *cfg, const char *path)
{
    char *data = read_whole(path);
    if (!data) {
        text_printf(reading_why, "%s: %s", path, strerror(errno));
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

bool config_read_file(struct config *c, const char *path, struct text *why)
{
    struct option_list list = {0};
    config_each(add_option, &list);
    list.items[list.count] = (cfg_opt_t)CFG_END();

    cfg_t *cfg = cfg_init(list.items, CFGF_NONE);
    if (!cfg) {
        text_printf(why, "%s: out of memory", path);
        return false;
    }
    reading_path = path;
    reading_why = why;
    reading_config = c;
    cfg_set_error_function(cfg, on_error);
    config_each(watch_option, cfg);
    bool ok = parse(cfg, path);
    cfg_free(cfg);
    return ok;
}
