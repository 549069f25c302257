#include "ws/parts.h"

#include <assert.h>

#define PIECES_AT_ONCE   16
#define CLOSE_REASON_MAX 123
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

void sender_frame(struct ws_peer *p, enum ws_op op, const struct slice *pieces, size_t count)
{
    char head[WS_HEAD_MAX];
    struct iovec iov[PIECES_AT_ONCE];
    uint64_t length = 0;
    for (size_t i = 0; i < count; i++)
        length += pieces[i].len;
    iov[0] = (struct iovec){head, ws_head_write(head, op, length)};
    p->counts->bytes_out += iov[0].iov_len + length;
    write_pieces(p->stream, iov, pieces, count);
}

/* At most `max` bytes, cut before a character that does not fit. */
static struct slice cut_text(struct slice text, size_t max)
{
    if (text.len <= max)
        return text;
    while (max > 0 && (text.ptr[max] & 0xc0) == 0x80)
        max--;
    return slice_first(text, max);
}

void sender_close(struct ws_peer *p, unsigned code, struct slice reason)
{
    assert(code == 1005 || ws_close_code_valid(code));
    char number[2] = {(char)(code >> 8), (char)code};
    struct slice pieces[] = {slice_make(number, 2), cut_text(reason, CLOSE_REASON_MAX)};
    sender_frame(p, WS_OP_CLOSE, pieces, code == 1005 ? 0 : 2);
}

void sender_pong(struct ws_peer *p, struct slice data)
{
    sender_frame(p, WS_OP_PONG, &data, 1);
    if (stream_queued(p->stream) <= PONG_BACKLOG_MAX)
        return;
    p->choked = true;
    peer_settle(p);
}
