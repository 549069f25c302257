/* SPDX-License-Identifier: MIT */
#include "cluster/announcement.h"

static struct slice next_word(struct slice *in)
{
    size_t end = slice_find(*in, ' ');
    struct slice word = slice_first(*in, end);
    *in = slice_skip(*in, end < in->len ? end + 1 : end);
    return word;
}

static bool next_number(struct slice *in, uint64_t *ret)
{
    return slice_to_uint(next_word(in), (uint64_t)1 << 53, ret);
}

static bool parse_keep(struct slice word, enum topic_keep *ret)
{
    if (word.len != 1)
        return false;
    *ret = word.ptr[0] == '1'   ? TOPIC_KEEP_THIS
           : word.ptr[0] == '0' ? TOPIC_KEEP_NONE
                                : TOPIC_KEEP_AS_IT_IS;
    return true;
}

static bool parse_event(struct slice in, struct announcement *ret)
{
    size_t end = slice_find(in, '\n');
    if (end == in.len)
        return false;
    struct slice head = slice_first(in, end);
    ret->data = slice_skip(in, end + 1);
    ret->epoch = next_word(&head);
    if (!next_number(&head, &ret->seq))
        return false;
    ret->ident = next_word(&head);
    if (!next_number(&head, &ret->time_ms))
        return false;
    ret->from = next_word(&head);
    if (ret->from.len != HUB_ID_LEN)
        ret->from = SLICE_NONE;
    if (!parse_keep(next_word(&head), &ret->keep))
        return false;
    ret->name = head;
    return ret->seq > 0 && ret->epoch.len == EPOCH_LEN && ret->ident.len > 0 &&
           ret->ident.len <= IDENT_MAX && ret->name.len > 0;
}

static bool parse_presence(struct slice in, struct announcement *ret)
{
    if (!next_number(&in, &ret->changes))
        return false;
    ret->outpost = next_word(&in);
    if (!ret->outpost.len || ret->outpost.len > OUTPOST_MAX)
        return false;
    if (ret->kind == ANNOUNCED_GONE)
        return true;
    ret->client = next_word(&in);
    ret->data = in;
    return ret->client.len == HUB_ID_LEN;
}

bool announcement_parse(struct slice in, struct announcement *ret)
{
    struct announcement a = {0};
    struct slice kind = next_word(&in);
    if (kind.len != 1)
        return false;
    switch (kind.ptr[0]) {
    case 'E':
        a.kind = ANNOUNCED_EVENT;
        break;
    case 'P':
        a.kind = ANNOUNCED_PRESENT;
        break;
    case 'G':
        a.kind = ANNOUNCED_GONE;
        break;
    default:
        return false;
    }
    bool good = a.kind == ANNOUNCED_EVENT ? parse_event(in, &a) : parse_presence(in, &a);
    if (good)
        *ret = a;
    return good;
}
