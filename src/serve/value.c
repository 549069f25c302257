/* SPDX-License-Identifier: MIT */
#include "serve/value.h"

#include <stdio.h>

struct unit {
    const char *name;
    uint64_t factor;
};

/* Largest first: printing takes the first that divides. The empty name is what a bare number means.
 */
static const struct unit sizes[] = {{"G", 1 << 30}, {"M", 1 << 20}, {"K", 1 << 10}, {"", 1}};
static const struct unit times[] = {{"d", 86400000}, {"h", 3600000}, {"min", 60000},
                                    {"s", 1000},     {"ms", 1},      {"", 1000}};

static bool parse(struct slice text, const struct unit *units, size_t count, uint64_t *ret)
{
    size_t digits = 0;
    while (digits < text.len && text.ptr[digits] >= '0' && text.ptr[digits] <= '9')
        digits++;
    for (size_t i = 0; i < count; i++) {
        uint64_t number;
        if (!slice_equal(slice_skip(text, digits), slice_of(units[i].name)))
            continue;
        if (!slice_to_uint(slice_first(text, digits), UINT64_MAX / units[i].factor, &number))
            return false;
        *ret = number * units[i].factor;
        return true;
    }
    return false;
}

static void print(uint64_t value, const struct unit *units, char out[32])
{
    while (units->factor > 1 && (value == 0 || value % units->factor))
        units++;
    snprintf(out, 32, "%llu%s", (unsigned long long)(value / units->factor), units->name);
}

bool value_size(struct slice text, uint64_t *ret)
{
    return parse(text, sizes, sizeof(sizes) / sizeof(*sizes), ret);
}

bool value_time(struct slice text, uint64_t *ret_ms)
{
    return parse(text, times, sizeof(times) / sizeof(*times), ret_ms);
}

void value_print_size(uint64_t bytes, char out[32])
{
    print(bytes, sizes, out);
}

void value_print_time(uint64_t ms, char out[32])
{
    print(ms, times, out);
}
