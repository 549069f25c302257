# SPDX-License-Identifier: MIT
import pathlib
import shutil
import tempfile
import urllib.request

from ..lib.contenders import OURS, built, start_daemon
from ..lib.process import SERVER_CPU, Load
from ..lib.row import Row, Section
from ..lib.rounds import Side, alternate, open_sides, stand

UNIT = "÷ posix_spawn"
SCRIPT = """#!/bin/sh
echo 'Content-Type: text/html

<!doctype html><title>A page</title>'
"""
BASE, FOUR = "posix_spawn", "posix_spawn, four descriptors"


def row(name, what, goal, before):
    return Row(
        f"page-{name}",
        f"a page's CPU, program in {what}",
        UNIT,
        better="less",
        goal=goal,
        before=(("ours", before),),
    )


ROWS = (row("c", "C", 1.5, "2.0"), row("sh", "sh", 2.2, "3.2"))


def write_root(root):
    root.mkdir()
    shutil.copy(built("bench/page"), root / "c")
    (root / "sh").write_text(SCRIPT)
    (root / "sh").chmod(0o755)


def start(name, root, log):
    """With one worker, and the log that is the default, into a file."""
    options = "--threads 1 --no-supervisor --rate-client off --rate-origin off --rate-programs off"
    return start_daemon(name, root, *options.split(), wide=False, stderr=log)


def environment(server):
    """What a program is given, as that program tells it."""
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/c?environment") as answer:
        return dict(line.split(b"=", 1) for line in answer.read().split(b"\0")[:-1])


def bare_side(program, env, *more):
    load = Load("bare", program, *more, cpus=SERVER_CPU, env=env, cwd=program.parent)
    return Side(load, load)


def measure(bench, rows):
    with tempfile.TemporaryDirectory(prefix="httpsocket-bench-") as folder:
        root = pathlib.Path(folder, "root")
        write_root(root)
        with open(pathlib.Path(folder, "log"), "w", encoding="utf-8") as log:
            for each in rows:
                measure_program(bench, each, root, log)


def measure_program(bench, each, root, log):
    program = root / each.id.removeprefix("page-")
    server = start("ours, epoll", root, log)
    env = environment(server)
    server.stop()

    def make(name):
        if name == BASE:
            return bare_side(program, env)
        if name == FOUR:
            return bare_side(program, env, "page")
        return stand(
            start(name, root, log),
            lambda s: Load("requests", "--path", f"/{program.name}", s.port),
        )

    sides = open_sides(bench, [each], [BASE, FOUR, *OURS], make)
    try:
        costs = alternate(bench, each, sides, 20)
    finally:
        for side in sides.values():
            side.stop()
    bare = costs.pop(BASE, None)
    for name, cost in costs.items() if bare else ():
        bench.note(each, name, [c / b for b, c in zip(bare, cost)])
    if bare:
        bench.note_base(each, BASE, len(bare) / sum(bare))


SECTION = Section(
    "pages",
    "Pages",
    """What the page of a program costs the server itself, as a ratio to a loop that does nothing
but `posix_spawn`, read to the end, `waitpid`, with the same program and environment. What the child
costs (its exec, its run, its exit) is in neither. The page is the whole way: GET on a kept
connection, the program found and started with four descriptors and the environment of CGI, its
answer streamed with the session's element, its end seen and logged to a file. A page program is
promised four descriptors: the second loop gives them and reads them to their ends.""",
    ROWS,
    measure,
)
