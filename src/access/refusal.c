/* SPDX-License-Identifier: MIT */
#include "access/refusal.h"

#include "proto/origin.h"

#include <assert.h>
#include <stdio.h>

static void add(struct refusal *r, const char *name, struct slice value)
{
    assert(r->count < REFUSAL_HEADERS_MAX);
    r->headers[r->count++] = (struct http_header){slice_of(name), value};
}

static struct slice write_number(char buffer[16], uint32_t n)
{
    return slice_make(buffer, (size_t)sprintf(buffer, "%u", n));
}

static bool is_path(struct slice path)
{
    if (path.len == 0 || path.len >= REFUSAL_POLICY_MAX || path.ptr[0] != '/')
        return false;
    for (size_t i = 0; i < path.len; i++)
        if (path.ptr[i] <= ' ' || path.ptr[i] > '~')
            return false;
    return true;
}

static struct slice write_realm(char buffer[REFUSAL_REALM_MAX + 16], struct slice realm)
{
    int n = sprintf(buffer, "Script realm=\"");
    for (size_t i = 0; i < realm.len && n < REFUSAL_REALM_MAX; i++)
        if (realm.ptr[i] >= ' ' && realm.ptr[i] <= '~' && realm.ptr[i] != '"' &&
            realm.ptr[i] != '\\')
            buffer[n++] = realm.ptr[i];
    buffer[n++] = '"';
    return slice_make(buffer, (size_t)n);
}

static void add_challenge(struct refusal *r, uint32_t retry_s, const struct refusal_challenge *c)
{
    struct slice realm = c ? c->realm : SLICE_NONE;
    add(r, "WWW-Authenticate", write_realm(r->realm_buffer, realm));
    add(r, "Access-Control-Max-Age", write_number(r->age_buffer, retry_s));
    if (!c || !is_path(c->policy_path))
        return;
    memcpy(r->policy_buffer, c->policy_path.ptr, c->policy_path.len);
    add(r, "Access-Control-Policy-Path", slice_make(r->policy_buffer, c->policy_path.len));
}

void refusal_make(struct refusal *r, enum access_reason reason, uint32_t retry_s,
                  struct slice origin, const struct refusal_challenge *challenge)
{
    const struct access_reason_row *row = access_reason_row(reason);
    struct origin asker;
    assert(row->verdict != ACCESS_ALLOW);
    r->status = row->http;
    r->close_code = row->ws_close;
    r->text = slice_of(row->text);
    r->count = 0;
    int len = retry_s ? sprintf(r->close_buffer, "%s retry=%u", row->token, retry_s)
                      : sprintf(r->close_buffer, "%s", row->token);
    r->close_reason = slice_make(r->close_buffer, (size_t)len);

    add(r, "Script-Access-Reason", slice_of(row->token));
    add(r, "Vary", SLICE_LITERAL("Origin"));
    if (retry_s)
        add(r, "Retry-After", write_number(r->retry_buffer, retry_s));
    if (reason == ACCESS_SCRIPT_DENIED)
        add_challenge(r, retry_s, challenge);
    if (!origin.ptr || !origin_parse(origin, &asker))
        return;
    add(r, "Access-Control-Allow-Origin", origin);
    add(r, "Access-Control-Expose-Headers",
        SLICE_LITERAL("Script-Access-Reason, Retry-After, Access-Control-Policy-Path"));
}
