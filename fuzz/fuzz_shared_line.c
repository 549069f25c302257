/* SPDX-License-Identifier: MIT */
/* What a program with many pages writes on descriptor 3: the same however it is cut; a
 * wrong line whose end is known is passed over, and the next one is read. The first two
 * bytes are the limit of a message. */
#include "fuzz.h"

#include "proto/shared_line.h"

static bool is_same(const struct shared_line *a, const struct shared_line *b)
{
    return slice_equal(a->session, b->session) && a->m.kind == b->m.kind &&
           a->m.binary == b->m.binary && a->m.call == b->m.call &&
           slice_equal(a->m.head, b->m.head) && slice_equal(a->m.body, b->m.body);
}

static enum parse_status parse_in_pieces(struct slice in, size_t max_bytes, size_t *used,
                                         struct shared_line *line)
{
    uint64_t seed = fuzz_seed(in);
    size_t len = 0, want = 0;
    enum parse_status status = PARSE_MORE;
    while (status == PARSE_MORE && len < in.len) {
        size_t seen = len;
        len += fuzz_step(&seed, in.len - len);
        status = shared_line_parse(slice_first(in, len), seen, max_bytes, used, &want, line);
        FUZZ_CHECK(status != PARSE_MORE || want > len);
        FUZZ_CHECK(*used <= len);
    }
    return status;
}

static void check_line(struct slice in, const struct shared_line *line, size_t used)
{
    struct slice taken = slice_first(in, used);
    FUZZ_CHECK(used > 0 && taken.ptr[used - 1] == '\n');
    FUZZ_CHECK(fuzz_inside(taken, line->m.head) && fuzz_inside(taken, line->m.body));
    if (line->session.len > 0)
        FUZZ_CHECK(shared_session_valid(line->session) && fuzz_inside(taken, line->session));
    else
        FUZZ_CHECK(line->m.kind == MESSAGE_CONTROL || line->m.kind == MESSAGE_COMMAND);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    size_t max_bytes = (size_t)(data[0] << 8 | data[1]);
    struct slice in = slice_make(data + 2, size - 2);
    enum parse_status status = PARSE_OK;
    while (status != PARSE_MORE && in.len) {
        struct shared_line line, pieces;
        size_t used = 0, used_pieces = 0, want = 0;
        status = shared_line_parse(in, 0, max_bytes, &used, &want, &line);
        enum parse_status other = parse_in_pieces(in, max_bytes, &used_pieces, &pieces);
        FUZZ_CHECK(other == status && (status == PARSE_MORE || used == used_pieces));
        if (status == PARSE_MORE)
            FUZZ_CHECK(want > in.len);
        if (status == PARSE_BAD)
            FUZZ_CHECK(line.m.why && pieces.m.why);
        if (status == PARSE_BAD && used == 0)
            break;
        if (status == PARSE_OK) {
            FUZZ_CHECK(is_same(&line, &pieces));
            check_line(in, &line, used);
        }
        in = slice_skip(in, used);
    }
    return 0;
}
