# SPDX-License-Identifier: MIT
import pathlib
import shutil
import subprocess
import tempfile

from ..lib.cluster import Cluster, stand_watched
from ..lib.contenders import OURS, Absent, built
from ..lib.process import Failed, Load
from ..lib.row import Row, Section
from ..lib.rounds import alternate, open_sides
from .calls import Tracer

CONNECTIONS = 50
DEPTHS = {"way-cpu-1": 1, "way-cpu-16": 16, "way-calls-1": 1, "way-calls-16": 16}
CPU, CALLS = "µs of CPU for an event", "system calls an event"
WHERE = "a session's events through a program"
ROWS = (
    Row("way-cpu-1", f"{WHERE}, 50 pages, 1 in flight", CPU, better="less"),
    Row("way-cpu-16", f"{WHERE}, 50 pages, 16 in flight", CPU, better="less"),
    Row("way-calls-1", f"{WHERE}, 1 page, 1 in flight", CALLS, better="less"),
    Row("way-calls-16", f"{WHERE}, 1 page, 16 in flight", CALLS, better="less"),
    Row("way-memory", "idle page of a shared program", "bytes", better="less", digits=0),
)
OWN, OTHER = ", passed on: its own", ", passed on: the other"


def load_for(cluster, depth, connections, forwarded, path="/echo", source=0):
    own, other = cluster.ports
    where = ["--home", own, other] if forwarded else [own]
    options = f"--text --kind session --path {path} --connections {connections} --depth {depth}"
    return Load("load", *options.split(), "--source", source, *where)


def make_side(name, folder, depth, connections):
    """`name` of OURS, or with OWN behind it."""
    forwarded = name.endswith(OWN)
    return stand_watched(
        Cluster(name.removesuffix(OWN), folder / "root", folder, 2),
        lambda cluster: load_for(cluster, depth, connections, forwarded),
        lambda cluster: dict(zip(("own", "other"), cluster.servers)),
    )


def both(io):
    return [io, io + OWN]


# ---- CPU ----


def measure_cpu(bench, row, folder):
    depth = DEPTHS[row.id]
    names = [name for io in OURS for name in both(io)]
    sides = open_sides(
        bench, [row], names, lambda name: make_side(name, folder, depth, CONNECTIONS)
    )
    try:
        for name, costs in alternate(bench, row, sides, CONNECTIONS * depth).items():
            note_cpu(bench, row, name, sides[name], len(costs))
    finally:
        for side in sides.values():
            side.stop()


def note_cpu(bench, row, name, side, rounds):
    bench.note(row, name, [s * 1e6 for s in side.of("own", rounds)])
    if name.endswith(OWN):
        other = name.removesuffix(OWN) + OTHER
        bench.note(row, other, [s * 1e6 for s in side.of("other", rounds)])


# ---- system calls ----


def count_calls(side, work):
    """Of each server, for one event."""
    side.load.run(work)
    tracers = [Tracer(server.pid) for server in side.server.servers]
    side.load.run(work)
    return [tracer.calls() / work for tracer in tracers]


def attempt(bench, row, name, work):
    """What `work` returns for the servers of a contender is noted for each of them."""
    if not bench.wants(name):
        return
    try:
        own, other = work()
        bench.note(row, name, own)
        if name.endswith(OWN):
            bench.note(row, name.removesuffix(OWN) + OTHER, other)
    except (Absent, Failed, OSError, subprocess.TimeoutExpired) as why:
        bench.absent(row, name, str(why))


def measure_calls(bench, row, folder):
    depth, work = DEPTHS[row.id], 1600 if bench.quick else 8000

    def counted(name):
        side = make_side(name, folder, depth, 1)
        try:
            own, other = count_calls(side, work)
        finally:
            side.stop()
        return [own], [other]

    for io in OURS:
        for name in both(io):
            attempt(bench, row, name, lambda: counted(name))


# ---- memory ----


def grown(name, folder, count):
    """Bytes of each server's own memory, for one page that has said and heard something."""
    forwarded = name.endswith(OWN)
    cluster = Cluster(name.removesuffix(OWN), folder / "root", folder, 2)
    loads = []

    def add(connections):
        loads.append(load_for(cluster, 1, connections, forwarded, "/shared", len(loads)))
        loads[-1].run(connections)
        return [server.own_memory() for server in cluster.servers]

    try:
        before = add(20)
        return [(after - was) / count for was, after in zip(before, add(count))]
    finally:
        for load in loads:
            load.stop()
        cluster.stop()


def measure_memory(bench, row, folder):
    count, times = (500, 1) if bench.quick else (3000, 3)
    for io in OURS:
        for name in both(io):
            attempt(
                bench, row, name, lambda: zip(*(grown(name, folder, count) for _ in range(times)))
            )


# ---- all ----


def measure(bench, rows):
    with tempfile.TemporaryDirectory(prefix="httpsocket-bench-") as name:
        folder = pathlib.Path(name)
        (folder / "root").mkdir()
        for program in ("echo", "shared"):
            shutil.copy(built("bench/program"), folder / "root" / program)
        for row in rows:
            if row.id.startswith("way-cpu"):
                measure_cpu(bench, row, folder)
            elif row.id.startswith("way-calls"):
                measure_calls(bench, row, folder)
            else:
                measure_memory(bench, row, folder)


SECTION = Section(
    "ways",
    "Sessions that another server passes on",
    """Two servers share a broker, and are each other's way. A page has its session and its program
at *its own* server; its connection comes there, or to *the other* one, which passes the bytes on by
TLS. All is for one event of 20 bytes there and back; the program is not counted. One connection
between the two servers carries all pages.""",
    ROWS,
    measure,
)
