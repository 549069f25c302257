/* SPDX-License-Identifier: MIT */
/* emit.c - `httpsocket emit`: one event, delivered when it exits 0. */
#include "cli/client_options.h"

#define TIMEOUT_MS 30000

int emit_command(int argc, char **argv)
{
    static const struct client_usage usage = {"emit [OPTIONS] URL NAME [JSON]", 2, 3, false};
    struct client_options o;
    int status = client_options_read(argc, argv, &usage, &o);
    if (status >= 0)
        return status;
    uint64_t timeout_ms = o.timeout_ms ? o.timeout_ms : TIMEOUT_MS;
    o.client.give_up_ms = timeout_ms;
    struct httpsocket *c = client_options_open(&o);
    if (!c)
        return CLI_USAGE;
    int error = httpsocket_emit(c, o.words[1], o.word_count > 2 ? o.words[2] : NULL);
    if (!error)
        error = httpsocket_close(c, "emitted", timeout_ms);
    status = error ? client_say_refused(o.words[1], error) : CLI_OK;
    if (!error && httpsocket_run(c) < 0)
        status = CLI_FAILURE;
    if (!error)
        status = client_status(c);
    httpsocket_free(c);
    return status;
}
