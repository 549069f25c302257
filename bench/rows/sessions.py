# SPDX-License-Identifier: MIT
import pathlib
import shutil
import statistics
import tempfile

from ..lib.contenders import OURS, built, program, start_daemon, start_echo
from ..lib.process import Load, Server, free_port
from ..lib.row import Row, Section
from ..lib.rounds import alternate, open_sides, stand

CONNECTIONS = 50
UNIT = "echo ÷ (session − hop)"
DEPTHS = {"session-1": 1, "session-16": 16, "session-256": 256}
BEFORE = {"session-1": "0.83", "session-16": "0.58", "session-256": "0.19"}
GOALS = {"session-1": 0.85, "session-16": 0.75, "session-256": 0.50}
ROWS = tuple(
    Row(
        row,
        f"session events through a program, {depth} in flight",
        UNIT,
        goal=GOALS[row],
        before=(("ours", BEFORE[row]),),
    )
    for row, depth in DEPTHS.items()
)
SHARED = [f"{name}, shared" for name in OURS]
LINES = [f"{name}, stdio" for name in OURS]
ECHOS = [f"{name}, echo" for name in OURS]
NAMES = ["raw epoll", "raw relay", *ECHOS, *OURS, *SHARED, *LINES, "websocketd"]


def start(name, folder):
    if name == "raw epoll":
        return start_echo(name)
    if name == "raw relay":
        return Server([built("bench/raw_echo"), "--through", folder / "echo"])
    if name in ECHOS:
        return start_echo(name.removesuffix(", echo"))
    if name == "websocketd":
        port = free_port()
        options = f"--port={port} --address=127.0.0.1 --loglevel=error".split()
        return Server([program("websocketd"), *options, folder / "lines"], port=port)
    ours = name.split(", ")
    stdio = ["--stdio", f"/lines={folder / 'lines'}"]
    return start_daemon(", ".join(ours[:2]), folder / "root", *stdio)


def load_for(name, server, depth):
    kind, path = "ws", "/"
    if name in OURS:
        kind, path = "session", "/echo"
    elif name in SHARED:
        kind, path = "session", "/shared"
    elif name in LINES:
        path = "/lines"
    elif name.startswith("raw"):
        kind = "raw"
    options = f"--text --kind {kind} --path {path} --connections {CONNECTIONS} --depth {depth}"
    return Load("load", *options.split(), server.port)


def note(bench, row, costs):
    """The ratio of the issue for ours; the raw relay's to all, where nothing is taken off."""
    median = {name: statistics.median(cost) for name, cost in costs.items()}
    if "raw relay" not in costs or "raw epoll" not in costs:
        return
    bench.extra(
        row,
        relay={
            name: round(median["raw relay"] / cost, 4)
            for name, cost in median.items()
            if name not in ("raw epoll", "raw relay", *ECHOS)
        },
        microseconds={name: round(cost * 1e6, 3) for name, cost in median.items()},
    )
    hops = [relay - echo for relay, echo in zip(costs["raw relay"], costs["raw epoll"])]
    for name in [*OURS, *SHARED]:
        echo = costs.get(", ".join(name.split(", ")[:2]) + ", echo")
        if name in costs and echo:
            bench.note(row, name, [e / (c - h) for e, c, h in zip(echo, costs[name], hops)])
    for name in [*LINES, "websocketd"]:
        if name in costs:
            echo = costs["raw epoll"]
            bench.note(row, name, [e / (c - h) for e, c, h in zip(echo, costs[name], hops)])


def measure(bench, rows):
    with tempfile.TemporaryDirectory(prefix="httpsocket-bench-") as name:
        folder = pathlib.Path(name)
        (folder / "root").mkdir()
        for target in ("echo", "lines", "root/echo", "root/shared"):
            shutil.copy(built("bench/program"), folder / target)
        for row in rows:
            depth = DEPTHS[row.id]
            sides = open_sides(
                bench,
                [row],
                NAMES,
                lambda name: stand(start(name, folder), lambda s: load_for(name, s, depth)),
            )
            try:
                note(bench, row, alternate(bench, row, sides, CONNECTIONS * depth))
            finally:
                for side in sides.values():
                    side.stop()


SECTION = Section(
    "sessions",
    "Events through a program",
    """50 pages, each with a program of its own (or all with one that is *shared*), send events of
20 bytes that the program sends back. The raw relay gives each connection the same program and moves
bytes; what it costs more than the raw echo is the *hop*, which nobody can save who has a program.
The ratio is our own echo without any session, divided by the session's cost less the hop.
`stdio` is the same by a program that reads and writes lines, beside websocketd; both without a
session, as a ratio to the raw echo.""",
    ROWS,
    measure,
)
