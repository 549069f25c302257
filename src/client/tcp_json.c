/* SPDX-License-Identifier: MIT */
#include "client/tcp_json.h"

#include <jansson.h>
#include <stdio.h>

char *tcp_json_request(const struct httpsocket_tcp_options *o)
{
    json_t *object =
        json_pack("{s:s, s:s, s:i}", "kind", "tcp", "host", o->host, "port", (int)o->port);
    if (!object)
        return NULL;
    int failed = 0;
    if (o->secure)
        failed |= json_object_set_new(object, "secure", json_true());
    if (o->no_delay)
        failed |= json_object_set_new(object, "noDelay", json_true());
    if (o->keep_alive_ms)
        failed |= json_object_set_new(object, "keepAliveDelay",
                                      json_integer((json_int_t)o->keep_alive_ms));
    char *text = failed ? NULL : json_dumps(object, JSON_COMPACT);
    json_decref(object);
    return text;
}

static json_t *load(struct slice json)
{
    return json_loadb(json.ptr, json.len, 0, NULL);
}

static void take_text(const json_t *object, const char *name, char *out, size_t room)
{
    const char *text = json_string_value(json_object_get(object, name));
    snprintf(out, room, "%s", text ? text : "");
}

static uint16_t take_port(const json_t *object, const char *name)
{
    json_int_t port = json_integer_value(json_object_get(object, name));
    return port > 0 && port <= UINT16_MAX ? (uint16_t)port : 0;
}

void tcp_json_addresses(struct slice json, struct tcp_addresses *ret)
{
    json_t *object = load(json);
    take_text(object, "remoteAddress", ret->remote, sizeof(ret->remote));
    take_text(object, "localAddress", ret->local, sizeof(ret->local));
    ret->remote_port = take_port(object, "remotePort");
    ret->local_port = take_port(object, "localPort");
    json_decref(object);
}

void tcp_json_reason(struct slice json, struct tcp_reason *ret)
{
    json_t *object = load(json);
    const json_t *retry = json_object_get(object, "retryAfter");
    take_text(object, "reason", ret->reason, sizeof(ret->reason));
    take_text(object, "message", ret->message, sizeof(ret->message));
    ret->retry_s =
        json_is_number(retry) && json_number_value(retry) >= 0 && json_number_value(retry) < 1e9
            ? (int64_t)json_number_value(retry)
            : -1;
    if (!*ret->reason)
        snprintf(ret->reason, sizeof(ret->reason), "reset");
    json_decref(object);
}
