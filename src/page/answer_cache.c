/* SPDX-License-Identifier: MIT */
#include "page/answer_cache.h"

#include "base/hash.h"
#include "base/log.h"

#include <stdatomic.h>

static bool is_named(const struct http_header *h, const char *name)
{
    return slice_equal_nocase(h->name, slice_of(name));
}

/* Headers for the caches in between alone: Surrogate-Control, CDN-Cache-Control, and those of one
 * kind of them, such as Cloudflare-CDN-Cache-Control. */
static bool is_for_caches(const struct http_header *h)
{
    struct slice end = SLICE_LITERAL("cdn-cache-control");
    return is_named(h, "surrogate-control") ||
           (h->name.len >= end.len &&
            slice_equal_nocase(slice_skip(h->name, h->name.len - end.len), end));
}

/* Some caches obey the first directive that they know, so a wish that contradicts itself is
 * dropped too. */
static bool invites(struct slice list)
{
    static const char *const words[] = {
        "public",        "s-maxage", "immutable", "must-understand", "stale-while-revalidate",
        "stale-if-error"};
    struct slice one;
    while (http_list_next(&list, &one)) {
        struct slice word = slice_trim(slice_first(one, slice_find(one, '=')));
        for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
            if (slice_equal_nocase(word, slice_of(words[i])))
                return true;
    }
    return false;
}

/* Without fields: `private="set-cookie"` is about that field. */
static bool forbids(struct slice list)
{
    struct slice one;
    while (http_list_next(&list, &one))
        if (slice_equal_nocase(one, SLICE_LITERAL("private")) ||
            slice_equal_nocase(one, SLICE_LITERAL("no-store")))
            return true;
    return false;
}

/* The programs that were warned of, by the hash of their file, for all workers. A newer one may
 * push an older one out, which is then warned of again. */
static _Atomic uint64_t warned[64];

static void warn_once(struct slice file, struct slice said)
{
    uint64_t hash = hash_bytes(file);
    if (atomic_exchange(&warned[hash % (sizeof(warned) / sizeof(*warned))], hash) == hash)
        return;
    log_warn("program.cacheable", log_slice("program", file), log_slice("said", said),
             log_text("why", "a cached copy would give its session to others: sent as private"));
}

size_t answer_cache_private(struct slice file, struct http_header *headers, size_t count)
{
    struct slice dropped = SLICE_NONE;
    bool said = false, forbidden = false;
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        bool control = is_named(&headers[i], "cache-control");
        bool drop = is_for_caches(&headers[i]) || is_named(&headers[i], "expires") ||
                    (control && invites(headers[i].value));
        if (drop && !is_named(&headers[i], "expires"))
            dropped = headers[i].value;
        if (drop)
            continue;
        said |= control;
        forbidden |= control && forbids(headers[i].value);
        headers[kept++] = headers[i];
    }
    if (dropped.ptr)
        warn_once(file, dropped);
    if (!forbidden)
        headers[kept++] = (struct http_header){SLICE_LITERAL("Cache-Control"),
                                               said ? SLICE_LITERAL("private")
                                                    : SLICE_LITERAL("private, no-cache")};
    return kept;
}
