/* SPDX-License-Identifier: MIT */
#include "program/kinds.h"

#include "base/log.h"
#include "program/worker_map.h"
#include "proto/http_head.h"

#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wordexp.h>

struct pattern {
    char *text;
    uint32_t number; /* of processes, or an enum program_stdout */
};

struct subprotocol {
    struct slice path; /* without a slash at its end */
    struct slice name;
};

struct program_kinds {
    struct subprotocol *subprotocols;
    size_t subprotocol_count;
    struct program_command *commands;
    size_t command_count;
    struct pattern *stdio_files;
    size_t stdio_file_count;
    struct pattern *shared;
    size_t shared_count;
};

/* ---- its life ---- */

struct program_kinds *program_kinds_new(void)
{
    return log_needed(calloc(1, sizeof(struct program_kinds)));
}

static void free_words(char **argv)
{
    for (size_t i = 0; argv && argv[i]; i++)
        free(argv[i]);
    free(argv);
}

static void free_command(struct program_command *command)
{
    free((char *)command->path.ptr);
    free(command->file);
    free_words(command->argv);
}

static void free_patterns(struct pattern *patterns, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(patterns[i].text);
    free(patterns);
}

void program_kinds_free(struct program_kinds *programs)
{
    if (!programs)
        return;
    for (size_t i = 0; i < programs->command_count; i++)
        free_command(&programs->commands[i]);
    free(programs->commands);
    for (size_t i = 0; i < programs->subprotocol_count; i++) {
        free((char *)programs->subprotocols[i].path.ptr);
        free((char *)programs->subprotocols[i].name.ptr);
    }
    free(programs->subprotocols);
    free_patterns(programs->stdio_files, programs->stdio_file_count);
    free_patterns(programs->shared, programs->shared_count);
    free(programs);
}

/* ---- the words of a command ---- */

static const char *words_error(int code)
{
    switch (code) {
    case WRDE_BADCHAR:
        return "one of | & ; < > ( ) { } outside quotes";
    case WRDE_BADVAL:
        return "a variable that is not set";
    case WRDE_CMDSUB:
        return "a command in a command";
    case WRDE_SYNTAX:
        return "a quote without its end";
    default:
        return "out of memory";
    }
}

static char **copy_words(const wordexp_t *words)
{
    char **argv = log_needed(calloc(words->we_wordc + 1, sizeof(*argv)));
    for (size_t i = 0; argv && i < words->we_wordc; i++) {
        argv[i] = log_needed(strdup(words->we_wordv[i]));
        if (!argv[i]) {
            free_words(argv);
            return NULL;
        }
    }
    return argv;
}

static char **split_words(const char *text, struct text *why)
{
    wordexp_t words;
    int code = wordexp(text, &words, WRDE_NOCMD | WRDE_UNDEF);
    if (code) {
        text_printf(why, "stdio: `%s` can't be split into words: %s", text, words_error(code));
        return NULL;
    }
    char **argv = copy_words(&words);
    bool none = words.we_wordc == 0;
    wordfree(&words);
    if (!argv || none) {
        text_printf(why, argv ? "stdio: expected a command" : "out of memory");
        free_words(argv);
        return NULL;
    }
    return argv;
}

/* ---- its file ---- */

static bool runs(const char *file)
{
    struct stat info;
    return stat(file, &info) == 0 && S_ISREG(info.st_mode) && access(file, X_OK) == 0;
}

/* As execvp(3) looks for it. */
static bool find_in_path(const char *name, char found[PATH_MAX])
{
    const char *path = getenv("PATH");
    struct slice rest = slice_of(path ? path : "/usr/local/bin:/usr/bin:/bin");
    while (rest.len > 0) {
        size_t end = slice_find(rest, ':');
        int len = snprintf(found, PATH_MAX, "%.*s/%s", (int)end, rest.ptr, name);
        if (len < PATH_MAX && runs(found))
            return true;
        rest = slice_skip(rest, end < rest.len ? end + 1 : end);
    }
    return false;
}

static char *find_file(const char *name, struct text *why)
{
    char found[PATH_MAX];
    const char *file = strchr(name, '/') ? name : find_in_path(name, found) ? found : NULL;
    char *absolute = file && runs(file) ? realpath(file, NULL) : NULL;
    if (!absolute)
        text_printf(why, "stdio: `%s` is no program that can be run", name);
    return absolute;
}

/* ---- adding ---- */

/* Room for one more of `size` bytes behind `count`; NULL without memory, and then nothing has
 * changed. */
static void *grow(void **items, size_t count, size_t size)
{
    void *grown = log_needed(realloc(*items, (count + 1) * size));
    if (!grown)
        return NULL;
    *items = grown;
    return (char *)grown + count * size;
}

/* Cuts `OUTPUT:` off *text. */
static enum program_stdout cut_output(const char **text)
{
    static const struct {
        const char *prefix;
        enum program_stdout out;
    } all[] = {{"pipe:", PROGRAM_STDOUT_PIPE}, {"terminal:", PROGRAM_STDOUT_TERMINAL}};
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
        size_t len = strlen(all[i].prefix);
        if (strncmp(*text, all[i].prefix, len) != 0)
            continue;
        *text += len;
        return all[i].out;
    }
    return PROGRAM_STDOUT_AS_SET;
}

/* Cuts `PATH=` off *text. */
static struct slice cut_path(const char **text)
{
    struct slice whole = slice_of(*text);
    size_t mark = slice_find(whole, '=');
    if (!slice_starts_with(whole, SLICE_LITERAL("/")) || mark == whole.len ||
        slice_find(whole, ' ') < mark)
        return SLICE_LITERAL("");
    *text += mark + 1;
    struct slice path = slice_first(whole, mark);
    while (path.len > 0 && path.ptr[path.len - 1] == '/')
        path.len--;
    return path;
}

bool program_kinds_add_stdio(struct program_kinds *programs, const char *text, struct text *why)
{
    struct program_command command = {.out = cut_output(&text)};
    command.path = cut_path(&text);
    command.path.ptr = log_needed(strndup(command.path.ptr, command.path.len));
    command.argv = split_words(text, why);
    command.file = command.argv ? find_file(command.argv[0], why) : NULL;
    void *place = command.file && command.path.ptr
                      ? grow((void **)&programs->commands, programs->command_count, sizeof(command))
                      : NULL;
    if (!place) {
        if (!why->len)
            text_printf(why, "out of memory");
        free_command(&command);
        return false;
    }
    memcpy(place, &command, sizeof(command));
    programs->command_count++;
    return true;
}

bool program_kinds_add_subprotocol(struct program_kinds *programs, const char *text,
                                   struct text *why)
{
    struct subprotocol s = {.path = cut_path(&text), .name = slice_of(text)};
    if (!http_is_token(s.name)) {
        text_printf(why, "stdio-subprotocol: expected [PATH=]NAME, such as /mqtt=mqtt, not `%s`",
                    text);
        return false;
    }
    s.path.ptr = log_needed(strndup(s.path.ptr, s.path.len));
    s.name.ptr = log_needed(strndup(s.name.ptr, s.name.len));
    void *place = s.path.ptr && s.name.ptr ? grow((void **)&programs->subprotocols,
                                                  programs->subprotocol_count, sizeof(s))
                                           : NULL;
    if (!place) {
        text_printf(why, "out of memory");
        free((char *)s.path.ptr);
        free((char *)s.name.ptr);
        return false;
    }
    memcpy(place, &s, sizeof(s));
    programs->subprotocol_count++;
    return true;
}

static bool add_pattern(struct pattern **patterns, size_t *count, const char *name,
                        struct slice text, uint32_t number, struct text *why)
{
    struct pattern pattern = {.number = number};
    if (!slice_starts_with(text, SLICE_LITERAL("/"))) {
        text_printf(why, "%s: expected a path below the root, such as /feeds/*.sh, not `%.*s`",
                    name, SLICE_ARG(text));
        return false;
    }
    void *place = grow((void **)patterns, *count, sizeof(pattern));
    pattern.text = place ? log_needed(strndup(text.ptr, text.len)) : NULL;
    if (!pattern.text) {
        text_printf(why, "out of memory");
        return false;
    }
    memcpy(place, &pattern, sizeof(pattern));
    ++*count;
    return true;
}

bool program_kinds_add_stdio_files(struct program_kinds *programs, const char *pattern,
                                   struct text *why)
{
    enum program_stdout out = cut_output(&pattern);
    return add_pattern(&programs->stdio_files, &programs->stdio_file_count, "stdio-files",
                       slice_of(pattern), out, why);
}

/* Cuts `=N` off *text. */
static bool cut_number(struct slice *text, uint64_t *ret)
{
    size_t mark = slice_find(*text, '=');
    struct slice number = slice_skip(*text, mark + 1);
    *ret = 1;
    if (mark == text->len)
        return true;
    *text = slice_first(*text, mark);
    return slice_to_uint(number, PROGRAM_PROCESSES_MAX, ret) && *ret > 0;
}

bool program_kinds_add_shared(struct program_kinds *programs, const char *text, struct text *why)
{
    uint64_t number;
    struct slice pattern = slice_of(text);
    if (!cut_number(&pattern, &number)) {
        text_printf(why, "shared: expected PATTERN=N with N from 1 to %d, not `%s`",
                    PROGRAM_PROCESSES_MAX, text);
        return false;
    }
    return add_pattern(&programs->shared, &programs->shared_count, "shared", pattern,
                       (uint32_t)number, why);
}

/* ---- looking ---- */

static bool covers(struct slice folder, struct slice path)
{
    return slice_starts_with(path, folder) &&
           (path.len == folder.len || path.ptr[folder.len] == '/');
}

const struct program_command *program_kinds_stdio(const struct program_kinds *programs,
                                                  struct slice path)
{
    const struct program_command *found = NULL;
    for (size_t i = 0; i < programs->command_count; i++) {
        const struct program_command *command = &programs->commands[i];
        if (covers(command->path, path) && (!found || command->path.len > found->path.len))
            found = command;
    }
    return found;
}

bool program_kinds_speaks(const struct program_kinds *programs, struct slice path,
                          struct slice subprotocol)
{
    size_t longest = 0;
    bool speaks = false;
    for (size_t i = 0; i < programs->subprotocol_count; i++) {
        const struct subprotocol *s = &programs->subprotocols[i];
        if (!covers(s->path, path) || s->path.len < longest)
            continue;
        speaks = slice_equal(s->name, subprotocol) || (speaks && s->path.len == longest);
        longest = s->path.len;
    }
    return speaks;
}

/* The first that matches, or NULL. */
static const struct pattern *match(const struct pattern *patterns, size_t count, const char *file)
{
    for (size_t i = 0; i < count; i++)
        if (fnmatch(patterns[i].text, file, FNM_PATHNAME | FNM_LEADING_DIR) == 0)
            return &patterns[i];
    return NULL;
}

bool program_kinds_any_shared(const struct program_kinds *programs)
{
    return programs->shared_count > 0;
}

uint32_t program_kinds_shared(const struct program_kinds *programs, const char *file)
{
    const struct pattern *found = match(programs->shared, programs->shared_count, file);
    return found ? found->number : 0;
}

bool program_kinds_is_stdio_file(const struct program_kinds *programs, const char *file)
{
    return match(programs->stdio_files, programs->stdio_file_count, file);
}

enum program_stdout program_kinds_file_stdout(const struct program_kinds *programs,
                                              const char *file)
{
    const struct pattern *found = match(programs->stdio_files, programs->stdio_file_count, file);
    return found ? (enum program_stdout)found->number : PROGRAM_STDOUT_AS_SET;
}
