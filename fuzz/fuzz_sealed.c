/* SPDX-License-Identifier: MIT */
/* A state that was not sealed by us is never opened, and what we seal opens as what it was. */
#include "fuzz.h"

#include "session/sealed.h"

#include <stdlib.h>

static struct sealer *sealer(void)
{
    static struct sealer s;
    static const unsigned char key[SEAL_KEY_SIZE] = {1};
    if (s.keys)
        return &s;
    struct seal_keys *keys = seal_keys_new();
    FUZZ_CHECK(keys && seal_keys_add(keys, key) && sealer_use(&s, keys) == 0);
    seal_keys_unref(keys);
    return &s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice in = slice_make(data, size);
    struct sealed_place place = {SLICE_LITERAL("https://a.example"), slice_first(in, 8)};
    struct sealed_state state = {size & 1, in, 5}, opened;
    char *bytes;
    FUZZ_CHECK(sealed_open(sealer(), &place, in, 5, 10, &opened, &bytes) != NULL);
    struct shared_bytes *sealed = sealed_make(sealer(), &place, &state);
    FUZZ_CHECK(sealed && sealed->len == size + SEALED_OVERHEAD);
    struct slice whole = slice_make(sealed->bytes, sealed->len);
    FUZZ_CHECK(sealed_open(sealer(), &place, whole, 5, 10, &opened, &bytes) == NULL);
    FUZZ_CHECK(slice_equal(opened.state, in) && opened.binary == state.binary);
    free(bytes);
    sealed->bytes[size % sealed->len] ^= 1;
    FUZZ_CHECK(sealed_open(sealer(), &place, whole, 5, 10, &opened, &bytes) != NULL);
    shared_unref(sealed);
    return 0;
}
