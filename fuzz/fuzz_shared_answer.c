/* SPDX-License-Identifier: MIT */
/* An answer of the DNS that servers share: what is read lies in the input, and writes the same. */
#include "fuzz.h"

#include "cluster/shared_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct slice in = slice_make(bytes, size), data[DNS_DATA_MAX];
    struct dns_answer answer;
    struct text again = {0};
    if (!shared_answer_read(in, 7, data, &answer))
        return 0;
    FUZZ_CHECK(answer.status == DNS_OK && answer.ttl == 7);
    FUZZ_CHECK(answer.count <= DNS_DATA_MAX && answer.count <= answer.total);
    for (size_t i = 0; i < answer.count; i++)
        FUZZ_CHECK(fuzz_inside(in, answer.data[i]));
    if (shared_answer_write(&answer, &again))
        FUZZ_CHECK(slice_equal(text_slice(&again), in));
    else
        FUZZ_CHECK(size > SHARED_ANSWER_MAX);
    text_done(&again);
    return 0;
}
