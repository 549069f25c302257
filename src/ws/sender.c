/* SPDX-License-Identifier: MIT */
#include "ws/masks.h"
#include "ws/parts.h"

#include "base/utf8.h"
#include "proto/close_code.h"

#include <assert.h>

#define MASKED_AT_ONCE   16384
#define PIECES_AT_ONCE   16
#define CLAIMED_MAX      4096 /* longer ones fill up chunks */
#define CLOSE_REASON_MAX 123
#define REFERRED_MIN     65536 /* below, TLS makes one record of head and body */
/* A peer that sends pings and reads no pongs is not read either beyond this many bytes. */
#define PONG_BACKLOG_MAX 65536

/* `iov[0]` is the caller's to fill. */
static void write_pieces(struct stream *s, struct iovec iov[PIECES_AT_ONCE],
                         const struct slice *pieces, size_t count)
{
    int n = 1;
    for (size_t i = 0; i < count; i++) {
        if (n == PIECES_AT_ONCE) {
            stream_write(s, iov, n);
            n = 0;
        }
        iov[n++] = (struct iovec){(void *)pieces[i].ptr, pieces[i].len};
    }
    stream_write(s, iov, n);
}

/* `at` bytes wait in `buffer`: those and a masked copy of the piece, in as many writes as it takes.
 * Returns what waits then. */
static size_t write_masked(struct stream *s, char buffer[MASKED_AT_ONCE], size_t at,
                           struct slice piece, const uint8_t mask[4], uint64_t offset)
{
    while (piece.len) {
        struct slice part = slice_first(piece, MASKED_AT_ONCE - at);
        memcpy(buffer + at, part.ptr, part.len);
        ws_mask(buffer + at, part.len, mask, offset);
        at += part.len;
        offset += part.len;
        piece = slice_skip(piece, part.len);
        if (at < MASKED_AT_ONCE)
            break;
        stream_write_slice(s, slice_make(buffer, at));
        at = 0;
    }
    return at;
}

static void send_masked(struct stream *s, enum ws_op op, uint64_t length,
                        const struct slice *pieces, size_t count)
{
    char buffer[MASKED_AT_ONCE];
    struct ws_head head = {.fin = true, .op = op, .masked = true, .length = length};
    masks_take(head.mask);
    size_t at = ws_head_write_full(buffer, &head);
    uint64_t offset = 0;
    for (size_t i = 0; i < count; i++) {
        at = write_masked(s, buffer, at, pieces[i], head.mask, offset);
        offset += pieces[i].len;
    }
    if (at)
        stream_write_slice(s, slice_make(buffer, at));
}

static void send_plain(struct stream *s, enum ws_op op, uint64_t length, const struct slice *pieces,
                       size_t count)
{
    char head[WS_HEAD_MAX];
    struct iovec iov[PIECES_AT_ONCE];
    iov[0] = (struct iovec){head, ws_head_write(head, op, length)};
    write_pieces(s, iov, pieces, count);
}

static size_t head_size(const struct ws_peer *p, uint64_t length)
{
    return (length < 126 ? 2 : length <= UINT16_MAX ? 4 : 10) + (p->config->client ? 4 : 0);
}

/* memcpy() of a few bytes without a call. */
static inline void copy(char *to, const char *from, size_t len)
{
    struct {
        uint64_t a, b;
    } first, last;
    if (len < sizeof(first) || len > 2 * sizeof(first)) {
        if (len)
            memcpy(to, from, len);
        return;
    }
    memcpy(&first, from, sizeof(first));
    memcpy(&last, from + len - sizeof(last), sizeof(last));
    memcpy(to, &first, sizeof(first));
    memcpy(to + len - sizeof(last), &last, sizeof(last));
}

static inline void copy_pieces(char *to, const struct slice *pieces, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        copy(to, pieces[i].ptr, pieces[i].len);
        to += pieces[i].len;
    }
}

/* Writes the frame to where it leaves from. False: there is no room in one piece. */
static bool place_plain(struct stream *s, enum ws_op op, size_t length, const struct slice *pieces,
                        size_t count)
{
    size_t size = length < 126 ? 2 : 4;
    char *out = stream_claim(s, size + length);
    if (!out)
        return false;
    out[0] = (char)(0x80 | op);
    out[1] = (char)(size == 2 ? length : 126);
    if (size == 4) {
        out[2] = (char)(length >> 8);
        out[3] = (char)length;
    }
    copy_pieces(out + size, pieces, count);
    return true;
}

static bool place_masked(struct stream *s, enum ws_op op, size_t length, const struct slice *pieces,
                         size_t count)
{
    struct ws_head head = {.fin = true, .op = op, .masked = true, .length = length};
    char *out = stream_claim(s, (length < 126 ? 6 : 8) + length);
    if (!out)
        return false;
    masks_take(head.mask);
    out += ws_head_write_full(out, &head);
    copy_pieces(out, pieces, count);
    ws_mask(out, length, head.mask, 0);
    return true;
}

static void send_masked_frame(struct stream *s, enum ws_op op, uint64_t length,
                              const struct slice *pieces, size_t count)
{
    if (length > CLAIMED_MAX || !place_masked(s, op, length, pieces, count))
        send_masked(s, op, length, pieces, count);
}

static void send_plain_frame(struct stream *s, enum ws_op op, uint64_t length,
                             const struct slice *pieces, size_t count)
{
    if (length > CLAIMED_MAX || !place_plain(s, op, length, pieces, count))
        send_plain(s, op, length, pieces, count);
}

void sender_frame(struct ws_peer *p, enum ws_op op, const struct slice *pieces, size_t count)
{
    uint64_t length = 0;
    for (size_t i = 0; i < count; i++)
        length += pieces[i].len;
    p->counts->bytes_out += head_size(p, length) + length;
    if (p->config->client)
        send_masked_frame(p->stream, op, length, pieces, count);
    else
        send_plain_frame(p->stream, op, length, pieces, count);
}

void sender_back(struct ws_peer *p, enum ws_op op, struct bytes data)
{
    size_t size = head_size(p, data.len);
    char *frame = data.ptr - size;
    ws_head_write(frame, op, data.len);
    p->counts->bytes_out += size + data.len;
    stream_write_back(p->stream, slice_make(frame, size + data.len));
}

/* Of its own, so that the quick way below needs no place in memory for `data`. */
__attribute__((noinline)) static void send_one(struct ws_peer *p, enum ws_op op, struct slice data)
{
    sender_frame(p, op, &data, 1);
}

/* Quick for nearly all frames of a server: they are short, and others wait already. */
void sender_one(struct ws_peer *p, enum ws_op op, struct slice data)
{
    bool is_short = data.len < 126 && !p->config->client;
    char *out = is_short ? stream_claim(p->stream, 2 + data.len) : NULL;
    if (!out) {
        send_one(p, op, data);
        return;
    }
    out[0] = (char)(0x80 | op);
    out[1] = (char)data.len;
    copy(out + 2, data.ptr, data.len);
    p->counts->bytes_out += 2 + data.len;
}

void sender_shared(struct ws_peer *p, enum ws_op op, struct slice head, struct shared_bytes *shared,
                   size_t at, size_t len)
{
    if (p->config->client || (stream_secure(p->stream) && len < REFERRED_MIN)) {
        struct slice pieces[] = {head, slice_make(shared->bytes + at, len)};
        sender_frame(p, op, pieces, 2);
        return;
    }
    char ws_head[WS_HEAD_MAX];
    struct iovec heads[] = {{ws_head, ws_head_write(ws_head, op, head.len + len)},
                            {(void *)head.ptr, head.len}};
    p->counts->bytes_out += heads[0].iov_len + head.len + len;
    stream_write(p->stream, heads, 2);
    stream_write_part(p->stream, shared, at, len);
}

void sender_close(struct ws_peer *p, unsigned code, struct slice reason)
{
    assert(code == CLOSE_NO_STATUS || ws_close_code_valid(code));
    char number[2] = {(char)(code >> 8), (char)code};
    struct slice pieces[] = {slice_make(number, 2), utf8_first(reason, CLOSE_REASON_MAX)};
    sender_frame(p, WS_OP_CLOSE, pieces, code == CLOSE_NO_STATUS ? 0 : 2);
}

void sender_pong(struct ws_peer *p, struct slice data)
{
    sender_frame(p, WS_OP_PONG, &data, 1);
    if (stream_queued(p->stream) <= PONG_BACKLOG_MAX)
        return;
    p->choked = true;
    peer_settle(p);
}
