# SPDX-License-Identifier: MIT
import resource
import statistics

from ..lib.contenders import OURS, Absent, start_echo
from ..lib.process import CPUS, Failed, Load
from ..lib.row import Row, Section
from ..lib.rounds import alternate, note_ratios, open_sides, stand
from .echo import load_for

UNIT = "÷ raw epoll"
NAMES = ["raw epoll", "raw io_uring", *OURS, "libwebsockets", "ws"]
COUNTS = {f"growth-{n}": n for n in (10, 100, 1000, 10_000)}
PATIENCE = ["--patience", "3"]  # the wall may be one that lets a client wait
# libwebsockets takes quadratically long to let so many in.
TOO_MANY = {"libwebsockets": 1000}
MOST = Row(
    "connections",
    "connections in one process, as many as go",
    "connections",
    goal=300_000,
    before=(("µWS", "19.9 k"), ("ours", "19.9 k")),
    digits=0,
)
WORKERS = Row("workers-2", "two workers: CPU of a message ÷ one worker's", "÷ one worker")
ROWS = (
    MOST,
    *(
        Row(row, f"echo 20 B, one in flight, {count} connections", UNIT)
        for row, count in COUNTS.items()
    ),
    WORKERS,
)


def measure(bench, rows):
    for row in rows:
        if row is MOST:
            measure_most(bench)
        elif row is WORKERS:
            measure_workers(bench)
        else:
            measure_count(bench, row)


def echo_side(name, count):
    if count > TOO_MANY.get(name, count):
        raise Absent("takes minutes to let so many in")
    return stand(start_echo(name), lambda server: load_for(name, server, 20, 1, count))


def measure_count(bench, row):
    count = COUNTS[row.id]
    sides = open_sides(bench, [row], NAMES, lambda name: echo_side(name, count))
    try:
        note_ratios(bench, row, alternate(bench, row, sides, count), "raw epoll")
    finally:
        for side in sides.values():
            side.stop()


def measure_most(bench):
    """Adds connections, a generator for each ten thousand, until one is refused."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    for name in OURS:
        if not bench.wants(name):
            continue
        try:
            server = start_echo(name)
        except (Absent, Failed) as why:
            bench.absent(MOST, name, str(why))
            continue
        count, wall = fill(server, name)
        bench.note(MOST, name, [count])
        bench.extra(MOST, **{f"wall of {name}": wall, "descriptor limit": limit})


def fill(server, name, most=320_000):
    """How many connections echo at the same time, and what ended it."""
    loads, count, step, wall = [], 0, 9_000, "no wall: all that were tried"
    try:
        while step >= 9 and count < most:
            try:
                load = load_for(name, server, 20, 1, step, "--source", str(len(loads)), *PATIENCE)
            except Failed as why:
                wall, step = str(why), step // 10
                continue
            try:
                load.run(step)
            except Failed as why:
                wall, step = str(why), step // 10
                continue
            loads.append(load)
            count += step
        for load in loads:
            load.run(int(load.process.args[load.process.args.index("--connections") + 1]))
    finally:
        for load in loads:
            load.stop()
        server.stop()
    return count, wall


def measure_workers(bench):
    """The same load, over one worker and over two; both CPUs are for both, and for the load."""
    for name in OURS:
        if not bench.wants(name):
            continue
        try:
            sides = {
                threads: stand(
                    start_echo(name, threads=threads, cpus=set(CPUS)),
                    lambda server: Load(
                        "load", "--kind", "ws", "--connections", "100", server.port, cpus=set(CPUS)
                    ),
                )
                for threads in (1, 2)
            }
        except (Absent, Failed) as why:
            bench.absent(WORKERS, name, str(why))
            continue
        try:
            costs = alternate(bench, WORKERS, sides, 100)
        finally:
            for side in sides.values():
                side.stop()
        if len(costs) == 2:
            samples = [one / two for one, two in zip(costs[1], costs[2])]
            bench.note(WORKERS, name, samples)
            bench.extra(WORKERS, **{f"rate of {name}": round(1 / statistics.median(costs[2]))})


SECTION = Section(
    "growth",
    "Growth",
    """The cost of a message when ever more connections take part. *As many as go* opens connections
from several processes and addresses until one is refused; then all of them echo once more. Two
workers share nothing in the hot path, so a message should cost what it costs with one: 1.""",
    ROWS,
    measure,
)
