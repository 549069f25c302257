/* SPDX-License-Identifier: MIT */
#include "session/sealed.h"

#include "base/log.h"
#include "base/text.h"

#include <stdlib.h>
#include <time.h>

#define HEAD_SIZE 9 /* the time and the form */

uint64_t sealed_clock_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* An origin has no LF; a path may. */
static bool name_place(const struct sealed_place *place, struct text *ret)
{
    text_put(ret, place->origin);
    text_put(ret, SLICE_LITERAL("\n"));
    text_put(ret, place->path);
    return !ret->failed;
}

static void write_head(const struct sealed_state *state, char *out)
{
    for (int i = 0; i < 8; i++)
        out[i] = (char)(state->sealed_ms >> (56 - 8 * i) & 0xff);
    out[8] = state->binary;
}

struct shared_bytes *sealed_make(struct sealer *s, const struct sealed_place *place,
                                 const struct sealed_state *state)
{
    struct text context = {0};
    struct slice plain = {NULL, HEAD_SIZE + state->state.len};
    char *bytes = log_needed(malloc(plain.len));
    struct shared_bytes *sealed = bytes ? shared_new(plain.len + SEAL_OVERHEAD) : NULL;
    bool good = sealed && name_place(place, &context);
    if (good) {
        write_head(state, bytes);
        if (state->state.len)
            memcpy(bytes + HEAD_SIZE, state->state.ptr, state->state.len);
        plain.ptr = bytes;
        good = seal(s, text_slice(&context), plain, (unsigned char *)sealed->bytes);
    }
    text_done(&context);
    free(bytes);
    if (good)
        return sealed;
    if (sealed)
        shared_unref(sealed);
    return NULL;
}

static const char *judge(enum seal_verdict verdict)
{
    switch (verdict) {
    case SEAL_OPENED:
        return NULL;
    case SEAL_MALFORMED:
        return "it is none of ours";
    case SEAL_UNKNOWN_KEY:
        return "its key is not among ours";
    case SEAL_FORGED:
        return "it was changed, or is of another origin or path";
    case SEAL_NO_MEMORY:
        return "out of memory";
    }
    return NULL;
}

static uint64_t read_time(const char *bytes)
{
    uint64_t ms = 0;
    for (int i = 0; i < 8; i++)
        ms = ms << 8 | (unsigned char)bytes[i];
    return ms;
}

/* A clock of another machine may be ahead. */
static const char *take(const char *bytes, size_t len, uint64_t now_ms, uint64_t age_ms,
                        struct sealed_state *ret)
{
    if (len < HEAD_SIZE || (unsigned char)bytes[8] > 1)
        return "it is none of ours";
    uint64_t sealed_ms = read_time(bytes);
    if (now_ms > sealed_ms && now_ms - sealed_ms > age_ms)
        return "it is too old";
    *ret = (struct sealed_state){
        .binary = bytes[8],
        .state = slice_make(bytes + HEAD_SIZE, len - HEAD_SIZE),
        .sealed_ms = sealed_ms,
    };
    return NULL;
}

const char *sealed_open(const struct sealer *s, const struct sealed_place *place,
                        struct slice sealed, uint64_t now_ms, uint64_t age_ms,
                        struct sealed_state *ret, char **ret_bytes)
{
    struct text context = {0};
    char *bytes = log_needed(malloc(sealed.len + 1));
    const char *why = "out of memory";
    if (bytes && name_place(place, &context))
        why = judge(seal_open(s, text_slice(&context), sealed, (unsigned char *)bytes));
    text_done(&context);
    if (!why)
        why = take(bytes, sealed.len - SEAL_OVERHEAD, now_ms, age_ms, ret);
    if (why)
        free(bytes);
    else
        *ret_bytes = bytes;
    return why;
}
