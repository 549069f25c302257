/* SPDX-License-Identifier: MIT */
/* What programs say of topics: a walk over JSON gives every value, and nothing else; commands are
 * read or refused with a reason. */
#include "fuzz.h"

#include "proto/json.h"
#include "proto/json_walk.h"
#include "proto/topic.h"

/* Between the values stand only brackets, commas, colons and blanks. */
static void check_gap(const char *from, const char *to)
{
    for (; from < to; from++)
        FUZZ_CHECK(memchr("{}[],: \t", *from, 8));
}

static void check_part(struct slice in, const char **at, struct slice part)
{
    FUZZ_CHECK(fuzz_inside(in, part) && part.ptr >= *at);
    FUZZ_CHECK(json_valid(part, JSON_DEPTH_MAX));
    check_gap(*at, part.ptr);
    *at = part.ptr + part.len;
}

static void check_walk(struct slice in)
{
    struct slice rest, item;
    struct json_member member;
    const char *at = in.ptr;
    bool object = json_walk_object(in, &rest);
    if (object) {
        while (json_next_member(&rest, &member)) {
            check_part(in, &at, member.key);
            FUZZ_CHECK(member.key.ptr[0] == '"');
            check_part(in, &at, member.value);
        }
        check_gap(at, in.ptr + in.len);
    } else if (json_walk_array(in, &rest)) {
        while (json_next_item(&rest, &item))
            check_part(in, &at, item);
        check_gap(at, in.ptr + in.len);
    }
}

static void check_commands(struct slice in)
{
    struct topic_subscription subscription;
    struct topic_publication publication;
    struct topic_name name;
    const char *why = NULL;
    if (topic_parse_subscribe(in, &subscription, &why)) {
        FUZZ_CHECK(topic_name_valid(topic_name_slice(&subscription.topic)));
        FUZZ_CHECK(!subscription.presence.len || *subscription.presence.ptr == '{');
    } else {
        FUZZ_CHECK(why && *why);
    }
    if (topic_parse_publish(in, &publication, &why)) {
        FUZZ_CHECK(topic_name_valid(topic_name_slice(&publication.topic)));
        FUZZ_CHECK(message_is_name(slice_make(publication.event, publication.event_len)));
        FUZZ_CHECK(!publication.data.len || json_valid(publication.data, JSON_DEPTH_MAX));
    }
    if (topic_parse_unsubscribe(in, &name, &why))
        FUZZ_CHECK(topic_parse_subscribe(in, &subscription, &why));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice in = slice_make(data, size);
    if (!json_valid(in, JSON_DEPTH_MAX))
        return 0;
    check_walk(in);
    check_commands(in);
    return 0;
}
