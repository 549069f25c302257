/* SPDX-License-Identifier: MIT */
#include "proto/close_code.h"

#include <stddef.h>

struct row {
    enum close_code code;
    enum close_then then, then_retry;
    enum close_kept kept;
};

static const struct row *find_row(unsigned code)
{
    static const struct row rows[] = {
#define CLOSE_CODE(name, code, then, then_retry, kept, tokens, text)                               \
    {CLOSE_##name, THEN_##then, THEN_##then_retry, KEEP_##kept},
#include "proto/close_codes.def"
#undef CLOSE_CODE
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (rows[i].code == code)
            return &rows[i];
    return NULL;
}

enum close_then close_code_then(unsigned code, bool has_retry)
{
    const struct row *row = find_row(code);
    if (!row)
        return code < 4000 ? THEN_RESUME : THEN_FINAL;
    return has_retry ? row->then_retry : row->then;
}

enum close_kept close_code_kept(unsigned code)
{
    const struct row *row = find_row(code);
    return row ? row->kept : KEEP_NOTHING;
}

unsigned close_code_of_status(int status)
{
    return status == 503 ? CLOSE_TRY_AGAIN_LATER : 4000 + (unsigned)status;
}

int close_code_status(unsigned code)
{
    if (code == CLOSE_SERVICE_RESTART || code == CLOSE_TRY_AGAIN_LATER)
        return 503;
    return code >= 4300 && code < 4600 ? (int)code - 4000 : 409;
}
