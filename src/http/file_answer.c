/* SPDX-License-Identifier: MIT */
#include "http/file_answer.h"

#include "http/ranges.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

/* Parts up to this size are read and leave in one send with their head; larger ones by sendfile,
 * which does not copy them. */
#define SMALL_FILE_MAX 8192

#define BOUNDARY 32
#define PART_MAX 512

static bool is_method(const struct exchange *x, const char *method)
{
    return slice_equal(x->request->method, slice_of(method));
}

void file_answer_add(struct file_answer *a, struct slice name, struct slice value)
{
    assert(a->header_count < ANSWER_HEADERS_MAX);
    a->headers[a->header_count++] = (struct http_header){name, value};
}

#define ADD(a, name, value) file_answer_add((a), SLICE_LITERAL(name), (value))

/* A file gets another tag when it is replaced, written to or cut. */
static size_t write_tag(char out[ETAG_MAX], const struct stat *stat)
{
    int64_t ns = (int64_t)stat->st_mtim.tv_sec * 1000000000 + stat->st_mtim.tv_nsec;
    return (size_t)snprintf(out, ETAG_MAX, "\"%llx-%llx-%llx\"", (unsigned long long)ns,
                            (unsigned long long)stat->st_size, (unsigned long long)stat->st_ino);
}

static void write_kept(struct kept_file *kept)
{
    char tag[ETAG_MAX];
    kept->tag_len = (uint8_t)write_tag(tag, &kept->stat);
    memcpy(kept->tag, tag, kept->tag_len);
    http_date_write(kept->stat.st_mtim.tv_sec, kept->modified);
}

/* With the mark before the quote at the end. */
static struct slice marked(char out[ETAG_MAX], struct slice tag, const char *mark)
{
    if (tag.ptr != out)
        memcpy(out, tag.ptr, tag.len);
    int n = snprintf(out + tag.len - 1, ETAG_MAX - tag.len + 1, "-%s\"", mark);
    return slice_make(out, tag.len - 1 + (size_t)n);
}

void file_answer_describe(struct file_answer *a, const struct stat *stat, struct kept_file *kept,
                          const char *mark)
{
    struct slice tag, date;
    if (kept && !kept->tag_len)
        write_kept(kept);
    if (kept) {
        tag = slice_make(kept->tag, kept->tag_len);
        date = slice_make(kept->modified, HTTP_DATE_LEN);
    } else {
        tag = slice_make(a->etag, write_tag(a->etag, stat));
        date = http_date_write(stat->st_mtim.tv_sec, a->modified);
    }
    if (*mark)
        tag = marked(a->etag, tag, mark);
    a->is = (struct representation){tag, stat->st_mtim.tv_sec, (int64_t)time(NULL)};
    ADD(a, "ETag", tag);
    ADD(a, "Last-Modified", date);
}

void file_answer_drop(struct file_answer *a)
{
    if (a->fd >= 0)
        close(a->fd);
    if (a->copy)
        compressor_give_back(a->compressor, a->copy);
    a->fd = -1;
    a->copy = NULL;
}

static void send_small(struct file_answer *a, int status, struct slice bytes)
{
    exchange_respond(a->x, status, SLICE_NONE, a->headers, a->header_count, bytes.len);
    exchange_write(a->x, bytes);
    exchange_end(a->x);
    file_answer_drop(a);
}

static void send_copy(struct file_answer *a, int status, uint64_t first, uint64_t len)
{
    struct slice part = slice_first(slice_skip(a->begin, (size_t)first), (size_t)len);
    exchange_respond(a->x, status, SLICE_NONE, a->headers, a->header_count, len);
    compressed_body_send(a->x, a->compressor, a->copy, part);
}

static void send_file(struct file_answer *a, int status, uint64_t first, uint64_t len)
{
    exchange_respond(a->x, status, SLICE_NONE, a->headers, a->header_count, len);
    exchange_write_file(a->x, a->fd, (off_t)first, (size_t)len);
    exchange_end(a->x);
}

/* Nothing but the length is told of it. */
static void send_nothing(struct file_answer *a, int status, uint64_t len)
{
    exchange_respond(a->x, status, SLICE_NONE, a->headers, a->header_count, len);
    exchange_end(a->x);
    file_answer_drop(a);
}

/* A file that has become shorter since it was looked at goes the other way, where the connection
 * ends early. */
static void send_part(struct file_answer *a, int status, uint64_t first, uint64_t len)
{
    char bytes[SMALL_FILE_MAX];
    if (is_method(a->x, "HEAD"))
        send_nothing(a, status, len);
    else if (a->copy)
        send_copy(a, status, first, len);
    else if (first + len <= a->begin.len)
        send_small(a, status, slice_first(slice_skip(a->begin, (size_t)first), (size_t)len));
    else if (len <= sizeof(bytes) && pread(a->fd, bytes, (size_t)len, (off_t)first) == (ssize_t)len)
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
    file_answer_drop(a);
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
    if (a->fd < 0) {
        exchange_write(a->x, slice_make(head, part_head(a, boundary, range, head)));
        exchange_write(a->x, slice_first(slice_skip(a->begin, (size_t)range->first),
                                         (size_t)(range->last - range->first + 1)));
        return true;
    }
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
        file_answer_drop(a);
        return;
    }
    int n = snprintf(type, sizeof(type), "multipart/byteranges; boundary=%s", boundary);
    ADD(a, "Content-Type", slice_make(type, (size_t)n));
    exchange_respond(a->x, 206, SLICE_NONE, a->headers, a->header_count,
                     multipart_length(a, boundary, ranges, count));
    write_parts(a, boundary, ranges, count);
    file_answer_drop(a);
}

/* ---- choosing ---- */

/* Range has a meaning for GET alone (RFC 9110, 14.2). A copy is sent whole rather than in parts. */
static enum ranges_status wanted_ranges(const struct file_answer *a,
                                        struct byte_range ranges[RANGES_MAX], size_t *count)
{
    const struct http_head *request = a->x->request;
    if (!is_method(a->x, "GET") || http_head_count(request, SLICE_LITERAL("range")) != 1 ||
        !condition_range(request, &a->is))
        return RANGES_IGNORED;
    enum ranges_status status =
        ranges_parse(http_head_find(request, SLICE_LITERAL("range")), a->size, ranges, count);
    return status == RANGES_OK && *count > 1 && a->copy ? RANGES_IGNORED : status;
}

void file_answer_send(struct file_answer *a)
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
