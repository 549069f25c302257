/* SPDX-License-Identifier: MIT */
/* environment.c - see environment.h: one buffer that grows, and pointers into it at the end. */
#include "program/environment.h"

#include "base/digits.h"
#include "base/log.h"
#include "program/stdio_variables.h"
#include "proto/ws_handshake.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

static bool make_room(struct environment *env, size_t more)
{
    if (env->size - env->len >= more || env->failed)
        return !env->failed;
    size_t size = (env->len + more) * 2;
    char *text = log_needed(realloc(env->text, size));
    env->failed = !text;
    if (!text)
        return false;
    env->text = text;
    env->size = size;
    return true;
}

static void append(struct environment *env, struct slice s)
{
    if (s.len == 0 || !make_room(env, s.len))
        return;
    memcpy(env->text + env->len, s.ptr, s.len);
    env->len += s.len;
}

static void finish(struct environment *env)
{
    append(env, SLICE_LITERAL("\0"));
    env->count++;
}

/* `name`: with its `=`. */
static void add_variable(struct environment *env, struct slice name, struct slice value)
{
    append(env, name);
    append(env, value);
    finish(env);
}

#define begin(env, name)      append((env), SLICE_LITERAL(name "="))
#define add(env, name, value) add_variable((env), SLICE_LITERAL(name "="), (value))

static void add_numbered(struct environment *env, struct slice name, uint64_t number)
{
    char room[DIGITS_MAX];
    add_variable(env, name, digits_of(number, room));
}

#define add_number(env, name, number) add_numbered((env), SLICE_LITERAL(name "="), (number))

/* A host without its port, and an IPv6 one with its brackets (RFC 3875, 4.1.14). */
static struct slice without_port(struct slice host)
{
    size_t end = host.len;
    while (end > 0 && host.ptr[end - 1] >= '0' && host.ptr[end - 1] <= '9')
        end--;
    if (end > 0 && host.ptr[end - 1] == ':')
        return slice_first(host, end - 1);
    return host;
}

static void add_mark(struct environment *env, struct slice mark)
{
    if (mark.len == 0)
        return;
    append(env, mark);
    finish(env);
}

static void add_server(struct environment *env, const struct environment_place *place)
{
    add(env, "SERVER_SOFTWARE", place->software);
    add(env, "SCRIPT_FILENAME", place->file);
    if (place->root.len > 0)
        add(env, "DOCUMENT_ROOT", place->root);
}

static void add_uri(struct environment *env, const struct program_request *r)
{
    struct slice parts[ENVIRONMENT_URI_PARTS];
    environment_uri(r, parts);
    begin(env, "REQUEST_URI");
    for (int i = 0; i < ENVIRONMENT_URI_PARTS; i++)
        append(env, parts[i]);
    finish(env);
}

static void add_request(struct environment *env, const struct program_request *r)
{
    const struct http_head *request = r->head;
    struct slice host = environment_host(r);
    add(env, "SERVER_PROTOCOL",
        request->minor ? SLICE_LITERAL("HTTP/1.1") : SLICE_LITERAL("HTTP/1.0"));
    add(env, "SERVER_NAME", without_port(host));
    add_number(env, "SERVER_PORT", r->port ? r->port : net_address_port(&r->local));
    add(env, "REQUEST_SCHEME", r->secure ? SLICE_LITERAL("https") : SLICE_LITERAL("http"));
    if (r->secure)
        add(env, "HTTPS", SLICE_LITERAL("on"));
    add(env, "REQUEST_METHOD", request->method);
    add_uri(env, r);
    add(env, "QUERY_STRING", r->query);
}

static void add_script(struct environment *env, struct slice root, const struct program_request *r)
{
    begin(env, "SCRIPT_NAME");
    append(env, r->base);
    append(env, slice_first(r->path, r->script_len));
    finish(env);
    if (r->path.len <= r->script_len)
        return;

    struct slice path_info = slice_skip(r->path, r->script_len);
    add(env, "PATH_INFO", path_info);
    if (root.len == 0)
        return;
    begin(env, "PATH_TRANSLATED");
    append(env, root);
    append(env, path_info);
    finish(env);
}

static void add_client(struct environment *env, const struct program_request *r)
{
    char text[NET_ADDRESS_TEXT_MAX];
    add(env, "REMOTE_ADDR", slice_make(text, net_address_print_host(&r->peer, text)));
    add_number(env, "REMOTE_PORT", net_address_port(&r->peer));
}

static void add_body(struct environment *env, const struct program_request *r)
{
    if (r->has_length)
        add_number(env, "CONTENT_LENGTH", r->content_length);
    struct slice type = http_head_find(r->head, SLICE_LITERAL("content-type"));
    if (type.ptr)
        add(env, "CONTENT_TYPE", type);
}

struct slice environment_host(const struct program_request *r)
{
    return r->host.ptr ? r->host : r->head->host;
}

void environment_uri(const struct program_request *r, struct slice ret[ENVIRONMENT_URI_PARTS])
{
    ret[0] = r->base_cut ? r->base : SLICE_NONE;
    ret[2] = http_target_origin(r->head->target, &ret[1]);
}

/* The client of a session offers its id and key. */
static bool offers_session(const struct http_head *request)
{
    size_t at = 0;
    struct slice rest = SLICE_NONE, offered;
    while (ws_subprotocol_next(request, &at, &rest, &offered))
        if (slice_equal(offered, SLICE_LITERAL("httpsocket.v1")) ||
            slice_starts_with(offered, SLICE_LITERAL("key.")) ||
            slice_starts_with(offered, SLICE_LITERAL("session.")))
            return true;
    return false;
}

static bool header_passes(const struct http_head *request, struct slice name)
{
    static const char *const kept_back[] = {
        "proxy",      "content-length", "content-type",     "transfer-encoding",
        "connection", "upgrade",        "proxy-connection", "keep-alive",
        "te",         "trailer",
    };
    for (size_t i = 0; i < sizeof(kept_back) / sizeof(kept_back[0]); i++) {
        if (slice_equal_nocase(name, slice_of(kept_back[i])))
            return false;
    }
    if (slice_equal_nocase(name, SLICE_LITERAL("sec-websocket-protocol")))
        return !offers_session(request);
    if (slice_equal_nocase(slice_first(name, 14), SLICE_LITERAL("sec-websocket-")))
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!plain && c != '-')
            return false;
    }
    return true;
}

static bool seen_before(const struct http_head *request, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (slice_equal_nocase(request->headers[i].name, request->headers[index].name))
            return true;
    }
    return false;
}

static void begin_header(struct environment *env, struct slice name)
{
    append(env, SLICE_LITERAL("HTTP_"));
    if (!make_room(env, name.len))
        return;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        env->text[env->len++] = c == '-' ? '_' : c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
    }
    append(env, SLICE_LITERAL("="));
}

/* Cookie has its own separator (RFC 6265, 4.2.1). */
bool environment_header(const struct program_request *r, size_t index, struct text *ret)
{
    const struct http_head *request = r->head;
    struct slice name = request->headers[index].name;
    if (!header_passes(request, name) || seen_before(request, index))
        return false;
    if (slice_equal_nocase(name, SLICE_LITERAL("host"))) {
        text_put(ret, environment_host(r));
        return true;
    }
    struct slice separator = slice_equal_nocase(name, SLICE_LITERAL("cookie"))
                                 ? SLICE_LITERAL("; ")
                                 : SLICE_LITERAL(", ");
    text_put(ret, request->headers[index].value);
    for (size_t i = index + 1; i < request->header_count; i++) {
        if (!slice_equal_nocase(request->headers[i].name, name))
            continue;
        text_put(ret, separator);
        text_put(ret, request->headers[i].value);
    }
    return true;
}

static void add_header(struct environment *env, const struct program_request *r, size_t index)
{
    struct text value = {0};
    if (!environment_header(r, index, &value))
        return;
    begin_header(env, r->head->headers[index].name);
    append(env, text_slice(&value));
    finish(env);
    env->failed |= value.failed;
    text_done(&value);
}

static void add_headers(struct environment *env, const struct program_request *r)
{
    for (size_t i = 0; i < r->head->header_count; i++)
        add_header(env, r, i);
}

static void add_stdio(struct environment *env, const struct environment_place *place)
{
    struct text variables = {0};
    env->count += place->terminal
                      ? stdio_variables_for_terminal(&variables)
                      : stdio_variables_for_pipe(&variables, place->lines, place->file.ptr);
    append(env, text_slice(&variables));
    env->failed |= variables.failed;
    text_done(&variables);
}

static void add_kind(struct environment *env, const struct environment_place *place)
{
    if (place->stdio)
        add_stdio(env, place);
    else
        add(env, "HTTPSOCKET_FD", SLICE_LITERAL("3"));
}

static void add_session(struct environment *env, const struct program_request *r)
{
    if (r->session.ptr)
        add(env, "HTTPSOCKET_SESSION", r->session);
    if (r->connect)
        add(env, "HTTPSOCKET_CONNECT", SLICE_LITERAL("1"));
    if (r->restore)
        add(env, "HTTPSOCKET_RESTORE", SLICE_LITERAL("1"));
}

/* Only Python has a variable that adds to where it looks for libraries and takes nothing away. */
static void add_sdk(struct environment *env, struct slice sdk)
{
    if (sdk.len == 0)
        return;
    add(env, "HTTPSOCKET_SDK", sdk);
    begin(env, "PYTHONPATH");
    append(env, sdk);
    append(env, SLICE_LITERAL("/python"));
    finish(env);
}

/* The same for all programs. */
static void add_constant(struct environment *env)
{
    static const char *const names[] = {"PATH",   "HOME",     "USER", "LANG",
                                        "LC_ALL", "LC_CTYPE", "TZ",   "TMPDIR"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *value = getenv(names[i]);
        if (!value && i == 0)
            value = "/usr/local/bin:/usr/bin:/bin";
        if (!value)
            continue;
        append(env, slice_of(names[i]));
        add_variable(env, SLICE_LITERAL("="), slice_of(value));
    }
    add(env, "GATEWAY_INTERFACE", SLICE_LITERAL("CGI/1.1"));
    add(env, "REDIRECT_STATUS", SLICE_LITERAL("200"));
}

static struct environment constant; /* as add_constant() wrote it first */

static void keep_constant(void)
{
    add_constant(&constant);
}

static void add_kept(struct environment *env)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, keep_constant);
    if (constant.failed) {
        add_constant(env);
        return;
    }
    append(env, slice_make(constant.text, constant.len));
    env->count += constant.count;
}

static bool list_up(struct environment *env)
{
    env->list = log_needed(malloc((env->count + 1) * sizeof(env->list[0])));
    if (!env->list)
        return false;
    char *at = env->text;
    for (size_t i = 0; i < env->count; i++) {
        env->list[i] = at;
        at += strlen(at) + 1;
    }
    env->list[env->count] = NULL;
    return true;
}

int environment_build(struct environment *env, const struct environment_place *place,
                      const struct program_request *request)
{
    *env = (struct environment){.text = malloc(4096), .size = 4096};
    if (!env->text)
        return -ENOMEM;
    add_mark(env, place->mark);
    add_kept(env);
    add_server(env, place);
    if (request) {
        add_request(env, request);
        add_script(env, place->root, request);
        add_client(env, request);
        add_body(env, request);
        add_headers(env, request);
        add_session(env, request);
    } else {
        add(env, "HTTPSOCKET_SHARED", SLICE_LITERAL("1"));
    }
    add_kind(env, place);
    add_sdk(env, place->sdk);
    return env->failed || !list_up(env) ? -ENOMEM : 0;
}

void environment_done(struct environment *env)
{
    free(env->list);
    free(env->text);
}
