/* SPDX-License-Identifier: MIT */
/* What the server writes on descriptor 3, as sdk/c/httpsocket_page.h reads it: the same messages
 * however it is cut, and what the server's own parser takes is taken as the same message. */
#include "fuzz.h"

#include "httpsocket_page.h"
#include "proto/shared_line.h"

/* Waits for no answer: answers are dropped. */
struct reader {
    struct hs_page page;
    int status; /* 0, or a negative errno from the first wrong line on */
};

static void reader_init(struct reader *r, size_t size)
{
    *r = (struct reader){.page = {.fd = -1, .in = malloc(size + 1), .in_size = size + 1}};
    r->page.last = &r->page.first;
    r->page.answers_last = &r->page.answers;
}

static void reader_feed(struct reader *r, struct slice piece)
{
    struct hs_page *p = &r->page;
    if (r->status)
        return;
    memcpy(p->in + p->in_len, piece.ptr, piece.len);
    p->in_len += piece.len;
    r->status = hs_take_all(p);
}

static bool is_same(const struct hs_message *a, const struct hs_message *b)
{
    return a->kind == b->kind && a->bytes == b->bytes && a->bare == b->bare && a->call == b->call &&
           strcmp(a->name, b->name) == 0 && strcmp(a->session, b->session) == 0 &&
           a->size == b->size && memcmp(a->data, b->data, a->size) == 0;
}

static void check_pieces(struct slice in, const struct reader *whole)
{
    struct reader r;
    uint64_t seed = fuzz_seed(in);
    reader_init(&r, in.len);
    for (size_t len = 0, step; len < in.len; len += step) {
        step = fuzz_step(&seed, in.len - len);
        reader_feed(&r, slice_first(slice_skip(in, len), step));
    }
    FUZZ_CHECK(r.status == whole->status);
    const struct hs_item *a = whole->page.first, *b = r.page.first;
    for (; a && b; a = a->next, b = b->next)
        FUZZ_CHECK(is_same(&a->message, &b->message));
    FUZZ_CHECK(!a && !b);
    hs_done(&r.page);
}

static enum hs_kind kind_of(const struct message *m)
{
    return m->kind == MESSAGE_EVENT ? HS_EVENT : m->kind == MESSAGE_CALL ? HS_CALL : HS_SERVER;
}

static void check_message(const struct shared_line *line, const struct hs_message *got)
{
    const struct message *m = &line->m;
    struct slice name = slice_of(got->name), data = slice_make(got->data, got->size);
    bool bare = !m->binary && m->body.len == 0;
    FUZZ_CHECK(got->kind == kind_of(m) && got->bytes == m->binary && got->bare == bare);
    FUZZ_CHECK(slice_equal(got->kind == HS_SERVER ? slice_skip(name, 1) : name, m->name));
    FUZZ_CHECK(got->kind != HS_CALL || got->call == m->call);
    FUZZ_CHECK(slice_equal(slice_of(got->session), line->session));
    FUZZ_CHECK(slice_equal(data, bare ? SLICE_LITERAL("null") : m->body));
}

/* The server's parser takes a program's CR before LF, which the server itself never writes. */
static bool has_cr(struct slice line)
{
    return memchr(line.ptr, '\r', line.len) != NULL;
}

/* The first line by the server's parser. */
static void check_against_server(struct slice in, const struct reader *whole)
{
    struct shared_line line = {.session = SLICE_LITERAL("")};
    size_t used = 0, want = 0;
    enum parse_status status = in.ptr[0] == '@'
                                   ? shared_line_parse(in, 0, SIZE_MAX / 4, &used, &want, &line)
                                   : message_parse_line(in, 0, SIZE_MAX / 4, &used, &want, &line.m);
    if (status != PARSE_OK || has_cr(slice_first(in, used)))
        return;
    if (line.m.kind == MESSAGE_ANSWER || line.m.kind == MESSAGE_PART ||
        line.m.kind == MESSAGE_FAILURE)
        return;
    FUZZ_CHECK(whole->page.first);
    check_message(&line, &whole->page.first->message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice in = slice_make(data, size);
    struct reader whole;
    if (size == 0)
        return 0;
    reader_init(&whole, size);
    reader_feed(&whole, in);
    FUZZ_CHECK(whole.status == 0 || whole.status == -EPROTO);
    check_pieces(in, &whole);
    check_against_server(in, &whole);
    hs_done(&whole.page);
    return 0;
}
