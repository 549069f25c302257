/* SPDX-License-Identifier: MIT */
/* body.c - the body of a request: of a known length, or chunked (RFC 9112, 6). */
#include "http/connection.h"

void request_body_init(struct request_body *body, const struct http_head *head)
{
    *body = (struct request_body){.kind = head->body};
    if (head->body == HTTP_BODY_CHUNKED)
        http_chunked_init(&body->chunked);
    if (head->body == HTTP_BODY_LENGTH)
        body->left = head->content_length;
    if (head->body == HTTP_BODY_LENGTH && body->left == 0)
        body->kind = HTTP_BODY_NONE;
}

static enum parse_status next_piece(struct request_body *body, struct slice in, size_t *used,
                                    struct slice *data)
{
    if (body->kind == HTTP_BODY_CHUNKED)
        return http_chunked_next(&body->chunked, in, used, data);
    *data = slice_first(in, body->left < in.len ? (size_t)body->left : in.len);
    *used = data->len;
    body->left -= data->len;
    return body->left == 0 ? PARSE_OK : PARSE_MORE;
}

static bool is_too_large(const struct connection *c)
{
    return c->exchange != NULL && c->body.seen > c->server->limits->body_max;
}

bool request_body_step(struct connection *c)
{
    size_t used = 0;
    struct slice data = {0};
    if (c->in.len == 0)
        return false;
    enum parse_status status = next_piece(&c->body, slice_from_bytes(c->in), &used, &data);
    if (status == PARSE_BAD) {
        connection_refuse(c, 400, "the request's body is not chunked as it should be");
        return false;
    }
    c->body.begun = true;
    c->in = (struct bytes){c->in.ptr + used, c->in.len - used};
    c->body.seen += data.len;
    if (is_too_large(c)) {
        connection_refuse(c, 413, "the request's body is too large");
        return false;
    }
    if (status == PARSE_OK)
        c->body.kind = HTTP_BODY_NONE;
    if (c->exchange != NULL && data.len > 0)
        exchange_got_body(c->exchange, data);
    if (c->exchange != NULL && status == PARSE_OK)
        exchange_got_body_end(c->exchange);
    return used > 0;
}
