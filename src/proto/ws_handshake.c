/* SPDX-License-Identifier: MIT */
#include "proto/ws_handshake.h"

#include "proto/http_chars.h"
#include "proto/sha1.h"

#include <assert.h>

#define KEY_SIZE 24 /* 16 bytes in Base64 */

static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static enum ws_handshake_status bad(struct ws_handshake *ret, const char *why)
{
    ret->why = why;
    return WS_HANDSHAKE_BAD;
}

static bool is_base64(char c)
{
    return (unsigned)((c | 0x20) - 'a') < 26 || (c >= '/' && c <= '9') || c == '+';
}

static bool is_key(struct slice key)
{
    if (key.len != KEY_SIZE || key.ptr[22] != '=' || key.ptr[23] != '=')
        return false;
    for (size_t i = 0; i < 22; i++)
        if (!is_base64(key.ptr[i]))
            return false;
    return true;
}

/* SHA1_SIZE bytes, and one of zeros, are seven groups of three. */
static void put_base64(const uint8_t digest[SHA1_SIZE + 1], char ret[WS_ACCEPT_SIZE])
{
    for (size_t i = 0; i < WS_ACCEPT_SIZE / 4; i++, digest += 3, ret += 4) {
        ret[0] = base64[digest[0] >> 2];
        ret[1] = base64[(digest[0] << 4 | digest[1] >> 4) & 63];
        ret[2] = base64[(digest[1] << 2 | digest[2] >> 6) & 63];
        ret[3] = base64[digest[2] & 63];
    }
}

void ws_accept_of(struct slice key, char ret[WS_ACCEPT_SIZE])
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    char text[SHA1_TEXT];
    uint8_t digest[SHA1_SIZE + 1] = {0};
    _Static_assert(KEY_SIZE + sizeof(guid) - 1 == SHA1_TEXT, "the hash is of both");
    assert(key.len == KEY_SIZE);
    memcpy(text, key.ptr, KEY_SIZE);
    memcpy(text + KEY_SIZE, guid, SHA1_TEXT - KEY_SIZE);
    sha1_of_60(text, digest);
    put_base64(digest, ret);
    ret[WS_ACCEPT_SIZE - 1] = '=';
}

static void skip_space(struct slice *s)
{
    while (s->len && (s->ptr[0] == ' ' || s->ptr[0] == '\t'))
        *s = slice_skip(*s, 1);
}

static bool take_token(struct slice *rest, struct slice *ret)
{
    skip_space(rest);
    const char *end = http_skip_token(rest->ptr, rest->ptr + rest->len);
    *ret = slice_make(rest->ptr, (size_t)(end - rest->ptr));
    *rest = slice_skip(*rest, ret->len);
    skip_space(rest);
    return ret->len > 0;
}

static bool take_char(struct slice *rest, char wanted)
{
    if (rest->len == 0 || rest->ptr[0] != wanted)
        return false;
    *rest = slice_skip(*rest, 1);
    return true;
}

/* A parameter's value: a token, or a quoted string that holds one (RFC 6455, 9.1). */
static bool take_value(struct slice *rest)
{
    struct slice token;
    skip_space(rest);
    if (!take_char(rest, '"'))
        return take_token(rest, &token);
    if (!take_token(rest, &token) || !take_char(rest, '"'))
        return false;
    skip_space(rest);
    return true;
}

/* NAME *( ";" PARAMETER [ "=" VALUE ] ) */
static bool take_extension(struct slice member, struct slice *name)
{
    struct slice parameter;
    if (!take_token(&member, name))
        return false;
    while (take_char(&member, ';')) {
        if (!take_token(&member, &parameter))
            return false;
        if (take_char(&member, '=') && !take_value(&member))
            return false;
    }
    return member.len == 0;
}

static bool are_extensions(struct slice list)
{
    struct slice member, name;
    while (http_list_next(&list, &member))
        if (!take_extension(member, &name))
            return false;
    return true;
}

static bool are_tokens(struct slice list)
{
    struct slice member;
    while (http_list_next(&list, &member))
        if (!http_is_token(member))
            return false;
    return true;
}

bool ws_subprotocol_next(const struct http_head *head, size_t *at, struct slice *rest,
                         struct slice *ret)
{
    for (;;) {
        if (*at > 0 && http_list_next(rest, ret))
            return true;
        while (
            *at < head->header_count &&
            !slice_equal_nocase(head->headers[*at].name, SLICE_LITERAL("sec-websocket-protocol")))
            ++*at;
        if (*at == head->header_count)
            return false;
        *rest = head->headers[(*at)++].value;
    }
}

/* The fields of a handshake, and how often those came that come once. */
struct fields {
    struct slice version, key, origin;
    unsigned versions, keys, origins;
    bool websocket; /* an Upgrade lists it */
    bool broken;    /* a list that is none */
};

static inline bool named(const struct http_header *h, const char *name)
{
    return slice_same_nocase(h->name.ptr, name, h->name.len);
}

static void take_field(struct fields *f, const struct http_header *h)
{
    switch (h->name.len) {
    case sizeof("origin") - 1:
        if (named(h, "origin") && !f->origins++)
            f->origin = h->value;
        break;
    case sizeof("upgrade") - 1:
        if (named(h, "upgrade"))
            f->websocket |= http_list_has(h->value, SLICE_LITERAL("websocket"));
        break;
    case sizeof("sec-websocket-key") - 1:
        if (named(h, "sec-websocket-key") && !f->keys++)
            f->key = h->value;
        break;
    case sizeof("sec-websocket-version") - 1:
        if (named(h, "sec-websocket-version") && !f->versions++)
            f->version = h->value;
        break;
    case sizeof("sec-websocket-protocol") - 1:
        if (named(h, "sec-websocket-protocol"))
            f->broken |= !are_tokens(h->value);
        break;
    case sizeof("sec-websocket-extensions") - 1:
        if (named(h, "sec-websocket-extensions"))
            f->broken |= !are_extensions(h->value);
        break;
    }
}

/* RFC 6455, 4.3: a byte, without a zero before it. */
static bool is_version(struct slice text, uint64_t *ret)
{
    return slice_to_uint(text, 255, ret) && (text.len == 1 || text.ptr[0] != '0');
}

static enum ws_handshake_status check_version(const struct fields *f, struct ws_handshake *ret)
{
    uint64_t number;
    if (f->versions != 1)
        return bad(ret, "Sec-WebSocket-Version is missing or doubled");
    if (!is_version(f->version, &number))
        return bad(ret, "Sec-WebSocket-Version is no number");
    ret->why = "a WebSocket version other than 13";
    return number == 13 ? WS_HANDSHAKE_OK : WS_HANDSHAKE_BAD_VERSION;
}

enum ws_handshake_status ws_handshake_check(const struct http_head *head, struct ws_handshake *ret)
{
    struct fields f = {.origin = SLICE_NONE};
    *ret = (struct ws_handshake){.origin = SLICE_NONE};
    for (size_t i = 0; i < head->header_count; i++)
        take_field(&f, &head->headers[i]);
    if (!f.websocket || head->minor == 0)
        return WS_HANDSHAKE_NONE;
    if (!slice_equal(head->method, SLICE_LITERAL("GET")))
        return bad(ret, "a WebSocket handshake that is no GET");
    if (!head->upgrade)
        return bad(ret, "Upgrade: websocket without Connection: upgrade");
    if (head->body == HTTP_BODY_CHUNKED || (head->body == HTTP_BODY_LENGTH && head->content_length))
        return bad(ret, "a WebSocket handshake with a body");
    enum ws_handshake_status version = check_version(&f, ret);
    if (version != WS_HANDSHAKE_OK)
        return version;
    if (f.keys != 1 || !is_key(f.key))
        return bad(ret, "Sec-WebSocket-Key is not one key of 16 bytes in Base64");
    if (f.origins > 1)
        return bad(ret, "more than one Origin");
    if (f.broken)
        return bad(ret, "Sec-WebSocket-Extensions or -Protocol is no list of tokens");
    *ret = (struct ws_handshake){.key = f.key, .origin = f.origin};
    return WS_HANDSHAKE_OK;
}
