# SPDX-License-Identifier: MIT
"""Page programs of httpsocketd in Python: a program prints a page, stays,
and goes on talking with it.

    from httpsocket import page

    @page.on("add")
    def add(n):
        page.send("total", n + 1)

    page.show("<!doctype html>…")
    page.run()

`page` is the page of this program; httpsocket.aio has the same for asyncio.
No dependencies, Python 3.10 or later.
"""
from __future__ import annotations

import json
from html import escape
from typing import Any

from .handlers import Failure
from .page import CallError, Ended, Event, Page, Stream
from .streams import StreamReset
from .wire import ProtocolError

__all__ = [
    "CallError",
    "Ended",
    "Event",
    "Failure",
    "Page",
    "ProtocolError",
    "Stream",
    "StreamReset",
    "escape",
    "page",
    "script_json",
]

page = Page()


def script_json(value: Any) -> str:
    """A value as JSON that may stand inside of a <script> element."""
    return (
        json.dumps(value)
        .replace("<", "\\u003c")
        .replace("\u2028", "\\u2028")
        .replace("\u2029", "\\u2029")
    )
