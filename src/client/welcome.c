/* SPDX-License-Identifier: MIT */
#include "client/welcome.h"

#include "base/base64url.h"

#include <jansson.h>
#include <stdio.h>

static bool is_session(const char *id)
{
    return id && strlen(id) == WELCOME_SESSION_LEN &&
           base64url_span(slice_of(id)) == WELCOME_SESSION_LEN;
}

static bool take_number(const json_t *object, const char *name, json_int_t least, uint64_t *ret)
{
    const json_t *value = json_object_get(object, name);
    if (!json_is_integer(value) || json_integer_value(value) < least)
        return false;
    *ret = (uint64_t)json_integer_value(value);
    return true;
}

static const char *take_fields(const json_t *object, struct welcome *w)
{
    const char *session = json_string_value(json_object_get(object, "session"));
    const json_t *resumed = json_object_get(object, "resumed");
    if (!is_session(session))
        return ".welcome without a session";
    memcpy(w->session, session, sizeof(w->session));
    if (!json_is_boolean(resumed))
        return ".welcome without resumed";
    w->resumed = json_is_true(resumed);
    if (!take_number(object, "received", 0, &w->received))
        return ".welcome without received";
    if (!take_number(object, "window", 1, &w->window))
        return ".welcome without window";
    if (!take_number(object, "maxMessage", 1, &w->message_max))
        return ".welcome without maxMessage";
    if (!take_number(object, "ping", 1, &w->ping_ms))
        return ".welcome without ping";
    if (!take_number(object, "grace", 0, &w->grace_ms))
        return ".welcome without grace";
    if (json_object_get(object, "streams") && !take_number(object, "streams", 0, &w->streams))
        return ".welcome with streams that are no number";
    if (json_object_get(object, "streamWindow") &&
        !take_number(object, "streamWindow", 1, &w->stream_window))
        return ".welcome with a streamWindow that is no number";
    return NULL;
}

const char *welcome_parse(struct slice json, struct welcome *ret)
{
    struct welcome w = {0};
    json_t *object = json_loadb(json.ptr, json.len, JSON_REJECT_DUPLICATES, NULL);
    const char *why = take_fields(object, &w);
    json_decref(object);
    if (!why)
        *ret = w;
    return why;
}

bool close_parse(struct slice json, unsigned *code, char *reason, size_t room)
{
    json_t *object = json_loadb(json.ptr, json.len, 0, NULL);
    const json_t *value = json_object_get(object, "code");
    json_int_t number = json_integer_value(value);
    bool ok = number >= 1000 && number <= 4999;
    const char *text = json_string_value(json_object_get(object, "reason"));
    if (ok) {
        *code = (unsigned)number;
        snprintf(reason, room, "%s", text ? text : "");
    }
    json_decref(object);
    return ok;
}
