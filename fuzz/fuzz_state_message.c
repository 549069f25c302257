/* SPDX-License-Identifier: MIT */
/* `.restore` of a client: what is accepted has its state inside, behind a short head, and counts as
 * no other message. */
#include "fuzz.h"

#include "proto/message.h"
#include "proto/state_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice in = slice_make(data, size);
    struct state_restore r;
    struct message m;
    enum parse_status status = state_parse_restore(in, &r);
    FUZZ_CHECK(status != PARSE_MORE && (status == PARSE_BAD) == (r.fault != NULL));
    FUZZ_CHECK(!state_is_restore(in) || message_parse_binary(in, &m) == PARSE_BAD);
    if (status == PARSE_BAD)
        return 0;
    FUZZ_CHECK(state_is_restore(in) && r.resent <= MESSAGE_CALL_MAX);
    FUZZ_CHECK(r.sealed.len > 0 && r.sealed.ptr + r.sealed.len == in.ptr + in.len);
    FUZZ_CHECK(r.sealed.ptr[-1] == '\n' && in.len - r.sealed.len <= STATE_RESTORE_HEAD_MAX + 1);
    FUZZ_CHECK(memmem(in.ptr, in.len - r.sealed.len, state_why_name(r.why), 1) != NULL);
    return 0;
}
