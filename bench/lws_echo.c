/* SPDX-License-Identifier: MIT */
/* lws_echo.c - an echo server on libwebsockets: a peer to compare with.
 *
 *     lws_echo [--topic] PORT        (prints `listening on ws://127.0.0.1:PORT`)
 *
 * With --topic what a client says goes to all others: one copy of it, which is counted.
 *
 * Tuned as its documentation advises: no extensions, receive and service buffers of 64 KiB, several
 * messages written per writable callback until the pipe chokes, receiving held while more than
 * BACKLOG_MAX bytes wait.
 */
#include <libwebsockets.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define RX_BYTES    65536
#define BACKLOG_MAX (1 << 20)

/* A message, with the room that lws_write wants in front. */
struct message {
    size_t len, room, users;
    enum lws_write_protocol how;
    unsigned char bytes[]; /* LWS_PRE, then len */
};

/* One that waits for a client. */
struct waiting {
    struct waiting *next;
    struct message *message;
};

struct session {
    struct session *next, *previous; /* of all */
    struct lws *wsi;
    struct message *coming; /* the library hands out pieces: gathered until whole */
    struct waiting *first, *last;
    size_t queued;
    bool held;
};

static struct session all = {.next = &all, .previous = &all};
static bool is_topic;

static bool gather(struct session *s, const void *in, size_t len, size_t more)
{
    struct message *m = s->coming;
    size_t had = m ? m->len : 0;
    if (!m || m->room < had + len) {
        m = realloc(m, sizeof(*m) + LWS_PRE + had + len + more);
        if (!m)
            return false;
        m->room = had + len + more;
        m->users = 0;
        s->coming = m;
    }
    memcpy(m->bytes + LWS_PRE + had, in, len);
    m->len = had + len;
    return true;
}

static bool queue(struct session *s, struct message *m)
{
    struct waiting *w = malloc(sizeof(*w));
    if (!w)
        return false;
    *w = (struct waiting){.message = m};
    m->users++;
    if (s->last)
        s->last->next = w;
    else
        s->first = w;
    s->last = w;
    s->queued += m->len;
    if (s->queued > BACKLOG_MAX && !s->held) {
        s->held = true;
        lws_rx_flow_control(s->wsi, 0);
    }
    lws_callback_on_writable(s->wsi);
    return true;
}

static void unqueue(struct session *s)
{
    struct waiting *w = s->first;
    s->first = w->next;
    if (!s->first)
        s->last = NULL;
    s->queued -= w->message->len;
    if (--w->message->users == 0)
        free(w->message);
    free(w);
}

static int take(struct lws *wsi, struct session *s, const void *in, size_t len)
{
    size_t more = lws_remaining_packet_payload(wsi);
    if (!gather(s, in, len, more))
        return -1;
    if (more > 0 || !lws_is_final_fragment(wsi))
        return 0;
    struct message *m = s->coming;
    s->coming = NULL;
    m->how = lws_frame_is_binary(wsi) ? LWS_WRITE_BINARY : LWS_WRITE_TEXT;
    if (!is_topic)
        return queue(s, m) ? 0 : -1;
    for (struct session *to = all.next; to != &all; to = to->next)
        if (to != s && !queue(to, m))
            return -1;
    return 0;
}

static int give(struct lws *wsi, struct session *s)
{
    while (s->first && !lws_send_pipe_choked(wsi)) {
        struct message *m = s->first->message;
        if (lws_write(wsi, m->bytes + LWS_PRE, m->len, m->how) < (int)m->len)
            return -1;
        unqueue(s);
    }
    if (s->held && s->queued <= BACKLOG_MAX / 2) {
        s->held = false;
        lws_rx_flow_control(wsi, 1);
    }
    if (s->first)
        lws_callback_on_writable(wsi);
    return 0;
}

static void start(struct lws *wsi, struct session *s)
{
    *s = (struct session){.wsi = wsi, .next = &all, .previous = all.previous};
    all.previous->next = s;
    all.previous = s;
}

static void drop(struct session *s)
{
    s->next->previous = s->previous;
    s->previous->next = s->next;
    free(s->coming);
    while (s->first)
        unqueue(s);
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                    size_t len)
{
    struct session *s = user;
    switch (reason) {
    case LWS_CALLBACK_ESTABLISHED:
        start(wsi, s);
        return 0;
    case LWS_CALLBACK_RECEIVE:
        return take(wsi, s, in, len);
    case LWS_CALLBACK_SERVER_WRITEABLE:
        return give(wsi, s);
    case LWS_CALLBACK_CLOSED:
        drop(s);
        return 0;
    default:
        return 0;
    }
}

int main(int argc, char **argv)
{
    static const struct lws_protocols protocols[] = {
        {.name = "echo",
         .callback = on_event,
         .per_session_data_size = sizeof(struct session),
         .rx_buffer_size = RX_BYTES},
        {0},
    };
    is_topic = argc > 2 && strcmp(argv[1], "--topic") == 0;
    lws_set_log_level(LLL_ERR, NULL);
    struct lws_context_creation_info info = {
        .port = argc > 1 ? atoi(argv[argc - 1]) : 9002,
        .iface = "127.0.0.1",
        .protocols = protocols,
        .pt_serv_buf_size = RX_BYTES,
        .options = LWS_SERVER_OPTION_DISABLE_IPV6,
    };
    struct lws_context *context = lws_create_context(&info);
    if (!context)
        return 1;
    printf("listening on ws://127.0.0.1:%d\n", info.port);
    fflush(stdout);
    while (lws_service(context, 0) >= 0)
        ;
    lws_context_destroy(context);
    return 0;
}
