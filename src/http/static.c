/* SPDX-License-Identifier: MIT */
#include "http/static.h"

#include "http/compress.h"
#include "http/file_answer.h"

#include <time.h>
#include <unistd.h>

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

static void add_coding(struct file_answer *a)
{
    file_answer_add(a, SLICE_LITERAL("Vary"), SLICE_LITERAL("Accept-Encoding"));
    if (a->encoding)
        file_answer_add(a, SLICE_LITERAL("Content-Encoding"), encoding_name(a->encoding));
}

/* ---- what lies beside a file ---- */

#define ALL_CODINGS ((1u << ENCODING_COUNT) - 1)

/* A file that is called so and is not: browsers would show nothing. Brotli can't be told. */
static bool is_in_coding(const struct site_beside *beside, enum encoding encoding)
{
    struct slice begin = beside->kept ? slice_make(beside->kept->begin, KEPT_BEGIN)
                                      : slice_make(beside->begin, beside->begin_len);
    return encoding != ENCODING_GZIP || slice_starts_with(begin, SLICE_LITERAL("\x1f\x8b"));
}

static bool find_in_coding(struct site_found *found, enum encoding encoding,
                           struct site_beside *ret)
{
    if (!site_find_beside(found, encoding_ending(encoding), ret))
        return false;
    if (is_in_coding(ret, encoding))
        return true;
    if (ret->fd >= 0)
        close(ret->fd);
    return false;
}

/* That there is nothing is remembered of a file in memory, for as long as it is not looked for
 * anew: until then the file itself is right, too. */
static bool is_beside(struct site_found *found, enum encoding encoding, struct site_beside *ret)
{
    unsigned bit = 1u << encoding;
    if (found->kept && found->kept->alone & bit)
        return false;
    bool is_there = find_in_coding(found, encoding, ret);
    if (found->kept && !is_there)
        found->kept->alone |= bit;
    return is_there;
}

/* In which coding the client gets the file: the one that it likes best of those that there are.
 * *ret is what lies beside the file, unless it is ENCODING_IDENTITY. */
static enum encoding find_beside(const struct exchange *x, struct site_found *found,
                                 struct site_beside *ret)
{
    unsigned offered = ALL_CODINGS;
    enum encoding encoding;
    while ((encoding = encoding_choose(x->request, offered)) != ENCODING_IDENTITY &&
           !is_beside(found, encoding, ret))
        offered &= ~(1u << encoding);
    return encoding;
}

/* ---- copies of the server's own ---- */

/* Who resumes a download has to get the bytes that it knows, and may have begun when there was no
 * copy yet: unless it names the copy, it gets the file. */
static bool resumes(const struct exchange *x, const struct file_answer *copy)
{
    return http_head_find(x->request, SLICE_LITERAL("range")).ptr &&
           !slice_equal(http_head_find(x->request, SLICE_LITERAL("if-range")), copy->is.etag);
}

/* True: the client has the copy, and was told so; it need not be made for that. */
static bool has_copy(struct file_answer *a)
{
    return http_head_find(a->x->request, SLICE_LITERAL("if-none-match")).ptr &&
           condition_check(a->x->request, &a->is) == CONDITION_NOT_MODIFIED &&
           !passes(a->x, &a->is, a->headers, a->header_count);
}

static void answer_with(struct file_answer *a)
{
    a->begin = compressed_bytes(a->copy);
    a->size = a->begin.len;
    if (passes(a->x, &a->is, a->headers, a->header_count))
        file_answer_send(a);
    else
        file_answer_drop(a);
}

static void ask_for_copy(struct compressor *compressor, const struct site_found *found,
                         enum encoding encoding)
{
    int fd = found->fd < 0 ? site_open_kept(found) : found->fd;
    if (fd >= 0)
        compressor_ask(compressor, &found->stat, encoding, fd);
    if (fd >= 0 && found->fd < 0)
        close(fd);
}

/* True: it has been answered by the copy in this coding. Otherwise the copy has been asked for, if
 * the client likes this coding best. */
static bool answer_by_copy(struct exchange *x, struct site_found *found, enum encoding encoding,
                           bool ask)
{
    struct compressor *compressor = site_compressor(found->site);
    struct file_answer a = {
        .x = x,
        .fd = -1,
        .type = static_type(slice_of(found->file)),
        .encoding = encoding,
        .compressor = compressor,
    };
    file_answer_describe(&a, &found->stat, found->kept, compress_mark(encoding));
    add_coding(&a);
    if (resumes(x, &a))
        return false;
    if (has_copy(&a))
        return true;
    bool unknown;
    a.copy = compressor_find(compressor, &found->stat, encoding, &unknown);
    if (unknown && ask)
        ask_for_copy(compressor, found, encoding);
    bool ready = a.copy;
    if (ready)
        answer_with(&a);
    return ready;
}

static bool answer_by_copies(struct exchange *x, struct site_found *found)
{
    unsigned offered = ALL_CODINGS;
    enum encoding encoding;
    if (!compressor_takes(site_compressor(found->site), &found->stat))
        return false;
    while ((encoding = encoding_choose(x->request, offered)) != ENCODING_IDENTITY) {
        if (answer_by_copy(x, found, encoding, offered == ALL_CODINGS))
            return true;
        offered &= ~(1u << encoding);
    }
    return false;
}

/* ---- the whole ---- */

/* Whether who accepts other codings may get another answer (RFC 9110, 12.5.5). */
static bool varies(struct site_found *found)
{
    if (compressor_takes(site_compressor(found->site), &found->stat))
        return true;
    for (unsigned encoding = ENCODING_IDENTITY + 1; encoding < ENCODING_COUNT; encoding++) {
        struct site_beside beside;
        if (!is_beside(found, encoding, &beside))
            continue;
        if (beside.fd >= 0)
            close(beside.fd);
        return true;
    }
    return false;
}

/* The file, or what lies beside it, as far as it has been looked at. */
static struct file_answer answer_of(struct exchange *x, const struct site_found *found,
                                    const struct site_beside *beside)
{
    const struct kept_file *kept = beside ? beside->kept : found->kept;
    struct slice begin = beside ? slice_make(beside->begin, beside->begin_len)
                                : slice_make(found->begin, found->begin_len);
    return (struct file_answer){
        .x = x,
        .fd = beside ? beside->fd : found->fd,
        .size = (uint64_t)(beside ? &beside->stat : &found->stat)->st_size,
        .begin = kept && kept->body.ptr ? kept->body : begin,
    };
}

static void answer_by_file(struct exchange *x, struct site_found *found, bool may_vary,
                           const struct site_beside *beside, enum encoding encoding)
{
    bool varied = may_vary && (beside || varies(found));
    struct file_answer a = answer_of(x, found, beside);
    if (beside)
        site_found_done(found);
    found->fd = -1;
    a.type = static_type(slice_of(found->file));
    a.encoding = encoding;
    file_answer_describe(&a, beside ? &beside->stat : &found->stat,
                         beside ? beside->kept : found->kept, encoding_name(encoding).ptr);
    if (varied)
        add_coding(&a);
    if (passes(x, &a.is, a.headers, a.header_count))
        file_answer_send(&a);
    else
        file_answer_drop(&a);
}

void static_answer(struct exchange *x, struct site_found *found)
{
    struct site_beside beside;
    bool compresses = static_type_compresses(slice_of(found->file));
    if (!is_read(x)) {
        site_found_done(found);
        return;
    }
    enum encoding encoding = compresses ? find_beside(x, found, &beside) : ENCODING_IDENTITY;
    if (compresses && !encoding && answer_by_copies(x, found))
        site_found_done(found);
    else
        answer_by_file(x, found, compresses, encoding ? &beside : NULL, encoding);
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
