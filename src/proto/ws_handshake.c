/* SPDX-License-Identifier: MIT */
#include "proto/ws_handshake.h"

#include <assert.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

#include "proto/http_chars.h"

#define KEY_SIZE 24 /* 16 bytes in Base64 */

static enum ws_handshake_status bad(struct ws_handshake *ret, const char *why)
{
    ret->why = why;
    return WS_HANDSHAKE_BAD;
}

static bool is_base64(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '/';
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

void ws_accept_of(struct slice key, char ret[WS_ACCEPT_SIZE])
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    unsigned char text[KEY_SIZE + sizeof(guid) - 1];
    unsigned char digest[SHA_DIGEST_LENGTH];
    unsigned char base64[WS_ACCEPT_SIZE + 1];
    assert(key.len == KEY_SIZE);
    memcpy(text, key.ptr, KEY_SIZE);
    memcpy(text + KEY_SIZE, guid, sizeof(guid) - 1);
    SHA1(text, sizeof(text), digest);
    EVP_EncodeBlock(base64, digest, sizeof(digest));
    memcpy(ret, base64, WS_ACCEPT_SIZE);
}

/* Does the header occur exactly once? Its value. */
static bool is_once(const struct http_head *head, struct slice name, struct slice *ret)
{
    *ret = http_head_find(head, name);
    return http_head_count(head, name) == 1;
}

/* Does one of the headers of this name list the token? */
static bool any_lists(const struct http_head *head, struct slice name, struct slice token)
{
    for (size_t i = 0; i < head->header_count; i++) {
        const struct http_header *h = &head->headers[i];
        if (slice_equal_nocase(h->name, name) && http_list_has(h->value, token))
            return true;
    }
    return false;
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

static bool read_extensions(const struct http_head *head)
{
    for (size_t i = 0; i < head->header_count; i++) {
        struct slice rest = head->headers[i].value, member, name;
        if (!slice_equal_nocase(head->headers[i].name, SLICE_LITERAL("sec-websocket-extensions")))
            continue;
        while (http_list_next(&rest, &member))
            if (!take_extension(member, &name))
                return false;
    }
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

static bool subprotocols_are_tokens(const struct http_head *head)
{
    size_t at = 0;
    struct slice rest, name;
    while (ws_subprotocol_next(head, &at, &rest, &name))
        if (!http_is_token(name))
            return false;
    return true;
}

static bool is_asked(const struct http_head *head)
{
    return head->minor > 0 && any_lists(head, SLICE_LITERAL("upgrade"), SLICE_LITERAL("websocket"));
}

/* RFC 6455, 4.3: a byte, without a zero before it. */
static bool is_version(struct slice text, uint64_t *ret)
{
    return slice_to_uint(text, 255, ret) && (text.len == 1 || text.ptr[0] != '0');
}

static enum ws_handshake_status check_version(const struct http_head *head,
                                              struct ws_handshake *ret)
{
    struct slice version;
    uint64_t number;
    if (!is_once(head, SLICE_LITERAL("sec-websocket-version"), &version))
        return bad(ret, "Sec-WebSocket-Version is missing or doubled");
    if (!is_version(version, &number))
        return bad(ret, "Sec-WebSocket-Version is no number");
    ret->why = "a WebSocket version other than 13";
    return number == 13 ? WS_HANDSHAKE_OK : WS_HANDSHAKE_BAD_VERSION;
}

enum ws_handshake_status ws_handshake_check(const struct http_head *head, struct ws_handshake *ret)
{
    struct slice key;
    *ret = (struct ws_handshake){.origin = SLICE_NONE};
    if (!is_asked(head))
        return WS_HANDSHAKE_NONE;
    if (!slice_equal(head->method, SLICE_LITERAL("GET")))
        return bad(ret, "a WebSocket handshake that is no GET");
    if (!head->upgrade)
        return bad(ret, "Upgrade: websocket without Connection: upgrade");
    if (head->body == HTTP_BODY_CHUNKED || (head->body == HTTP_BODY_LENGTH && head->content_length))
        return bad(ret, "a WebSocket handshake with a body");
    enum ws_handshake_status version = check_version(head, ret);
    if (version != WS_HANDSHAKE_OK)
        return version;
    if (!is_once(head, SLICE_LITERAL("sec-websocket-key"), &key) || !is_key(key))
        return bad(ret, "Sec-WebSocket-Key is not one key of 16 bytes in Base64");
    if (http_head_count(head, SLICE_LITERAL("origin")) > 1)
        return bad(ret, "more than one Origin");
    if (!read_extensions(head) || !subprotocols_are_tokens(head))
        return bad(ret, "Sec-WebSocket-Extensions or -Protocol is no list of tokens");
    ret->origin = http_head_find(head, SLICE_LITERAL("origin"));
    ret->why = NULL;
    ws_accept_of(key, ret->accept);
    return WS_HANDSHAKE_OK;
}
