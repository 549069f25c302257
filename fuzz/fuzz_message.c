/* SPDX-License-Identifier: MIT */
/* A session message, text or binary by the first byte's lowest bit: slices inside, and the same as
 * a line on fd 3. */
#include "fuzz.h"

#include "base/utf8.h"
#include "proto/message.h"

static void check_as_line(const struct message *m)
{
    struct message_line line;
    struct message again;
    size_t used = 0, want = 0;
    message_line_head(m, &line);
    size_t len = line.before_len + m->body.len + 1;
    char *text = malloc(len);
    memcpy(text, line.before, line.before_len);
    memcpy(text + line.before_len, m->body.ptr, m->body.len);
    text[len - 1] = '\n';
    struct slice in = slice_make(text, len);
    FUZZ_CHECK(message_parse_line(in, 0, len, &used, &want, &again) == PARSE_OK && used == len);
    FUZZ_CHECK(again.kind == m->kind && again.binary == m->binary && again.call == m->call);
    FUZZ_CHECK(slice_equal(again.head, m->head) && slice_equal(again.name, m->name));
    FUZZ_CHECK(slice_equal(again.body, m->body));
    free(text);
}

static void check(struct slice in, const struct message *m)
{
    FUZZ_CHECK(fuzz_inside(in, m->head) && fuzz_inside(in, m->body));
    FUZZ_CHECK(m->head.len && m->head.len <= MESSAGE_HEAD_MAX);
    FUZZ_CHECK(m->name.len <= MESSAGE_NAME_MAX && m->call <= MESSAGE_CALL_MAX);
    bool named = m->kind == MESSAGE_EVENT || m->kind == MESSAGE_CALL ||
                 m->kind == MESSAGE_COMMAND || m->kind == MESSAGE_CONTROL;
    FUZZ_CHECK(m->kind != MESSAGE_COMMAND || (!m->binary && m->body.len > 0));
    FUZZ_CHECK(named == (m->name.len > 0));
    FUZZ_CHECK(m->binary || !memchr(in.ptr, '\n', in.len));
    check_as_line(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct message m = {0};
    if (size == 0)
        return 0;
    bool binary = data[0] & 1;
    struct slice in = slice_make(data + 1, size - 1);
    if (!binary && !utf8_valid(in))
        return 0;
    enum parse_status status = binary ? message_parse_binary(in, &m) : message_parse_text(in, &m);
    FUZZ_CHECK(status != PARSE_MORE);
    if (status == PARSE_BAD)
        FUZZ_CHECK(m.why != NULL);
    else
        check(in, &m);
    return 0;
}
