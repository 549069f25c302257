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

static const char *check(struct page_subprotocol *subprotocol, struct slice received,
                         struct slice parts)
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
    if (parts.ptr && !is_count(parts, &subprotocol->has_of_next))
        return "parts.N is malformed";
    if (parts.ptr && !subprotocol->session.ptr && subprotocol->has_of_next > 0)
        return "parts.N without session.ID";
    return NULL;
}

bool page_subprotocol_read(const struct http_head *request, struct page_subprotocol *ret)
{
    *ret = (struct page_subprotocol){0};
    struct slice received = SLICE_NONE, parts = SLICE_NONE;
    struct field fields[] = {
        {SLICE_LITERAL("session."), &ret->session},
        {SLICE_LITERAL("key."), &ret->key},
        {SLICE_LITERAL("received."), &received},
        {SLICE_LITERAL("parts."), &parts},
    };

    bool once = true;
    size_t at = 0;
    struct slice rest = SLICE_NONE, token;
    while (ws_subprotocol_next(request, &at, &rest, &token)) {
        if (slice_equal(token, SLICE_LITERAL("httpsocket.v1")))
            ret->session_protocol = true;
        else if (slice_equal(token, SLICE_LITERAL("parts")))
            ret->parts = true;
        else if (slice_equal(token, SLICE_LITERAL("state")))
            ret->state = true;
        else if (slice_equal(token, SLICE_LITERAL("restore")))
            ret->restore = true;
        else if (!take(token, fields, sizeof(fields) / sizeof(fields[0])))
            once = false;
    }
    if (!ret->session_protocol)
        return true;
    ret->parts |= parts.ptr != NULL;
    ret->why = once ? check(ret, received, parts) : "a field of httpsocket.v1 occurs twice";
    return ret->why == NULL;
}

/* ---- of a client without a session ---- */

#define PROTOCOL SLICE_LITERAL("sec-websocket-protocol")

struct slice page_subprotocol_of(const struct cgi_head *head)
{
    for (size_t i = 0; i < head->header_count; i++)
        if (slice_equal_nocase(head->headers[i].name, PROTOCOL))
            return head->headers[i].value;
    return SLICE_NONE;
}

static bool is_offered(const struct http_head *request, struct slice name)
{
    size_t at = 0;
    struct slice rest = SLICE_NONE, offered;
    while (ws_subprotocol_next(request, &at, &rest, &offered))
        if (slice_equal(offered, name))
            return true;
    return false;
}

const char *page_subprotocol_judge(const struct http_head *request, const struct cgi_head *head)
{
    struct slice chosen = page_subprotocol_of(head);
    size_t count = 0;
    for (size_t i = 0; i < head->header_count; i++)
        count += slice_equal_nocase(head->headers[i].name, PROTOCOL);
    if (count > 1)
        return "more than one Sec-WebSocket-Protocol";
    if (count == 1 && !is_offered(request, chosen))
        return "its Sec-WebSocket-Protocol is none of those that the client offers";
    return NULL;
}

struct slice page_subprotocol_for_lines(const struct exchange *x, const struct program_kinds *kinds)
{
    size_t at = 0;
    struct slice rest = SLICE_NONE, offered;
    while (ws_subprotocol_next(x->request, &at, &rest, &offered))
        if (program_kinds_speaks(kinds, x->path, offered))
            return offered;
    return SLICE_NONE;
}
