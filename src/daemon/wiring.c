#include "daemon/wiring.h"

#include "base/hash.h"
#include "client_files.h"
#include "daemon/daemon.h"
#include "http/static.h"
#include "proto/ws_handshake.h"

#include <unistd.h>

#define OWN_PREFIX "/.httpsocket/"

static const struct http_header never_stored = {SLICE_LITERAL("Cache-Control"),
                                                SLICE_LITERAL("no-store")};

static const struct http_header retry_soon = {SLICE_LITERAL("Retry-After"), SLICE_LITERAL("1")};

/* ---- the server's own files ---- */

static void answer_own(struct exchange *x)
{
    struct slice name = slice_skip(x->path, sizeof(OWN_PREFIX) - 1);
    for (size_t i = 0; i < CLIENT_FILE_COUNT; i++) {
        const struct client_file *file = &client_files[i];
        if (slice_equal(name, slice_of(file->name))) {
            static_answer_bytes(x, slice_make(file->data, file->size),
                                SLICE_LITERAL("text/javascript; charset=utf-8"),
                                slice_of(file->etag));
            return;
        }
    }
    exchange_answer(x, 404, SLICE_LITERAL("not found"), NULL, 0);
}

/* ---- WebSocket handshakes ---- */

enum standing {
    STANDING_SAME,
    STANDING_NONE,
    STANDING_MISSING,
    STANDING_FOREIGN
};

/* Where the client comes from. No Origin at all is no page's script: the plain form takes it, a
 * session does not. */
static enum standing standing_of(const struct exchange *x, const struct ws_handshake *handshake,
                                 const struct origin *own)
{
    struct origin theirs;
    size_t at = 0;
    struct slice rest = SLICE_NONE, offered;
    if (handshake->origin.ptr) {
        bool same = origin_parse(handshake->origin, &theirs) && origin_equal(&theirs, own);
        return same ? STANDING_SAME : STANDING_FOREIGN;
    }
    while (ws_subprotocol_next(x->request, &at, &rest, &offered))
        if (slice_equal(offered, SLICE_LITERAL("httpsocket.v1")))
            return STANDING_MISSING;
    return STANDING_NONE;
}

/* The worker that has the session which this handshake is about; any (this one) if it is about
 * none. */
static uint32_t worker_for(const struct worker *w, struct exchange *x)
{
    struct slice session = page_connect_session(x), key = page_connect_key(x);
    if (session.ptr)
        return session_id_worker(session);
    return key.ptr ? (uint32_t)(hash_bytes(key) % w->daemon->worker_count) : w->index;
}

static void hand_over(struct worker *w, struct exchange *x, uint32_t target, bool same_origin)
{
    struct http_parcel parcel;
    if (target >= w->daemon->worker_count)
        page_refuse(&w->pages, x, 4410, SLICE_LITERAL("session-gone"), 0, same_origin);
    else if (exchange_hand_over(x, &parcel) < 0)
        page_refuse(&w->pages, x, 1013, SLICE_LITERAL("overload"), 1, same_origin);
    else
        worker_post_request(&w->daemon->workers[target], &parcel);
}

static void connect_page(struct worker *w, struct exchange *x, const struct ws_handshake *handshake,
                         const struct origin *own)
{
    enum standing standing = standing_of(x, handshake, own);
    bool same_origin = standing == STANDING_SAME;
    if (standing == STANDING_MISSING || standing == STANDING_FOREIGN) {
        struct slice token = standing == STANDING_MISSING ? SLICE_LITERAL("origin-missing")
                                                          : SLICE_LITERAL("origin-not-allowed");
        page_refuse(&w->pages, x, 4403, token, 60, false);
        return;
    }
    uint32_t target = worker_for(w, x);
    if (target != w->index) {
        hand_over(w, x, target, same_origin);
        return;
    }
    struct site_found found;
    char text[ORIGIN_TEXT_SIZE];
    site_find(w->site, x->path, &found);
    if (found.kind == SITE_FILE)
        close(found.fd);
    if (found.kind == SITE_FAILED)
        page_refuse(&w->pages, x, 1013, SLICE_LITERAL("overload"), 1, same_origin);
    else /* a session goes on though its program's file has gone */
        page_connect(&w->pages, x, &found, same_origin ? origin_write(own, text) : SLICE_NONE,
                     same_origin);
}

/* ---- ordinary requests ---- */

static void answer_site(struct worker *w, struct exchange *x, const struct origin *own)
{
    struct site_found found;
    char text[ORIGIN_TEXT_SIZE];
    site_find(w->site, x->path, &found);
    switch (found.kind) {
    case SITE_NONE:
        exchange_answer(x, 404, SLICE_LITERAL("not found"), NULL, 0);
        return;
    case SITE_FORBIDDEN:
        exchange_answer(x, 403, SLICE_LITERAL("not to be read"), NULL, 0);
        return;
    case SITE_FAILED:
        exchange_answer(x, 503, SLICE_LITERAL("the server can't open files right now"), &retry_soon,
                        1);
        return;
    case SITE_REDIRECT:
        static_redirect_to_folder(x);
        return;
    case SITE_FILE:
        static_answer(x, &found);
        return;
    case SITE_PROGRAM:
        page_open(&w->pages, x, &found, origin_write(own, text));
        return;
    }
}

/* Where the connection came in is asked only if that may matter: it is a system call. */
static bool is_ours(struct worker *w, struct exchange *x, struct origin *ret)
{
    enum origin_scheme scheme = x->secure ? ORIGIN_HTTPS : ORIGIN_HTTP;
    struct net_address local;
    if (own_origin(&w->own, scheme, x->request->host, NULL, ret))
        return true;
    return exchange_local(x, &local) == 0 &&
           own_origin(&w->own, scheme, x->request->host, &local, ret);
}

void wiring_request(struct http_server *server, struct exchange *x)
{
    struct worker *w = server->owner;
    struct origin own;
    struct ws_handshake handshake;
    struct http_header version = {SLICE_LITERAL("Sec-WebSocket-Version"), SLICE_LITERAL("13")};
    if (!is_ours(w, x, &own)) {
        exchange_answer(x, 421,
                        SLICE_LITERAL("host-unknown: this Host is not one of ours (see --origin)"),
                        &never_stored, 1);
        return;
    }
    switch (ws_handshake_check(x->request, &handshake)) {
    case WS_HANDSHAKE_OK:
        connect_page(w, x, &handshake, &own);
        return;
    case WS_HANDSHAKE_BAD:
        exchange_answer(x, 400, slice_of(handshake.why), &never_stored, 1);
        return;
    case WS_HANDSHAKE_BAD_VERSION:
        exchange_answer(x, 426, SLICE_LITERAL("WebSocket version 13 is spoken here"), &version, 1);
        return;
    case WS_HANDSHAKE_NONE:
        break;
    }
    if (slice_starts_with(x->path, SLICE_LITERAL(OWN_PREFIX)))
        answer_own(x);
    else
        answer_site(w, x, &own);
}
