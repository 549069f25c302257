/* SPDX-License-Identifier: MIT */
#include "http/encodings.h"

/* Weights are thousandths. */
enum {
    UNTOLD = -1,
    WHOLE = 1000
};

struct wishes {
    int weights[ENCODING_COUNT];
    int others; /* of `*` */
};

struct slice encoding_name(enum encoding encoding)
{
    switch (encoding) {
    case ENCODING_GZIP:
        return SLICE_LITERAL("gzip");
    case ENCODING_BROTLI:
        return SLICE_LITERAL("br");
    case ENCODING_IDENTITY:
        break;
    }
    return SLICE_LITERAL("");
}

struct slice encoding_ending(enum encoding encoding)
{
    switch (encoding) {
    case ENCODING_GZIP:
        return SLICE_LITERAL(".gz");
    case ENCODING_BROTLI:
        return SLICE_LITERAL(".br");
    case ENCODING_IDENTITY:
        break;
    }
    return SLICE_LITERAL("");
}

/* `0`, `0.25`, `1`, `1.000`; what is no weight refuses. */
static int weight_of(struct slice value)
{
    int weight = 0;
    if (value.len == 0 || value.len > 5 || value.ptr[0] < '0' || value.ptr[0] > '1' ||
        (value.len > 1 && value.ptr[1] != '.'))
        return 0;
    for (size_t i = 0, unit = WHOLE; i < 5 && i < value.len; i += i ? 1 : 2, unit /= 10) {
        if (value.ptr[i] < '0' || value.ptr[i] > '9')
            return 0;
        weight += (value.ptr[i] - '0') * (int)unit;
    }
    return weight <= WHOLE ? weight : 0;
}

/* Of a member's parameters, `;` and all. */
static int weight_in(struct slice parameters)
{
    struct slice q = SLICE_LITERAL("q=");
    while (parameters.len > 0) {
        parameters = slice_skip(parameters, 1);
        size_t end = slice_find(parameters, ';');
        struct slice one = slice_trim(slice_first(parameters, end));
        if (slice_equal_nocase(slice_first(one, q.len), q))
            return weight_of(slice_skip(one, q.len));
        parameters = slice_skip(parameters, end);
    }
    return WHOLE;
}

static int *place_of(struct wishes *w, struct slice coding)
{
    if (slice_equal_nocase(coding, SLICE_LITERAL("gzip")) ||
        slice_equal_nocase(coding, SLICE_LITERAL("x-gzip"))) /* RFC 9110, 8.4.1.3 */
        return &w->weights[ENCODING_GZIP];
    if (slice_equal_nocase(coding, SLICE_LITERAL("br")))
        return &w->weights[ENCODING_BROTLI];
    if (slice_equal_nocase(coding, SLICE_LITERAL("identity")))
        return &w->weights[ENCODING_IDENTITY];
    return slice_equal(coding, SLICE_LITERAL("*")) ? &w->others : NULL;
}

static void read_list(struct wishes *w, struct slice list)
{
    struct slice member;
    while (http_list_next(&list, &member)) {
        size_t end = slice_find(member, ';');
        int *place = place_of(w, slice_trim(slice_first(member, end)));
        if (place && *place == UNTOLD)
            *place = weight_in(slice_skip(member, end));
    }
}

static enum encoding best(const struct wishes *w, unsigned offered)
{
    enum encoding found = ENCODING_IDENTITY;
    int weight = w->weights[ENCODING_IDENTITY];
    for (unsigned i = ENCODING_IDENTITY + 1; i < ENCODING_COUNT; i++) {
        if (!(offered & 1u << i) || w->weights[i] <= 0 || w->weights[i] < weight)
            continue;
        weight = w->weights[i];
        found = (enum encoding)i;
    }
    return found;
}

enum encoding encoding_choose(const struct http_head *request, unsigned offered)
{
    struct wishes w = {{UNTOLD, UNTOLD, UNTOLD}, UNTOLD};
    for (size_t i = 0; i < request->header_count; i++)
        if (slice_equal_nocase(request->headers[i].name, SLICE_LITERAL("accept-encoding")))
            read_list(&w, request->headers[i].value);
    int *plain = &w.weights[ENCODING_IDENTITY];
    bool refused = *plain == 0 || (*plain == UNTOLD && w.others == 0);
    for (unsigned i = ENCODING_IDENTITY + 1; i < ENCODING_COUNT && refused; i++)
        if (w.weights[i] == UNTOLD)
            w.weights[i] = w.others;
    return best(&w, offered);
}
