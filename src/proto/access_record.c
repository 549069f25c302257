/* SPDX-License-Identifier: MIT */
#include "proto/access_record.h"

/* A parser's place in a record. */
struct cursor {
    struct slice all, rest;
    struct access_fault *fault;
};

static size_t offset(const struct cursor *c, const char *ptr)
{
    return (size_t)(ptr - c->all.ptr);
}

static bool fail_at(struct cursor *c, const char *ptr, const char *expected)
{
    *c->fault = (struct access_fault){.at = offset(c, ptr), .expected = expected};
    return false;
}

static void skip_space(struct slice *s)
{
    while (s->len && (s->ptr[0] == ' ' || s->ptr[0] == '\t'))
        *s = slice_skip(*s, 1);
}

/* "v=sa1", unless it goes on as the name of another version (`v=sa10`). */
static bool is_script_access(struct slice text)
{
    static const struct slice version = {"v=sa1", 5};
    if (!slice_equal_nocase(slice_first(text, version.len), version))
        return false;
    if (text.len == version.len)
        return true;
    char c = text.ptr[version.len];
    return !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
             c == '.' || c == '-' || c == '_');
}

struct port_item {
    uint16_t first, last;
    bool single;
};

static bool port_item_parse(struct slice text, struct port_item *ret)
{
    if (slice_equal(text, SLICE_LITERAL("*"))) {
        *ret = (struct port_item){.first = 1, .last = 65535};
        return true;
    }
    size_t dash = slice_find(text, '-');
    struct port_item item = {.single = dash == text.len};
    if (!port_parse(slice_first(text, dash), &item.first))
        return false;
    item.last = item.first;
    if (!item.single &&
        (!port_parse(slice_skip(text, dash + 1), &item.last) || item.last < item.first))
        return false;
    *ret = item;
    return true;
}

/* The bytes up to the next comma; false if there is none left to take (`*more` is then false). */
static struct slice take_item(struct slice *rest, bool *more)
{
    struct slice item = slice_first(*rest, slice_find(*rest, ','));
    *more = item.len < rest->len;
    *rest = slice_skip(*rest, item.len + *more);
    return item;
}

static bool parse_ports(struct cursor *c, struct slice value, struct access_record *r)
{
    struct slice rest = value;
    for (bool more = true; more;) {
        struct port_item item;
        struct slice text = take_item(&rest, &more);
        if (!port_item_parse(text, &item))
            return fail_at(c, text.ptr, "*, a port from 1 to 65535, or a range such as 7000-7010");
    }
    r->port = value;
    return true;
}

static bool parse_via(struct cursor *c, struct slice value, struct access_record *r)
{
    r->via = 0;
    for (bool more = true; more;) {
        struct slice word = take_item(&value, &more);
        if (slice_equal_nocase(word, SLICE_LITERAL("tcp")))
            r->via |= ACCESS_VIA_TCP;
        else if (slice_equal_nocase(word, SLICE_LITERAL("web")))
            r->via |= ACCESS_VIA_WEB;
        else
            return fail_at(c, word.ptr, "tcp or web");
    }
    return true;
}

static bool parse_max_age(struct cursor *c, struct slice value, struct access_record *r)
{
    uint64_t seconds;
    if (value.len > 6 || !slice_to_uint(value, ACCESS_MAX_AGE_MAX, &seconds))
        return fail_at(c, value.ptr, "seconds, at most 86400, in 1 to 6 digits");
    r->max_age = (uint32_t)seconds;
    return true;
}

static bool parse_patterns(struct cursor *c, struct slice value, struct slice *ret)
{
    if (!access_patterns_check(value, c->fault)) {
        c->fault->at += offset(c, value.ptr);
        return false;
    }
    *ret = value;
    return true;
}

static bool parse_allow(struct cursor *c, struct slice value, struct access_record *r)
{
    return parse_patterns(c, value, &r->allow);
}

static bool parse_deny(struct cursor *c, struct slice value, struct access_record *r)
{
    return parse_patterns(c, value, &r->deny);
}

static bool parse_host(struct cursor *c, struct slice value, struct access_record *r)
{
    return parse_patterns(c, value, &r->host);
}

static bool parse_note(struct cursor *c, struct slice value, struct access_record *r)
{
    (void)c, (void)value, (void)r;
    return true;
}

static const struct tag {
    struct slice name;
    bool (*parse)(struct cursor *c, struct slice value, struct access_record *r);
} tags[] = {
    {{"allow", 5}, parse_allow}, {{"deny", 4}, parse_deny},       {{"port", 4}, parse_ports},
    {{"via", 3}, parse_via},     {{"max-age", 7}, parse_max_age}, {{"host", 4}, parse_host},
    {{"note", 4}, parse_note},
};
enum {
    TAGS = sizeof(tags) / sizeof(*tags),
    TAG_HOST = 5
};

/* One tag with its value; `*seen` is the set of tags that stood before it. */
static bool parse_tag(struct cursor *c, enum access_zone zone, unsigned *seen,
                      struct access_record *r)
{
    struct slice text = slice_first(c->rest, slice_find(c->rest, ';'));
    c->rest = slice_skip(c->rest, text.len);
    struct slice name = slice_first(text, slice_find(text, '='));
    for (unsigned i = 0; i < TAGS; i++) {
        if (name.len == text.len || !slice_equal_nocase(name, tags[i].name))
            continue;
        if (*seen & 1u << i)
            return fail_at(c, text.ptr, "each tag at most once");
        if (i == TAG_HOST && zone == ACCESS_FORWARD)
            return fail_at(c, text.ptr, "no host=, which belongs in reverse zones only");
        *seen |= 1u << i;
        struct slice value = slice_skip(text, name.len + 1);
        while (value.len && (value.ptr[value.len - 1] == ' ' || value.ptr[value.len - 1] == '\t'))
            value.len--;
        return tags[i].parse(c, value, r);
    }
    return fail_at(c, text.ptr, "allow=, deny=, port=, via=, max-age=, host= or note=");
}

static bool parse_tags(struct cursor *c, enum access_zone zone, struct access_record *r)
{
    unsigned seen = 0;
    for (;;) {
        skip_space(&c->rest);
        if (c->rest.len == 0)
            break;
        if (c->rest.ptr[0] != ';')
            return fail_at(c, c->rest.ptr, "a semicolon");
        c->rest = slice_skip(c->rest, 1);
        skip_space(&c->rest);
        if (c->rest.len == 0)
            break;
        if (!parse_tag(c, zone, &seen, r))
            return false;
    }
    if (zone == ACCESS_FORWARD && !r->allow.ptr && !r->deny.ptr)
        return fail_at(c, c->rest.ptr, "an allow= or a deny=");
    return true;
}

enum access_record_status access_record_parse(struct slice text, enum access_zone zone,
                                              struct access_record *ret, struct access_fault *fault)
{
    if (!is_script_access(text))
        return ACCESS_RECORD_FOREIGN;
    struct access_record r = {.via = ACCESS_VIA_TCP | ACCESS_VIA_WEB, .max_age = ACCESS_NO_MAX_AGE};
    struct access_fault ignored;
    struct cursor c = {.all = text, .rest = slice_skip(text, 5), .fault = fault ? fault : &ignored};
    if (!parse_tags(&c, zone, &r))
        return ACCESS_RECORD_BAD;
    *ret = r;
    return ACCESS_RECORD_OK;
}

bool access_port_is_bad(uint16_t port)
{
    static const uint16_t bad[] = {
        1,    7,    9,    11,   13,   15,   17,   19,   20,   21,   22,   23,    25,   37,
        42,   43,   53,   69,   77,   79,   87,   95,   101,  102,  103,  104,   109,  110,
        111,  113,  115,  117,  119,  123,  135,  137,  139,  143,  161,  179,   389,  427,
        465,  512,  513,  514,  515,  526,  530,  531,  532,  540,  548,  554,   556,  563,
        587,  601,  636,  989,  990,  993,  995,  1719, 1720, 1723, 2049, 3659,  4045, 4190,
        5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        if (bad[i] == port)
            return true;
    return false;
}

bool access_ports_have(struct slice port_tag, uint16_t port)
{
    bool only_singly = access_port_is_bad(port);
    for (bool more = port_tag.len > 0; more;) {
        struct port_item item;
        if (!port_item_parse(take_item(&port_tag, &more), &item))
            return false;
        if (port >= item.first && port <= item.last && (item.single || !only_singly))
            return true;
    }
    return false;
}

/* How far one record grants a question: the later in the order of better(), the further. */
static enum access_match match_one(const struct access_record *r, enum access_zone zone,
                                   const struct access_question *q)
{
    bool reverse = zone == ACCESS_REVERSE;
    if (reverse && (!r->host.ptr || !access_patterns_name(r->host, q->host, q->port, q->suffixes)))
        return ACCESS_MATCH_HOST_NOT_NAMED;
    if (q->origin->scheme == ORIGIN_OPAQUE)
        return ACCESS_MATCH_ORIGIN_NOT_ALLOWED;
    if (!(r->via & q->via) ||
        !(r->allow.ptr ? access_patterns_allow(r->allow, q->origin, q->suffixes) : reverse))
        return ACCESS_MATCH_ORIGIN_NOT_ALLOWED;
    if (q->via == ACCESS_VIA_TCP && !(r->port.ptr ? access_ports_have(r->port, q->port) : reverse))
        return ACCESS_MATCH_PORT_NOT_LISTED;
    return ACCESS_MATCH_ALLOWED;
}

static bool better(enum access_match a, enum access_match b)
{
    static const int order[] = {
        [ACCESS_MATCH_NO_RECORD] = 0,
        [ACCESS_MATCH_HOST_NOT_NAMED] = 1,
        [ACCESS_MATCH_ORIGIN_NOT_ALLOWED] = 2,
        [ACCESS_MATCH_PORT_NOT_LISTED] = 3,
        [ACCESS_MATCH_ALLOWED] = 4,
        [ACCESS_MATCH_ORIGIN_DENIED] = 5,
    };
    return order[a] > order[b];
}

static bool too_large(const struct slice *txt, size_t count)
{
    size_t octets = 0, ours = 0, our_octets = 0;
    for (size_t i = 0; i < count; i++) {
        octets += txt[i].len;
        if (!is_script_access(txt[i]))
            continue;
        if (txt[i].len > ACCESS_RECORD_MAX)
            return true;
        ours++;
        our_octets += txt[i].len;
    }
    return count > ACCESS_TXT_MAX || octets > ACCESS_TXT_OCTETS || ours > ACCESS_RECORDS_MAX ||
           our_octets > ACCESS_OCTETS_MAX;
}

struct access_answer access_records_match(const struct slice *txt, size_t count,
                                          enum access_zone zone, const struct access_question *q)
{
    struct access_answer a = {.match = ACCESS_MATCH_NO_RECORD, .max_age = ACCESS_NO_MAX_AGE};
    if (too_large(txt, count)) {
        a.match = ACCESS_MATCH_TOO_LARGE;
        return a;
    }
    for (size_t i = 0; i < count; i++) {
        struct access_record r;
        struct access_fault fault;
        enum access_record_status status = access_record_parse(txt[i], zone, &r, &fault);
        if (status == ACCESS_RECORD_FOREIGN)
            continue;
        if (status == ACCESS_RECORD_BAD)
            return (struct access_answer){ACCESS_MATCH_BAD_RECORD, i, fault, ACCESS_NO_MAX_AGE};
        if (r.max_age != ACCESS_NO_MAX_AGE &&
            (a.max_age == ACCESS_NO_MAX_AGE || r.max_age > a.max_age))
            a.max_age = r.max_age;
        bool denied = r.deny.ptr && access_patterns_deny(r.deny, q->origin);
        enum access_match match = denied ? ACCESS_MATCH_ORIGIN_DENIED : match_one(&r, zone, q);
        if (better(match, a.match)) {
            a.match = match;
            a.record = i;
        }
    }
    return a;
}
