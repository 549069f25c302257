/* SPDX-License-Identifier: MIT */
/* lines_page.c - the answer to a request without a WebSocket for a program that reads lines. */
#include "page/lines_page.h"
#include "page/host.h"

static const char page_text[] =
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
    "import { ServerConnection } from '/.httpsocket/client.mjs';\n"
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

void page_lines_answer(struct exchange *x)
{
    const struct http_header headers[] = {
        {SLICE_LITERAL("Upgrade"), SLICE_LITERAL("websocket")},
        {SLICE_LITERAL("Content-Type"), SLICE_LITERAL("text/html; charset=utf-8")},
        {SLICE_LITERAL("Cache-Control"), SLICE_LITERAL("no-store")},
    };
    struct slice text = SLICE_LITERAL(page_text);
    exchange_respond(x, 426, SLICE_NONE, headers, 3, text.len);
    exchange_write(x, text);
    exchange_end(x);
}

bool page_open_none(struct page_host *host, struct exchange *x)
{
    if (!program_kinds_stdio(program_host_config(host->spec.programs)->kinds, x->path))
        return false;
    page_lines_answer(x);
    return true;
}
