/* SPDX-License-Identifier: MIT */
#include "http/conditions.h"

#include "http/date.h"

/* Takes the next entity-tag off a list: `W/"…"` or `"…"`, opaque to its closing quote. */
static bool etag_next(struct slice *list, bool *weak, struct slice *ret)
{
    while (list->len > 0 && (*list->ptr == ',' || *list->ptr == ' ' || *list->ptr == '\t'))
        *list = slice_skip(*list, 1);
    struct slice in = *list;
    *weak = slice_starts_with(in, SLICE_LITERAL("W/"));
    if (*weak)
        in = slice_skip(in, 2);
    if (in.len < 2 || *in.ptr != '"')
        return false;
    size_t inner = slice_find(slice_skip(in, 1), '"');
    if (inner + 2 > in.len)
        return false;
    *ret = slice_first(in, inner + 2);
    *list = slice_skip(in, inner + 2);
    return true;
}

/* A weak tag never equals in the strong comparison (RFC 9110, 8.8.3.2). */
static bool list_names(struct slice list, struct slice etag, bool strong)
{
    struct slice tag;
    bool weak;
    if (slice_equal(slice_trim(list), SLICE_LITERAL("*")))
        return true;
    while (etag_next(&list, &weak, &tag)) {
        if (slice_equal(tag, etag) && !(weak && strong))
            return true;
    }
    return false;
}

/* The header may occur several times: its values are one list. */
static bool names_etag(const struct http_head *request, const char *name, struct slice etag,
                       bool strong)
{
    for (size_t i = 0; i < request->header_count; i++) {
        const struct http_header *h = &request->headers[i];
        if (slice_equal_nocase(h->name, slice_of(name)) && list_names(h->value, etag, strong))
            return true;
    }
    return false;
}

/* A date that occurs twice is none: its sender is confused. */
static bool find_date(const struct http_head *request, const char *name, int64_t now, int64_t *ret)
{
    return http_head_count(request, slice_of(name)) == 1 &&
           http_date_parse(http_head_find(request, slice_of(name)), now, ret);
}

static bool has(const struct http_head *request, const char *name)
{
    return http_head_find(request, slice_of(name)).ptr != NULL;
}

static bool changed_for_writer(const struct http_head *request, const struct representation *is)
{
    int64_t date;
    if (has(request, "if-match"))
        return !names_etag(request, "if-match", is->etag, true);
    return is->modified >= 0 && find_date(request, "if-unmodified-since", is->now, &date) &&
           is->modified > date;
}

static bool unchanged_for_reader(const struct http_head *request, const struct representation *is)
{
    int64_t date;
    if (has(request, "if-none-match"))
        return names_etag(request, "if-none-match", is->etag, false);
    return is->modified >= 0 && find_date(request, "if-modified-since", is->now, &date) &&
           is->modified <= date;
}

enum condition condition_check(const struct http_head *request, const struct representation *is)
{
    if (changed_for_writer(request, is))
        return CONDITION_FAILED;
    return unchanged_for_reader(request, is) ? CONDITION_NOT_MODIFIED : CONDITION_PASS;
}

/* A date is a strong validator only if the file is at least a second older than now: it could have
 * changed twice within one (RFC 9110, 8.8.2.2). */
bool condition_range(const struct http_head *request, const struct representation *is)
{
    struct slice value = http_head_find(request, SLICE_LITERAL("if-range"));
    struct slice tag;
    bool weak;
    int64_t date;
    if (value.ptr == NULL)
        return true;
    if (http_head_count(request, SLICE_LITERAL("if-range")) > 1)
        return false;
    struct slice rest = value;
    if (etag_next(&rest, &weak, &tag))
        return rest.len == 0 && !weak && slice_equal(tag, is->etag);
    return http_date_parse(value, is->now, &date) && date == is->modified &&
           is->now - is->modified >= 1;
}
