/* SPDX-License-Identifier: MIT */
#include "http/static.h"

#include "http/conditions.h"
#include "http/date.h"
#include "http/ranges.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

/* Files up to this size are read and leave in one send with their head; larger ones by sendfile. */
#define SMALL_FILE_MAX 32768

#define ETAG_MAX    64
#define HEADERS_MAX 10
#define BOUNDARY    32
#define PART_MAX    512

struct file_answer {
    struct exchange *x;
    int fd; /* owned until it is written */
    uint64_t size;
    struct slice begin; /* the file's first bytes, read by now */
    struct slice type;
    enum encoding encoding;
    struct representation is;
    char etag[ETAG_MAX];
    char modified[HTTP_DATE_LEN];
    struct http_header headers[HEADERS_MAX];
    size_t header_count;
};

static bool is_method(const struct exchange *x, const char *method)
{
    return slice_equal(x->request->method, slice_of(method));
}

/* True if the method is GET or HEAD; otherwise it is answered. */
static bool is_read(struct exchange *x)
{
    struct http_header allow = {SLICE_LITERAL("Allow"), SLICE_LITERAL("GET, HEAD, OPTIONS")};
    if (is_method(x, "GET") || is_method(x, "HEAD"))
        return true;
    if (is_method(x, "OPTIONS")) {
        exchange_respond(x, 204, SLICE_NONE, &allow, 1, 0);
        exchange_end(x);
    } else {
        exchange_answer(x, 405, SLICE_LITERAL("a file can only be read"), &allow, 1);
    }
    return false;
}

/* True if the client's conditions let the answer through; otherwise it is answered. */
static bool passes(struct exchange *x, const struct representation *is,
                   const struct http_header *headers, size_t header_count)
{
    switch (condition_check(x->request, is)) {
    case CONDITION_PASS:
        return true;
    case CONDITION_NOT_MODIFIED:
        exchange_respond(x, 304, SLICE_NONE, headers, header_count, EXCHANGE_LENGTH_UNKNOWN);
        exchange_end(x);
        return false;
    case CONDITION_FAILED:
        exchange_answer(x, 412, SLICE_LITERAL("the file is not what the request says it is"), NULL,
                        0);
        return false;
    }
    return false;
}

/* ---- a file ---- */

static void add_header(struct file_answer *a, struct slice name, struct slice value)
{
    a->headers[a->header_count++] = (struct http_header){name, value};
}

#define ADD(a, name, value) add_header((a), SLICE_LITERAL(name), (value))

/* A file gets another tag when it is replaced, written to or cut. What is sent in a coding has
 * another tag than the same file under its own name. */
static void describe(struct file_answer *a, const struct stat *stat)
{
    int64_t ns = (int64_t)stat->st_mtim.tv_sec * 1000000000 + stat->st_mtim.tv_nsec;
    struct slice coding = encoding_name(a->encoding);
    int n = snprintf(a->etag, ETAG_MAX, "\"%llx-%llx-%llx%s%.*s\"", (unsigned long long)ns,
                     (unsigned long long)stat->st_size, (unsigned long long)stat->st_ino,
                     coding.len ? "-" : "", SLICE_ARG(coding));
    a->is = (struct representation){slice_make(a->etag, (size_t)n), stat->st_mtim.tv_sec,
                                    (int64_t)time(NULL)};
    ADD(a, "ETag", a->is.etag);
    ADD(a, "Last-Modified", http_date_write(a->is.modified, a->modified));
}

static void send_small(struct file_answer *a, int status, struct slice bytes)
{
    exchange_respond(a->x, status, SLICE_NONE, a->headers, a->header_count, bytes.len);
    exchange_write(a->x, bytes);
    exchange_end(a->x);
    close(a->fd);
}

static void send_file(struct file_answer *a, int status, uint64_t first, uint64_t len)
{
    exchange_respond(a->x, status, SLICE_NONE, a->headers, a->header_count, len);
    exchange_write_file(a->x, a->fd, (off_t)first, (size_t)len);
    exchange_end(a->x);
}

/* A file that has become shorter since it was looked at goes the other way, where the connection
 * ends early. */
static void send_part(struct file_answer *a, int status, uint64_t first, uint64_t len)
{
    char bytes[SMALL_FILE_MAX];
    if (first + len <= a->begin.len && !is_method(a->x, "HEAD")) {
        send_small(a, status, slice_first(slice_skip(a->begin, (size_t)first), (size_t)len));
        return;
    }
    bool small = len <= sizeof(bytes) && !is_method(a->x, "HEAD");
    if (small && pread(a->fd, bytes, (size_t)len, (off_t)first) == (ssize_t)len)
        send_small(a, status, slice_make(bytes, (size_t)len));
    else
        send_file(a, status, first, len);
}

static void send_range(struct file_answer *a, const struct byte_range *range)
{
    char value[80];
    int n = snprintf(value, sizeof(value), "bytes %llu-%llu/%llu", (unsigned long long)range->first,
                     (unsigned long long)range->last, (unsigned long long)a->size);
    ADD(a, "Content-Type", a->type);
    ADD(a, "Content-Range", slice_make(value, (size_t)n));
    send_part(a, 206, range->first, range->last - range->first + 1);
}

static void refuse_range(struct file_answer *a)
{
    char value[40];
    int n = snprintf(value, sizeof(value), "bytes */%llu", (unsigned long long)a->size);
    struct http_header header = {SLICE_LITERAL("Content-Range"), slice_make(value, (size_t)n)};
    exchange_answer(a->x, 416, SLICE_LITERAL("none of these ranges is in the file"), &header, 1);
    close(a->fd);
}

/* ---- several ranges: multipart/byteranges (RFC 9110, 14.6) ---- */

/* A random boundary, which no file holds by chance. False: the system gives no random bytes. */
static bool make_boundary(char out[BOUNDARY + 1])
{
    unsigned char random[BOUNDARY / 2];
    if (getrandom(random, sizeof(random), 0) != sizeof(random))
        return false;
    for (size_t i = 0; i < sizeof(random); i++)
        snprintf(out + 2 * i, 3, "%02x", random[i]);
    return true;
}

static size_t part_head(const struct file_answer *a, const char *boundary,
                        const struct byte_range *r, char out[PART_MAX])
{
    return (size_t)snprintf(
        out, PART_MAX,
        "\r\n--%s\r\nContent-Type: %.*s\r\nContent-Range: bytes %llu-%llu/%llu\r\n\r\n", boundary,
        SLICE_ARG(a->type), (unsigned long long)r->first, (unsigned long long)r->last,
        (unsigned long long)a->size);
}

static uint64_t multipart_length(const struct file_answer *a, const char *boundary,
                                 const struct byte_range *ranges, size_t count)
{
    char head[PART_MAX];
    uint64_t length = strlen("\r\n----\r\n") + BOUNDARY;
    for (size_t i = 0; i < count; i++)
        length += part_head(a, boundary, &ranges[i], head) + ranges[i].last - ranges[i].first + 1;
    return length;
}

static bool write_part(struct file_answer *a, const char *boundary, const struct byte_range *range)
{
    char head[PART_MAX];
    int fd = fcntl(a->fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        return false;
    exchange_write(a->x, slice_make(head, part_head(a, boundary, range, head)));
    exchange_write_file(a->x, fd, (off_t)range->first, (size_t)(range->last - range->first + 1));
    return true;
}

static void write_parts(struct file_answer *a, const char *boundary,
                        const struct byte_range *ranges, size_t count)
{
    char end[BOUNDARY + 9];
    for (size_t i = 0; i < count; i++) {
        if (!write_part(a, boundary, &ranges[i])) {
            exchange_fail(a->x);
            return;
        }
    }
    int n = snprintf(end, sizeof(end), "\r\n--%s--\r\n", boundary);
    exchange_write(a->x, slice_make(end, (size_t)n));
    exchange_end(a->x);
}

static void send_multipart(struct file_answer *a, const struct byte_range *ranges, size_t count)
{
    char boundary[BOUNDARY + 1], type[96];
    if (!make_boundary(boundary)) {
        exchange_answer(a->x, 500, SLICE_LITERAL("no random bytes"), NULL, 0);
        close(a->fd);
        return;
    }
    int n = snprintf(type, sizeof(type), "multipart/byteranges; boundary=%s", boundary);
    ADD(a, "Content-Type", slice_make(type, (size_t)n));
    exchange_respond(a->x, 206, SLICE_NONE, a->headers, a->header_count,
                     multipart_length(a, boundary, ranges, count));
    write_parts(a, boundary, ranges, count);
    close(a->fd);
}

/* ---- choosing ---- */

/* Range has a meaning for GET alone (RFC 9110, 14.2). */
static enum ranges_status wanted_ranges(const struct file_answer *a,
                                        struct byte_range ranges[RANGES_MAX], size_t *count)
{
    const struct http_head *request = a->x->request;
    if (!is_method(a->x, "GET") || http_head_count(request, SLICE_LITERAL("range")) != 1 ||
        !condition_range(request, &a->is))
        return RANGES_IGNORED;
    return ranges_parse(http_head_find(request, SLICE_LITERAL("range")), a->size, ranges, count);
}

static void send_wanted(struct file_answer *a)
{
    struct byte_range ranges[RANGES_MAX];
    size_t count;
    ADD(a, "Accept-Ranges", SLICE_LITERAL("bytes"));
    ADD(a, "X-Content-Type-Options", SLICE_LITERAL("nosniff"));
    switch (wanted_ranges(a, ranges, &count)) {
    case RANGES_IGNORED:
        ADD(a, "Content-Type", a->type);
        send_part(a, 200, 0, a->size);
        break;
    case RANGES_UNSATISFIABLE:
        refuse_range(a);
        break;
    case RANGES_OK:
        if (count == 1)
            send_range(a, &ranges[0]);
        else
            send_multipart(a, ranges, count);
        break;
    }
}

/* ---- in another coding ---- */

#define ALL_CODINGS ((1u << ENCODING_COUNT) - 1)

/* A file that is called so and is not: browsers would show nothing. Brotli can't be told. */
static bool is_in_coding(const struct site_beside *beside, enum encoding encoding)
{
    struct slice begin = slice_make(beside->begin, beside->begin_len);
    return encoding != ENCODING_GZIP || slice_starts_with(begin, SLICE_LITERAL("\x1f\x8b"));
}

static bool find_in_coding(struct site_found *found, enum encoding encoding,
                           struct site_beside *ret)
{
    if (!site_find_beside(found, encoding_ending(encoding), ret))
        return false;
    if (is_in_coding(ret, encoding))
        return true;
    close(ret->fd);
    return false;
}

/* In which coding the client gets the file: the one that it likes best of those that there are.
 * *ret is what lies beside the file, unless it is ENCODING_IDENTITY. */
static enum encoding find_beside(const struct exchange *x, struct site_found *found,
                                 struct site_beside *ret)
{
    unsigned offered = ALL_CODINGS;
    enum encoding encoding;
    while ((encoding = encoding_choose(x->request, offered)) != ENCODING_IDENTITY &&
           !find_in_coding(found, encoding, ret))
        offered &= ~(1u << encoding);
    return encoding;
}

/* Goes on with the file beside it. */
static void switch_to(struct file_answer *a, const struct site_beside *beside,
                      enum encoding encoding)
{
    close(a->fd);
    a->fd = beside->fd;
    a->size = (uint64_t)beside->stat.st_size;
    a->begin = slice_make(beside->begin, beside->begin_len);
    a->encoding = encoding;
}

static void add_coding(struct file_answer *a)
{
    ADD(a, "Vary", SLICE_LITERAL("Accept-Encoding"));
    if (a->encoding)
        ADD(a, "Content-Encoding", encoding_name(a->encoding));
}

/* ---- the whole ---- */

void static_answer(struct exchange *x, struct site_found *found)
{
    struct slice name = slice_of(found->file);
    struct site_beside beside;
    struct file_answer a = {
        .x = x,
        .fd = found->fd,
        .size = (uint64_t)found->stat.st_size,
        .begin = slice_make(found->begin, found->begin_len),
        .type = static_type(name),
    };
    found->fd = -1;
    if (!is_read(x)) {
        close(a.fd);
        return;
    }
    bool compresses = static_type_compresses(name);
    enum encoding encoding = compresses ? find_beside(x, found, &beside) : ENCODING_IDENTITY;
    if (encoding)
        switch_to(&a, &beside, encoding);
    describe(&a, encoding ? &beside.stat : &found->stat);
    if (compresses)
        add_coding(&a);
    if (passes(x, &a.is, a.headers, a.header_count))
        send_wanted(&a);
    else
        close(a.fd);
}

/* ---- bytes ---- */

static enum encoding choose_variant(const struct exchange *x, const struct static_bytes *bytes)
{
    unsigned offered = 0;
    for (unsigned i = 0; i < ENCODING_COUNT; i++)
        offered |= bytes->variants[i].body.ptr ? 1u << i : 0;
    return encoding_choose(x->request, offered);
}

void static_answer_bytes(struct exchange *x, const struct static_bytes *bytes)
{
    enum encoding encoding = choose_variant(x, bytes);
    const struct static_variant *variant = &bytes->variants[encoding];
    struct representation is = {.etag = variant->etag, .modified = -1, .now = (int64_t)time(NULL)};
    struct http_header headers[] = {
        {SLICE_LITERAL("ETag"), variant->etag},
        {SLICE_LITERAL("Cache-Control"), bytes->immutable
                                             ? SLICE_LITERAL("public, max-age=31536000, immutable")
                                             : SLICE_LITERAL("no-cache")},
        {SLICE_LITERAL("Vary"), SLICE_LITERAL("Accept-Encoding")},
        {SLICE_LITERAL("Content-Type"), bytes->type},
        {SLICE_LITERAL("X-Content-Type-Options"), SLICE_LITERAL("nosniff")},
        {SLICE_LITERAL("Content-Encoding"), encoding_name(encoding)},
    };
    if (!is_read(x) || !passes(x, &is, headers, 3))
        return;
    exchange_respond(x, 200, SLICE_NONE, headers, encoding ? 6 : 5, variant->body.len);
    exchange_write(x, variant->body);
    exchange_end(x);
}
