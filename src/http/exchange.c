/* SPDX-License-Identifier: MIT */
#include "http/connection.h"
#include "http/forwarded.h"

#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ANSWER_HEADERS_MAX 34
#define STATUS_CLIENT_LEFT 499 /* in the access log only */

/* ---- the addresses ---- */

int exchange_peer(struct exchange *x, struct net_address *ret)
{
    struct connection *c = exchange_of(x)->connection;
    int error = connection_peer(c, ret);
    if (error == 0)
        forwarded_client(c->server->limits, x->request, ret);
    return error;
}

int exchange_local(struct exchange *x, struct net_address *ret)
{
    const struct connection *c = exchange_of(x)->connection;
    if (!c->passed)
        return stream_local(c->stream, ret);
    *ret = c->passed->local;
    return 0;
}

int exchange_pass(struct exchange *x, struct http_passed *ret)
{
    struct connection *c = exchange_of(x)->connection;
    struct http_passed passed = {
        .secure = stream_secure(c->stream),
        .arrived_ms = exchange_arrived_ms(x),
    };
    int error = connection_peer(c, &passed.peer);
    if (error == 0)
        error = exchange_local(x, &passed.local);
    if (error == 0)
        *ret = passed;
    return error;
}

bool exchange_was_passed(struct exchange *x)
{
    return exchange_of(x)->connection->passed;
}

struct loop *exchange_loop(struct exchange *x)
{
    return exchange_of(x)->connection->server->loop;
}

/* ---- made and freed ---- */

void exchange_release(struct http_exchange *hx)
{
    struct connection *c = hx->connection;
    timer_stop(&hx->body_timer);
    timer_stop(&hx->departure.timer);
    c->exchange = NULL;
    loop_reap(c->server->loop, &hx->reap, exchange_free);
}

static void log_access(struct http_exchange *hx)
{
    const struct http_server *server = hx->connection->server;
    struct net_address client;
    if (!server->access_log)
        return;
    bool known = exchange_peer(&hx->x, &client) == 0;
    access_log_write(server->access_log, &(struct access_log_entry){
                                             .client = known ? &client : NULL,
                                             .head = &hx->head,
                                             .status = hx->status ? hx->status : STATUS_CLIENT_LEFT,
                                             .bytes = hx->sent,
                                             .ms = loop_now_ms(server->loop) - hx->began_ms,
                                         });
}

void exchange_log_refusal(struct exchange *x, int status, struct slice reason)
{
    struct net_address client;
    char text[NET_ADDRESS_TEXT_MAX];
    bool noted = status == 403 || status == 421 || status == 429 || status == 503;
    if (!noted || LOG_INFO < log_threshold)
        return;
    bool known = exchange_peer(x, &client) == 0;
    size_t len = known ? net_address_print_host(&client, text) : 0;
    struct net_client_key key = known ? net_client_key_of(&client) : (struct net_client_key){{0}};
    log_info("http.refused", log_cause(net_client_slice(&key)),
             log_slice("address", slice_make(text, len)), log_int("status", status),
             log_slice("reason", reason), log_slice("host", x->request->host),
             log_slice("path", x->path),
             log_slice("origin", http_head_find(x->request, SLICE_LITERAL("origin"))));
}

void exchange_abort(struct http_exchange *hx)
{
    log_access(hx);
    exchange_release(hx);
    if (hx->x.ops != NULL)
        hx->x.ops->on_abort(&hx->x);
}

static bool waits_for_body(const struct http_exchange *hx)
{
    return !hx->paused && !request_body_whole(&hx->connection->body);
}

/* The client is told to go on only when the handler wants the body and the client has not begun to
 * send by itself (RFC 9110, 10.1.1). */
static void continue_if_expected(struct http_exchange *hx)
{
    struct iovec line = {"HTTP/1.1 100 Continue\r\n\r\n", 25};
    if (!hx->expects_continue || !waits_for_body(hx) || hx->responded)
        return;
    hx->expects_continue = false;
    if (hx->connection->in.len == 0)
        connection_write(hx->connection, &line, 1);
}

static void watch_body(struct http_exchange *hx)
{
    struct http_server *server = hx->connection->server;
    if (waits_for_body(hx))
        timer_start(server->loop, &hx->body_timer, server->limits->body_timeout_ms);
    else
        timer_stop(&hx->body_timer);
}

static void begin_body_pace(struct http_exchange *hx)
{
    pace_begin(&hx->body_pace, loop_now_ms(hx->connection->server->loop));
    watch_body(hx);
}

static bool keeps_body_pace(struct http_exchange *hx, size_t bytes)
{
    const struct http_server *server = hx->connection->server;
    return pace_keep(&hx->body_pace, server->limits->least_rate, server->limits->body_timeout_ms,
                     loop_now_ms(server->loop), bytes);
}

void exchange_taken(struct http_exchange *hx)
{
    if (hx->x.ops == NULL) {
        log_error("http.unanswered", log_slice("path", hx->x.path));
        exchange_answer(&hx->x, 500, SLICE_LITERAL("nobody answers this"), NULL, 0);
        return;
    }
    continue_if_expected(hx);
    begin_body_pace(hx);
    if (request_body_whole(&hx->connection->body))
        exchange_got_body_end(hx);
}

void exchange_got_body(struct http_exchange *hx, struct slice data)
{
    hx->expects_continue = false;
    if (!keeps_body_pace(hx, data.len)) {
        hx->connection->server->counts.timeouts++;
        connection_refuse(hx->connection, 408, "the request's body comes too slowly");
        return;
    }
    watch_body(hx);
    hx->x.ops->on_body(&hx->x, data);
}

void exchange_got_body_end(struct http_exchange *hx)
{
    timer_stop(&hx->body_timer);
    hx->x.ops->on_body_end(&hx->x);
}

void exchange_drained(struct http_exchange *hx)
{
    if (!hx->want_writable)
        return;
    hx->want_writable = false;
    hx->x.ops->on_writable(&hx->x);
}

/* ---- the answer ---- */

static bool has_body(const struct http_exchange *hx, int status)
{
    return status != 204 && status != 304 && !slice_equal(hx->head.method, SLICE_LITERAL("HEAD"));
}

static enum framing choose_framing(const struct http_exchange *hx, int status, uint64_t length)
{
    if (!has_body(hx, status))
        return FRAMING_NONE;
    if (length != EXCHANGE_LENGTH_UNKNOWN)
        return FRAMING_LENGTH;
    return hx->head.minor > 0 ? FRAMING_CHUNKED : FRAMING_CLOSE;
}

/* A client that still waits for 100 may send its body or not: nobody can tell where its next
 * request would begin. */
static void decide_closing(struct http_exchange *hx)
{
    struct connection *c = hx->connection;
    c->closing |= hx->framing == FRAMING_CLOSE || connection_is_last(c) || c->server->draining ||
                  (hx->expects_continue && !request_body_whole(&c->body));
}

/* An answer of 1xx ends nothing: a handler that gives one as the whole is broken. */
static int final_status(int status)
{
    if (status >= 200 && status <= 599)
        return status;
    log_error("http.bad_status", log_int("status", status));
    return 502;
}

void exchange_add_header(struct exchange *x, struct slice name, struct slice value)
{
    assert(x->added_count < EXCHANGE_ADDED_MAX);
    x->added[x->added_count++] = (struct http_header){name, value};
}

/* The reason that script access gives in a header. */
static struct slice reason_in(const struct http_header *headers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (slice_equal_nocase(headers[i].name, SLICE_LITERAL("Script-Access-Reason")))
            return headers[i].value;
    return SLICE_NONE;
}

void exchange_respond(struct exchange *x, int status, struct slice reason,
                      const struct http_header *headers, size_t header_count, uint64_t length)
{
    struct http_exchange *hx = exchange_of(x);
    struct connection *c = hx->connection;
    assert(!hx->responded);
    hx->responded = true;
    hx->status = status = final_status(status);
    hx->framing = choose_framing(hx, status, length);
    hx->left = hx->framing == FRAMING_LENGTH ? length : 0;
    decide_closing(hx);
    bool told = status != 204 && status != 304;
    struct response_room room;
    struct slice head = response_head(
        c->server,
        &(struct response){.status = status,
                           .reason = reason,
                           .headers = headers,
                           .header_count = header_count,
                           .added = x->added,
                           .added_count = x->added_count,
                           .framing = hx->framing,
                           .length = told ? length : EXCHANGE_LENGTH_UNKNOWN,
                           .chunked = told && hx->framing == FRAMING_NONE &&
                                      length == EXCHANGE_LENGTH_UNKNOWN && hx->head.minor > 0,
                           .close = c->closing,
                           .keep_alive = hx->head.minor == 0 && !c->closing},
        &room);
    connection_write(c, &(struct iovec){(void *)head.ptr, head.len}, 1);
    free(room.heap);
    server_count_status(c->server, status);
    exchange_log_refusal(x, status, hx->told.len ? hx->told : reason_in(headers, header_count));
}

/* How much of `len` bytes may still be sent. */
static size_t within_length(struct http_exchange *hx, size_t len)
{
    if (hx->framing == FRAMING_NONE)
        return 0;
    if (hx->framing == FRAMING_LENGTH && len > hx->left) {
        log_warn("http.answer_too_long", log_slice("path", hx->x.path),
                 log_int("dropped", len - hx->left));
        len = (size_t)hx->left;
    }
    if (hx->framing == FRAMING_LENGTH)
        hx->left -= len;
    hx->sent += len;
    return len;
}

static bool can_take_more(struct http_exchange *hx)
{
    hx->want_writable = stream_queued(hx->connection->stream) > HTTP_QUEUE_HIGH;
    return !hx->want_writable;
}

size_t exchange_queued(const struct exchange *x)
{
    return stream_queued(container_of(x, const struct http_exchange, x)->connection->stream);
}

static size_t chunk_line(char line[24], size_t len)
{
    return (size_t)snprintf(line, 24, "%zx\r\n", len);
}

bool exchange_write(struct exchange *x, struct slice data)
{
    struct http_exchange *hx = exchange_of(x);
    char line[24];
    assert(hx->responded);
    data.len = within_length(hx, data.len);
    if (data.len > 0 && hx->framing == FRAMING_CHUNKED) {
        struct iovec pieces[] = {
            {line, chunk_line(line, data.len)}, {(void *)data.ptr, data.len}, {"\r\n", 2}};
        connection_write(hx->connection, pieces, 3);
    } else if (data.len > 0) {
        connection_write(hx->connection, &(struct iovec){(void *)data.ptr, data.len}, 1);
    }
    return can_take_more(hx);
}

void exchange_write_file(struct exchange *x, int file, off_t offset, size_t len)
{
    struct http_exchange *hx = exchange_of(x);
    struct connection *c = hx->connection;
    char line[24];
    assert(hx->responded);
    len = within_length(hx, len);
    if (len == 0) {
        close(file);
        return;
    }
    bool chunked = hx->framing == FRAMING_CHUNKED;
    if (chunked)
        connection_write(c, &(struct iovec){line, chunk_line(line, len)}, 1);
    connection_write_file(c, file, offset, len);
    if (chunked)
        connection_write(c, &(struct iovec){"\r\n", 2}, 1);
}

void exchange_end(struct exchange *x)
{
    struct http_exchange *hx = exchange_of(x);
    struct connection *c = hx->connection;
    assert(hx->responded);
    if (hx->framing == FRAMING_CHUNKED)
        connection_write(c, &(struct iovec){"0\r\n\r\n", 5}, 1);
    log_access(hx);
    exchange_release(hx);
    if (hx->left > 0)
        connection_break(c);
    else
        connection_answered(c);
}

void exchange_fail(struct exchange *x)
{
    struct http_exchange *hx = exchange_of(x);
    struct connection *c = hx->connection;
    log_access(hx);
    exchange_release(hx);
    if (hx->framing == FRAMING_CLOSE && hx->responded)
        connection_reset(c);
    else
        connection_break(c);
}

void exchange_answer(struct exchange *x, int status, struct slice text,
                     const struct http_header *headers, size_t header_count)
{
    struct http_exchange *hx = exchange_of(x);
    struct http_header all[ANSWER_HEADERS_MAX] = {
        {SLICE_LITERAL("Content-Type"), SLICE_LITERAL("text/plain; charset=utf-8")},
        {SLICE_LITERAL("Cache-Control"), SLICE_LITERAL("no-store")},
    };
    assert(header_count <= ANSWER_HEADERS_MAX - 2);
    for (size_t i = 0; i < header_count; i++)
        all[i + 2] = headers[i];
    hx->connection->closing |= !connection_outlives_body(hx->connection);
    hx->told = text;
    exchange_respond(x, status, SLICE_LITERAL(""), all, header_count + 2, text.len + 1);
    exchange_write(x, text);
    exchange_write(x, SLICE_LITERAL("\n"));
    exchange_end(x);
}

/* ---- the request's body ---- */

void exchange_pause(struct exchange *x)
{
    struct http_exchange *hx = exchange_of(x);
    hx->paused = true;
    timer_stop(&hx->body_timer);
    connection_update_reading(hx->connection);
}

void exchange_resume(struct exchange *x)
{
    struct http_exchange *hx = exchange_of(x);
    if (!hx->paused)
        return;
    hx->paused = false;
    continue_if_expected(hx);
    begin_body_pace(hx);
    connection_go_on(hx->connection);
}

/* ---- leaving HTTP ---- */

static void write_switching(struct connection *c, const struct http_header *headers, size_t count)
{
    struct response_room room;
    struct slice head = response_head(c->server,
                                      &(struct response){.status = 101,
                                                         .headers = headers,
                                                         .header_count = count,
                                                         .framing = FRAMING_NONE,
                                                         .length = EXCHANGE_LENGTH_UNKNOWN},
                                      &room);
    connection_write(c, &(struct iovec){(void *)head.ptr, head.len}, 1);
    free(room.heap);
    server_count_status(c->server, 101);
}

struct stream *exchange_upgrade(struct exchange *x, const struct http_header *headers,
                                size_t header_count, struct bytes *rest)
{
    struct http_exchange *hx = exchange_of(x);
    struct connection *c = hx->connection;
    assert(!hx->responded && request_body_whole(&c->body));
    hx->status = 101;
    log_access(hx);
    exchange_release(hx);
    write_switching(c, headers, header_count);
    return connection_release(c, rest);
}

static char *join(struct slice a, struct slice b)
{
    char *bytes = log_needed(malloc(a.len + b.len));
    if (bytes == NULL)
        return NULL;
    memcpy(bytes, a.ptr, a.len);
    if (b.len > 0)
        memcpy(bytes + a.len, b.ptr, b.len);
    return bytes;
}

int exchange_hand_over(struct exchange *x, struct http_parcel *ret)
{
    struct http_exchange *hx = exchange_of(x);
    struct connection *c = hx->connection;
    struct http_parcel parcel = {.len = hx->head.size + c->in.len};
    assert(!hx->responded);
    if (c->body.begun)
        return -EBUSY;
    parcel.bytes = join(slice_make(hx->bytes, hx->head.size), slice_from_bytes(c->in));
    if (parcel.bytes == NULL)
        return -ENOMEM;
    parcel.passed = c->passed;
    c->passed = NULL;
    int error = connection_detach(c, &parcel.stream);
    if (error != 0) {
        c->passed = parcel.passed;
        free(parcel.bytes);
        return error;
    }
    exchange_release(hx);
    c->server->counts.requests--; /* it will be counted where it goes */
    *ret = parcel;
    return 0;
}
