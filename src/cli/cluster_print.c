/* SPDX-License-Identifier: MIT */
#include "cli/cluster_print.h"

#include "base/slice.h"

#include <stdio.h>

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "?";
}

static long long number_of(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

bool cluster_print_json(const json_t *answer)
{
    return json_dumpf(answer, stdout, JSON_INDENT(2)) == 0 && putchar('\n') != EOF;
}

bool cluster_print_lifted(const json_t *answer)
{
    bool everywhere = strcmp(text_of(answer, "lifted"), "everywhere") == 0;
    if (everywhere)
        puts("all bans are lifted, at all servers");
    else
        puts("all bans of this server are lifted; those of others are not: there is no broker now");
    return everywhere;
}

/* ---- the table ---- */

static const char *write_time(long long seconds, char *out, size_t size)
{
    if (seconds < 120)
        snprintf(out, size, "%llds", seconds);
    else if (seconds < 7200)
        snprintf(out, size, "%lldm", seconds / 60);
    else if (seconds < 172800)
        snprintf(out, size, "%lldh", seconds / 3600);
    else
        snprintf(out, size, "%lldd", seconds / 86400);
    return out;
}

static const char *write_bytes(long long bytes, char *out, size_t size)
{
    static const char units[] = "BKMGT";
    int unit = 0;
    for (; bytes >= 10240 && units[unit + 1]; unit++)
        bytes /= 1024;
    snprintf(out, size, "%lld%c", bytes, units[unit]);
    return out;
}

static const char *state_of(const json_t *server)
{
    if (json_is_true(json_object_get(server, "late")))
        return "late";
    return json_is_true(json_object_get(server, "draining")) ? "draining" : "serves";
}

static void print_server(const json_t *server, const char *self)
{
    const json_t *about = json_object_get(server, "about");
    char uptime[24], memory[24];
    printf("%-20.40s %-8s %-10.16s %-8s", text_of(server, "name"), text_of(server, "tag"),
           text_of(server, "version"), state_of(server));
    if (about)
        printf(" %6s %9lld %8lld %8lld %8lld %8lld %7s %6.1f",
               write_time(number_of(about, "uptime"), uptime, sizeof(uptime)),
               number_of(about, "sessions"), number_of(about, "connections"),
               number_of(about, "pages"), number_of(about, "programs"), number_of(about, "topics"),
               write_bytes(number_of(about, "memory"), memory, sizeof(memory)),
               (double)number_of(about, "brokerMicroseconds") / 1000);
    printf("%s\n", strcmp(text_of(server, "tag"), self) == 0 ? "  *" : "");
}

bool cluster_print_table(const json_t *answer)
{
    size_t i;
    const json_t *server;
    printf("%-20s %-8s %-10s %-8s %6s %9s %8s %8s %8s %8s %7s %6s\n", "NAME", "TAG", "VERSION",
           "STATE", "UPTIME", "SESSIONS", "CONNS", "PAGES", "PROGRAMS", "TOPICS", "MEMORY",
           "BROKER");
    json_array_foreach(json_object_get(answer, "servers"), i, server)
        print_server(server, text_of(answer, "self"));
    return true;
}

/* ---- what each of them says ---- */

/* False, and it has been named: it did not answer. */
static bool has_answered(const json_t *answer)
{
    if (!json_object_get(answer, "why"))
        return true;
    fprintf(stderr, "httpsocket: %s (%s): %s\n", text_of(answer, "name"), text_of(answer, "tag"),
            text_of(answer, "why"));
    return false;
}

static void print_session(const json_t *answer, const json_t *session)
{
    json_t *line = json_object();
    json_object_set(line, "server", json_object_get(answer, "tag"));
    json_object_set(line, "name", json_object_get(answer, "name"));
    json_object_update(line, (json_t *)session);
    json_dumpf(line, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(line);
}

bool cluster_print_sessions(const json_t *all)
{
    bool good = true;
    size_t i, k;
    const json_t *answer, *session;
    json_array_foreach(json_object_get(all, "answers"), i, answer)
    {
        good &= has_answered(answer);
        json_array_foreach(json_object_get(answer, "sessions"), k, session)
            print_session(answer, session);
    }
    return good;
}

/* ---- metrics ---- */

#define HEAD "# HELP "

/* The next family: from its HELP to the next one. False: there is none. */
static bool next_family(struct slice *in, struct slice *ret)
{
    const char *begin = in->len ? memmem(in->ptr, in->len, HEAD, strlen(HEAD)) : NULL;
    if (!begin)
        return false;
    struct slice rest = slice_skip(*in, (size_t)(begin - in->ptr));
    const char *end = memmem(rest.ptr + 1, rest.len - 1, HEAD, strlen(HEAD));
    *ret = slice_first(rest, end ? (size_t)(end - rest.ptr) : rest.len);
    *in = slice_skip(rest, ret->len);
    return true;
}

static struct slice name_of(struct slice family)
{
    struct slice name = slice_skip(family, strlen(HEAD));
    return slice_first(name, slice_find(name, ' '));
}

static struct slice metrics_of(const json_t *answer)
{
    const char *text = json_string_value(json_object_get(answer, "metrics"));
    return text ? slice_of(text) : SLICE_NONE;
}

static bool find_family(const json_t *answer, struct slice name, struct slice *ret)
{
    struct slice text = metrics_of(answer);
    while (next_family(&text, ret))
        if (slice_equal(name_of(*ret), name))
            return true;
    return false;
}

/* `"text"` without what would have to be escaped. */
static void print_label(const char *text)
{
    putchar('"');
    for (; *text; text++)
        putchar(*text == '"' || *text == '\\' || (unsigned char)*text < ' ' ? '_' : *text);
    putchar('"');
}

static void print_sample(const json_t *answer, struct slice line)
{
    size_t name = 0;
    while (name < line.len && line.ptr[name] != '{' && line.ptr[name] != ' ')
        name++;
    bool labelled = name < line.len && line.ptr[name] == '{';
    printf("%.*s{server=", (int)name, line.ptr);
    print_label(text_of(answer, "tag"));
    printf(",name=");
    print_label(text_of(answer, "name"));
    printf("%s%.*s\n", labelled ? "," : "}", SLICE_ARG(slice_skip(line, name + labelled)));
}

static void print_lines(const json_t *answer, struct slice family, bool comments)
{
    while (family.len > 0) {
        struct slice line = slice_first(family, slice_find(family, '\n'));
        bool comment = slice_starts_with(line, SLICE_LITERAL("#"));
        family = slice_skip(family, line.len < family.len ? line.len + 1 : line.len);
        if (comment && comments)
            printf("%.*s\n", SLICE_ARG(line));
        else if (!comment && !comments && line.len)
            print_sample(answer, line);
    }
}

/* Whether one of the answers before `end` has the family. */
static bool is_printed(const json_t *answers, size_t end, struct slice name)
{
    struct slice family;
    for (size_t i = 0; i < end; i++)
        if (find_family(json_array_get(answers, i), name, &family))
            return true;
    return false;
}

static void print_family(const json_t *answers, size_t from, struct slice family)
{
    struct slice name = name_of(family);
    print_lines(NULL, family, true);
    for (size_t i = from; i < json_array_size(answers); i++)
        if (find_family(json_array_get(answers, i), name, &family))
            print_lines(json_array_get(answers, i), family, false);
}

bool cluster_print_metrics(const json_t *all)
{
    const json_t *answers = json_object_get(all, "answers");
    bool good = true;
    for (size_t i = 0; i < json_array_size(answers); i++) {
        struct slice text = metrics_of(json_array_get(answers, i)), family;
        good &= has_answered(json_array_get(answers, i));
        while (next_family(&text, &family))
            if (!is_printed(answers, i, name_of(family)))
                print_family(answers, i, family);
    }
    return good;
}
