# SPDX-License-Identifier: MIT
import json
import os
import shutil
import subprocess
import tempfile
import urllib.request

from ..lib.contenders import OURS, Absent, program, start_daemon
from ..lib.process import BUILD, LIBC, PR_SET_PDEATHSIG, ROOT, Failed
from ..lib.row import Row, Section

KB = 1000
CODINGS = {"client-raw": "identity", "client-gzip": "gzip", "client-brotli": "br"}
SIZES = (
    Row(
        "client-raw",
        "client.js, as it is",
        "KB",
        better="less",
        before=(("Socket.IO", "47"), ("ours", "164")),
        digits=1,
    ),
    Row(
        "client-gzip",
        "client.js, gzip",
        "KB",
        better="less",
        goal=20,
        before=(("Socket.IO", "15"), ("ours", "46")),
        digits=1,
    ),
    Row("client-brotli", "client.js, brotli", "KB", better="less", digits=1),
)
RUNS = Row(
    "client-run",
    "client.js, parsed and run (Chromium)",
    "ms",
    better="less",
    goal=3,
    before=(("ours", "7.9"),),
    digits=1,
)
KEYED = Row(
    "dom-rows",
    "10 000 keyed rows, one `.dom` each (Chromium)",
    "ms",
    better="less",
    goal=450,
    before=(("ours", "1464"),),
    digits=0,
)
NAME = "client.js"
BROWSER = ROOT / "bench/in_browser.mjs"


def measure(bench, rows):
    if not bench.wants(NAME):
        return
    sizes = [row for row in rows if row in SIZES]
    if sizes:
        with tempfile.TemporaryDirectory(prefix="httpsocket-bench-") as root:
            measure_sizes(bench, sizes, root)
    for row, mode in ((RUNS, "client"), (KEYED, "rows")):
        if row in rows:
            measure_in_browser(bench, row, mode)


def measure_sizes(bench, rows, root):
    server = start_daemon(OURS[0], root)
    try:
        for row in rows:
            wanted = CODINGS[row.id]
            got, size = fetch(server.port, wanted)
            if got != wanted:
                bench.absent(row, NAME, f"not served so: {got}")
            else:
                bench.note(row, NAME, [size / KB])
    finally:
        server.stop()


def fetch(port, coding):
    """(coding, bytes) of the file as it is served to who accepts this coding alone."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/.httpsocket/client.js", headers={"Accept-Encoding": coding}
    )
    with urllib.request.urlopen(request) as answer:
        return answer.headers.get("Content-Encoding", "identity"), len(answer.read())


def in_browser(*arguments):
    """Milliseconds of one mode, of each round."""
    if not (shutil.which("chromium") and (ROOT / "node_modules/puppeteer-core").exists()):
        raise Absent("no Chromium")
    try:
        told = subprocess.run(
            [program("node"), BROWSER, *arguments],
            capture_output=True,
            text=True,
            timeout=240,
            env={**os.environ, "HTTPSOCKET_BUILD": str(BUILD)},
            preexec_fn=lambda: LIBC.prctl(PR_SET_PDEATHSIG, 15),
        )
    except subprocess.TimeoutExpired:
        raise Failed("the browser did not end") from None
    if told.returncode:
        raise Failed(told.stderr.strip().split("\n")[-1][:200] or "the browser failed")
    return json.loads(told.stdout)["ms"]


def measure_in_browser(bench, row, mode):
    try:
        bench.note(row, NAME, in_browser(mode, str(min(bench.rounds, 5))))
    except (Absent, Failed, ValueError, KeyError) as why:
        bench.absent(row, NAME, str(why))


SECTION = Section(
    "page",
    "In the page",
    """What each page loads first, as the server sends it to a browser that accepts the coding; what
parsing and running it costs in a document of its own; and what it costs a page when its program
changes each of ten thousand rows, by a `.dom` for each. Both in Chromium, CPU time of the page's
main thread.""",
    (*SIZES, RUNS, KEYED),
    measure,
)
