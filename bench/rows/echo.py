# SPDX-License-Identifier: MIT
from ..lib.contenders import OURS, start_echo
from ..lib.process import Load
from ..lib.row import Row, Section
from ..lib.rounds import compare, stand

NAMES = ["raw epoll", "raw io_uring", *OURS, "libwebsockets", "ws"]
UNIT = "÷ raw epoll"
# id: bytes, in flight on each connection, connections
SHAPES = {
    "echo-20-100": (20, 1, 100),
    "echo-20-1000": (20, 1, 1000),
    "echo-1k-100": (1024, 1, 100),
    "echo-16k-1": (16384, 1, 1),
    "echo-16k-16": (16384, 16, 1),
    "echo-20-deep16": (20, 16, 1),
    "echo-20-deep256": (20, 256, 1),
    "echo-16k-16-100": (16384, 16, 100),
    "echo-20-deep16-100": (20, 16, 100),
    "echo-20-deep256-100": (20, 256, 100),
}


def goal(epoll, uring):
    return (("ours, epoll", epoll), ("ours, io_uring", uring))


def before(uws, ours, uring=None):
    found = (("µWS", uws), ("ours", ours))
    return (*found, ("raw io_uring", uring)) if uring else found


def row(name, what, **more):
    size, depth, connections = SHAPES[name]
    count = "1 connection" if connections == 1 else f"{connections} connections"
    flight = "one" if depth == 1 else depth
    return Row(name, f"echo {what}, {flight} in flight, {count}", UNIT, **more)


ROWS = (
    row("echo-20-100", "20 B", goal=goal(0.98, 1.05), before=before("0.98", "0.97", "1.11")),
    row(
        "echo-20-1000",
        "20 B",
        goal=goal(0.98, 1.15),
        before=before("1.00", "0.95 to 0.99", "1.18"),
    ),
    row("echo-1k-100", "1 KiB", goal=1.05, before=before("0.98", "0.97", "1.13")),
    row("echo-16k-1", "16 KiB", goal=0.97, before=before("0.90", "0.91")),
    row("echo-16k-16", "16 KiB", goal=0.85, before=before("0.45", "0.72 to 0.75")),
    row("echo-20-deep16", "20 B", goal=1.05, before=before("0.93", "0.91 to 0.93")),
    row("echo-20-deep256", "20 B", goal=0.80, before=before("0.55", "0.46")),
    row("echo-16k-16-100", "16 KiB"),
    row("echo-20-deep16-100", "20 B"),
    row("echo-20-deep256-100", "20 B"),
)


def load_for(name, server, size, depth, connections, *more):
    kind = "raw" if name.startswith("raw") else "ws"
    options = f"--kind {kind} --size {size} --depth {depth} --connections {connections}".split()
    return Load("load", *options, *more, server.port)


def side(name, size, depth, connections):
    return stand(
        start_echo(name, buffer=buffer_for(size, depth)),
        lambda server: load_for(name, server, size, depth, connections),
    )


def buffer_for(size, depth):
    """What raw io_uring is given: small buffers are the better ones, as long as they do."""
    return 262144 if size > 4096 else 8192 if depth > 16 else 2048


def measure(bench, rows):
    for row in rows:
        size, depth, connections = SHAPES[row.id]
        compare(
            bench,
            row,
            NAMES,
            lambda name: side(name, size, depth, connections),
            "raw epoll",
            least=connections * depth,
        )


SECTION = Section(
    "echo",
    "Echo",
    """Each message is a WebSocket frame that comes back. The raw loops get the very bytes of the
frames and have nothing to do but to send them back: `raw epoll` is 1.""",
    ROWS,
    measure,
)
