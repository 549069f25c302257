# SPDX-License-Identifier: MIT
import json
import pathlib
import re
import signal
import subprocess
import tempfile

from ..lib.contenders import OURS, Absent, program, start_echo, start_files
from ..lib.process import LOAD_CPU, PATIENCE, ROOT, Failed, Load, Process
from ..lib.row import Row, Section
from ..lib.rounds import stand
from . import http
from .echo import load_for

UNIT = "system calls a message"
RECORD = ROOT / "tests/counts/record.json"
ECHOS = ["raw epoll", "raw io_uring", *OURS, "libwebsockets", "ws"]
# id: connections, in flight
SHAPES = {"calls-1": (1, 1), "calls-100": (100, 1), "calls-deep16": (1, 16)}
ROWS = (
    Row("calls-1", "system calls of an echo, 1 connection", UNIT, better="less"),
    Row("calls-100", "system calls of an echo, 100 connections", UNIT, better="less"),
    Row("calls-deep16", "system calls of an echo, 16 in flight", UNIT, better="less"),
    Row("calls-http", "system calls of a file of 48 B", "system calls a request", better="less"),
    Row(
        "calls-404",
        "system calls of a file that is not there",
        "system calls a request",
        better="less",
    ),
)


class Tracer(Process):
    """strace's count of a process, from now on."""

    def __init__(self, pid):
        self.table = tempfile.NamedTemporaryFile(prefix="httpsocket-bench-")
        command = [program("strace"), "-c", "-f", "-p", str(pid), "-o", self.table.name]
        super().__init__(command, LOAD_CPU, stderr=subprocess.PIPE)
        seen = self.process.stderr.readline()
        if b"attached" not in seen:
            raise Failed(seen.decode().strip()[:80] or "strace does not attach")

    def calls(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(PATIENCE)
        self.stop()
        found = re.search(
            r"^100\.00\s+\S+\s+(?:\S+\s+)?(\d+)(?:\s+\d+)?\s+total$", self.text(), re.M
        )
        if not found:
            raise Failed("strace counted nothing")
        return int(found[1])

    def text(self):
        return pathlib.Path(self.table.name).read_text(encoding="utf-8")


def count(side, work):
    """Calls for one of `work`, warmed up."""
    try:
        side.load.run(work)
        tracer = Tracer(side.server.pid)
        side.load.run(work)
        return tracer.calls() / work
    finally:
        side.stop()


def note(bench, row, name, make, work):
    if not bench.wants(name):
        return
    try:
        bench.note(row, name, [count(make(), work)])
    except (Absent, Failed, OSError, subprocess.TimeoutExpired) as why:
        bench.absent(row, name, str(why))


def measure(bench, rows):
    work = 2000 if bench.quick else 10_000
    with tempfile.TemporaryDirectory(prefix="httpsocket-bench-") as root:
        http.write_files(root)
        for row in rows:
            if row.id in SHAPES:
                measure_echo(bench, row, work)
            else:
                measure_http(bench, row, root, work)
    if RECORD.exists():
        bench.extra(rows[0], counts=json.loads(RECORD.read_text(encoding="utf-8")))


def measure_echo(bench, row, work):
    connections, depth = SHAPES[row.id]
    for name in ECHOS:
        note(
            bench,
            row,
            name,
            lambda: stand(start_echo(name), lambda s: load_for(name, s, 20, depth, connections)),
            work,
        )


def measure_http(bench, row, root, work):
    shape = {"calls-http": "http-48", "calls-404": "http-404"}[row.id]
    options = http.SHAPES[shape].format(root=root).split()
    for name in http.NAMES:
        note(
            bench,
            row,
            name,
            lambda: stand(start_files(name, root), lambda s: Load("requests", *options, s.port)),
            work,
        )


SECTION = Section(
    "calls",
    "Counts",
    """System calls of the server by `strace -c`, for a message. Unlike the clock they depend on the
machine's speed only where a faster generator puts more into one wait. What happens inside of one
process is counted by callgrind (`bench/counts`), at fixed work, and a test fails when it grows by
5 %.""",
    ROWS,
    measure,
)
