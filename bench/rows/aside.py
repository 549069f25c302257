# SPDX-License-Identifier: MIT
import pathlib
import shutil
import subprocess
import tempfile

from ..lib.callgrind import PARTS, Callgrind
from ..lib.cluster import Cluster
from ..lib.contenders import Absent, built, start_daemon, start_redis
from ..lib.process import Failed, Load
from ..lib.row import Row, Section

IO = "ours, epoll"
NAMES = {"ours, epoll": False, "ours, epoll, with a broker": True}  # is there one?
EVENT, DELIVERY = "a session's event through a program", "an event to one more page"
UNITS = dict(zip(PARTS, ("instructions", "system calls", "allocations")))
WORKS = {"session": EVENT, "topic": DELIVERY}
ROWS = tuple(
    Row(
        f"aside-{work}-{part}",
        what,
        UNITS[part],
        better="less",
        digits=0 if part == "instructions" else 3,
    )
    for work, what in WORKS.items()
    for part in PARTS
)
DEPTH = 16
FEW, MANY = 100, 300  # pages that hear the topic


def start(with_broker, root, folder, callgrind, broker):
    """A server under callgrind: alone, or in a cluster of one."""
    if not with_broker:
        return start_daemon(IO, root, **callgrind.how)
    return Cluster(IO, root, folder, 1, broker=broker, **callgrind.how)


def counted(with_broker, root, broker, options, events):
    """Of each part, for one event."""
    with tempfile.TemporaryDirectory(prefix="httpsocket-bench-") as folder:
        callgrind = Callgrind(folder)
        server = start(with_broker, root, folder, callgrind, broker)
        one = server.servers[0] if with_broker else server
        callgrind.attach(one)
        load = None
        try:
            load = Load("load", "--text", "--kind", "session", *options.split(), one.port)
            if with_broker and "--topic" in options:
                server.heard("t")
            load.run(10 * DEPTH)
            found = callgrind.count(lambda: load.run(events))
            return {part: number / events for part, number in found.items()}
        finally:
            callgrind.kill()
            if load:
                load.stop()
            server.stop()


def of_session(with_broker, root, broker, events):
    options = f"--path /echo --connections 1 --depth {DEPTH}"
    return counted(with_broker, root, broker, options, 16 * events)


def of_topic(with_broker, root, broker, events):
    """What a page more costs: what the event costs before is in both, and goes."""
    few, many = (
        counted(
            with_broker,
            root,
            broker,
            f"--topic --path /hub --connections {pages} --depth {DEPTH}",
            events,
        )
        for pages in (FEW, MANY)
    )
    return {part: (many[part] - few[part]) / (MANY - FEW) for part in PARTS}


def measure_work(bench, rows, name, count, root, broker):
    events = DEPTH * (10 if bench.quick else 40)
    try:
        samples = [count(NAMES[name], root, broker, events) for _ in range(min(bench.rounds, 3))]
    except (Absent, Failed, OSError, subprocess.SubprocessError) as why:
        for row in rows:
            bench.absent(row, name, str(why))
        return
    for row in rows:
        bench.note(row, name, [found[row.id.rsplit("-", 1)[1]] for found in samples])


def measure(bench, rows):
    with tempfile.TemporaryDirectory(prefix="httpsocket-bench-") as root:
        for program in ("echo", "hub"):
            shutil.copy(built("bench/program"), pathlib.Path(root, program))
        broker = start_redis()
        try:
            for work, count in (("session", of_session), ("topic", of_topic)):
                wanted = [row for row in rows if row.id.startswith(f"aside-{work}-")]
                for name in NAMES:
                    if wanted and bench.wants(name):
                        measure_work(bench, wanted, name, count, root, broker)
        finally:
            broker.stop()


SECTION = Section(
    "aside",
    "What a broker costs where it is not used",
    """A server with a broker and one without should do the same for what never goes there: a
session's own events, and an event of a topic on its way from the server to one page more. Counted
by callgrind in httpsocketd itself, 16 events at once, less what the same server does in the same
time when it is idle (the signs of life to the broker, which are worth some percent here).""",
    ROWS,
    measure,
)
