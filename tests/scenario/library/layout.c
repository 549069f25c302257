/* SPDX-License-Identifier: MIT */
/* layout.c - prints the layout of each struct that the public headers define, and the enums: what a
 * program that was compiled once relies on. library.test.mjs compares it with abi.txt. */
#include <httpsocket/server.h>

#include <stddef.h>
#include <stdio.h>

#define SIZE(s) printf("struct %s %zu\n", #s, sizeof(struct s))
#define MEMBER(s, m)                                                                               \
    printf("struct %s.%s %zu %zu\n", #s, #m, offsetof(struct s, m), sizeof(((struct s *)0)->m))
#define VALUE(v) printf("%s %d\n", #v, (int)(v))

int main(void)
{
    SIZE(httpsocket_message);
    MEMBER(httpsocket_message, kind);
    MEMBER(httpsocket_message, bytes);
    MEMBER(httpsocket_message, name);
    MEMBER(httpsocket_message, call);
    MEMBER(httpsocket_message, data);
    MEMBER(httpsocket_message, size);
    SIZE(httpsocket_end);
    MEMBER(httpsocket_end, code);
    MEMBER(httpsocket_end, reason);
    MEMBER(httpsocket_end, retry_s);
    SIZE(httpsocket_options);
    MEMBER(httpsocket_options, size);
    MEMBER(httpsocket_options, url);
    MEMBER(httpsocket_options, origin);
    MEMBER(httpsocket_options, ca_file);
    MEMBER(httpsocket_options, buffer_max);
    MEMBER(httpsocket_options, message_max);
    MEMBER(httpsocket_options, retry);
    MEMBER(httpsocket_options, give_up_ms);
    MEMBER(httpsocket_options, user);
    MEMBER(httpsocket_options, on_open);
    MEMBER(httpsocket_options, on_lost);
    MEMBER(httpsocket_options, on_message);
    MEMBER(httpsocket_options, on_room);
    MEMBER(httpsocket_options, on_close);
    SIZE(httpsocket_tcp_peer);
    MEMBER(httpsocket_tcp_peer, remote_address);
    MEMBER(httpsocket_tcp_peer, local_address);
    MEMBER(httpsocket_tcp_peer, remote_port);
    MEMBER(httpsocket_tcp_peer, local_port);
    SIZE(httpsocket_tcp_end);
    MEMBER(httpsocket_tcp_end, reason);
    MEMBER(httpsocket_tcp_end, message);
    MEMBER(httpsocket_tcp_end, retry_s);
    SIZE(httpsocket_tcp_options);
    MEMBER(httpsocket_tcp_options, size);
    MEMBER(httpsocket_tcp_options, host);
    MEMBER(httpsocket_tcp_options, port);
    MEMBER(httpsocket_tcp_options, secure);
    MEMBER(httpsocket_tcp_options, no_delay);
    MEMBER(httpsocket_tcp_options, own_pace);
    MEMBER(httpsocket_tcp_options, keep_alive_ms);
    MEMBER(httpsocket_tcp_options, user);
    MEMBER(httpsocket_tcp_options, on_open);
    MEMBER(httpsocket_tcp_options, on_data);
    MEMBER(httpsocket_tcp_options, on_end);
    MEMBER(httpsocket_tcp_options, on_room);
    MEMBER(httpsocket_tcp_options, on_close);
    VALUE(HTTPSOCKET_EVENT);
    VALUE(HTTPSOCKET_CALL);
    VALUE(HTTPSOCKET_ANSWER);
    VALUE(HTTPSOCKET_PART);
    VALUE(HTTPSOCKET_FAILURE);
    VALUE(HTTPSOCKET_RETRY_ALWAYS);
    VALUE(HTTPSOCKET_RETRY_AFTER_OPEN);
    VALUE(HTTPSOCKET_RETRY_NEVER);
    SIZE(httpsocket_server_options);
    MEMBER(httpsocket_server_options, size);
    MEMBER(httpsocket_server_options, listen);
    MEMBER(httpsocket_server_options, threads);
    MEMBER(httpsocket_server_options, peers_per_client);
    MEMBER(httpsocket_server_options, gateway);
    MEMBER(httpsocket_server_options, settings);
    MEMBER(httpsocket_server_options, user);
    MEMBER(httpsocket_server_options, on_start);
    MEMBER(httpsocket_server_options, on_access);
    SIZE(httpsocket_endpoint);
    MEMBER(httpsocket_endpoint, size);
    MEMBER(httpsocket_endpoint, subprotocols);
    MEMBER(httpsocket_endpoint, message_max);
    MEMBER(httpsocket_endpoint, queue_max);
    MEMBER(httpsocket_endpoint, lossy);
    MEMBER(httpsocket_endpoint, user);
    MEMBER(httpsocket_endpoint, on_request);
    MEMBER(httpsocket_endpoint, on_open);
    MEMBER(httpsocket_endpoint, on_message);
    MEMBER(httpsocket_endpoint, on_drain);
    MEMBER(httpsocket_endpoint, on_unsubscribed);
    MEMBER(httpsocket_endpoint, on_close);
    MEMBER(httpsocket_endpoint, topic);
    VALUE(HTTPSOCKET_SENT);
    VALUE(HTTPSOCKET_QUEUED);
    VALUE(HTTPSOCKET_REFUSED);
    SIZE(httpsocket_topic_event);
    MEMBER(httpsocket_topic_event, topic);
    MEMBER(httpsocket_topic_event, name);
    MEMBER(httpsocket_topic_event, data);
    MEMBER(httpsocket_topic_event, size);
    MEMBER(httpsocket_topic_event, seq);
    MEMBER(httpsocket_topic_event, lost);
    MEMBER(httpsocket_topic_event, self);
    MEMBER(httpsocket_topic_event, past);
    SIZE(httpsocket_page_handler);
    MEMBER(httpsocket_page_handler, size);
    MEMBER(httpsocket_page_handler, user);
    MEMBER(httpsocket_page_handler, on_request);
    MEMBER(httpsocket_page_handler, on_body);
    MEMBER(httpsocket_page_handler, on_answer_room);
    MEMBER(httpsocket_page_handler, on_attach);
    MEMBER(httpsocket_page_handler, on_detach);
    MEMBER(httpsocket_page_handler, on_message);
    MEMBER(httpsocket_page_handler, on_room);
    MEMBER(httpsocket_page_handler, on_restore);
    MEMBER(httpsocket_page_handler, on_topic);
    MEMBER(httpsocket_page_handler, on_command);
    MEMBER(httpsocket_page_handler, on_close);
    MEMBER(httpsocket_page_handler, on_over);
    MEMBER(httpsocket_page_handler, on_stream);
    MEMBER(httpsocket_page_handler, on_stream_data);
    MEMBER(httpsocket_page_handler, on_stream_room);
    MEMBER(httpsocket_page_handler, on_stream_reset);
    return 0;
}
