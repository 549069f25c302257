# SPDX-License-Identifier: MIT
from ..lib.contenders import OURS, start_echo
from ..lib.process import Load
from ..lib.row import Row, Section
from ..lib.rounds import compare, stand

ROW = Row(
    "handshakes",
    "WebSocket handshakes",
    "÷ libwebsockets",
    goal=1.6,
    before=(("µWS", "1.44"), ("ours", "1.36")),
)


def side(name):
    return stand(
        start_echo(name),
        lambda server: Load("requests", "--upgrade", "--connections", "50", server.port),
    )


def measure(bench, rows):
    compare(bench, rows[0], ["libwebsockets", *OURS, "ws"], side, "libwebsockets", least=100)


SECTION = Section(
    "handshakes",
    "WebSocket handshakes",
    """50 at a time: a connection is made, the request sent, the right `101` awaited, and the
connection reset.""",
    (ROW,),
    measure,
)
