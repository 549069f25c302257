/* SPDX-License-Identifier: MIT */
/* subprotocol.c - see subprotocol.h. */
#include "page/subprotocol.h"

#include "proto/message.h"
#include "proto/ws_handshake.h"
#include "session/table.h"

struct field {
    struct slice prefix;
    struct slice *value;
};

/* False: it occurs twice. */
static bool take(struct slice token, struct field *fields, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!slice_starts_with(token, fields[i].prefix))
            continue;
        if (fields[i].value->ptr)
            return false;
        *fields[i].value = slice_skip(token, fields[i].prefix.len);
        return true;
    }
    return true;
}

static bool is_count(struct slice text, uint64_t *ret)
{
    bool padded = text.len > 1 && text.ptr[0] == '0';
    return !padded && slice_to_uint(text, MESSAGE_CALL_MAX, ret);
}

static const char *check(struct page_subprotocol *subprotocol, struct slice received)
{
    if (!subprotocol->key.ptr)
        return "key.KEY is missing";
    if (!session_key_valid(subprotocol->key))
        return "key.KEY is malformed";
    if (subprotocol->session.ptr && !session_id_valid(subprotocol->session))
        return "session.ID is malformed";
    if (received.ptr && !is_count(received, &subprotocol->received))
        return "received.N is malformed";
    if (received.ptr && !subprotocol->session.ptr && subprotocol->received > 0)
        return "received.N without session.ID";
    return NULL;
}

bool page_subprotocol_read(const struct http_head *request, struct page_subprotocol *ret)
{
    *ret = (struct page_subprotocol){0};
    struct slice received = SLICE_NONE;
    struct field fields[] = {
        {SLICE_LITERAL("session."), &ret->session},
        {SLICE_LITERAL("key."), &ret->key},
        {SLICE_LITERAL("received."), &received},
    };

    bool once = true;
    size_t at = 0;
    struct slice rest = SLICE_NONE, token;
    while (ws_subprotocol_next(request, &at, &rest, &token)) {
        if (slice_equal(token, SLICE_LITERAL("httpsocket.v1")))
            ret->session_protocol = true;
        else if (slice_equal(token, SLICE_LITERAL("parts")))
            ret->parts = true;
        else if (!take(token, fields, sizeof(fields) / sizeof(fields[0])))
            once = false;
    }
    if (!ret->session_protocol)
        return true;
    ret->why = once ? check(ret, received) : "a field of httpsocket.v1 occurs twice";
    return ret->why == NULL;
}
