/* SPDX-License-Identifier: MIT */
/* Hosts and origins: what is accepted is in its normal form, and the normal form is accepted as
 * itself. */
#include "fuzz.h"

#include "proto/origin.h"

static void check_authority(struct slice in)
{
    struct authority a, again;
    char text[AUTHORITY_HOST_MAX + 8];
    if (!authority_parse(in, &a))
        return;
    FUZZ_CHECK(a.host_len > 0 && a.host_len <= AUTHORITY_HOST_MAX);
    FUZZ_CHECK(strlen(a.host) == a.host_len);
    for (size_t i = 0; i < a.host_len; i++)
        FUZZ_CHECK(a.host[i] > ' ' && a.host[i] < 0x7f && !(a.host[i] >= 'A' && a.host[i] <= 'Z'));
    snprintf(text, sizeof(text), a.port ? "%s:%u" : "%s", a.host, a.port);
    FUZZ_CHECK(authority_parse(slice_of(text), &again));
    FUZZ_CHECK(again.kind == a.kind && again.port == a.port && authority_host_equal(&again, &a));
}

static void check_written(const struct origin *o)
{
    struct origin again;
    char text[ORIGIN_TEXT_SIZE], twice[ORIGIN_TEXT_SIZE];
    struct slice written = origin_write(o, text);
    FUZZ_CHECK(strlen(text) == written.len && written.len < ORIGIN_TEXT_SIZE);
    FUZZ_CHECK(origin_parse(written, &again) && again.scheme == o->scheme);
    FUZZ_CHECK(origin_equal(o, &again) == (o->scheme != ORIGIN_OPAQUE));
    FUZZ_CHECK(slice_equal(origin_write(&again, twice), written));
}

static void check_url(struct slice in)
{
    struct origin o;
    struct slice rest;
    if (!origin_parse_url(in, &o, &rest))
        return;
    FUZZ_CHECK(o.scheme != ORIGIN_OPAQUE && o.authority.port != 0);
    FUZZ_CHECK(rest.len == 0 || (fuzz_inside(in, rest) && memchr("/?#", rest.ptr[0], 3)));
    check_written(&o);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice in = slice_make(data, size);
    struct origin o;
    check_authority(in);
    check_url(in);
    if (origin_parse(in, &o))
        check_written(&o);
    return 0;
}
