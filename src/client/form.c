/* SPDX-License-Identifier: MIT */
/* form.c - messages between the codec's form and the public one. */
#include "client/parts.h"

#include <stdio.h>

static const enum httpsocket_kind kinds[] = {
    [MESSAGE_EVENT] = HTTPSOCKET_EVENT,     [MESSAGE_CALL] = HTTPSOCKET_CALL,
    [MESSAGE_ANSWER] = HTTPSOCKET_ANSWER,   [MESSAGE_PART] = HTTPSOCKET_PART,
    [MESSAGE_FAILURE] = HTTPSOCKET_FAILURE,
};

struct httpsocket_message form_public(const struct message *m, char name[MESSAGE_NAME_MAX + 1])
{
    bool named = m->kind == MESSAGE_EVENT || m->kind == MESSAGE_CALL;
    if (named)
        snprintf(name, MESSAGE_NAME_MAX + 1, "%.*s", SLICE_ARG(m->name));
    return (struct httpsocket_message){
        .kind = kinds[m->kind],
        .bytes = m->binary,
        .name = named ? name : NULL,
        .call = m->call,
        .data = m->body.len ? m->body.ptr : "",
        .size = m->body.len,
    };
}

int form_head(const struct httpsocket_message *m, char *out, size_t room)
{
    unsigned long long call = m->call;
    const char *name = m->name ? m->name : "";
    switch (m->kind) {
    case HTTPSOCKET_EVENT:
        return snprintf(out, room, "%s", name);
    case HTTPSOCKET_CALL:
        return snprintf(out, room, "%s?%llu", name, call);
    case HTTPSOCKET_ANSWER:
        return snprintf(out, room, "=%llu", call);
    case HTTPSOCKET_PART:
        return snprintf(out, room, "+%llu", call);
    case HTTPSOCKET_FAILURE:
        return snprintf(out, room, "!%llu", call);
    }
    return 0;
}
