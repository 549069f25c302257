/* SPDX-License-Identifier: MIT */
#include "http/compress.h"

#include <assert.h>
#include <brotli/encode.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <zlib.h>

#define GZIP_LEVEL   6
#define GZIP_WINDOW  (15 + 16) /* 32 KiB, in the form of gzip */
#define GZIP_MEMORY  8
#define BROTLI_LEVEL 5
#define PIECE        65536

static size_t piece_of(struct slice in)
{
    return in.len < PIECE ? in.len : PIECE;
}

/* ---- gzip ---- */

static int deflate_all(z_stream *z, struct slice in, const atomic_bool *stop)
{
    for (bool last = false; !last;) {
        size_t n = piece_of(in);
        last = n == in.len;
        z->next_in = (void *)in.ptr;
        z->avail_in = (uInt)n;
        in = slice_skip(in, n);
        if (atomic_load_explicit(stop, memory_order_relaxed))
            return -ECANCELED;
        int status = deflate(z, last ? Z_FINISH : Z_NO_FLUSH);
        if (last ? status != Z_STREAM_END : status != Z_OK || z->avail_in)
            return -E2BIG;
    }
    return 0;
}

static int gzip(struct slice in, char *out, size_t *len, const atomic_bool *stop)
{
    z_stream z = {.next_out = (void *)out, .avail_out = (uInt)*len};
    if (deflateInit2(&z, GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW, GZIP_MEMORY, Z_DEFAULT_STRATEGY) !=
        Z_OK)
        return -ENOMEM;
    int error = deflate_all(&z, in, stop);
    if (!error)
        *len = z.total_out;
    deflateEnd(&z);
    return error;
}

/* ---- brotli ---- */

static int brotli_all(BrotliEncoderState *b, struct slice in, char *out, size_t *len,
                      const atomic_bool *stop)
{
    uint8_t *to = (uint8_t *)out;
    size_t room = *len;
    while (!BrotliEncoderIsFinished(b)) {
        const uint8_t *from = (const uint8_t *)in.ptr;
        size_t n = piece_of(in), left = n;
        if (atomic_load_explicit(stop, memory_order_relaxed))
            return -ECANCELED;
        if (!BrotliEncoderCompressStream(
                b, n == in.len ? BROTLI_OPERATION_FINISH : BROTLI_OPERATION_PROCESS, &left, &from,
                &room, &to, NULL))
            return -ENOMEM;
        in = slice_skip(in, n - left);
        if (room == 0 && !BrotliEncoderIsFinished(b))
            return -E2BIG;
    }
    *len -= room;
    return 0;
}

static int brotli(struct slice in, char *out, size_t *len, const atomic_bool *stop)
{
    BrotliEncoderState *b = BrotliEncoderCreateInstance(NULL, NULL, NULL);
    int error = b ? 0 : -ENOMEM;
    if (b && (!BrotliEncoderSetParameter(b, BROTLI_PARAM_QUALITY, BROTLI_LEVEL) ||
              !BrotliEncoderSetParameter(b, BROTLI_PARAM_SIZE_HINT, (uint32_t)in.len)))
        error = -EINVAL;
    if (!error)
        error = brotli_all(b, in, out, len, stop);
    if (b)
        BrotliEncoderDestroyInstance(b);
    return error;
}

/* ---- either ---- */

int compress_bytes(enum encoding encoding, struct slice in, char *out, size_t *len,
                   const atomic_bool *stop)
{
    assert(encoding != ENCODING_IDENTITY);
    return encoding == ENCODING_GZIP ? gzip(in, out, len, stop) : brotli(in, out, len, stop);
}

static char marks[ENCODING_COUNT][32];

static void write_marks(void)
{
    snprintf(marks[ENCODING_GZIP], sizeof(marks[0]), "gzip%d-%.16s", GZIP_LEVEL, zlibVersion());
    snprintf(marks[ENCODING_BROTLI], sizeof(marks[0]), "br%d-%x", BROTLI_LEVEL,
             BrotliEncoderVersion());
}

const char *compress_mark(enum encoding encoding)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, write_marks);
    return marks[encoding];
}
