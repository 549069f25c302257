/* SPDX-License-Identifier: MIT */
#include "serve/program_limits.h"

#include "serve/process_limits.h"
#include "serve/value.h"

enum unit {
    UNIT_SIZE,
    UNIT_TIME,
    UNIT_NUMBER
};

static const struct row {
    const char *name;
    int resource;
    enum unit unit;
} rows[] = {
    {"memory", RLIMIT_DATA, UNIT_SIZE},       {"address-space", RLIMIT_AS, UNIT_SIZE},
    {"file-size", RLIMIT_FSIZE, UNIT_SIZE},   {"core", RLIMIT_CORE, UNIT_SIZE},
    {"cpu", RLIMIT_CPU, UNIT_TIME},           {"files", RLIMIT_NOFILE, UNIT_NUMBER},
    {"processes", RLIMIT_NPROC, UNIT_NUMBER},
};

static const struct row *find(struct slice name)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (slice_equal(name, slice_of(rows[i].name)))
            return &rows[i];
    return NULL;
}

/* A time in whole seconds, at least one. */
static bool read_value(const struct row *row, struct slice text, uint64_t *ret)
{
    switch (row->unit) {
    case UNIT_SIZE:
        return value_size(text, ret);
    case UNIT_NUMBER:
        return slice_to_uint(text, UINT32_MAX, ret);
    case UNIT_TIME:
        if (!value_time(text, ret))
            return false;
        *ret = *ret / 1000 + (*ret % 1000 > 0);
        return *ret > 0;
    }
    return false;
}

static bool add_limit(struct program_rights *rights, const char *text, struct text *why)
{
    uint64_t value;
    struct slice whole = slice_of(text);
    size_t mark = slice_find(whole, '=');
    const struct row *row = find(slice_first(whole, mark));
    if (!row || !read_value(row, slice_skip(whole, mark < whole.len ? mark + 1 : mark), &value)) {
        text_printf(why,
                    "program-limits: expected memory, address-space, file-size or core=SIZE, "
                    "cpu=TIME, files or processes=N, not `%s`",
                    text);
        return false;
    }
    program_rights_limit(rights, row->resource, (struct rlimit){value, value});
    return true;
}

struct program_rights *program_limits_read(const struct config *c, struct text *why)
{
    struct program_rights *rights = program_rights_new(c->program_setuid);
    bool good = rights;
    if (good)
        program_rights_limit(rights, RLIMIT_NOFILE, *process_limits_found_descriptors());
    for (size_t i = 0; good && i < c->program_limits.count; i++)
        good = add_limit(rights, c->program_limits.items[i], why);
    for (size_t i = 0; good && i < c->run_as.count; i++)
        good = program_rights_user(rights, c->run_as.items[i], why);
    if (good)
        return rights;
    program_rights_free(rights);
    return NULL;
}
