# SPDX-License-Identifier: MIT
import os
import pathlib
import tempfile

from ..lib.contenders import OURS, start_files
from ..lib.process import Load
from ..lib.row import Row, Section
from ..lib.rounds import compare, stand

UNIT = "÷ nginx"
NAMES = ["nginx", *OURS, "lighttpd"]
BIG = 1 << 20


def row(name, what, goal, before):
    return Row(f"http-{name}", f"HTTP: {what}", UNIT, goal=goal, before=(("ours", before),))


# id: what requests is told
SHAPES = {
    "http-48": "--path /48.html --body {root}/48.html",
    "http-16k": "--path /16k.txt --body {root}/16k.txt",
    "http-1m": "--path /1m.txt --body {root}/1m.txt",
    "http-404": "--path /nothing.html --status 404",
    "http-close": "--path /48.html --body {root}/48.html --close",
}
ROWS = (
    row("48", "a file of 48 B", 1.3, "1.21"),
    row("16k", "a file of 16 KiB", 1.2, "1.02"),
    row("1m", "a file of 1 MiB", 2.0, "2.27"),
    row("404", "a file that is not there", 1.1, "0.60"),
    row("close", "48 B, Connection: close", 1.0, "0.75"),
)


def write_files(root):
    pathlib.Path(root, "48.html").write_text(
        "<!doctype html><title>48 bytes</title>Hello.".ljust(48)
    )
    pathlib.Path(root, "16k.txt").write_bytes(os.urandom(8192).hex().encode())
    pathlib.Path(root, "1m.txt").write_bytes(os.urandom(BIG // 2).hex().encode())
    for n in range(100):  # a folder that a miss may have to look through
        pathlib.Path(root, f"other-{n}.html").write_text("other")


def measure(bench, rows):
    with tempfile.TemporaryDirectory(prefix="httpsocket-bench-") as root:
        os.chmod(root, 0o755)
        write_files(root)
        for each in rows:
            options = SHAPES[each.id].format(root=root).split()
            compare(
                bench,
                each,
                NAMES,
                lambda name: stand(
                    start_files(name, root),
                    lambda server: Load("requests", "--connections", "20", *options, server.port),
                ),
                "nginx",
                least=100,
            )


SECTION = Section(
    "http",
    "HTTP",
    """20 connections, one request at a time on each, kept unless the row says otherwise; every byte
of the answer is compared. nginx and lighttpd are Debian's, with one worker, without access log,
with `sendfile`; beside the files the folder has a hundred others.""",
    ROWS,
    measure,
)
