# SPDX-License-Identifier: MIT
import statistics

from ..lib.contenders import OURS, start_echo
from ..lib.process import Failed
from ..lib.row import Row, Section
from ..lib.rounds import open_sides, stand
from .echo import load_for

CONNECTIONS = 100
RATES = {"latency-20k": 20_000, "latency-60k": 60_000}
NAMES = ["raw epoll", "raw io_uring", *OURS, "libwebsockets", "ws"]
PERCENTILES = ["p50", "p99", "p99.9", "max"]
ROWS = tuple(
    Row(
        row,
        f"echo 20 B, {rate // 1000} 000 a second: p99 of the latency",
        "µs",
        better="less",
        digits=0,
    )
    for row, rate in RATES.items()
)


def measure(bench, rows):
    milliseconds = 700 if bench.quick else 2000
    for row in rows:
        rate = RATES[row.id]
        sides = open_sides(
            bench,
            [row],
            NAMES,
            lambda name: stand(
                start_echo(name),
                lambda s: load_for(name, s, 20, 1, CONNECTIONS, "--rate", str(rate)),
            ),
        )
        try:
            run(bench, row, sides, milliseconds)
        finally:
            for side in sides.values():
                side.stop()


def run(bench, row, sides, milliseconds):
    seen = {name: [] for name in sides}
    for n in range(bench.rounds + 1):  # the first warms up
        for name in list(seen):
            try:
                seen[name].append(sides[name].load.run(milliseconds)[2:])
            except Failed as why:
                bench.absent(row, name, f"does not keep up: {why}")
                del seen[name]
    middle = {}
    for name, all_rounds in seen.items():
        rounds = all_rounds[1:]
        middle[name] = [round(statistics.median(column), 1) for column in zip(*rounds)]
        bench.note(row, name, [each[1] for each in rounds])
    bench.extra(row, percentiles=middle)


SECTION = Section(
    "latency",
    "Latency under load",
    """An open loop: messages are sent by the clock, over 100 connections, whether or not those
before have come back, and the time counts from when a message *was to be* sent. So a server
that stops for a while is charged for all that had to wait (no coordinated omission).
Microseconds, median over the rounds; the generator is in them, and what a machine with two
CPUs does beside.""",
    ROWS,
    measure,
)
