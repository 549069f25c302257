/* SPDX-License-Identifier: MIT */
#include "proto/state_message.h"

#include "proto/json.h"
#include "proto/json_walk.h"
#include "proto/message.h"

#include <assert.h>
#include <stdio.h>

#define RESTORE SLICE_LITERAL(".restore ")

static const char *const why_names[] = {
    [STATE_WHY_DEPLOY] = "deploy",
    [STATE_WHY_CRASH] = "crash",
    [STATE_WHY_CHANGED] = "changed",
    [STATE_WHY_GONE] = "gone",
};

size_t state_saved_write(uint64_t covers, char ret[STATE_SAVED_MAX])
{
    char text[32];
    int len = snprintf(text, sizeof(text), ".saved?%llu", (unsigned long long)covers);
    assert(covers <= MESSAGE_CALL_MAX && len < STATE_SAVED_MAX);
    memcpy(ret, text, (size_t)len);
    return (size_t)len;
}

const char *state_why_name(enum state_why why)
{
    return why_names[why];
}

bool state_is_restore(struct slice data)
{
    return slice_starts_with(data, RESTORE);
}

static enum parse_status bad(struct state_restore *ret, const char *fault)
{
    ret->fault = fault;
    return PARSE_BAD;
}

static bool read_why(struct slice json, enum state_why *ret)
{
    char text[16];
    size_t len;
    if (json.len > sizeof(text) || !json_unquote(json, text, &len))
        return false;
    for (size_t i = 0; i < sizeof(why_names) / sizeof(why_names[0]); i++) {
        if (!slice_equal(slice_make(text, len), slice_of(why_names[i])))
            continue;
        *ret = (enum state_why)i;
        return true;
    }
    return false;
}

static bool read_number(struct slice json, uint64_t *ret)
{
    return slice_to_uint(json, MESSAGE_CALL_MAX, ret) && (json.len == 1 || json.ptr[0] != '0');
}

static enum parse_status parse_members(struct slice json, struct state_restore *ret)
{
    struct slice rest;
    struct json_member member;
    unsigned whys = 0, numbers = 0;
    if (!json_valid(json, JSON_DEPTH_MAX) || !json_walk_object(json, &rest))
        return bad(ret, ".restore without a JSON object");
    while (json_next_member(&rest, &member)) {
        if (json_key_is(member.key, SLICE_LITERAL("why")))
            whys += read_why(member.value, &ret->why) ? 1 : 2;
        else if (json_key_is(member.key, SLICE_LITERAL("resent")))
            numbers += read_number(member.value, &ret->resent) ? 1 : 2;
    }
    if (whys != 1)
        return bad(ret, ".restore whose why is none of deploy, crash, changed, gone");
    return numbers == 1 ? PARSE_OK : bad(ret, ".restore whose resent is no number");
}

enum parse_status state_parse_restore(struct slice data, struct state_restore *ret)
{
    *ret = (struct state_restore){0};
    struct slice head = slice_first(data, STATE_RESTORE_HEAD_MAX + 1);
    size_t lf = slice_find(head, '\n');
    if (!state_is_restore(data) || lf == head.len)
        return bad(ret, "no .restore, JSON and LF");
    ret->sealed = slice_skip(data, lf + 1);
    if (ret->sealed.len == 0)
        return bad(ret, ".restore without a state");
    return parse_members(slice_skip(slice_first(data, lf), RESTORE.len), ret);
}
