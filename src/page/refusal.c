/* SPDX-License-Identifier: MIT */
/* refusal.c - how a refused handshake is told.
 *
 * A browser's script sees nothing of a refused handshake but a close code: a client that may see
 * the code gets 101 and the code. Every other client gets the HTTP status, and the program's 401
 * with the headers of script access beside it.
 */
#include "page/refusal.h"

#include "access/refusal.h"
#include "limits/bans.h"
#include "page/wire.h"
#include "proto/cgi_head.h"
#include "proto/close_code.h"

#include <stdio.h>

#define REASON_MAX  123
#define HEADERS_MAX (HTTP_HEADERS_MAX + REFUSAL_HEADERS_MAX + 4)

/* ---- by status ---- */

struct header_list {
    size_t count;
    struct http_header items[HEADERS_MAX];
};

static void add(struct header_list *list, struct slice name, struct slice value)
{
    list->items[list->count++] = (struct http_header){name, value};
}

static bool has(const struct header_list *list, struct slice name)
{
    for (size_t i = 0; i < list->count; i++)
        if (slice_equal_nocase(list->items[i].name, name))
            return true;
    return false;
}

/* The program's, but for those of an answer that nobody reads. */
static void add_programs(struct header_list *list, const struct cgi_head *head)
{
    static const char *const left_out[] = {"content-type", "cache-control", "retry-after"};
    for (size_t i = 0; i < head->header_count; i++) {
        bool keep = true;
        for (size_t k = 0; k < sizeof(left_out) / sizeof(left_out[0]); k++)
            keep &= !slice_equal_nocase(head->headers[i].name, slice_of(left_out[k]));
        if (keep)
            add(list, head->headers[i].name, head->headers[i].value);
    }
}

static void respond(struct exchange *x, int status, const struct header_list *list,
                    struct slice token)
{
    exchange_respond(x, status, SLICE_NONE, list->items, list->count, token.len + 1);
    exchange_write(x, token);
    exchange_write(x, SLICE_LITERAL("\n"));
    exchange_end(x);
}

/* A 401 of the program is a word of script access: with its headers, but a challenge of the
 * program's own stands. */
static void respond_denied(struct exchange *x, struct header_list *list,
                           const struct page_refusal *refusal)
{
    struct refusal told;
    struct refusal_challenge challenge = {
        .realm = x->host,
        .policy_path = page_refusal_policy_path(refusal),
    };
    refusal_make(&told, ACCESS_SCRIPT_DENIED, refusal->retry_s,
                 http_head_find(x->request, SLICE_LITERAL("origin")), &challenge);
    struct header_list all = *list;
    all.count = 0;
    for (size_t i = 0; i < list->count; i++) {
        bool theirs = slice_equal_nocase(list->items[i].name, SLICE_LITERAL("www-authenticate"));
        bool ours = false;
        for (size_t k = 0; k < told.count; k++)
            ours |= slice_equal_nocase(list->items[i].name, told.headers[k].name);
        if (theirs || !ours)
            all.items[all.count++] = list->items[i];
    }
    for (size_t k = 0; k < told.count; k++)
        if (!slice_equal(told.headers[k].name, SLICE_LITERAL("WWW-Authenticate")) ||
            !has(&all, told.headers[k].name))
            all.items[all.count++] = told.headers[k];
    respond(x, told.status, &all, refusal->token);
}

static void refuse_by_status(struct exchange *x, const struct page_refusal *refusal)
{
    struct header_list list = {0};
    char retry[16];
    add(&list, SLICE_LITERAL("Content-Type"), SLICE_LITERAL("text/plain; charset=utf-8"));
    add(&list, SLICE_LITERAL("Cache-Control"), SLICE_LITERAL("no-store"));
    if (refusal->head)
        add_programs(&list, refusal->head);
    if (refusal->head && refusal->head->status == 401) {
        respond_denied(x, &list, refusal);
        return;
    }
    add(&list, SLICE_LITERAL("Script-Access-Reason"), refusal->token);
    if (refusal->retry_s > 0) {
        int len = snprintf(retry, sizeof(retry), "%u", refusal->retry_s);
        add(&list, SLICE_LITERAL("Retry-After"), slice_make(retry, (size_t)len));
    }
    respond(x, close_code_status(refusal->code), &list, refusal->token);
}

/* ---- by code ---- */

static void refuse_by_code(struct page_host *host, struct exchange *x,
                           const struct page_refusal *refusal)
{
    char text[REASON_MAX + 1];
    struct slice token = slice_first(refusal->token, 100);
    int len = refusal->retry_s > 0 ? snprintf(text, sizeof(text), "%.*s retry=%u", SLICE_ARG(token),
                                              refusal->retry_s)
                                   : snprintf(text, sizeof(text), "%.*s", SLICE_ARG(token));
    page_wire_refuse(host, x, refusal->code, slice_make(text, (size_t)len));
}

static void refuse(struct page_host *host, struct exchange *x, bool by_code,
                   const struct page_refusal *refusal)
{
    struct page_subprotocol subprotocol;
    page_subprotocol_read(x->request, &subprotocol);
    if (by_code && subprotocol.session_protocol)
        refuse_by_code(host, x, refusal);
    else
        refuse_by_status(x, refusal);
}

void page_refuse(struct page_host *host, struct exchange *x, unsigned code, struct slice token,
                 uint32_t retry_s, bool by_code)
{
    refuse(host, x, by_code, &(struct page_refusal){code, token, retry_s, NULL});
}

/* ---- the program's refusal ---- */

static struct slice find(const struct cgi_head *head, const char *name)
{
    for (size_t i = 0; i < head->header_count; i++)
        if (slice_equal_nocase(head->headers[i].name, slice_of(name)))
            return head->headers[i].value;
    return SLICE_NONE;
}

/* How long a 401 is for: a minute unless it says otherwise. */
static uint32_t ban_of(const struct cgi_head *head)
{
    uint64_t seconds;
    struct slice age = find(head, "access-control-max-age");
    age = age.ptr ? age : find(head, "retry-after");
    if (!age.ptr || !slice_to_uint(age, UINT64_MAX, &seconds))
        return BAN_SECONDS;
    return seconds < BAN_SECONDS_MAX ? (uint32_t)seconds : BAN_SECONDS_MAX;
}

static uint32_t retry_of(const struct cgi_head *head)
{
    uint64_t seconds;
    struct slice retry = find(head, "retry-after");
    return retry.ptr && slice_to_uint(retry, UINT32_MAX, &seconds) ? (uint32_t)seconds : 0;
}

struct page_refusal page_refusal_of(const struct cgi_head *head)
{
    struct page_refusal refusal = {
        .code = close_code_of_status(head->status),
        .token = SLICE_LITERAL("program-refused"),
        .retry_s = head->status == 401 ? ban_of(head) : retry_of(head),
        .head = head,
    };
    if (head->status == 401 || head->status == 403)
        refusal.token = SLICE_LITERAL("script-denied");
    if (head->status == 429)
        refusal.token = SLICE_LITERAL("rate-limited");
    if (head->status == 503)
        refusal.token = SLICE_LITERAL("overload");
    return refusal;
}

struct slice page_refusal_policy_path(const struct page_refusal *refusal)
{
    return refusal->head ? find(refusal->head, "access-control-policy-path") : SLICE_NONE;
}

void page_refuse_program(struct page_host *host, struct exchange *x, bool same_origin,
                         const struct page_refusal *refusal)
{
    bool denied = refusal->head && refusal->head->status == 401;
    if (denied && host->spec.on_denied)
        host->spec.on_denied(host->spec.owner, x, refusal->retry_s,
                             page_refusal_policy_path(refusal));
    refuse(host, x, same_origin || !denied, refusal);
}
