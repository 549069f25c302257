/* SPDX-License-Identifier: MIT */
/* call.c - `httpsocket call`: one call, its answers on stdout, each a line. Bytes go as `@LEN`, LF,
 * the bytes, LF. */
#include "cli/client_options.h"

#include <jansson.h>
#include <stdio.h>

#define TIMEOUT_MS 30000

struct call {
    bool parts, failed, answered;
};

static void print_answer(const struct httpsocket_message *m)
{
    if (m->bytes)
        printf("@%zu\n", m->size);
    else if (m->size == 0)
        printf("null");
    fwrite(m->data, 1, m->size, stdout);
    putchar('\n');
    fflush(stdout);
}

/* {"message": TEXT}; another form is shown as it is. */
static void print_failure(const struct httpsocket_message *m)
{
    json_t *object = json_loadb(m->data, m->size, JSON_DECODE_ANY, NULL);
    const char *text = json_string_value(json_object_get(object, "message"));
    if (text)
        fprintf(stderr, "httpsocket: %s\n", text);
    else
        fprintf(stderr, "httpsocket: %.*s\n", (int)m->size, (const char *)m->data);
    json_decref(object);
}

static void on_answer(struct httpsocket *c, const struct httpsocket_message *m, void *arg)
{
    struct call *call = arg;
    if (httpsocket_ended(c))
        return; /* told as what it is */
    if (m->kind == HTTPSOCKET_FAILURE) {
        call->failed = true;
        print_failure(m);
    } else if (m->kind == HTTPSOCKET_PART || m->bytes || m->size || !call->parts) {
        print_answer(m);
    }
    call->parts |= m->kind == HTTPSOCKET_PART;
    if (m->kind == HTTPSOCKET_PART)
        return;
    call->answered = true;
    httpsocket_close(c, "answered", TIMEOUT_MS);
}

static int finish(struct httpsocket *c, const struct call *call)
{
    if (httpsocket_run(c) < 0)
        return CLI_FAILURE;
    if (!call->answered) { /* by the program */
        int status = client_status(c);
        if (status == CLI_OK)
            fprintf(stderr, "httpsocket: the program ended without an answer\n");
        return CLI_FAILURE;
    }
    return call->failed || ferror(stdout) ? CLI_FAILURE : CLI_OK;
}

int call_command(int argc, char **argv)
{
    static const struct client_usage usage = {"call [OPTIONS] URL NAME [JSON]", 2, 3, false};
    struct client_options o;
    struct call call = {0};
    int status = client_options_read(argc, argv, &usage, &o);
    if (status >= 0)
        return status;
    uint64_t timeout_ms = o.timeout_ms ? o.timeout_ms : TIMEOUT_MS;
    o.client.give_up_ms = timeout_ms;
    struct httpsocket *c = client_options_open(&o);
    if (!c)
        return CLI_USAGE;
    int error = httpsocket_call(c, o.words[1], o.word_count > 2 ? o.words[2] : NULL, timeout_ms,
                                on_answer, &call);
    status = error ? client_say_refused(o.words[1], error) : finish(c, &call);
    httpsocket_free(c);
    return status;
}
