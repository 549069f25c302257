/* SPDX-License-Identifier: MIT */
/* lines_page.c - the answer to a request without a WebSocket for a program that reads lines. */
#include "page/lines_page.h"
#include "base/text.h"
#include "page/host.h"

/* Relative: a proxy may show us below a path. */
static const char page_begin_text[] =
    "<!doctype html>\n"
    "<meta charset=\"utf-8\">\n"
    "<title>A program that speaks WebSocket</title>\n"
    "<style>body { font: 16px/1.5 system-ui, sans-serif; margin: 2em; max-width: 60em }\n"
    "pre, input { font: 14px/1.5 monospace } pre { white-space: pre-wrap } input { width: 100% }\n"
    "i { color: #777 }</style>\n"
    "<h1>A program that speaks WebSocket</h1>\n"
    "<p>It reads lines and writes lines. Enter one:\n"
    "<form><input autofocus autocomplete=\"off\"></form>\n"
    "<pre></pre>\n"
    "<script type=\"module\">\n"
    "import { ServerConnection } from '";

static const char page_rest_text[] =
    ".httpsocket/client.mjs';\n"
    "const [form, input, output] = ['form', 'input', 'pre'].map((n) => "
    "document.querySelector(n));\n"
    "const connection = new ServerConnection(location.pathname + location.search);\n"
    "const show = (text, kind = 'span') => {\n"
    "  const line = document.createElement(kind);\n"
    "  line.textContent = `${text}\\n`;\n"
    "  output.append(line);\n"
    "  line.scrollIntoView({ block: 'nearest' });\n"
    "};\n"
    "connection.addEventListener('message', ({ data }) =>\n"
    "  show(data instanceof ArrayBuffer ? `(${data.byteLength} bytes)` : data));\n"
    "connection.addEventListener('suspend', () => show('connection lost, trying again', 'i'));\n"
    "connection.addEventListener('close', ({ code, reason }) => show(`closed: ${code} ${reason}`, "
    "'i'));\n"
    "form.onsubmit = () => {\n"
    "  connection.send('message', input.value);\n"
    "  input.value = '';\n"
    "  return false;\n"
    "};\n"
    "</script>\n";

static void put_way_to_root(struct text *out, struct slice path)
{
    const char *step = "./";
    for (size_t i = 1; i < path.len; i++) {
        if (path.ptr[i] != '/')
            continue;
        text_put(out, SLICE_LITERAL("../"));
        step = "";
    }
    text_put(out, slice_of(step));
}

void page_lines_answer(struct exchange *x)
{
    const struct http_header headers[] = {
        {SLICE_LITERAL("Upgrade"), SLICE_LITERAL("websocket")},
        {SLICE_LITERAL("Sec-WebSocket-Version"), SLICE_LITERAL("13")},
        {SLICE_LITERAL("Content-Type"), SLICE_LITERAL("text/html; charset=utf-8")},
        {SLICE_LITERAL("Cache-Control"), SLICE_LITERAL("no-store")},
    };
    struct text page = {0};
    text_put(&page, SLICE_LITERAL(page_begin_text));
    put_way_to_root(&page, x->path);
    text_put(&page, SLICE_LITERAL(page_rest_text));
    if (page.failed) {
        exchange_answer(x, 503, SLICE_LITERAL("out of memory"), NULL, 0);
    } else {
        exchange_respond(x, 426, SLICE_NONE, headers, 4, page.len);
        exchange_write(x, text_slice(&page));
        exchange_end(x);
    }
    text_done(&page);
}

bool page_has_lines(const struct page_host *host, struct slice path)
{
    return program_kinds_stdio(program_host_config(host->spec.programs)->kinds, path);
}

bool page_open_none(struct page_host *host, struct exchange *x)
{
    if (!page_has_lines(host, x->path))
        return false;
    page_lines_answer(x);
    return true;
}
