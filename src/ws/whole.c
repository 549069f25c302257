/* SPDX-License-Identifier: MIT */
/* whole.c - messages that have come whole, in one frame each: nearly all of them.
 *
 * Decides nothing of its own: what is not clearly such a message is left to reader.c, which checks
 * every rule. No clock or timer is asked, and messages that came together are counted together.
 */
#include "ws/parts.h"

#include "proto/close_code.h"

/* One copy for each side, without a question which side it is. */
#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* A whole frame of a message that is one: FIN, no reserved bit, text or binary, masked as it has to
 * be, its length in the shortest form and at most 65535. */
struct whole {
    enum ws_op op;
    size_t head; /* its size; 0: there is no such frame */
    size_t len;  /* of the payload */
};

ALWAYS_INLINE struct whole frame_at(const char *at, size_t left, bool masked)
{
    const uint8_t *b = (const uint8_t *)at;
    struct whole none = {0}, f = {.op = (enum ws_op)(b[0] - 0x80), .head = masked ? 6 : 2};
    if (f.op != WS_OP_TEXT && f.op != WS_OP_BINARY)
        return none;
    f.len = masked ? b[1] - 0x80u : b[1];
    if (f.len >= 126) {
        f.head += 2;
        bool is_long = f.len == 126 && left >= 4;
        f.len = is_long ? (size_t)(b[2] << 8 | b[3]) : 0;
        if (f.len < 126)
            return none;
    }
    return f.head + f.len <= left ? f : none;
}

/* In place; false: text that is not UTF-8. */
ALWAYS_INLINE bool unmask(char *payload, const struct whole *f, bool masked)
{
    if (f->op == WS_OP_TEXT) {
        bool ascii = masked && ws_mask_ascii(payload, f->len, (const uint8_t *)payload - 4);
        return ascii || utf8_valid(slice_make(payload, f->len));
    }
    if (masked)
        ws_mask(payload, f->len, (const uint8_t *)payload - 4, 0);
    return true;
}

ALWAYS_INLINE struct bytes take(struct ws_peer *p, struct bytes in, bool masked)
{
    char *at = in.ptr, *end = in.ptr + in.len;
    p->in_place = true;
    uint64_t count = 0, now = loop_now_ms(stream_loop(p->stream));
    while (end - at >= 2 && p->state == PEER_OPEN && !p->paused) {
        struct whole f = frame_at(at, (size_t)(end - at), masked);
        if (!f.head || f.len > p->config->message_max)
            break;
        char *payload = at + f.head;
        if (!unmask(payload, &f, masked)) {
            peer_fail(p, CLOSE_INVALID_DATA, "text that is not UTF-8");
            break;
        }
        at = payload + f.len;
        count++;
        p->alive_ms = now;
        p->ops->on_message(p, f.op, (struct bytes){payload, f.len});
    }
    p->in_place = false;
    p->counts->messages_in += count;
    return (struct bytes){at, (size_t)(end - at)};
}

struct bytes whole_take(struct ws_peer *p, struct bytes in)
{
    return p->config->client ? take(p, in, false) : take(p, in, true);
}
