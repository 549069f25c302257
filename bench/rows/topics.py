# SPDX-License-Identifier: MIT
import pathlib
import shutil
import tempfile

from ..lib.contenders import OURS, built, start_daemon, start_echo, start_redis
from ..lib.process import Load
from ..lib.row import Row, Section
from ..lib.rounds import alternate, note_rates, open_sides, stand

PLAIN = [f"{name}, plain" for name in OURS]
RAW = ["raw epoll", "raw io_uring"]
PEERS = ["libwebsockets", "ws", "redis"]
UNIT = "deliveries for a CPU second"
# id: subscribers, events at once, contenders
SHAPES = {
    "topic-1": (1000, 1, [*RAW, *OURS, *PLAIN, *PEERS]),
    "topic-16": (1000, 16, [*RAW, *OURS, *PLAIN, *PEERS]),
    "topic-10000": (10000, 1, [*RAW, *OURS, *PEERS]),
}
ROWS = (
    Row(
        "topic-1",
        "topic to 1000 sessions, one event at once",
        UNIT,
        goal=260_000,
        before=(("µWS", "235 k"), ("ours", "204 k")),
        digits=0,
    ),
    Row(
        "topic-16",
        "topic to 1000 sessions, 16 events at once",
        UNIT,
        goal=4_000_000,
        before=(("µWS", "3.64 M"), ("ours", "1.42 M")),
        digits=0,
    ),
    Row(
        "topic-10000",
        "topic to 10 000 plain sockets, one event at once",
        UNIT,
        goal=130_000,
        before=(("µWS", "113 k"), ("ours", "97 k")),
        digits=0,
    ),
)


def start(name, folder):
    if name == "redis":
        return start_redis()
    if name in OURS or name in PLAIN:
        return start_daemon(name.removesuffix(", plain"), folder)
    return start_echo(name, topic=True)


def load_for(name, server, count, at_once, plain):
    kind = "session"
    if name in RAW:
        kind = "raw"
    elif name == "redis":
        kind = "redis"
    elif plain or name in PEERS:
        kind = "ws"
    options = f"--topic --text --kind {kind} --connections {count} --depth {at_once} --path /hub"
    return Load("load", *options.split(), server.port)


def measure(bench, rows):
    with tempfile.TemporaryDirectory(prefix="httpsocket-bench-") as folder:
        shutil.copy(built("bench/program"), pathlib.Path(folder, "hub"))
        for row in rows:
            count, at_once, names = SHAPES[row.id]

            def make(name):
                plain = name in PLAIN or count > 1000
                return stand(
                    start(name, folder),
                    lambda server: load_for(name, server, count, at_once, plain),
                    units=count,
                    step=at_once,
                )

            sides = open_sides(bench, [row], names, make)
            try:
                note_rates(bench, row, alternate(bench, row, sides, at_once))
            finally:
                for side in sides.values():
                    side.stop()


SECTION = Section(
    "topics",
    "Topics",
    """A client publishes an event of 20 bytes, and every subscriber gets it: one event and the next
when all have it, or 16 at once. The raw loops do nothing but one send for each subscriber. In
`httpsocketd` the subscribers are pages of one shared program that has joined them to the topic
(`"to":"page"`); what a session needs (numbers, acknowledgement, repeating after a drop) is in the
rows of sessions, and `plain` is the plain WebSocket. Redis has its own protocol.""",
    ROWS,
    measure,
)
