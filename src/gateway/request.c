/* SPDX-License-Identifier: MIT */
#include "gateway/request.h"

#include <jansson.h>
#include <stdio.h>

enum {
    KEEP_ALIVE_MS_MIN = 1000, /* as the Direct Sockets API has it */
    KEEP_ALIVE_MS_MAX = 32767000
};

static const char *read_host(const json_t *value, struct slice *ret)
{
    if (!json_is_string(value))
        return "host: expected a string";
    *ret = slice_make(json_string_value(value), json_string_length(value));
    if (ret->len == 0 || ret->len > TCP_HOST_MAX)
        return "host: expected 1 to 1024 bytes";
    return NULL;
}

static const char *read_port(const json_t *value, uint16_t *ret)
{
    json_int_t port = json_integer_value(value);
    if (!json_is_integer(value) || port < 1 || port > 65535)
        return "port: expected a whole number from 1 to 65535";
    *ret = (uint16_t)port;
    return NULL;
}

static const char *read_flag(const json_t *value, const char *fault, bool *ret)
{
    if (!json_is_boolean(value))
        return fault;
    *ret = json_is_true(value);
    return NULL;
}

static const char *read_keep_alive(const json_t *value, uint32_t *ret)
{
    json_int_t ms = json_integer_value(value);
    if (!json_is_integer(value) || ms < KEEP_ALIVE_MS_MIN || ms > KEEP_ALIVE_MS_MAX)
        return "keepAliveDelay: expected milliseconds from 1000 to 32767000";
    *ret = (uint32_t)((ms + 999) / 1000);
    return NULL;
}

static const char *read_member(const char *name, const json_t *value, struct tcp_request *r,
                               struct slice *host)
{
    if (!strcmp(name, "kind"))
        return json_is_string(value) && !strcmp(json_string_value(value), "tcp")
                   ? NULL
                   : "kind: expected \"tcp\"";
    if (!strcmp(name, "host"))
        return read_host(value, host);
    if (!strcmp(name, "port"))
        return read_port(value, &r->port);
    if (!strcmp(name, "secure"))
        return read_flag(value, "secure: expected true or false", &r->secure);
    if (!strcmp(name, "noDelay"))
        return read_flag(value, "noDelay: expected true or false", &r->no_delay);
    if (!strcmp(name, "keepAliveDelay"))
        return read_keep_alive(value, &r->keep_alive_s);
    return "expected no other members than kind, host, port, secure, keepAliveDelay, noDelay";
}

static const char *read_object(json_t *object, struct tcp_request *ret)
{
    struct slice host = SLICE_NONE;
    const char *name;
    json_t *value;
    if (!json_is_object(object))
        return "expected a JSON object, each member once";
    json_object_foreach(object, name, value)
    {
        const char *why = read_member(name, value, ret, &host);
        if (why)
            return why;
    }
    if (!host.ptr || !ret->port)
        return "expected host and port";
    bool bare_v6 = slice_find(host, ':') < host.len && host.ptr[0] != '[';
    snprintf(ret->target, sizeof(ret->target), bare_v6 ? "[%.*s]:%u" : "%.*s:%u", SLICE_ARG(host),
             ret->port);
    ret->host_len = host.len + (bare_v6 ? 2 : 0);
    return NULL;
}

const char *tcp_request_parse(struct slice json, struct tcp_request *ret)
{
    *ret = (struct tcp_request){.port = 0};
    if (json.len > TCP_REQUEST_MAX)
        return "expected at most 4096 bytes of JSON";
    json_t *object = json_loadb(json.ptr, json.len, JSON_REJECT_DUPLICATES, NULL);
    const char *why = read_object(object, ret);
    json_decref(object);
    return why;
}
