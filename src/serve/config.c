/* SPDX-License-Identifier: MIT */
#include "serve/config.h"

#include "base/base64url.h"
#include "http/forwarded.h"
#include "serve/access_settings.h"
#include "serve/cluster_settings.h"
#include "serve/program_limits.h"
#include "serve/rights.h"
#include "serve/sdk.h"
#include "serve/value.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    CLUSTER_NAME_MAX = 64
};

enum kind {
    KIND_TEXT,
    KIND_LIST,
    KIND_FLAG,
    KIND_NUMBER,
    KIND_SIZE,
    KIND_TIME,
    KIND_CHOICE
};

struct option_row {
    enum kind kind;
    const char *name;
    char letter;
    size_t offset; /* of the field in struct config */
    uint64_t initial, min, max;
    const char *initial_text;
    const char *arg; /* a CHOICE: the words, separated by spaces */
    const char *help;
};

#define AT(field) offsetof(struct config, field)
#define TEXT(field, name, letter, initial, arg, help)                                              \
    {KIND_TEXT, name, letter, AT(field), 0, 0, 0, initial, arg, help},
#define LIST(field, name, letter, arg, help)                                                       \
    {KIND_LIST, name, letter, AT(field), 0, 0, 0, NULL, arg, help},
#define NUMBER(field, name, letter, initial, min, max, arg, help)                                  \
    {KIND_NUMBER, name, letter, AT(field), initial, min, max, NULL, arg, help},
#define SIZE(field, name, initial, min, max, help)                                                 \
    {KIND_SIZE, name, 0, AT(field), initial, min, max, NULL, "SIZE", help},
#define TIME(field, name, initial, min, max, help)                                                 \
    {KIND_TIME, name, 0, AT(field), initial, min, max, NULL, "TIME", help},
#define CHOICE(field, name, initial, words, help)                                                  \
    {KIND_CHOICE, name, 0, AT(field), 0, 0, 0, initial, words, help},
#define FLAG(field, name, help) {KIND_FLAG, name, 0, AT(field), 0, 0, 0, NULL, NULL, help},
static const struct option_row rows[] = {
#include "serve/options.def"
};
#define ROW_COUNT (sizeof(rows) / sizeof(*rows))

static void *field_of(const struct config *c, const struct option_row *row)
{
    return (char *)c + row->offset;
}

static const struct option_row *find_row(const char *name)
{
    for (size_t i = 0; i < ROW_COUNT; i++)
        if (!strcmp(rows[i].name, name))
            return &rows[i];
    return NULL;
}

static void list_clear(struct config_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
    *list = (struct config_list){0};
}

static bool list_add(struct config_list *list, const char *value)
{
    char **items = realloc(list->items, (list->count + 1) * sizeof(*items));
    if (!items)
        return false;
    list->items = items;
    items[list->count] = strdup(value);
    if (!items[list->count])
        return false;
    list->count++;
    return true;
}

static bool set_text(char **field, const char *value)
{
    char *copy = strdup(value);
    if (!copy)
        return false;
    free(*field);
    *field = copy;
    return true;
}

static void print_value(const struct option_row *row, uint64_t value, char out[32])
{
    if (row->kind == KIND_SIZE)
        value_print_size(value, out);
    else if (row->kind == KIND_TIME)
        value_print_time(value, out);
    else
        snprintf(out, 32, "%llu", (unsigned long long)value);
}

static bool set_number(const struct option_row *row, uint64_t *field, const char *value,
                       struct text *why)
{
    char min[32], max[32];
    uint64_t number;
    struct slice s = slice_of(value);
    bool read = row->kind == KIND_SIZE   ? value_size(s, &number)
                : row->kind == KIND_TIME ? value_time(s, &number)
                                         : slice_to_uint(s, UINT64_MAX, &number);
    if (read && number >= row->min && number <= row->max) {
        *field = number;
        return true;
    }
    print_value(row, row->min, min);
    print_value(row, row->max, max);
    text_printf(why, "%s: expected %s from %s to %s, not `%s`", row->name,
                row->kind == KIND_SIZE   ? "a size (such as 64K)"
                : row->kind == KIND_TIME ? "a time (such as 10s)"
                                         : "a whole number",
                min, max, value);
    return false;
}

static bool has_word(const char *words, struct slice word)
{
    for (struct slice rest = slice_of(words); rest.len;) {
        size_t end = slice_find(rest, ' ');
        if (slice_equal(slice_first(rest, end), word))
            return true;
        rest = slice_skip(rest, end < rest.len ? end + 1 : end);
    }
    return false;
}

static bool set_flag(const struct option_row *row, bool *field, const char *value, struct text *why)
{
    if (strcmp(value, "true") && strcmp(value, "false")) {
        text_printf(why, "%s: expected true or false, not `%s`", row->name, value);
        return false;
    }
    *field = !strcmp(value, "true");
    return true;
}

/* An empty text is most often a variable of a script that is not set: what would be left open is
 * said, and not done. */
static bool lacks_text(const struct option_row *row, const char *value, struct text *why)
{
    bool lacks = !*value && (row->kind == KIND_TEXT || row->kind == KIND_LIST);
    if (lacks)
        text_printf(why, "%s: expected %s, and not nothing; its default is had by leaving it out",
                    row->name, row->arg);
    return lacks;
}

bool config_set(struct config *c, const char *name, const char *value, bool fresh, struct text *why)
{
    const struct option_row *row = find_row(name);
    if (!row) {
        text_printf(why, "no setting is called `%s`", name);
        return false;
    }
    if (lacks_text(row, value, why))
        return false;
    bool kept = true;
    switch (row->kind) {
    case KIND_LIST:
        if (fresh)
            list_clear(field_of(c, row));
        kept = list_add(field_of(c, row), value);
        break;
    case KIND_CHOICE:
        if (!has_word(row->arg, slice_of(value))) {
            text_printf(why, "%s: expected one of: %s; not `%s`", name, row->arg, value);
            return false;
        }
        kept = set_text(field_of(c, row), value);
        break;
    case KIND_TEXT:
        kept = set_text(field_of(c, row), value);
        break;
    case KIND_FLAG:
        return set_flag(row, field_of(c, row), value, why);
    case KIND_NUMBER:
    case KIND_SIZE:
    case KIND_TIME:
        return set_number(row, field_of(c, row), value, why);
    }
    if (!kept)
        text_printf(why, "out of memory");
    return kept;
}

bool config_is_list(const char *name)
{
    const struct option_row *row = find_row(name);
    return row && row->kind == KIND_LIST;
}

bool config_is_flag(const char *name)
{
    const struct option_row *row = find_row(name);
    return row && row->kind == KIND_FLAG;
}

const char *config_value(const struct config *c, const char *name, size_t index)
{
    const struct option_row *row = find_row(name);
    if (!row || (row->kind != KIND_LIST && row->kind != KIND_TEXT && row->kind != KIND_CHOICE))
        return NULL;
    if (row->kind == KIND_LIST) {
        const struct config_list *list = field_of(c, row);
        return index < list->count ? list->items[index] : NULL;
    }
    const char *text = *(char **)field_of(c, row);
    return index == 0 && *text ? text : NULL;
}

bool config_known(const char *name)
{
    return find_row(name);
}

struct config *config_new(void)
{
    struct config *c = calloc(1, sizeof(*c));
    bool ok = c;
    for (size_t i = 0; ok && i < ROW_COUNT; i++) {
        const struct option_row *row = &rows[i];
        if (row->initial_text)
            ok = set_text(field_of(c, row), row->initial_text);
        else if (row->kind >= KIND_NUMBER)
            *(uint64_t *)field_of(c, row) = row->initial;
    }
    if (ok)
        return c;
    config_free(c);
    return NULL;
}

void config_free(struct config *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (rows[i].kind == KIND_LIST)
            list_clear(field_of(c, &rows[i]));
        else if (rows[i].kind == KIND_TEXT || rows[i].kind == KIND_CHOICE)
            free(*(char **)field_of(c, &rows[i]));
    }
    free(c->file);
    free(c->addresses);
    free(c->origins);
    proxies_done(&c->proxies);
    program_kinds_free(c->programs);
    program_rights_free(c->rights);
    tokens_free(c->tokens);
    broker_settings_unref(c->brokers);
    free(c);
}

static bool check_addresses(struct config *c, struct text *why)
{
    const char *reason;
    c->listen_by_default = !c->listen.count;
    if (c->listen_by_default && !list_add(&c->listen, "127.0.0.1:8080"))
        return false;
    c->addresses = calloc(c->listen.count, sizeof(*c->addresses));
    if (!c->addresses)
        return false;
    for (size_t i = 0; i < c->listen.count; i++) {
        if (net_address_parse(slice_of(c->listen.items[i]), &c->addresses[i], &reason) == 0)
            continue;
        text_printf(why, "listen: `%s`: %s", c->listen.items[i], reason);
        return false;
    }
    if (*c->admin && net_address_parse(slice_of(c->admin), &c->admin_address, &reason) < 0) {
        text_printf(why, "admin: `%s`: %s", c->admin, reason);
        return false;
    }
    return true;
}

static bool check_origins(struct config *c, struct text *why)
{
    c->origins = calloc(c->origin.count + 1, sizeof(*c->origins));
    if (!c->origins)
        return false;
    for (size_t i = 0; i < c->origin.count; i++) {
        if (origin_parse(slice_of(c->origin.items[i]), &c->origins[i]) &&
            c->origins[i].scheme != ORIGIN_OPAQUE)
            continue;
        text_printf(why, "origin: expected an origin such as https://a.example, not `%s`",
                    c->origin.items[i]);
        return false;
    }
    return true;
}

static bool check_base(const struct config *c, struct text *why)
{
    struct slice base = slice_of(c->base_path);
    if (!base.len || http_base_of(base).ptr || slice_equal(base, SLICE_LITERAL("/")))
        return true;
    text_printf(why, "base-path: expected a path such as /app, not `%s`", c->base_path);
    return false;
}

static bool check_programs(struct config *c, struct text *why)
{
    c->programs = program_kinds_new();
    bool good = c->programs;
    for (size_t i = 0; good && i < c->stdio.count; i++)
        good = program_kinds_add_stdio(c->programs, c->stdio.items[i], why);
    for (size_t i = 0; good && i < c->stdio_files.count; i++)
        good = program_kinds_add_stdio_files(c->programs, c->stdio_files.items[i], why);
    for (size_t i = 0; good && i < c->stdio_subprotocol.count; i++)
        good = program_kinds_add_subprotocol(c->programs, c->stdio_subprotocol.items[i], why);
    for (size_t i = 0; good && i < c->shared.count; i++)
        good = program_kinds_add_shared(c->programs, c->shared.items[i], why);
    return good;
}

static bool check_access(const struct config *c, struct text *why)
{
    struct access_config access;
    bool good = access_settings_read(c, &access, why);
    if (good)
        access_config_done(&access);
    return good;
}

static bool read_rate(const char *name, const char *value, struct rate *ret, struct text *why)
{
    if (rate_parse(slice_of(value), ret))
        return true;
    text_printf(why, "%s: expected " RATE_EXPECTED ", not `%s`", name, value);
    return false;
}

static bool check_publish(struct config *c, struct text *why)
{
    if (!read_rate("rate-publish", c->rate_publish, &c->publish_rate, why))
        return false;
    if (!*c->publish_token)
        return true;
    if (!*c->admin) {
        text_printf(why, "publish-token needs admin: that is where events are published");
        return false;
    }
    c->tokens = tokens_read(c->publish_token, why);
    return c->tokens;
}

static bool is_cluster_name(struct slice s)
{
    bool good = s.len > 0 && s.len <= CLUSTER_NAME_MAX;
    for (size_t i = 0; good && i < s.len; i++)
        good = base64url_value(s.ptr[i]) >= 0 || s.ptr[i] == '.';
    return good;
}

static bool check_brokers(struct config *c, struct text *why)
{
    static const char *const of_brokers[] = {"broker-password-file", "broker-ca", "broker-cert",
                                             "broker-key"};
    if (!is_cluster_name(slice_of(c->cluster_name))) {
        text_printf(why, "cluster-name: expected at most %d of A-Z a-z 0-9 - _ . and not `%s`",
                    CLUSTER_NAME_MAX, c->cluster_name);
        return false;
    }
    for (size_t i = 0; !c->broker.count && i < sizeof(of_brokers) / sizeof(*of_brokers); i++)
        if (config_value(c, of_brokers[i], 0)) {
            text_printf(why, "%s needs broker", of_brokers[i]);
            return false;
        }
    if (c->broker.count)
        c->brokers = broker_settings_read(c, why);
    return c->brokers || !c->broker.count;
}

bool config_check(struct config *c, struct text *why)
{
    if (!check_addresses(c, why) || !check_origins(c, why) || !check_base(c, why) ||
        !check_programs(c, why) || !(c->rights = program_limits_read(c, why)) ||
        !proxies_read(c->trusted_proxy.items, c->trusted_proxy.count, &c->proxies, why) ||
        !check_access(c, why) || !check_publish(c, why) || !check_brokers(c, why) ||
        !cluster_settings_check(c, why) ||
        !read_rate("rate-handshakes", c->rate_handshakes, &c->handshake_rate, why)) {
        if (!why->len)
            text_printf(why, "out of memory");
        return false;
    }
    if (!*c->tls_cert != !*c->tls_key) {
        text_printf(why, "tls-cert and tls-key go together; %s is missing",
                    *c->tls_cert ? "tls-key" : "tls-cert");
        return false;
    }
    if (!rights_check(c, why))
        return false;
    if (*c->sdk && strcmp(c->sdk, "none") && !sdk_is(c->sdk)) {
        text_printf(why, "sdk: there are no helpers in %s (expected python/httpsocket)", c->sdk);
        return false;
    }
    return true;
}

uint16_t config_workers(const struct config *c)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return (uint16_t)(c->threads ? c->threads : cores > 0 ? (uint64_t)cores : 1);
}

static bool same_list(const struct config_list *a, const struct config_list *b)
{
    bool same = a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++)
        same = strcmp(a->items[i], b->items[i]) == 0;
    return same;
}

void config_fixed_changes(const struct config *old, const struct config *now, struct text *ret)
{
    const struct {
        const char *name;
        bool changed;
    } settings[] = {
        {"threads", old->threads != now->threads},
        {"admin", strcmp(old->admin, now->admin)},
        {"tls-cert", !*old->tls_cert != !*now->tls_cert},
        {"root", strcmp(old->root, now->root)},
        {"sessions-max", old->sessions_max != now->sessions_max},
        {"bans-max", old->bans_max != now->bans_max},
        {"rates-max", old->rates_max != now->rates_max},
        {"dev", old->dev != now->dev},
        {"sdk", strcmp(old->sdk, now->sdk)},
        {"core-dumps", old->core_dumps != now->core_dumps},
        {"cgroups", strcmp(old->cgroups, now->cgroups)},
        {"user", strcmp(old->user, now->user)},
        {"group", strcmp(old->group, now->group)},
        {"no-supervisor", old->no_supervisor != now->no_supervisor},
        {"io", strcmp(old->io, now->io)},
        {"broker", !same_list(&old->broker, &now->broker)},
        {"broker-password-file", strcmp(old->broker_password_file, now->broker_password_file)},
        {"broker-ca", strcmp(old->broker_ca, now->broker_ca)},
        {"broker-cert", strcmp(old->broker_cert, now->broker_cert)},
        {"broker-key", strcmp(old->broker_key, now->broker_key)},
        {"broker-timeout", old->broker_timeout != now->broker_timeout},
        {"cluster-name", strcmp(old->cluster_name, now->cluster_name)},
        {"cluster-address", strcmp(old->cluster_address, now->cluster_address)},
        {"cluster-key", !*old->cluster_key != !*now->cluster_key},
    };
    for (size_t i = 0; i < sizeof(settings) / sizeof(*settings); i++)
        if (settings[i].changed)
            text_printf(ret, "%s%s", ret->len ? "," : "", settings[i].name);
}

void config_each_file(const struct config *c,
                      void (*each)(void *arg, const char *name, const char *path), void *arg)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        const struct option_row *row = &rows[i];
        bool names = row->kind == KIND_TEXT || row->kind == KIND_LIST;
        if (!names || (strcmp(row->arg, "FILE") && strcmp(row->arg, "FOLDER")))
            continue;
        const char *path;
        for (size_t n = 0; (path = config_value(c, row->name, n)); n++)
            if (strcmp(path, "none") && strcmp(row->name, "access-log"))
                each(arg, row->name, path);
    }
}

static void help_row(struct text *out, const struct option_row *row)
{
    char initial[32] = "", head[64];
    int n = row->letter ? snprintf(head, sizeof(head), "  -%c, --%s", row->letter, row->name)
                        : snprintf(head, sizeof(head), "      --%s", row->name);
    if (row->kind != KIND_CHOICE && row->kind != KIND_FLAG)
        snprintf(head + n, sizeof(head) - (size_t)n, " %s", row->arg);
    text_printf(out, "%-32s %s", head, row->help);
    if (row->kind == KIND_CHOICE)
        text_printf(out, " (one of: %s; default %s)", row->arg, row->initial_text);
    else if (row->kind >= KIND_NUMBER && row->initial) {
        print_value(row, row->initial, initial);
        text_printf(out, " (default %s)", initial);
    }
    text_printf(out, "\n");
}

void config_help(struct text *out)
{
    for (size_t i = 0; i < ROW_COUNT; i++)
        help_row(out, &rows[i]);
}

void config_each(void (*each)(void *arg, const char *name, char letter), void *arg)
{
    for (size_t i = 0; i < ROW_COUNT; i++)
        each(arg, rows[i].name, rows[i].letter);
}
