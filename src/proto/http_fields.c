/* SPDX-License-Identifier: MIT */
#include "proto/http_fields.h"

#include "proto/authority.h"

/* The fields that decide where a request ends and whom it is for, with how often they came. */
struct framing {
    struct slice host, length, coding;
    unsigned hosts, lengths, codings;
    bool close, keep_alive, upgrade, expect;
};

static enum parse_status bad(struct http_head *head, int status, const char *why)
{
    head->status = status;
    head->why = why;
    return PARSE_BAD;
}

static bool named(const struct http_header *h, const char *name, size_t len)
{
    return slice_equal_nocase(h->name, slice_make(name, len));
}
#define NAMED(h, literal) named((h), (literal), sizeof(literal) - 1)

static bool take_option(struct framing *f, struct slice option)
{
    bool close = slice_equal_nocase(option, SLICE_LITERAL("close"));
    bool keep_alive = slice_equal_nocase(option, SLICE_LITERAL("keep-alive"));
    bool upgrade = slice_equal_nocase(option, SLICE_LITERAL("upgrade"));
    f->close |= close;
    f->keep_alive |= keep_alive;
    f->upgrade |= upgrade;
    return close || keep_alive || upgrade;
}

static void take_connection(struct framing *f, struct slice value)
{
    struct slice option;
    if (take_option(f, value)) /* nearly always */
        return;
    while (http_list_next(&value, &option))
        take_option(f, option);
}

static void take(struct framing *f, const struct http_header *h)
{
    switch (h->name.len) {
    case 4:
        if (NAMED(h, "host") && ++f->hosts)
            f->host = h->value;
        break;
    case 6:
        if (NAMED(h, "expect"))
            f->expect |= slice_equal_nocase(h->value, SLICE_LITERAL("100-continue"));
        break;
    case 10:
        if (NAMED(h, "connection"))
            take_connection(f, h->value);
        break;
    case 14:
        if (NAMED(h, "content-length") && ++f->lengths)
            f->length = h->value;
        break;
    case 17:
        if (NAMED(h, "transfer-encoding") && ++f->codings)
            f->coding = h->value;
        break;
    }
}

/* Anything but a single `chunked`: 400 where the end of the body can't be known, 501 where it could
 * be if we knew the coding (RFC 9112, 6.1 and 6.3). */
static enum parse_status refuse_coding(struct http_head *head, struct slice coding)
{
    struct slice member, last = SLICE_NONE;
    unsigned chunked = 0;
    while (http_list_next(&coding, &member)) {
        last = member;
        chunked += slice_equal_nocase(member, SLICE_LITERAL("chunked"));
    }
    if (chunked != 1 || !slice_equal_nocase(last, SLICE_LITERAL("chunked")))
        return bad(head, 400, "Transfer-Encoding does not end in a single chunked");
    return bad(head, 501, "a transfer coding other than chunked");
}

static enum parse_status judge_body(struct http_head *head, const struct framing *f)
{
    head->body = HTTP_BODY_NONE;
    head->content_length = 0;
    if (f->codings) {
        if (head->minor == 0)
            return bad(head, 400, "Transfer-Encoding in an HTTP/1.0 request");
        if (f->lengths)
            return bad(head, 400, "Transfer-Encoding beside Content-Length");
        if (f->codings > 1)
            return bad(head, 400, "more than one Transfer-Encoding");
        if (!slice_equal_nocase(f->coding, SLICE_LITERAL("chunked")))
            return refuse_coding(head, f->coding);
        head->body = HTTP_BODY_CHUNKED;
    } else if (f->lengths) {
        if (f->lengths > 1)
            return bad(head, 400, "more than one Content-Length");
        if (!slice_to_uint(f->length, INT64_MAX, &head->content_length))
            return bad(head, 400, "Content-Length is no number");
        head->body = HTTP_BODY_LENGTH;
    }
    return PARSE_OK;
}

/* The authority of an absolute-form target, or SLICE_NONE. */
static struct slice target_authority(struct slice target)
{
    if (target.ptr[0] == '/' || target.ptr[0] == '*')
        return SLICE_NONE;
    struct slice rest = slice_skip(target, slice_find(target, ':') + 3);
    size_t len = 0;
    while (len < rest.len && rest.ptr[len] != '/' && rest.ptr[len] != '?')
        len++;
    return slice_first(rest, len);
}

/* What Host says is ignored (RFC 9112, 3.2.2): nobody shall read it by mistake. */
static void replace_host(struct http_head *head, struct slice authority)
{
    for (size_t i = 0; i < head->header_count; i++)
        if (NAMED(&head->headers[i], "host"))
            head->headers[i].value = authority;
}

static enum parse_status judge_host(struct http_head *head, const struct framing *f)
{
    struct authority unused;
    if (f->hosts > 1)
        return bad(head, 400, "more than one Host");
    if (f->hosts == 0 && head->minor > 0)
        return bad(head, 400, "no Host");
    if (f->hosts && !authority_parse(f->host, &unused))
        return bad(head, 400, "Host is no host");
    head->host = f->hosts ? f->host : SLICE_NONE;
    bool connect = slice_equal(head->method, SLICE_LITERAL("CONNECT"));
    struct slice authority = connect ? head->target : target_authority(head->target);
    if (!authority.ptr)
        return PARSE_OK;
    if (!authority_parse(authority, &unused) || (connect && unused.port == 0))
        return bad(head, 400, "the request target names no host");
    head->host = authority;
    replace_host(head, authority);
    return PARSE_OK;
}

enum parse_status http_fields_judge(struct http_head *head)
{
    struct framing f = {0};
    for (size_t i = 0; i < head->header_count; i++)
        take(&f, &head->headers[i]);
    head->keep_alive = !f.close && (head->minor > 0 || f.keep_alive);
    head->upgrade = f.upgrade;
    head->expect_continue = f.expect && head->minor > 0;
    enum parse_status status = judge_body(head, &f);
    return status == PARSE_OK ? judge_host(head, &f) : status;
}
