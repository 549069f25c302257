/* SPDX-License-Identifier: MIT */
/* json_walk.h - the members of a JSON object and the items of an array, one after the other, as
 * slices of the text.
 *
 * For the few values that the server reads itself; values that it passes on stay as they were
 * written, to the last digit. The text must be json_valid(). Pure, no allocation, no recursion;
 * each byte is read once per nesting level.
 */
#ifndef PROTO_JSON_WALK_H
#define PROTO_JSON_WALK_H

#include "base/slice.h"

struct json_member {
    struct slice key; /* as written, with its quotes */
    struct slice value;
};

/* False if `json` is no object (or no array). Otherwise *rest is for json_next_member() (or
 * json_next_item()). */
bool json_walk_object(struct slice json, struct slice *rest);
bool json_walk_array(struct slice json, struct slice *rest);

/* The next member or item; false after the last. */
bool json_next_member(struct slice *rest, struct json_member *ret);
bool json_next_item(struct slice *rest, struct slice *ret);

/* Whether the key is this word, however its characters are escaped. */
bool json_key_is(struct slice key, struct slice word);

#endif
