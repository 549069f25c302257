/* SPDX-License-Identifier: MIT */
#include "access/dns.h"

#include "access/ip.h"
#include "base/input_file.h"
#include "base/log.h"
#include "proto/authority.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unbound.h>
#include <unistd.h>

enum {
    CLASS_IN = 1,
    NAME_ERROR = 3,
    /* libunbound's cache counts in whole seconds: a question right at the end of a TTL gets the old
     * answer once more. */
    CACHE_GRAIN_S = 1
};

struct dns {
    struct resolver resolver;
    struct ub_ctx *ctx;
    const char *anchor;
};

/* libunbound answers these by itself, with "no such name": `.test`, and the reverse
 * zones of loopback, private and documentation addresses (RFC 6303). An operator who
 * opens such a range has the zones too. */
static const char *const own_zones[] = {
    "test.",
    "127.in-addr.arpa.",
    "10.in-addr.arpa.",
    "168.192.in-addr.arpa.",
    "254.169.in-addr.arpa.",
    "2.0.192.in-addr.arpa.",
    "100.51.198.in-addr.arpa.",
    "113.0.203.in-addr.arpa.",
    "8.b.d.0.1.0.0.2.ip6.arpa.",
    "d.f.ip6.arpa.",
    "8.e.f.ip6.arpa.",
    "9.e.f.ip6.arpa.",
    "a.e.f.ip6.arpa.",
    "b.e.f.ip6.arpa.",
};

/* ---- the answer ---- */

/* The length of the wire-format name at `at`, its pointer included, or 0 if it runs out. */
static size_t name_length(const uint8_t *packet, size_t len, size_t at)
{
    size_t from = at;
    while (at < len && packet[at] != 0 && packet[at] < 0xc0)
        at += packet[at] + 1u;
    if (at >= len)
        return 0;
    return at - from + (packet[at] ? 2 : 1);
}

/* How many CNAMEs the answer section holds: libunbound's own bound depends on its cache. */
static unsigned count_cnames(const uint8_t *packet, size_t len)
{
    unsigned cnames = 0;
    if (len < 12)
        return 0;
    unsigned questions = packet[4] << 8 | packet[5], answers = packet[6] << 8 | packet[7];
    size_t at = 12;
    for (unsigned i = 0; i < questions + answers; i++) {
        size_t name = name_length(packet, len, at);
        at += name;
        size_t fixed = i < questions ? 4 : 10;
        if (!name || at + fixed > len)
            break;
        if (i >= questions) {
            cnames += packet[at] == 0 && packet[at + 1] == DNS_CNAME;
            fixed += packet[at + 8] << 8 | packet[at + 9];
        }
        at += fixed;
    }
    return cnames;
}

/* The strings of a TXT record, joined into `out` (at least `len` bytes). */
static size_t join_txt(const uint8_t *data, size_t len, char *out)
{
    size_t n = 0;
    for (size_t at = 0; at < len; at += data[at] + 1u) {
        size_t part = data[at];
        if (at + 1 + part > len)
            break;
        memcpy(out + n, data + at + 1, part);
        n += part;
    }
    return n;
}

/* A wire-format name as text in lower case without the last dot; a byte that is in no host name
 * becomes `?`, which equals nothing. `out` has at least `len` bytes. */
static size_t write_name(const uint8_t *data, size_t len, char *out)
{
    size_t n = 0;
    for (size_t at = 0; at < len && data[at] && at + 1 + data[at] <= len; at += data[at] + 1u) {
        if (n)
            out[n++] = '.';
        for (size_t i = 1; i <= data[at]; i++) {
            char c = (char)data[at + i];
            bool upper = c >= 'A' && c <= 'Z';
            bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
            out[n++] = upper ? (char)(c | 0x20) : plain ? c : '?';
        }
    }
    return n;
}

/* Fills `data` with what the callers want, its bytes in *ret_text, which is the caller's to free.
 */
static size_t decode(const struct ub_result *r, struct slice data[DNS_DATA_MAX], char **ret_text)
{
    size_t count = 0, size = 1;
    while (count < DNS_DATA_MAX && r->data[count])
        size += (size_t)r->len[count++];
    char *text = log_needed(malloc(size));
    *ret_text = text;
    for (size_t i = 0; text && i < count; i++) {
        size_t len = (size_t)r->len[i];
        const uint8_t *raw = (const uint8_t *)r->data[i];
        if (r->qtype == DNS_TXT)
            len = join_txt(raw, len, text);
        else if (r->qtype == DNS_PTR)
            len = write_name(raw, len, text);
        else
            memcpy(text, raw, len);
        data[i] = slice_make(text, len);
        text += len;
    }
    return *ret_text ? count : 0;
}

static enum dns_status status_of(const struct ub_result *r)
{
    if (r->bogus)
        return DNS_BOGUS;
    return r->rcode == 0 || r->rcode == NAME_ERROR ? DNS_OK : DNS_FAILED;
}

static void answered(void *arg, int error, struct ub_result *r)
{
    struct dns_question *q = arg;
    struct slice data[DNS_DATA_MAX];
    char *text = NULL;
    struct dns_answer answer = {.status = DNS_FAILED, .data = data};
    if (error) {
        answer.why = ub_strerror(error);
    } else {
        answer.status = status_of(r);
        answer.secure = r->secure;
        answer.ttl = r->ttl > 0 ? (uint32_t)r->ttl + CACHE_GRAIN_S : CACHE_GRAIN_S;
        answer.why = r->why_bogus;
        answer.cnames = count_cnames(r->answer_packet, (size_t)r->answer_len);
        while (answer.status == DNS_OK && r->data[answer.total])
            answer.total++;
        if (answer.total)
            answer.count = decode(r, data, &text);
        if (answer.total && !text)
            answer.status = DNS_FAILED;
    }
    q->answered(q, &answer);
    free(text);
    ub_resolve_free(r);
}

/* ---- asking ---- */

static int ask(struct resolver *resolver, struct dns_question *q)
{
    struct dns *d = container_of(resolver, struct dns, resolver);
    int error = ub_resolve_async(d->ctx, q->name, (int)q->type, CLASS_IN, q, answered, &q->id);
    return error ? -ENOMEM : 0;
}

static void cancel(struct resolver *resolver, struct dns_question *q)
{
    struct dns *d = container_of(resolver, struct dns, resolver);
    ub_cancel(d->ctx, q->id);
}

/* ---- setting up ---- */

/* ADDR, ADDR:PORT, [ADDR]:PORT as libunbound has it: ADDR@PORT. */
static bool write_server(struct slice text, char ret[64])
{
    struct authority a;
    struct ip ip;
    char address[IP_TEXT_SIZE];
    if (ip_parse(text, &ip)) {
        snprintf(ret, 64, "%s@53", ip_print(&ip, address).ptr);
        return true;
    }
    if (!authority_parse(text, &a) || a.kind == HOST_NAME)
        return false;
    struct slice host = authority_host(&a);
    if (a.kind == HOST_IPV6)
        host = slice_make(host.ptr + 1, host.len - 2);
    snprintf(ret, 64, "%.*s@%u", SLICE_ARG(host), a.port ? a.port : 53);
    return true;
}

static bool set_server(struct ub_ctx *ctx, const char *server)
{
    char text[64];
    if (!server) {
        (void)ub_ctx_resolvconf(ctx, NULL); /* without the file: by iteration from the root */
        return true;
    }
    return write_server(slice_of(server), text) && ub_ctx_set_fwd(ctx, text) == 0;
}

static bool set_stub(struct ub_ctx *ctx, struct slice stub)
{
    char zone[DNS_NAME_SIZE], address[64];
    size_t space = slice_find(stub, ' ');
    if (space == 0 || space >= sizeof(zone) || space == stub.len)
        return false;
    *(char *)mempcpy(zone, stub.ptr, space) = '\0';
    return write_server(slice_skip(stub, space + 1), address) &&
           ub_ctx_set_stub(ctx, zone, address, 0) == 0;
}

static bool set_stubs(struct ub_ctx *ctx, const char *stubs)
{
    struct slice rest = stubs ? slice_of(stubs) : SLICE_NONE;
    while (rest.len) {
        struct slice stub = slice_first(rest, slice_find(rest, ','));
        rest = slice_skip(rest, stub.len);
        rest = slice_skip(rest, rest.len > 0);
        if (!set_stub(ctx, slice_trim(stub)))
            return false;
    }
    return true;
}

/* libunbound reads a folder without end, and waits for the writer of a FIFO. */
static bool is_file(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISREG(status.st_mode);
}

static const char *system_anchor(void)
{
    static const char *const files[] = {"/var/lib/unbound/root.key", "/usr/share/dns/root.key"};
    for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
        if (access(files[i], R_OK) == 0)
            return files[i];
    return NULL;
}

/* NULL, or what was wrong. libunbound opens `anchor` at the end only. */
static const char *set_up(struct dns *d, const struct dns_options *o, const char *anchor)
{
    struct ub_ctx *ctx = d->ctx;
    if (o->config && ub_ctx_config(ctx, o->config) != 0)
        return "the resolver's config file can't be read";
    if (anchor && (!is_file(anchor) || ub_ctx_add_ta_file(ctx, anchor) != 0))
        return "the DNSSEC trust anchor can't be read";
    if (ub_ctx_set_option(ctx, "do-not-query-localhost:", "no") != 0 || ub_ctx_async(ctx, 1) != 0)
        return "libunbound refuses an option";
    if (!set_server(ctx, o->server))
        return "the DNS server is not ADDR or ADDR:PORT";
    if (!set_stubs(ctx, o->stubs))
        return "a stub is ZONE ADDR:PORT";
    /* From here on the context takes no options any more. */
    for (size_t i = 0; i < sizeof(own_zones) / sizeof(*own_zones); i++)
        if (ub_ctx_zone_remove(ctx, own_zones[i]) != 0)
            return "libunbound does not start (is the trust anchor a DS or DNSKEY record?)";
    return NULL;
}

static const char *set_up_with_anchor(struct dns *d, const struct dns_options *o)
{
    bool none = o->anchor && strcmp(o->anchor, "none") == 0;
    d->anchor = none ? NULL : o->anchor ? o->anchor : system_anchor();
    if (!d->anchor)
        return set_up(d, o, NULL);
    struct input_file found;
    input_file_find(&found, d->anchor);
    const char *fault = set_up(d, o, found.path);
    input_file_done(&found);
    return fault;
}

int dns_new(const struct dns_options *options, struct dns **ret, const char **why)
{
    struct dns *d = log_needed(calloc(1, sizeof(*d)));
    *why = "no memory";
    if (!d)
        return -ENOMEM;
    d->resolver = (struct resolver){.ask = ask, .cancel = cancel};
    d->ctx = ub_ctx_create();
    if (!d->ctx) {
        free(d);
        return -ENOMEM;
    }
    const char *fault = set_up_with_anchor(d, options);
    if (fault) {
        *why = fault;
        dns_free(d);
        return -EINVAL;
    }
    *ret = d;
    return 0;
}

void dns_free(struct dns *d)
{
    if (!d)
        return;
    ub_ctx_delete(d->ctx);
    free(d);
}

struct resolver *dns_resolver(struct dns *d)
{
    return &d->resolver;
}

const char *dns_anchor(const struct dns *d)
{
    return d->anchor;
}

int dns_fd(const struct dns *d)
{
    return ub_fd(d->ctx);
}

void dns_process(struct dns *d)
{
    ub_process(d->ctx);
}
