/* SPDX-License-Identifier: MIT */
#include "http/ranges.h"

/* The largest position that is looked at; more digits saturate rather than fail. */
static bool parse_position(struct slice digits, uint64_t *ret)
{
    if (digits.len == 0)
        return false;
    for (size_t i = 0; i < digits.len; i++) {
        if (digits.ptr[i] < '0' || digits.ptr[i] > '9')
            return false;
    }
    if (!slice_to_uint(digits, UINT64_MAX, ret))
        *ret = UINT64_MAX;
    return true;
}

/* `-N`: the last N bytes. */
static bool parse_suffix(struct slice digits, uint64_t size, struct byte_range *ret, bool *within)
{
    uint64_t n;
    if (!parse_position(digits, &n))
        return false;
    *within = n > 0 && size > 0;
    if (*within)
        *ret = (struct byte_range){n < size ? size - n : 0, size - 1};
    return true;
}

/* `A-B` or `A-`. False: malformed. */
static bool parse_range(struct slice spec, uint64_t size, struct byte_range *ret, bool *within)
{
    size_t dash = slice_find(spec, '-');
    if (dash == spec.len)
        return false;
    if (dash == 0)
        return parse_suffix(slice_skip(spec, 1), size, ret, within);
    uint64_t first, last = UINT64_MAX;
    struct slice end = slice_skip(spec, dash + 1);
    if (!parse_position(slice_first(spec, dash), &first) ||
        (end.len > 0 && !parse_position(end, &last)) || last < first)
        return false;
    *within = first < size;
    if (*within)
        *ret = (struct byte_range){first, last < size ? last : size - 1};
    return true;
}

static struct slice next_member(struct slice *list)
{
    size_t comma = slice_find(*list, ',');
    struct slice member = slice_trim(slice_first(*list, comma));
    *list = slice_skip(*list, comma < list->len ? comma + 1 : comma);
    return member;
}

enum ranges_status ranges_parse(struct slice value, uint64_t size,
                                struct byte_range ret[RANGES_MAX], size_t *count)
{
    size_t equals = slice_find(value, '=');
    if (!slice_equal_nocase(slice_first(value, equals), SLICE_LITERAL("bytes")) ||
        equals == value.len)
        return RANGES_IGNORED;
    struct slice list = slice_skip(value, equals + 1);
    size_t members = 0, n = 0;
    uint64_t total = 0;
    while (list.len > 0) {
        struct slice member = next_member(&list);
        bool within;
        if (member.len == 0)
            continue; /* RFC 9110, 5.6.1.2 */
        if (++members > RANGES_MAX || !parse_range(member, size, &ret[n], &within))
            return RANGES_IGNORED;
        if (within) {
            total += ret[n].last - ret[n].first + 1;
            n++;
        }
        if (total > size)
            return RANGES_IGNORED;
    }
    if (members == 0)
        return RANGES_IGNORED;
    *count = n;
    return n > 0 ? RANGES_OK : RANGES_UNSATISFIABLE;
}
