/* SPDX-License-Identifier: MIT */
#include "cluster/broker_url.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/un.h>

#define DB_MAX    1000000
#define ESCAPE_IT " (in a password, all but letters and digits is written as %%XX)"

enum url_kind {
    URL_HOST,
    URL_SENTINEL,
    URL_UNIX
};

static const struct scheme {
    const char *prefix;
    enum url_kind kind;
    bool tls;
} schemes[] = {
    {"redis://", URL_HOST, false},
    {"rediss://", URL_HOST, true},
    {"redis-sentinel://", URL_SENTINEL, false},
    {"rediss-sentinel://", URL_SENTINEL, true},
    {"redis+unix:", URL_UNIX, false},
    {"unix:", URL_UNIX, false},
};

static const struct scheme *take_scheme(struct slice *text)
{
    for (size_t i = 0; i < sizeof(schemes) / sizeof(*schemes); i++) {
        struct slice prefix = slice_of(schemes[i].prefix);
        if (!slice_starts_with(*text, prefix))
            continue;
        *text = slice_skip(*text, prefix.len);
        return &schemes[i];
    }
    return NULL;
}

static int digit_of(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* A text on the heap. NULL if an escape is none or stands for NUL, or without memory. */
static char *unescape(struct slice s)
{
    char *text = malloc(s.len + 1), *end = text;
    bool good = text;
    for (size_t i = 0; good && i < s.len; i++) {
        int c = (unsigned char)s.ptr[i];
        if (c == '%') {
            good = s.len - i > 2 && digit_of(s.ptr[i + 1]) >= 0 && digit_of(s.ptr[i + 2]) >= 0;
            c = good ? digit_of(s.ptr[i + 1]) * 16 + digit_of(s.ptr[i + 2]) : 0;
            i += 2;
        }
        good = good && c != '\0';
        *end++ = (char)c;
    }
    if (good) {
        *end = '\0';
        return text;
    }
    if (text)
        explicit_bzero(text, s.len + 1);
    free(text);
    return NULL;
}

static bool set_unescaped(char **field, struct slice s, const char *name, struct text *why)
{
    *field = unescape(s);
    if (!*field)
        text_printf(why, "%s: %% is followed by two digits of base 16, and not by 00", name);
    return *field;
}

/* Up to the `@`, if there is one. */
static bool take_user(struct broker_url *url, struct slice *authority, struct text *why)
{
    size_t at = authority->len;
    while (at > 0 && authority->ptr[at - 1] != '@')
        at--;
    if (at == 0)
        return true;
    struct slice info = slice_first(*authority, at - 1);
    *authority = slice_skip(*authority, at);
    size_t colon = slice_find(info, ':');
    bool has_password = colon < info.len;
    if (info.len == 0 || (has_password && colon + 1 == info.len)) {
        text_printf(why, "the password is empty");
        return false;
    }
    return (colon == 0 || set_unescaped(&url->user, slice_first(info, colon), "the user", why)) &&
           (!has_password ||
            set_unescaped(&url->password, slice_skip(info, colon + 1), "the password", why));
}

static bool is_name(struct slice s)
{
    bool good = s.len > 0 && s.len < BROKER_HOST_SIZE;
    for (size_t i = 0; good && i < s.len; i++) {
        char c = s.ptr[i];
        good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '.' || c == '-' || c == '_';
    }
    return good;
}

static bool is_address6(struct slice s)
{
    struct in6_addr address;
    char text[INET6_ADDRSTRLEN];
    struct slice plain = slice_first(s, slice_find(s, '%')); /* before the zone */
    if (plain.len >= sizeof(text) || s.len >= BROKER_HOST_SIZE)
        return false;
    memcpy(text, plain.ptr, plain.len);
    text[plain.len] = '\0';
    return inet_pton(AF_INET6, text, &address) == 1 &&
           (plain.len == s.len || is_name(slice_skip(s, plain.len + 1)));
}

static bool read_host(struct broker_host *ret, struct slice s, uint16_t port, struct text *why)
{
    bool bracket = s.len && *s.ptr == '[';
    size_t end = bracket ? slice_find(s, ']') : slice_find(s, ':');
    struct slice host = bracket ? slice_skip(slice_first(s, end), 1) : slice_first(s, end);
    struct slice rest = slice_skip(s, end + (bracket && end < s.len));
    uint64_t number = port;
    if (bracket ? end == s.len || !is_address6(host) : !is_name(host)) {
        text_printf(why, "expected a host's name or address" ESCAPE_IT);
        return false;
    }
    if (rest.len &&
        (*rest.ptr != ':' || !slice_to_uint(slice_skip(rest, 1), 65535, &number) || number == 0)) {
        text_printf(why, "expected a port from 1 to 65535 after the host" ESCAPE_IT);
        return false;
    }
    memcpy(ret->name, host.ptr, host.len);
    ret->name[host.len] = '\0';
    ret->port = (uint16_t)number;
    return true;
}

static bool read_hosts(struct broker_url *url, struct slice list, bool sentinels, struct text *why)
{
    uint16_t port = sentinels ? BROKER_SENTINEL_PORT : BROKER_PORT;
    size_t max = sentinels ? BROKER_HOSTS_MAX : 1;
    url->hosts = calloc(max, sizeof(*url->hosts));
    while (url->hosts) {
        size_t comma = sentinels ? slice_find(list, ',') : list.len;
        if (url->host_count == max) {
            text_printf(why, "at most %d sentinels", BROKER_HOSTS_MAX);
            return false;
        }
        if (!read_host(&url->hosts[url->host_count], slice_first(list, comma), port, why))
            return false;
        url->host_count++;
        if (comma == list.len)
            return true;
        list = slice_skip(list, comma + 1);
    }
    return false;
}

static bool read_db(struct broker_url *url, struct slice s, struct text *why)
{
    uint64_t db;
    if (!slice_to_uint(s, DB_MAX, &db)) {
        text_printf(why, "expected the number of a database" ESCAPE_IT);
        return false;
    }
    url->db = (unsigned)db;
    return true;
}

/* `s` is what follows `//`: [USER@]HOST[,HOST][/DB][#MASTER]. */
static bool read_network(struct broker_url *url, struct slice s, bool sentinels, struct text *why)
{
    size_t hash = slice_find(s, '#');
    struct slice master = slice_skip(s, hash + (hash < s.len));
    s = slice_first(s, hash);
    if (sentinels != (master.len > 0)) {
        text_printf(why, sentinels ? "expected #MASTER at its end, the name that the sentinels know"
                                   : "#MASTER is for redis-sentinel://" ESCAPE_IT);
        return false;
    }
    size_t slash = slice_find(s, '/');
    struct slice db = slice_skip(s, slash + (slash < s.len));
    struct slice authority = slice_first(s, slash);
    return take_user(url, &authority, why) && read_hosts(url, authority, sentinels, why) &&
           (!db.len || read_db(url, db, why)) &&
           (!sentinels || set_unescaped(&url->master, master, "the master", why));
}

/* `s` is what follows `unix:`: PATH[?db=DB], or //[USER@]PATH[?db=DB]. */
static bool read_unix(struct broker_url *url, struct slice s, struct text *why)
{
    if (slice_starts_with(s, SLICE_LITERAL("//"))) {
        s = slice_skip(s, 2);
        size_t slash = slice_find(s, '/');
        struct slice authority = slice_first(s, slash);
        s = slice_skip(s, slash);
        if (!take_user(url, &authority, why))
            return false;
        if (authority.len) {
            text_printf(why,
                        "expected the path of a socket, such as unix:/run/redis.sock" ESCAPE_IT);
            return false;
        }
    }
    size_t query = slice_find(s, '?');
    struct slice db = slice_skip(s, query);
    char *path = NULL;
    bool good = set_unescaped(&path, slice_first(s, query), "the path", why);
    if (good && (!*path || strlen(path) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))) {
        text_printf(why, "expected the path of a socket, at most 107 bytes");
        good = false;
    }
    url->hosts = calloc(1, sizeof(*url->hosts));
    if (good && url->hosts)
        strcpy(url->hosts[url->host_count++].name, path);
    free(path);
    if (!good || !url->hosts || !db.len)
        return good && url->hosts;
    if (!slice_starts_with(db, SLICE_LITERAL("?db="))) {
        text_printf(why, "expected ?db=DB after the path");
        return false;
    }
    return read_db(url, slice_skip(db, 4), why);
}

static bool write_text(struct broker_url *url, const struct scheme *scheme)
{
    struct text t = {0};
    text_printf(&t, "%s", scheme->kind == URL_UNIX ? "unix:" : scheme->prefix);
    if (scheme->kind == URL_UNIX)
        text_printf(&t, "%s", url->hosts[0].name);
    else if (url->user)
        text_printf(&t, "%s@", url->user);
    for (size_t i = 0; scheme->kind != URL_UNIX && i < url->host_count; i++) {
        const struct broker_host *h = &url->hosts[i];
        bool bracket = strchr(h->name, ':');
        text_printf(&t, "%s%s%s%s:%u", i ? "," : "", bracket ? "[" : "", h->name,
                    bracket ? "]" : "", h->port);
    }
    if (url->db)
        text_printf(&t, scheme->kind == URL_UNIX ? "?db=%u" : "/%u", url->db);
    if (url->master)
        text_printf(&t, "#%s", url->master);
    url->text = t.failed ? NULL : slice_to_string(text_slice(&t));
    text_done(&t);
    return url->text;
}

struct broker_url *broker_url_parse(struct slice text, struct text *why)
{
    const struct scheme *scheme = take_scheme(&text);
    if (!scheme) {
        text_printf(why, "expected redis://, rediss://, redis-sentinel://, rediss-sentinel:// or "
                         "unix: at its start");
        return NULL;
    }
    struct broker_url *url = calloc(1, sizeof(*url));
    if (url) {
        url->tls = scheme->tls;
        bool read = scheme->kind == URL_UNIX
                        ? read_unix(url, text, why)
                        : read_network(url, text, scheme->kind == URL_SENTINEL, why);
        if (read && write_text(url, scheme))
            return url;
    }
    broker_url_free(url);
    if (!why->len)
        text_printf(why, "out of memory");
    return NULL;
}

static void forget(char *secret)
{
    if (secret)
        explicit_bzero(secret, strlen(secret));
    free(secret);
}

bool broker_url_set_password(struct broker_url *url, struct slice password)
{
    char *copy = slice_to_string(password);
    if (!copy)
        return false;
    forget(url->password);
    url->password = copy;
    return true;
}

void broker_url_free(struct broker_url *url)
{
    if (!url)
        return;
    forget(url->password);
    free(url->hosts);
    free(url->master);
    free(url->user);
    free(url->text);
    free(url);
}
