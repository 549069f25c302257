/* SPDX-License-Identifier: MIT */
/* credentials.c - by what a request shows who makes it. */
#include "http/exchange.h"

#include "base/hash.h"

static bool is_credential(struct slice name)
{
    return slice_equal_nocase(name, SLICE_LITERAL("cookie")) ||
           slice_equal_nocase(name, SLICE_LITERAL("authorization"));
}

uint64_t exchange_credentials(const struct exchange *x)
{
    uint64_t parts[2] = {0};
    for (size_t i = 0; i < x->request->header_count; i++) {
        const struct http_header *h = &x->request->headers[i];
        if (!is_credential(h->name) || h->value.len == 0)
            continue;
        parts[1] = hash_shared(h->value);
        parts[0] = hash_shared(slice_make(parts, sizeof(parts)));
        parts[0] += parts[0] == 0;
    }
    return parts[0];
}
