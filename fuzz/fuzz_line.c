/* SPDX-License-Identifier: MIT */
/* What a program writes on fd 3: the same messages however it is cut, and each, written again, is
 * itself. The first two bytes are the limit of a message. */
#include "fuzz.h"

#include "base/utf8.h"
#include "proto/message.h"

static bool is_same(const struct message *a, const struct message *b)
{
    return a->kind == b->kind && a->binary == b->binary && a->call == b->call &&
           slice_equal(a->head, b->head) && slice_equal(a->name, b->name) &&
           slice_equal(a->body, b->body);
}

static void check_round_trip(const struct message *m)
{
    struct message_line line;
    struct message again;
    size_t used = 0, want = 0;
    message_line_head(m, &line);
    FUZZ_CHECK(line.before_len <= MESSAGE_LINE_MAX);
    size_t len = line.before_len + m->body.len + 1;
    char *text = malloc(len);
    memcpy(text, line.before, line.before_len);
    memcpy(text + line.before_len, m->body.ptr, m->body.len);
    text[len - 1] = '\n';
    FUZZ_CHECK(message_parse_line(slice_make(text, len), 0, SIZE_MAX, &used, &want, &again) ==
               PARSE_OK);
    FUZZ_CHECK(used == len && is_same(m, &again));
    free(text);
}

/* Reads one message with the input growing by pieces. `want` never asks for too much. */
static enum parse_status parse_in_pieces(struct slice in, size_t max_bytes, size_t *used,
                                         struct message *m)
{
    uint64_t seed = fuzz_seed(in);
    size_t len = 0, want = 0;
    enum parse_status status = PARSE_MORE;
    while (status == PARSE_MORE && len < in.len) {
        size_t seen = len;
        len += fuzz_step(&seed, in.len - len);
        status = message_parse_line(slice_first(in, len), seen, max_bytes, used, &want, m);
        FUZZ_CHECK(status != PARSE_MORE || want > len);
        FUZZ_CHECK(status != PARSE_OK || *used <= len);
    }
    return status;
}

static void check_message(struct slice in, const struct message *m, size_t used, size_t max_bytes)
{
    struct slice taken = slice_first(in, used);
    FUZZ_CHECK(used > 0 && used <= in.len && taken.ptr[used - 1] == '\n');
    FUZZ_CHECK(fuzz_inside(taken, m->head) && fuzz_inside(taken, m->body));
    FUZZ_CHECK(m->head.len + m->body.len <= max_bytes);
    FUZZ_CHECK(m->binary || (json_valid(m->body, MESSAGE_JSON_DEPTH_MAX) || m->body.len == 0));
    FUZZ_CHECK(m->binary || utf8_valid(m->body));
    check_round_trip(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    size_t max_bytes = (size_t)(data[0] << 8 | data[1]);
    struct slice in = slice_make(data + 2, size - 2);
    struct message m, pieces;
    enum parse_status status = PARSE_OK;
    while (status == PARSE_OK && in.len) {
        size_t used = 0, used_pieces = 0, want = 0;
        status = message_parse_line(in, 0, max_bytes, &used, &want, &m);
        FUZZ_CHECK(parse_in_pieces(in, max_bytes, &used_pieces, &pieces) == status);
        if (status == PARSE_BAD)
            FUZZ_CHECK(m.why && pieces.why);
        if (status == PARSE_MORE)
            FUZZ_CHECK(want > in.len);
        if (status != PARSE_OK)
            break;
        FUZZ_CHECK(used == used_pieces && is_same(&m, &pieces));
        check_message(in, &m, used, max_bytes);
        in = slice_skip(in, used);
    }
    return 0;
}
